"""Zero-shot tags: the names in a vocabulary that an image's vector is most similar to.

Within each group the names compete with each other and with neutral sentences (softmax with the model's own scale, as
in CLIP, arXiv 2103.00020). Only clear winners become tags.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from heimdex_core.errors import ModelBroken
from heimdex_core.models.base import Vectors

VOCABULARY = Path(__file__).with_name("tags.toml")
MOST = 8
MOST_OF_A_GROUP = 3
CERTAIN = 0.25
"""Least probability of a tag within its group."""
CLEAR = 2.0
"""Least ratio of a tag's probability to that of the best neutral sentence."""


@dataclass(frozen=True)
class Vocabulary:
    """Groups of English names, each with its Korean name, and the neutral sentences `nothing`."""

    groups: Mapping[str, Mapping[str, str]]
    nothing: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The English names of all groups."""
        return [name for group in self.groups.values() for name in group]

    @property
    def korean(self) -> dict[str, str]:
        """The Korean names by their English ones."""
        return {name: korean for group in self.groups.values() for name, korean in group.items()}


@lru_cache(maxsize=8)
def read_vocabulary(path: Path = VOCABULARY) -> Vocabulary:
    """The vocabulary in a TOML file. Raises ModelBroken where it is damaged or has a name twice."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        nothing = tuple(str(text) for text in data.pop("nothing"))
        groups = {group: {str(en): str(ko) for en, ko in names.items()} for group, names in data.items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelBroken(name="vision tags", reason=f"{path.name}: {error}") from error
    names = [name for group in groups.values() for name in group]
    for name in names:
        if name != name.strip().lower() or names.count(name) > 1:
            raise ModelBroken(name="vision tags", reason=f"{path.name}: {name} is not lower case or is repeated")
    return Vocabulary(groups, nothing)


class Tagger:
    """The vocabulary as vectors of one model: those names whose words it knows.

    `encode` gives the unit vectors (n, d) of texts, `scale` is the model's logit scale.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        known: Collection[str],
        encode: Callable[[Sequence[str]], Vectors],
        scale: float,
    ) -> None:
        self._scale = scale
        self._groups: list[tuple[list[str], Vectors]] = []
        nothing = encode(vocabulary.nothing)
        for group in vocabulary.groups.values():
            names = [name for name in group if name in known]
            # a single name would compete with the neutral sentences alone, and win by default
            if len(names) > 1:
                self._groups.append((names, np.concatenate([encode(names), nothing])))

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """Names for a unit vector (d,), most probable first, at most MOST."""
        found: dict[str, float] = {}
        for names, vectors in self._groups:
            scores = (vectors @ vector).astype(np.float64) * self._scale
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            least = max(CERTAIN, CLEAR * float(shares[len(names) :].max(initial=0.0)))
            best = sorted(zip(names, shares[: len(names)], strict=True), key=lambda pair: (-pair[1], pair[0]))
            found |= {name: float(share) for name, share in best[:MOST_OF_A_GROUP] if share >= least}
        return tuple(sorted(found, key=lambda name: (-found[name], name))[:MOST])
