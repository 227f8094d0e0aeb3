"""What the files in a sentence-transformers folder say about the model, read without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heimdex_core.models.locate import read_json

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
