"""Sentence embeddings by any sentence-transformers model: a repository "org/name" or a folder.

A text longer than the model's context is split at words into pieces of equal length, and their vectors are averaged,
weighted by length. Queries and passages get the prompts that the model was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from heimdex_core.errors import ModelBroken
from heimdex_core.models.base import LazyEncoder, ModelOptions, QueryVector, Vectors, checked_vectors, loading_errors
from heimdex_core.models.device import Batches, Device, choose_device, half_precision
from heimdex_core.models.family import ModelFamily, adapter_options, first_matching, matching, repository_files
from heimdex_core.models.locate import Repository, Weights, read_json
from heimdex_core.models.text.coverage import TokenizerCoverage
from heimdex_core.models.text.pieces import readable as readable_text
from heimdex_core.models.text.pieces import unit_sums
from heimdex_core.models.threads import use_torch_threads

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
_LEGACY_MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")

QUERY_NAMES = ("query", "search_query", "retrieval.query", "s2p_query")
PASSAGE_NAMES = ("passage", "document", "search_document", "retrieval.passage", "corpus")

# Prompts that models were trained with but that their folders lack, by parts of the name; the first match counts.
_E5_TASK = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
_TRAINED_WITH: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("e5", "instruct"), _E5_TASK, ""),
    (("e5",), "query: ", "passage: "),
    (("bge", "en"), "Represent this sentence for searching relevant passages: ", ""),
    (("bge", "zh"), "为这个句子生成表示以用于检索相关文章：", ""),
)


class SentenceEncoder(LazyEncoder[Weights, "SentenceTransformer"]):
    """A TextEncoder. `model` is a repository "org/name" or a folder, else UnknownName is raised."""

    kind = "text"

    def __init__(self, model: str, **options: Unpack[ModelOptions]) -> None:
        repository = next(iter(HUB.repositories(model)), None)
        super().__init__(Path(model).expanduser().name, repository, **options)
        self._asked = model
        self._dim: int | None = None

    def understands(self, text: str) -> bool:
        """Whether the tokenizer covers the words. Reads the tokenizer, not the weights."""
        return self._coverage.reason(text) is None

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d), with rows of zeros for texts that it does not understand."""
        return self._encode(texts, self._prompts[1])

    def encode_query(self, text: str) -> QueryVector:
        """The query's vector (d,); abstains with "language" or "no_known_words"."""
        query = self._coverage.query(text)
        return query if query.reason else replace(query, vector=self._encode([text], self._prompts[0])[0])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of queries, with rows of zeros for texts that it does not understand."""
        return self._encode(texts, self._prompts[0])

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
                pieces += [(row, piece, tokens) for piece, tokens in self._pieces(readable_text(texts[row]), limit)]
            # longest first: what does not fit the memory shows at once, and a batch holds texts of similar length
            pieces.sort(key=lambda piece: -piece[2])
            use_torch_threads(self._threads)
            parts = self._batches.run(pieces, lambda batch: self._run(model, [text for _, text, _ in batch], prompt))
            found = np.concatenate(list(parts))
        weights = np.array([max(1, tokens) for _, _, tokens in pieces], dtype=np.float32)
        return unit_sums([row for row, _, _ in pieces], found * weights[:, None], len(texts))

    def _run(self, model: SentenceTransformer, texts: list[str], prompt: str) -> Vectors:
        # float32 on a CPU, also where bfloat16 is fast
        with half_precision("cuda") if model.device.type == "cuda" else nullcontext():
            found = model.encode(
                texts,
                prompt=prompt or None,
                batch_size=len(texts),
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return checked_vectors(found, (len(texts), self._dim or 0), self.name)

    def _limit(self, model: SentenceTransformer, prompt: str) -> int:
        """Tokens of text that fit beside the prompt and the special tokens at both ends."""
        tokenizer = self._coverage.tokenizer
        most = min(MAX_TOKENS, int(model.max_seq_length or MAX_TOKENS))
        return max(8, most - len(tokenizer.encode(prompt).ids) - 1)

    def _pieces(self, text: str, limit: int) -> list[tuple[str, int]]:
        """`text` in as few pieces of equal length as fit, each with its tokens; split between words if possible."""
        offsets = self._coverage.tokenizer.encode(text, add_special_tokens=False).offsets
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

    @cached_property
    def _coverage(self) -> TokenizerCoverage:
        return TokenizerCoverage(self._files().folder / "tokenizer.json", self.name)

    @cached_property
    def _prompts(self) -> tuple[str, str]:
        return prompts(self._files().folder, self.name)

    def _find(self) -> Weights:
        return HUB.find(self._asked, self._models_dir)

    def _check(self, found: Weights) -> None:
        dimension(found.folder, self.name)
        _ = self._coverage.tokenizer

    def _width(self, found: Weights) -> int:
        if self._dim is None:
            self._dim = dimension(found.folder, self.name)
        if self._dim is None:
            self.load()
        return self._dim or 0

    def _read(self, found: Weights) -> SentenceTransformer:
        device = choose_device(self._device)
        stated = dimension(found.folder, self.name)
        with loading_errors(self.name):
            model = sentence_transformer(found.folder, device)
            dim = int(model.encode([_PROBE], show_progress_bar=False).shape[1])
        if stated is not None and dim != stated:
            reason = f"its files say {stated} dimensions, but its vectors have {dim}"
            raise ModelBroken(name=self.name, reason=reason)
        self._dim = dim
        self._batches = Batches(self.name, self._batch_size or BATCH[device])
        return model


def sentence_transformer(folder: Path, device: Device) -> SentenceTransformer:
    """The loaded model in a folder. Runs no code of the folder and never uses the network."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # the command line has a progress bar of its own
    is_safe = any((folder / file).is_file() for file in SAFE)
    model = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        # weights_only refuses whatever else a pickle can hold; weights in half precision are widened, because a CPU
        # is faster with float32
        model_kwargs={"use_safetensors": is_safe, "weights_only": True, "dtype": torch.float32},
    )
    return model.eval()


