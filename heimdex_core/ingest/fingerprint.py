"""What a stage's result depends on, as one short string.

Equal fingerprints mean: the same stage, the same version of its code, the same inputs, parameters and
model. A result found under the same fingerprint need not be made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from heimdex_core.types import Json, to_json

_BLOCK = 1 << 20


def fingerprint(
    stage: str, version: int, *, inputs: Mapping[str, str | None], params: Json, model: str | None = None
) -> str:
    """32 hexadecimal digits of SHA-256 over everything given, independent of the order of keys."""
    whole = {"stage": stage, "version": version, "inputs": dict(inputs), "params": to_json(params), "model": model}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
