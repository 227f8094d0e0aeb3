"""Which frames are kept: about one a second, and thirds of short shots."""

from __future__ import annotations

from heimdex_core.ingest.candidate_keeper import CandidateKeeper


def kept(duration_s: float, cuts: dict[float, float] | None = None, fps: float = 25.0) -> list[float]:
    """Times kept of a video at `fps`; `cuts` maps the time at which a cut becomes known to the time of the cut."""
    found: list[float] = []
    keeper: CandidateKeeper[str] = CandidateKeeper(1.0, lambda time_s, picture: found.append(round(time_s, 3)))
    for n in range(round(duration_s * fps)):
        time_s = n / fps
        wanted = keeper.wants(time_s)
        if cuts and round(time_s, 3) in cuts:
            keeper.cut(cuts[round(time_s, 3)])
        if wanted:
            keeper.take(time_s, "picture")
    keeper.finish(duration_s)
    return sorted(found)


def test_a_long_shot_keeps_about_one_a_second():
    times = kept(20.0)
    assert 19 <= len(times) <= 21
    assert all(0.7 <= b - a <= 1.3 for a, b in zip(times, times[1:], strict=False)), times


def test_a_short_shot_keeps_the_middles_of_its_thirds():
    times = kept(2.4)  # thirds of 0.8 s: middles at 0.4, 1.2 and 2.0
    assert len(times) == 3
    for time_s, middle_s in zip(times, (0.4, 1.2, 2.0), strict=True):
        assert abs(time_s - middle_s) <= 0.13


def test_each_short_shot_keeps_its_own():
    times = kept(6.0, {2.0: 2.0, 4.0: 4.0})
    assert [sum(start <= t < start + 2 for t in times) for start in (0, 2, 4)] == [3, 3, 3]


def test_a_cut_that_is_reported_late_splits_the_candidates():
    # the cut at 1.0 becomes known at 1.4: frames seen between belong to the new shot
    times = kept(2.0, {1.4: 1.0})
    assert [sum(start <= t < start + 1 for t in times) for start in (0, 1)] == [3, 3]


def test_one_frame_is_kept():
    assert kept(0.04) == [0.0]


def test_an_hour_holds_few_pictures_at_once():
    held = 0
    keeper: CandidateKeeper[str] = CandidateKeeper(1.0, lambda time_s, picture: None)
    for n in range(3600 * 2):
        if keeper.wants(n / 2):
            keeper.take(n / 2, "picture")
        held = max(held, len(keeper._held))
    assert held <= 13
