"""What the files of a Whisper for CTranslate2 say about it, read and checked without loading the model.

CTranslate2 trusts config.json: a missing list, a token beyond the vocabulary or a layer beyond the last makes it read
memory that is not its own, which can end the process. So the file is checked first.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from heimdex_core.errors import ModelBroken
from heimdex_core.models.locate import read_json

_NO_TOKEN = -1
_LAYOUT = 6
"""The version of the model.bin format that is supported."""


def check_config(folder: Path, name: str) -> None:
    """Raise ModelBroken where config.json lacks what the model reads from it, or has tokens that do not exist."""
    config = read_json(folder / "config.json", name)
    tokens = vocabulary(folder, name)
    if not isinstance(config, dict):
        raise ModelBroken(name=name, reason="config.json is not a JSON object")
    heads = config.get("alignment_heads")
    if not heads or not isinstance(heads, list) or not all(_is_head(head) for head in heads):
        raise ModelBroken(name=name, reason="config.json has no alignment_heads, which the times of words need")
    size = decoder_size(folder / "model.bin")
    if size is not None and any(layer >= size[0] or head >= size[1] for layer, head in heads):
        reason = f"config.json belongs to another model: its alignment_heads exceed {size[0]} layers of {size[1]} heads"
        raise ModelBroken(name=name, reason=reason)
    for field in ("suppress_ids", "suppress_ids_begin"):
        # CTranslate2 takes null for an empty list, but a missing field makes it read foreign memory
        if field not in config or not _are_tokens(config[field] or [], len(tokens)):
            raise ModelBroken(name=name, reason=f"config.json has no valid {field}: a list of tokens of its vocabulary")
    is_multilingual = "" in tokens
    if is_multilingual and not (config.get("lang_ids") and _are_tokens(config["lang_ids"], len(tokens), least=0)):
        raise ModelBroken(name=name, reason="config.json has no valid lang_ids: a list of tokens of its vocabulary")


def languages(folder: Path, name: str) -> frozenset[str]:
    """ISO 639-1 codes of the languages that the vocabulary has tokens for. Raises ModelBroken.

    English-only models have these tokens too, but no empty token, which multilingual models have.
    """
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    tokens = set(vocabulary(folder, name))
    if "" not in tokens:
        return frozenset({"en"})
    return frozenset(code for code in _LANGUAGE_CODES if f"<|{code}|>" in tokens)


def vocabulary(folder: Path, name: str) -> list[str]:
    """The tokens in the order of their ids. Raises ModelBroken."""
    path = next(folder / file for file in ("vocabulary.json", "vocabulary.txt") if (folder / file).is_file())
    try:
        text = path.read_text(encoding="utf-8")
        tokens = json.loads(text) if path.suffix == ".json" else text.removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise ModelBroken(name=name, reason=f"{path.name} cannot be read ({error})") from error
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        raise ModelBroken(name=name, reason=f"{path.name} is not a list of tokens")
    return tokens


def decoder_size(path: Path) -> tuple[int, int] | None:
    """(layers, heads per layer) of the decoder in a model.bin; None if the format is not _LAYOUT."""
    layers: set[str] = set()
    heads = 0
    try:
        with path.open("rb") as file:
            for variable, length in _variables(file):
                if found := re.match(r"decoder/(layer_\d+)/", variable):
                    layers.add(found[1])
                if variable == "decoder/num_heads":
                    heads = int.from_bytes(file.read(length), "little")
                else:
                    file.seek(length, os.SEEK_CUR)
    except (OSError, struct.error, UnicodeDecodeError):
        return None  # damaged: loading it reports how
    return (len(layers), heads) if layers and heads else None


def _variables(file: BinaryIO) -> Iterator[tuple[str, int]]:
    """(name, bytes) of each variable; the file is then at its content, which the caller must read or skip."""

    def number(kind: str) -> int:
        return int(struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))[0])

    def text() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    if number("I") != _LAYOUT:
        return
    text()  # kind of model
    number("I")  # revision
    for _ in range(number("I")):
        variable = text()
        file.seek(4 * number("B") + 1, os.SEEK_CUR)  # shape and type
        yield variable, number("I")


def _is_head(head: Any) -> bool:
    """Whether `head` is [layer, head within the layer]."""
    return isinstance(head, list) and len(head) == 2 and all(_is_number(part) and part >= 0 for part in head)


def _are_tokens(ids: Any, count: int, *, least: int = _NO_TOKEN) -> bool:
    return isinstance(ids, list) and all(_is_number(one) and least <= one < count for one in ids)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
