from __future__ import annotations

from pathlib import Path

import pytest
from heimdex_core.ingest.fingerprint import file_fingerprint, fingerprint

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.ingest.params import IngestParams
from heimdex_core.settings import Settings

BASE = {"stage": "scenes", "version": 1, "inputs": {"picture": "a"}, "params": {"x": 1.0, "y": 2}, "model": "m@1"}


def test_the_same_values_in_another_order_are_the_same():
    assert fingerprint(**BASE) == fingerprint(**{**BASE, "params": {"y": 2, "x": 1.0}})


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "tags"},
        {"version": 2},
        {"inputs": {"picture": "b"}},
        {"inputs": {"picture": "a", "subtitles": "c"}},
        {"params": {"x": 1.5, "y": 2}},
        {"model": "m@2"},
        {"model": None},
    ],
)
def test_anything_else_changes_it(change: dict):
    assert fingerprint(**BASE) != fingerprint(**{**BASE, **change})


def test_a_files_fingerprint_is_its_sha256(tmp_path: Path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_fingerprint(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def params(**changes: object) -> IngestParams:
    return IngestParams.from_settings(Settings(_env_file=None), **changes)


def test_params_come_from_the_settings():
    found = params(content_threshold=30.0)
    assert (found.detector, found.content_threshold, found.min_scene_s, found.divide_max_s) == ("content", 30, 1, 45)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"detektor": "content"}, UnknownName),
        ({"detector": "magic"}, UnknownName),
        ({"vision_pooling": "median"}, UnknownName),
        ({"min_scene_s": 0}, InvalidValue),
        ({"divide_min_s": 30.0, "divide_max_s": 45.0}, InvalidValue),
        ({"keyframes_per_scene": 0}, InvalidValue),
    ],
)
def test_params_check_themselves(change: dict, error: type[Exception]):
    with pytest.raises(error):
        params(**change)