def _begins_word(text: str, offset: tuple[int, int]) -> bool:
    start = offset[0]
    return start == 0 or text[start - 1].isspace() or text[start : start + 1].isspace()


# --- what the files say ---------------------------------------------------------------------------


def modules(folder: Path, name: str) -> list[tuple[str, Path]]:
    """(class name, folder) of each module; a folder of transformers alone is one Transformer. Raises ModelBroken."""
    listed = read_json(folder / "modules.json", name)
    if listed is None:
        return [("Transformer", folder)]
    return [(str(entry["type"]).rsplit(".", 1)[-1], folder / entry.get("path", "")) for entry in listed]


def dimension(folder: Path, name: str) -> int | None:
    """Width of the vectors according to the configuration; None where it does not say. Raises ModelBroken."""
    found: int | None = None
    for kind, place in modules(folder, name):
        config = read_json(place / "config.json", name) or {}
        if kind == "Transformer":
            found = _number(config, "hidden_size", "d_model", "dim") or found
        elif kind == "Pooling":
            width = _number(config, "embedding_dimension", "word_embedding_dimension")
            found = width * _modes(config) if width else found
        elif kind == "Dense":
            found = _number(config, "out_features") or found
    return found


def prompts(folder: Path, name: str) -> tuple[str, str]:
    """The texts that go before a query and before a passage. Raises ModelBroken.

    The folder's own, else what models of this name were trained with, else "".
    """
    config = read_json(folder / "config_sentence_transformers.json", name) or {}
    own: Mapping[str, str] = config.get("prompts") or {}
    query = next((own[key] for key in QUERY_NAMES if own.get(key)), None)
    passage = next((own[key] for key in PASSAGE_NAMES if own.get(key)), None)
    if query is not None or passage is not None:
        return query or "", passage or ""
    parts = name.lower().replace("_", "-").split("-")
    for words, before_query, before_passage in _TRAINED_WITH:
        if all(word in parts for word in words):
            return before_query, before_passage
    return "", ""


def _number(config: Mapping[str, Any], *keys: str) -> int | None:
    return next((int(config[key]) for key in keys if config.get(key)), None)


def _modes(config: Mapping[str, Any]) -> int:
    """How many poolings are concatenated."""
    mode = config.get("pooling_mode")
    if isinstance(mode, list):
        return max(1, len(mode))
    if isinstance(mode, str):
        return 1
    return max(1, sum(bool(config.get(f"pooling_mode_{mode}")) for mode in _LEGACY_MODES))


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
    make=lambda name, settings, purpose: SentenceEncoder(name, **adapter_options(settings, purpose, "text")),
    names=NAMES,
    hub=HUB,
)
