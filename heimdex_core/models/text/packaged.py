"""Text encoders whose weights come with a Python package: texts that they cannot read, long texts, and checksums."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from heimdex_core.models.base import LazyModel, QueryVector, Vectors, checked_vectors
from heimdex_core.models.locate import Weights, check_files
from heimdex_core.models.text.coverage import ScriptCoverage
from heimdex_core.models.text.pieces import readable, unit_sums
from heimdex_core.models.threads import use_blas_threads
from heimdex_core.types import Space


class EncodesPieces(Protocol):
    """What is loaded: it embeds short texts."""

    def encode(self, texts: list[str], /) -> Vectors:
        """One vector for each text, as rows."""


Loaded = TypeVar("Loaded", bound=EncodesPieces)


class PackagedEncoder(LazyModel[Weights, Loaded], Generic[Loaded]):
    """A TextEncoder. Subclasses name the model's files and say how they are read and how long texts are split."""

    space: Space
    scripts: ClassVar[frozenset[str]]
    """The scripts that the model reads; it abstains from texts that are mostly in others."""
    revision: ClassVar[str]
    sha256: ClassVar[Mapping[str, str]]
    """By file name, compared when the model is loaded."""

    def __init__(self, *, folder: Path | None = None, threads: int = 1) -> None:
        """`folder` is None for the one in the installed package; `threads` are those of numpy's BLAS."""
        super().__init__(self.space.model, threads=threads)
        self._folder = folder
        self._coverage = ScriptCoverage(self.scripts)

    def understands(self, text: str) -> bool:
        """Whether the text has words and is mostly in a script that the model reads."""
        return self._coverage.reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d), with rows of zeros for texts that it does not understand."""
        pieces: list[str] = []
        rows: list[int] = []
        for row, text in enumerate(texts):
            if self.understands(text):  # a model gives an empty text a vector too
                parts = self._pieces(readable(text))
                pieces += parts
                rows += [row] * len(parts)
        if not pieces:
            return np.zeros((len(texts), self.space.dim), dtype=np.float32)
        return unit_sums(rows, self._encode(pieces), len(texts))

    def encode_query(self, text: str) -> QueryVector:
        """The query's vector (d,); abstains with "language", or with "no_known_words" if it has no words."""
        query = self._coverage.query(text)
        return query if query.reason else replace(query, vector=self.encode_passages([text])[0])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of queries, which the model treats like passages."""
        return self.encode_passages(texts)

    @abstractmethod
    def _pieces(self, text: str) -> list[str]:
        """The text in pieces that the model can take; their vectors are averaged."""

    @abstractmethod
    def _package_folder(self) -> Path:
        """The model's folder in the installed package. ModelUnavailable if it is not installed."""

    def _encode(self, pieces: list[str]) -> Vectors:
        with self._lock:
            model = self._loaded()
            use_blas_threads(self._threads)
            found = model.encode(pieces)
        return checked_vectors(found, (len(pieces), self.space.dim), self.name)

    def _find(self) -> Weights:
        return Weights(self._folder or self._package_folder(), self.revision)

    def _check(self, found: Weights) -> None:
        check_files(self.name, found.folder, self.sha256)
