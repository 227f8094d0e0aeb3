"""What a folder in CTranslate2's format says about its Whisper, read and checked without loading the model.

CTranslate2 trusts config.json: for a list that is missing, a token beyond the vocabulary or a layer beyond the last it
reads memory that is not its own, which can end the process. So it is looked through before.
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
from heimdex_core.models.weights import read_json

_NO_TOKEN = -1
_LAYOUT = 6
"""The version of model.bin that is read here."""


def check_config(folder: Path, name: str) -> None:
    """Raise ModelBroken where config.json lacks what the model reads from it, or names tokens that do not exist."""
    config = read_json(folder / "config.json", name)
    tokens = vocabulary(folder, name)
    if not isinstance(config, dict):
        raise ModelBroken(name=name, reason="config.json holds no settings")
    heads = config.get("alignment_heads")
    if not heads or not isinstance(heads, list) or not all(_is_head(head) for head in heads):
        raise ModelBroken(name=name, reason="config.json lists no alignment_heads, which word times come from")
    size = decoder_size(folder / "model.bin")
    if size is not None and any(layer >= size[0] or head >= size[1] for layer, head in heads):
        reason = f"config.json is of another model: {size[0]} layers of {size[1]} heads have no such alignment_heads"
        raise ModelBroken(name=name, reason=reason)
    for field in ("suppress_ids", "suppress_ids_begin"):
        # null is an empty list to it; where the field is not there at all it reads what it must not
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


def decoder_size(path: Path) -> tuple[int, int] | None:
    """(layers, heads a layer) of a model.bin; None where it is not laid out as CTranslate2's converters lay it out."""
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
        return None  # damaged: loading it says how
    return (len(layers), heads) if layers and heads else None


def _variables(file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Name and bytes of each variable, the file standing at its content, which the caller reads or passes over."""

    def number(kind: str) -> int:
        return int(struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))[0])

    def text() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    if number("I") != _LAYOUT:
        return
    text()  # the kind of model
    number("I")  # and its revision
    for _ in range(number("I")):
        variable = text()
        file.seek(4 * number("B") + 1, os.SEEK_CUR)  # its shape and its type
        yield variable, number("I")


def _is_head(head: Any) -> bool:
    """[layer, head of the layer]"""
    return isinstance(head, list) and len(head) == 2 and all(_is_number(part) and part >= 0 for part in head)


def _are_tokens(ids: Any, count: int, *, least: int = _NO_TOKEN) -> bool:
    return isinstance(ids, list) and all(_is_number(one) and least <= one < count for one in ids)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
