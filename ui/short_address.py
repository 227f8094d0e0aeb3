"""A short that is being edited as parameters of an address, so that a reload or a copied link has every correction.

Choices are readable. Captions and the crop path, which are long, are JSON, compressed, in one parameter.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.types import ShortRequest

_TEXTS = ("strategy", "quality", "captions", "position", "snap", "title")
_MAX_BYTES = 1_000_000  # of what is unpacked: anybody can write an address


def parameters(request: ShortRequest) -> dict[str, str | None]:
    """The parameters of a short, without its scene; None for what is as usual."""
    usual = ShortRequest(request.scene_id)
    found: dict[str, str | None] = {}
    for name in _TEXTS:
        value = getattr(request, name)
        found[name] = value if value != getattr(usual, name) else None
    found["trim"] = f"{request.trim[0]:.3f}-{request.trim[1]:.3f}" if request.trim else None
    found["edit"] = _pack(request)
    return found


def request_of(params: Mapping[str, str]) -> ShortRequest:
    """The short that parameters name. What cannot be read is left out: an address may be anything."""
    base: dict[str, Any] = {"scene_id": params.get("scene", "")}
    base |= {name: params[name] for name in _TEXTS if params.get(name)}
    try:
        start, end = params.get("trim", "").split("-")
        base["trim"] = (float(start), float(end))
    except ValueError:
        pass
    for data in ({**base, **_unpack(params.get("edit", ""))}, base, {**base, "trim": None}):
        try:
            return ShortRequest.from_json(data)
        except (HeimdexError, AttributeError, KeyError, TypeError, ValueError):
            continue
    return ShortRequest(base["scene_id"])


def _pack(request: ShortRequest) -> str | None:
    if request.cues is None and request.crop_path is None:
        return None
    data = asdict(request)
    long = {name: data[name] for name in ("cues", "crop_path") if data[name] is not None}
    text = json.dumps(long, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def _unpack(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        opened = zlib.decompressobj().decompress(packed, _MAX_BYTES)
        found = json.loads(opened)
    except (ValueError, zlib.error):
        return {}
    return {name: found[name] for name in ("cues", "crop_path") if name in found} if isinstance(found, dict) else {}
