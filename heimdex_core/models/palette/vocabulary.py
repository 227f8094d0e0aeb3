"""The vocabulary in vocabulary.toml, checked, and how its words are looked up."""

from __future__ import annotations

import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from heimdex_core.errors import ModelBroken
from heimdex_core.models.palette.colours import NAMES
from heimdex_core.models.palette.layout import MEASURES, REGIONS

Kind = Literal["colour", "look", "thing"]
Mix = Mapping[str, float]

FILE = Path(__file__).with_name("vocabulary.toml")
LONGEST_PHRASE = 5


@dataclass(frozen=True)
class Concept:
    """What a word means for an image."""

    name: str
    kind: Kind
    mix: Mix = field(default_factory=dict)
    """Shares of colours by name, which sum to 1; empty where the colour does not matter."""
    at: str | None = None
    """The region where it usually is; None for anywhere."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """More (above 0) or less (below 0) of a measure, by its name in layout.MEASURES."""
    shift: str | None = None
    """Name of the table by which it changes colours, as in "dark green"."""
    is_tag: bool = False
    """Whether images are tagged with it."""
    is_light: bool = False
    """Whether it changes how everything else looks: night, sunset."""


@dataclass(frozen=True)
class Vocabulary:
    """All concepts, and the words that name them."""

    concepts: tuple[Concept, ...]
    phrases: Mapping[tuple[str, ...], Concept]
    """The concept of every word and phrase, by its tokens; English singulars and plurals."""
    shifts: Mapping[str, Mapping[str, Mix]]
    """By name of the shift and of the colour: what becomes of the colour."""
    korean: frozenset[str]
    """The Korean single words, to split compounds."""

    def find(self, tokens: Sequence[str]) -> Concept | None:
        """The concept that these tokens name in any of their forms, the exact ones first."""
        for spelled in itertools.product(*(forms(token) for token in tokens)):
            concept = self.phrases.get(spelled)
            if concept is not None:
                return concept
        return None


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary, read once. Raises ModelBroken where it names something that the descriptor does not have."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    concepts: list[Concept] = []
    phrases: dict[tuple[str, ...], Concept] = {}
    kinds: tuple[tuple[str, Kind], ...] = (("colours", "colour"), ("looks", "look"), ("things", "thing"))
    for section, kind in kinds:
        for name, entry in data[section].items():
            defaults = {} if kind != "thing" or entry.get("graphic") else data["natural"]
            concept = _concept(name, kind, entry, is_tag=kind == "colour" or name in data["tagged"], defaults=defaults)
            concepts.append(concept)
            for words in (*entry["en"], *entry["ko"]):
                phrases[tuple(tokens_of(words))] = concept
    for phrase, concept in list(phrases.items()):
        for spelled in itertools.product(*(plurals(token) for token in phrase)):
            phrases.setdefault(spelled, concept)
    shifts = {
        name: {colour: normalised(mix) for colour, mix in table.items()} for name, table in data["shifts"].items()
    }
    for table in shifts.values():
        for colour, mix in table.items():
            _check_names("shifts", {colour, *mix}, NAMES)
    korean = frozenset(phrase[0] for phrase in phrases if len(phrase) == 1 and is_hangul(phrase[0]))
    return Vocabulary(tuple(concepts), phrases, shifts, korean)


def _concept(
    name: str, kind: Kind, entry: Mapping[str, Any], *, is_tag: bool, defaults: Mapping[str, float]
) -> Concept:
    mix, measures = entry.get("mix", {}), {**defaults, **entry.get("measures", {})}
    at, shift = entry.get("at"), entry.get("shift")
    _check_names(name, mix, NAMES)
    _check_names(name, measures, MEASURES)
    _check_names(name, [at] if at else [], REGIONS)
    _check_names(name, [shift] if shift else [], ("dark", "pale"))
    return Concept(name, kind, normalised(mix), at, measures, shift, is_tag, bool(entry.get("light", False)))


def _check_names(section: str, names: Any, known: Any) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ModelBroken(name="palette", reason=f"{FILE.name}: {section} has unknown names: {', '.join(unknown)}")


def normalised(mix: Mix) -> dict[str, float]:
    """`mix` scaled to a sum of 1; an empty one stays empty."""
    total = sum(mix.values())
    return {name: part / total for name, part in mix.items()} if total > 0 else {}


# --- words ----------------------------------------------------------------------------------------


_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")


def tokens_of(text: str) -> list[str]:
    """The words of `text` in NFKC and lower case, split at hyphens."""
    return [match.group() for match in _TOKEN.finditer(unicodedata.normalize("NFKC", text).casefold())]


def is_hangul(token: str) -> bool:
    """Whether the token consists of Hangul syllables only."""
    return bool(token) and all("가" <= char <= "힣" for char in token)


def plurals(word: str) -> Iterator[str]:
    """An English word and the singulars that it may be the plural of."""
    yield word
    if len(word) < 4 or not word.isascii() or not word.endswith("s") or word.endswith("ss"):
        return
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("ves"):
        yield word[:-3] + "f"
    yield word[:-1]
    if word.endswith("es"):
        yield word[:-2]


@lru_cache(maxsize=8192)
def forms(word: str) -> tuple[str, ...]:
    """A word and the words that it may be an inflected form of, most likely first."""
    found = dict.fromkeys(plurals(word.removesuffix("'s").removesuffix("’s")))
    for ending in ("er", "est", "ed", "ing", "ly", "ish"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3 or not word.isascii():
            continue
        found |= dict.fromkeys((stem, stem + "e"))
        if stem.endswith("i"):
            found[stem[:-1] + "y"] = None
        if stem[-1] == stem[-2]:
            found[stem[:-1]] = None
    return tuple(found)
