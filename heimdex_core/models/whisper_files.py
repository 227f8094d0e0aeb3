"""What a folder in CTranslate2's format says about its Whisper, read and checked without loading the model.

CTranslate2 trusts config.json: a list that is missing, or a token beyond the vocabulary, is memory that is not its own
and can end the process. So it is looked through before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from heimdex_core.errors import ModelBroken
from heimdex_core.models.weights import read_json

_NO_TOKEN = -1


def check_config(folder: Path, name: str) -> None:
    """Raise ModelBroken where config.json lacks what the model reads from it, or names tokens that do not exist."""
    config = read_json(folder / "config.json", name)
    tokens = vocabulary(folder, name)
    if not isinstance(config, dict):
        raise ModelBroken(name=name, reason="config.json holds no settings")
    heads = config.get("alignment_heads")
    if not heads or not isinstance(heads, list) or not all(_is_head(head) for head in heads):
        raise ModelBroken(name=name, reason="config.json lists no alignment_heads, which word times come from")
    for field in ("suppress_ids", "suppress_ids_begin"):
        if field not in config or not _are_tokens(config[field] or [], len(tokens)):
            raise ModelBroken(name=name, reason=f"config.json has no {field} that are tokens of its vocabulary")
    speaks_many = "" in tokens
    if speaks_many and not (config.get("lang_ids") and _are_tokens(config["lang_ids"], len(tokens), least=0)):
        raise ModelBroken(name=name, reason="config.json has no lang_ids that are tokens of its vocabulary")


def languages(folder: Path, name: str) -> frozenset[str]:
    """Codes of the languages that the vocabulary has tokens for.

    Models for English alone have these tokens too; what only the others have is the empty token.
    """
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    there = set(vocabulary(folder, name))
    if "" not in there:
        return frozenset({"en"})
    return frozenset(code for code in _LANGUAGE_CODES if f"<|{code}|>" in there)


def vocabulary(folder: Path, name: str) -> list[str]:
    """The tokens by their ids. Raises ModelBroken."""
    path = next(folder / file for file in ("vocabulary.json", "vocabulary.txt") if (folder / file).is_file())
    try:
        text = path.read_text(encoding="utf-8")
        tokens = json.loads(text) if path.suffix == ".json" else text.removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise ModelBroken(name=name, reason=f"{path.name} cannot be read ({error})") from error
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        raise ModelBroken(name=name, reason=f"{path.name} lists no tokens")
    return tokens


def _is_head(head: Any) -> bool:
    """[layer, head of the layer]"""
    return isinstance(head, list) and len(head) == 2 and all(_is_number(part) and part >= 0 for part in head)


def _are_tokens(ids: Any, count: int, *, least: int = _NO_TOKEN) -> bool:
    return isinstance(ids, list) and all(_is_number(one) and least <= one < count for one in ids)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
