"""Cuts into scenes, and long takes into pieces; every expectation is worked out by hand."""

from __future__ import annotations

import random

import pytest

from heimdex_core.errors import Cancelled
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages import scenes as stage
from heimdex_core.ingest.stages.scenes import divide, make_scenes, pauses_between, shots
from heimdex_core.settings import Settings
from heimdex_core.types import Interval, Segment, WorkContext
from tests.support.counting import lines_run


def params(**changes: object) -> IngestParams:
    return IngestParams.from_settings(Settings(_env_file=None), **changes)


def scenes(cuts: list[float], duration_s: float, silences: list[Interval] | None = None, **changes: object):
    return make_scenes(cuts, duration_s, silences=silences or [], lines=[], params=params(**changes))


def pause(middle_s: float, length_s: float) -> Interval:
    return Interval(middle_s - length_s / 2, middle_s + length_s / 2)


def test_no_cut_is_one_scene_of_the_whole_video():
    found = scenes([], 12.34)
    assert [(s.start_s, s.end_s, s.divided) for s in found] == [(0.0, 12.34, False)]


def test_cuts_become_scenes():
    found = scenes([2.0, 5.5], 9.0)
    assert [(s.start_s, s.end_s) for s in found] == [(0.0, 2.0), (2.0, 5.5), (5.5, 9.0)]
    assert not any(s.divided for s in found)


def test_a_scene_shorter_than_the_minimum_joins_its_neighbour():
    assert shots([0.4, 3.0, 3.5, 8.7], 9.0, min_scene_s=1.0) == [(0.0, 3.0), (3.0, 9.0)]


def test_exactly_the_minimum_is_enough():
    assert shots([1.0, 2.0], 3.0, min_scene_s=1.0) == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]


def test_a_cut_outside_the_video_is_left_out():
    assert shots([4.0, 11.0], 10.0, min_scene_s=1.0) == [(0.0, 4.0), (4.0, 10.0)]


def test_a_video_shorter_than_the_minimum_is_still_a_scene():
    assert shots([], 0.04, min_scene_s=1.0) == [(0.0, 0.04)]


def test_forty_five_seconds_is_not_long():
    assert divide(0, 45.0, [pause(20, 1)], min_s=5, max_s=45) == []


def test_a_long_take_is_divided_at_its_pause():
    found = scenes([], 60.0, [pause(28.0, 1.0)])
    assert [(s.start_s, s.end_s, s.divided) for s in found] == [(0.0, 28.0, True), (28.0, 60.0, True)]


def test_the_longer_of_two_like_pauses_is_taken():
    assert divide(0, 60.0, [pause(27.0, 2.0), pause(33.0, 0.3)], min_s=5, max_s=45) == [27.0]
    assert divide(0, 60.0, [pause(27.0, 0.3), pause(33.0, 2.0)], min_s=5, max_s=45) == [33.0]


def test_the_more_even_of_two_equal_pauses_is_taken():
    assert divide(0, 60.0, [pause(20.0, 0.6), pause(29.0, 0.6)], min_s=5, max_s=45) == [29.0]


def test_without_a_pause_it_is_cut_at_the_maximum():
    assert divide(0, 100.0, [], min_s=5, max_s=45) == [45.0, 90.0]


def test_the_last_piece_keeps_the_minimum():
    # 45 would leave 2 s; 42 leaves the 5 s that a piece must have
    assert divide(0, 47.0, [], min_s=5, max_s=45) == [42.0]


def test_a_pause_too_near_an_end_is_not_used():
    assert divide(0, 50.0, [pause(2.0, 1.0), pause(48.0, 1.0)], min_s=5, max_s=45) == [45.0]


def test_a_take_later_in_the_video_is_divided_in_its_own_place():
    found = scenes([10.0], 70.0, [pause(5.0, 1.0), pause(38.0, 1.0)])
    assert [(s.start_s, s.end_s, s.divided) for s in found] == [
        (0.0, 10.0, False),
        (10.0, 38.0, True),
        (38.0, 70.0, True),
    ]


def test_a_breath_is_not_a_pause():
    assert [s.end_s for s in scenes([], 60.0, [pause(30.0, 0.2)])] == [45.0, 60.0]


def test_division_can_be_turned_off():
    assert len(scenes([], 300.0, [pause(30, 1)], divide_long_takes=False)) == 1


