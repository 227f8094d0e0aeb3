"""Sentence embeddings by any sentence-transformers model: a repository "org/name" or a folder.

A text longer than the model's context is split at words into pieces of equal length, and their vectors are averaged,
weighted by length. Queries and passages get the prompts that the model was trained with.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.errors import HeimdexError, ModelBroken, ModelUnavailable
from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.models.batching import Batches, is_out_of_memory
from heimdex_core.models.device import Device, choose_device, has_fast_bf16
from heimdex_core.models.family import (
    ModelFamily,
    Repository,
    adapter_options,
    first_matching,
    matching,
    repository_files,
)
from heimdex_core.models.locate import Weights, folder_bytes
from heimdex_core.models.text import sentence_files
from heimdex_core.models.text.coverage import TokenizerCoverage, words_of
from heimdex_core.models.threads import use_torch_threads
from heimdex_core.types import Space

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SAFE = ("model.safetensors", "model.safetensors.index.json")
NEEDS = ((*SAFE, "pytorch_model.bin"), ("config.json", "modules.json"), ("tokenizer.json",))
PINNED = {
    pin.repo: pin
    for pin in (
        Repository(
            "intfloat/multilingual-e5-small",
            ("*.json", "*/config.json", "*.safetensors", "sentencepiece.bpe.model", "*.txt"),
            revision="614241f622f53c4eeff9890bdc4f31cfecc418b3",
            licence="MIT",
            size_bytes=493_500_000,
            dim=384,
        ),
        # has no safetensors at this revision: torch reads the weights, and nothing else, from its own format
        Repository(
            "BAAI/bge-m3",
            ("*.json", "*/config.json", "pytorch_model.bin", "sentencepiece.bpe.model"),
            revision="5617a9f61b028005a4858fdac845db406aefb181",
            licence="MIT",
            size_bytes=2_293_400_000,
            dim=1024,
        ),
    )
}
NAMES = {repo: repo for repo in (*PINNED, "sentence-transformers/all-MiniLM-L6-v2")}
# measured on a CPU: batches of 4 take 0.8 of the time of single texts; with 16 a large model is slower than with either
BATCH: dict[Device, int] = {"cpu": 4, "cuda": 128}
MAX_TOKENS = 512
"""Longest piece in tokens: what is said in a scene is no longer, and attention grows with the square."""
_PROBE = "probe"


class SentenceEncoder:
    """A TextEncoder. Loads at the first use; safe to call from many threads, which are served one at a time.

    `model` is a repository "org/name" or a folder, else UnknownName is raised. `device` is "auto", "cpu" or "cuda",
    `threads` are torch's per call, and `batch_size` is None for the device's default.
    """

    def __init__(
        self,
        model: str,
        *,
        models_dir: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        batch_size: int | None = None,
    ) -> None:
        repository = next(iter(HUB.repositories(model)), None)
        self._pin = PINNED.get(repository.repo) if repository else None
        self._asked = model
        self.name = Path(model).expanduser().name
        self._models_dir = models_dir
        self._device = device
        self._threads = max(1, threads)
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None
        self._found: Weights | None = None
        self._coverage_read: TokenizerCoverage | None = None
        self._prompts_read: tuple[str, str] | None = None
        self._batches = Batches(self.name, 1)
        self._dim: int | None = None

    @property
    def space(self) -> Space:
        """Read from the files; of a pinned model known without them. Raises WeightsMissing, ModelBroken."""
        try:
            weights = self._weights()
        except ModelUnavailable:
            if self._pin is None or self._pin.revision is None or self._pin.dim is None:
                raise
            return self._space(self._pin.revision, self._pin.dim)
        if self._dim is None:
            self._dim = sentence_files.dimension(weights.folder, self.name)
        if self._dim is None:
            self.load()
        return self._space(weights.revision, self._dim or 0)

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """Machine codes of what was not as asked: "batch_halved:<size>" where the GPU's memory ran out."""
        return (self._batches.note,) if self._batches.note else ()

    @property
    def size_bytes(self) -> int:
        """Size of the files. Raises WeightsMissing."""
        return folder_bytes(self._weights().folder)

    def check(self) -> None:
        """Raise WeightsMissing or ModelBroken, without loading."""
        self._found = None
        sentence_files.dimension(self._weights().folder, self.name)
        self._coverage().tokenizer()

    def load(self) -> None:
        """Read the weights now. Raises WeightsMissing, ModelUnavailable, ModelBroken, DeviceUnavailable."""
        with self._lock:
            self._loaded()

    def understands(self, text: str) -> bool:
        """Whether the tokenizer covers the words. Reads the tokenizer, not the weights."""
        return self._reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d), with rows of zeros for texts that it does not understand."""
        return self._encode(texts, self._prompts()[1])

    def encode_query(self, text: str) -> QueryVector:
        """The query's vector (d,); abstains with "language" or "no_known_words"."""
        words = words_of(text)
        reason = self._reason(text)
        if reason is not None:
            return QueryVector(None, reason=reason, unknown_words=tuple(words))
        unknown = set(self._coverage().unknown_words(words))
        vector = self._encode([text], self._prompts()[0])[0]
        used = tuple(word for word in words if word not in unknown)
        return QueryVector(vector, used_words=used, unknown_words=tuple(word for word in words if word in unknown))

    def _reason(self, text: str) -> str | None:
        if not any(char.isalnum() for char in text):
            return "no_known_words"
        return self._coverage().reason(text)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        """The mean of each text's pieces, weighted by their tokens."""
        readable = [row for row, text in enumerate(texts) if self.understands(text)]
        if not readable:
            return np.zeros((len(texts), self.space.dim), dtype=np.float32)
        with self._lock:
            model = self._loaded()
            limit = self._limit(model, prompt)
            pieces: list[tuple[int, str, int]] = []
            for row in readable:
                pieces += [(row, piece, tokens) for piece, tokens in self._pieces(texts[row], limit)]
            # longest first: what does not fit the memory shows at once, and a batch holds texts of similar length
            pieces.sort(key=lambda piece: -piece[2])
            use_torch_threads(self._threads)
            parts = self._batches.run(pieces, lambda batch: self._run(model, [text for _, text, _ in batch], prompt))
            found = np.concatenate(list(parts))
        vectors = np.zeros((len(texts), found.shape[1]), dtype=np.float32)
        weights = np.array([[max(1, tokens)] for _, _, tokens in pieces], dtype=np.float32)
        np.add.at(vectors, [row for row, _, _ in pieces], found * weights)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=vectors, where=norms > 0)

    def _run(self, model: SentenceTransformer, texts: Sequence[str], prompt: str) -> Vectors:
        import torch

        on_gpu = model.device.type == "cuda"
        dtype = torch.bfloat16 if on_gpu and has_fast_bf16("cuda") else torch.float16
        try:
            with torch.autocast("cuda", dtype=dtype, enabled=on_gpu):
                vectors = model.encode(
                    list(texts),
                    prompt=prompt or None,
                    batch_size=len(texts),
                    normalize_embeddings=True,
                    show_progress_bar=False,
                )
        except (RuntimeError, ValueError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelBroken(name=self.name, reason=str(error)) from error
        found = np.asarray(vectors, dtype=np.float32)
        if found.shape != (len(texts), self._dim) or not np.isfinite(found).all():
            raise ModelBroken(name=self.name, reason=f"it returned vectors of shape {found.shape}, or not numbers")
        return found

    def _limit(self, model: SentenceTransformer, prompt: str) -> int:
        """Tokens of text that fit beside the prompt and the special tokens at both ends."""
        tokenizer = self._coverage().tokenizer()
        most = min(MAX_TOKENS, int(model.max_seq_length or MAX_TOKENS))
        return max(8, most - len(tokenizer.encode(prompt).ids) - 1)

    def _pieces(self, text: str, limit: int) -> list[tuple[str, int]]:
        """`text` in as few pieces of equal length as fit, each with its tokens; split between words if possible."""
        offsets = self._coverage().tokenizer().encode(text, add_special_tokens=False).offsets
        if len(offsets) <= limit:
            return [(text, len(offsets))]
        back_off = min(16, limit // 8)
        count = -(-len(offsets) // (limit - back_off))
        edges = [0]
        for n in range(1, count):
            at = round(n * len(offsets) / count)
            back = next((at - k for k in range(back_off + 1) if _begins_word(text, offsets[at - k])), at)
            edges.append(back)
        edges.append(len(offsets))
        starts = [offsets[edge][0] for edge in edges[:-1]] + [len(text)]
        spans = zip(starts, starts[1:], edges, edges[1:], strict=False)
        pieces = [(text[a:b].strip(), last - first) for a, b, first, last in spans]
        return [piece for piece in pieces if piece[0]]

    def _prompts(self) -> tuple[str, str]:
        if self._prompts_read is None:
            self._prompts_read = sentence_files.prompts(self._weights().folder, self.name)
        return self._prompts_read

    def _space(self, revision: str, dim: int) -> Space:
        return Space(name=f"text/{self.name}", kind="text", model=self.name, revision=revision[:12], dim=dim)

    def _weights(self) -> Weights:
        if self._found is None:
            self._found = HUB.find(self._asked, self._models_dir)
        return self._found

    def _coverage(self) -> TokenizerCoverage:
        if self._coverage_read is None:
            self._coverage_read = TokenizerCoverage(self._weights().folder / "tokenizer.json", self.name)
        return self._coverage_read

    def _loaded(self) -> SentenceTransformer:
        """The model; the lock must be held."""
        if self._model is None:
            folder, device = self._weights().folder, choose_device(self._device)
            stated = sentence_files.dimension(folder, self.name)
            is_safe = any((folder / file).is_file() for file in SAFE)
            try:
                import torch
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging as transformers_logging

                transformers_logging.disable_progress_bar()  # the command line has a progress bar of its own
                model = SentenceTransformer(
                    str(folder),
                    device=device,
                    local_files_only=True,
                    trust_remote_code=False,
                    # weights_only refuses whatever else a pickle can hold; weights in half precision are widened,
                    # because a CPU is faster with float32
                    model_kwargs={"use_safetensors": is_safe, "weights_only": True, "dtype": torch.float32},
                )
                model.eval()
                dim = int(model.encode([_PROBE], show_progress_bar=False).shape[1])
            except ImportError as error:
                raise ModelUnavailable(name=self.name, reason=str(error)) from error
            except HeimdexError:
                raise
            except Exception as error:  # safetensors, pickle and tokenizers raise errors of their own, even Exception
                raise ModelBroken(name=self.name, reason=str(error)) from error
            if stated is not None and dim != stated:
                reason = f"its files say {stated} dimensions, but its vectors have {dim}"
                raise ModelBroken(name=self.name, reason=reason)
            self._dim = dim
            self._batches = Batches(self.name, self._batch_size or BATCH[device])
            self._model = model
        return self._model


def _begins_word(text: str, offset: tuple[int, int]) -> bool:
    start = offset[0]
    return start == 0 or text[start - 1].isspace() or text[start : start + 1].isspace()


# --- the family -----------------------------------------------------------------------------------


def _select(names: Sequence[str]) -> set[str]:
    """Configurations, tokenizer and modules; in each folder the weights as safetensors, else in torch's format."""
    found = matching(names, ("*.json", "*.txt", "*.model", "[0-9]*_*/config.json"))
    weights = ("model.safetensors", "model-*-of-*.safetensors", "pytorch_model.bin", "pytorch_model-*-of-*.bin")
    for folder in {name.rpartition("/")[0] for name in found}:
        found |= first_matching(names, [f"{folder}/{one}" if folder else one for one in weights])
    return found


HUB = repository_files(
    "text",
    names=NAMES,
    pinned=PINNED,
    needs=NEEDS,
    select=_select,
    recognises=lambda names: True,  # sentence-transformers reads any transformers model, so it is asked last
)
FAMILY = ModelFamily(
    name="sentence",
    kind="text",
    make=lambda name, settings, purpose: SentenceEncoder(
        name, **adapter_options(settings, "query" if purpose == "query" else "text")
    ),
    names=NAMES,
    hub=HUB,
)
