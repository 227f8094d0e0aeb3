"""A short that is being edited, in the address of its page."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from heimdex_core.types import CropKeyframe, CropPath, Cue, CueWord, ShortRequest
from ui import short_address

EDITED = ShortRequest(
    "v_0_1000",
    strategy="smart_crop",
    quality="high",
    trim=(1.25, 4.5),
    captions="karaoke",
    position="middle",
    cues=(Cue(1.5, 3.0, "가을 산 🍁", (CueWord(1.5, 2.0, "가을"), CueWord(2.0, 3.0, "산 🍁"))),),
    crop_path=CropPath((CropKeyframe(1.25, 0.25), CropKeyframe(2.0, 0.75, 0.5, cut=True))),
    snap="word",
    title="가을 & more",
)


def of(request: ShortRequest) -> dict[str, str]:
    found = {"scene": request.scene_id, **short_address.parameters(request)}
    return {name: value for name, value in found.items() if value}


def test_every_correction_comes_back() -> None:
    assert short_address.request_of(of(EDITED)) == EDITED


def test_a_short_as_usual_needs_only_its_scene() -> None:
    assert of(ShortRequest("v_0_1000")) == {"scene": "v_0_1000"}


def pack(data: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(data).encode())).decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"trim": "5-1"},
        {"trim": "x"},
        {"trim": "nan-3"},
        {"edit": "%%%"},
        {"edit": pack([1])},
        {"edit": pack({"crop_path": {"keyframes": [{"time_s": -1, "x": 7}]}})},
        {"edit": pack({"cues": [{"text": 1}]})},
        {"edit": "é"},
    ],
)
def test_what_cannot_be_read_is_left_out(wrong: dict[str, str]) -> None:
    found = short_address.request_of({"scene": "s", "quality": "high", **wrong})
    assert found == ShortRequest("s", quality="high")


def test_an_address_cannot_unpack_to_any_size() -> None:
    huge = base64.urlsafe_b64encode(zlib.compress(b'{"cues": "' + b"x" * 5_000_000 + b'"}')).decode()
    assert short_address.request_of({"scene": "s", "edit": huge}) == ShortRequest("s")
