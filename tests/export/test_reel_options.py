"""What can be asked of a reel."""

from typing import Any

import pytest

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.types import ReelOptions, frame_size


@pytest.mark.parametrize(
    ("aspect", "height_px", "size"),
    [
        ("16:9", 720, (1280, 720)),
        ("16:9", 1080, (1920, 1080)),
        ("16:9", 360, (640, 360)),
        ("16:9", 480, (854, 480)),  # 853.33 is 426.67 pairs of pixels
        ("9:16", 720, (720, 1280)),
        ("9:16", 1080, (1080, 1920)),
        ("9:16", 480, (480, 854)),
        ("1:1", 720, (720, 720)),
    ],
)
def test_the_height_is_the_shorter_side(aspect: str, height_px: int, size: tuple[int, int]) -> None:
    assert frame_size(aspect, height_px) == size


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"mode": "quick"}, UnknownName, "quick"),
        ({"aspect": "4:3"}, UnknownName, "4:3"),
        ({"height_px": 358}, InvalidValue, "360"),
        ({"height_px": 1082}, InvalidValue, "1080"),
        ({"height_px": 721}, InvalidValue, "even"),
        ({"crossfade_s": -0.1}, InvalidValue, "0 to 3"),
        ({"crossfade_s": float("nan")}, InvalidValue, "0 to 3"),
        ({"crossfade_s": 3.1}, InvalidValue, "0 to 3"),
    ],
)
def test_what_cannot_be_used(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ReelOptions(**options)


def test_the_parameters_of_an_export_give_its_options() -> None:
    options = ReelOptions(mode="fast", aspect="1:1", height_px=480, crossfade_s=0.5, title_card=True)
    assert ReelOptions.from_params({**options.params, "crf": 20}) == options
    assert ReelOptions.from_params({"fps": 30.0, "height_px": 720}) == ReelOptions(height_px=720), "of earlier versions"
    assert "height_px" not in ReelOptions().params, "the setting holds"
