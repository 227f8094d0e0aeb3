"""Where a crop is at any moment, by hand."""

import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.types.crop import CropKeyframe, CropPath

PATH = CropPath((CropKeyframe(2.0, 0.2, 0.4), CropKeyframe(4.0, 0.6), CropKeyframe(6.0, 0.9, 0.1, cut=True)))


@pytest.mark.parametrize(
    ("time_s", "place"),
    [
        (0.0, (0.2, 0.4)),  # held before the first
        (2.0, (0.2, 0.4)),
        (3.0, (0.4, 0.45)),
        (3.5, (0.5, 0.475)),
        (4.0, (0.6, 0.5)),
        (5.999, (0.6, 0.5)),  # held until the cut
        (6.0, (0.9, 0.1)),
        (99.0, (0.9, 0.1)),
    ],
)
def test_a_place_at_a_moment(time_s: float, place: tuple[float, float]) -> None:
    assert PATH.at(time_s) == pytest.approx(place)


@pytest.mark.parametrize(
    ("time_s", "x", "y"), [(-1.0, 0.5, 0.5), (float("nan"), 0.5, 0.5), (0.0, 1.01, 0.5), (0.0, 0.5, float("nan"))]
)
def test_a_keyframe_lies_in_the_picture(time_s: float, x: float, y: float) -> None:
    with pytest.raises(InvalidValue):
        CropKeyframe(time_s, x, y)


@pytest.mark.parametrize("times_s", [[], [1.0, 1.0], [2.0, 1.0]])
def test_times_rise(times_s: list[float]) -> None:
    with pytest.raises(InvalidValue):
        CropPath(tuple(CropKeyframe(time_s, 0.5) for time_s in times_s))


def test_what_lies_on_a_line_goes() -> None:
    on_a_line = [CropKeyframe(n / 10, 0.2 + n / 100) for n in range(11)]
    beyond = [CropKeyframe(1.0 + n / 10, 0.3 - n / 100) for n in range(1, 11)]
    found = CropPath((*on_a_line, *beyond)).simplified(0.001)
    assert [(k.time_s, round(k.x, 6)) for k in found.keyframes] == [(0.0, 0.2), (1.0, 0.3), (2.0, 0.2)]


def test_a_simplified_path_keeps_to_its_tolerance_and_its_cuts() -> None:
    keyframes = [CropKeyframe(n / 10, 0.5 + 0.02 * (n % 3), cut=n in (20, 37)) for n in range(60)]
    path = CropPath(tuple(keyframes))
    for tolerance in (0.0, 0.01, 0.03, 1.0):
        found = path.simplified(tolerance)
        assert [k.time_s for k in found.keyframes if k.cut] == [2.0, 3.7]
        assert max(abs(found.at(k.time_s)[0] - k.x) for k in keyframes) <= tolerance + 1e-9


def test_a_crop_that_stays_needs_one_keyframe() -> None:
    path = CropPath(tuple(CropKeyframe(n / 10, 0.4) for n in range(50)))
    assert path.simplified(0.001).keyframes == (CropKeyframe(0.0, 0.4),)
