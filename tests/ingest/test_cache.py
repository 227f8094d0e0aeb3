from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from heimdex_core.ingest.cache import fingerprint

base = partial(fingerprint, stage="scenes", version=1, inputs={"picture": "a"}, params={"x": 1.0, "y": 2}, model="m@1")


def test_the_same_values_in_another_order_are_the_same():
    assert base() == base(params={"y": 2, "x": 1.0})


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
def test_anything_else_changes_it(change: dict[str, Any]):
    assert base() != base(**change)
