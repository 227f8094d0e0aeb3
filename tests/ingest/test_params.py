from __future__ import annotations

import pytest

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.ingest.params import IngestParams
from heimdex_core.settings import Settings


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