def test_a_long_silence_offers_several_places():
    # nobody speaks between 10 and 110: without places inside it, only its middle at 60 could be cut
    places = divide(0, 120.0, [Interval(10.0, 110.0)], min_s=5, max_s=45)
    edges = [0.0, *places, 120.0]
    assert all(20 <= b - a <= 40 for a, b in zip(edges, edges[1:], strict=False)), edges


def test_supplied_lines_are_never_cut_through():
    lines = [Segment(t, t + 3.8, "a line") for t in range(0, 120, 4)]
    # a silence in the middle of a line must not win over the gaps between lines
    found = make_scenes([], 120.0, silences=[Interval(29.0, 31.0)], lines=lines, params=params())
    inner = [s.start_s for s in found[1:]]
    assert inner
    for cut in inner:
        assert not any(line.start_s < cut < line.end_s for line in lines), cut


def test_touching_lines_can_be_parted():
    lines = [Segment(t, t + 20.0, "a line") for t in range(0, 60, 20)]
    assert [s.start_s for s in make_scenes([], 60.0, silences=[], lines=lines, params=params())] in ([0, 20], [0, 40])


def test_gaps_between_overlapping_lines():
    lines = [Segment(1, 4, "a"), Segment(3, 6, "b"), Segment(8, 9, "c")]
    assert pauses_between(lines, 10.0) == [Interval(0, 1), Interval(6, 8), Interval(9, 10)]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_pauses_scenes_cover_the_video_in_pieces_of_5_to_45(seed: int):
    rng = random.Random(seed)  # noqa: S311
    duration_s = round(rng.uniform(46, 900), 3)
    middles = sorted(rng.uniform(0, duration_s) for _ in range(rng.randrange(0, 80)))
    silences = [Interval(max(0, m - 0.4), min(duration_s, m + 0.4)) for m in middles]
    found = scenes([], duration_s, silences)
    assert found[0].start_s == 0.0
    assert found[-1].end_s == duration_s
    assert all(a.end_s == b.start_s for a, b in zip(found, found[1:], strict=False))
    assert all(4.9995 <= s.end_s - s.start_s <= 45.0005 for s in found)


def test_an_hour_with_many_pauses_is_quick_enough_to_end():
    silences = [pause(2.0 + 3.0 * n, 0.5) for n in range(1199)]
    found = scenes([], 3600.0, silences)
    assert 90 <= len(found) <= 160


# --- many pauses ----------------------------------------------------------------------------------


def test_pauses_that_are_too_dense_are_thinned_out():
    """A line every 20 ms: from each pause there are 2,000 others in reach, 100,000 pairs a second."""
    lines = [Segment(n * 0.02, n * 0.02 + 0.01, "x") for n in range(6_000)]
    found = make_scenes([], 120.0, silences=[], lines=lines, params=params())
    assert (found[0].start_s, found[-1].end_s) == (0.0, 120.0)
    assert all(5.0 <= scene.end_s - scene.start_s <= 45.0 for scene in found)
    places = [(20 * n, 0.001 * (n % 100 == 7)) for n in range(6_000)]
    thinned = stage._thinned(places, 120_000, 5_000, 45_000)
    pairs = sum(5_000 <= b - a <= 45_000 for a, _ in thinned for b, _ in thinned)
    assert pairs <= 120 * stage._WAYS_PER_S
    # the longest pause of every stretch is kept
    assert all((ms, length) in thinned for ms, length in places if length)


def test_ordinary_pauses_are_all_considered():
    places = [(2_000 * n, 0.5) for n in range(1, 1800)]  # an hour with a pause every two seconds
    assert stage._thinned(places, 3_600_000, 5_000, 45_000) is places


@pytest.mark.parametrize("cuts", [[], [60.0, 120.0, 180.0]])
def test_the_work_grows_with_the_lines_and_not_with_their_square(cuts: list[float]):
    def work(n: int) -> int:
        lines = [Segment(240 * k / n, 240 * k / n + 0.001, "x") for k in range(n)]
        return lines_run(lambda: make_scenes(cuts, 240.0, silences=[], lines=lines, params=params()))

    # the pairs in reach of each other grow with the square until they are thinned out
    assert work(12_000) < 5 * work(3_000)


def test_dividing_can_be_cancelled():
    context = WorkContext(is_cancelled=lambda: True)
    with pytest.raises(Cancelled):
        make_scenes([], 100.0, silences=[], lines=[], params=params(), context=context)
