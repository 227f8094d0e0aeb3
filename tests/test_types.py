"""Values that check themselves when they are created."""

import pytest

from heimdex_core.errors import InvalidValue, SceneNotFound, SpaceMismatch
from heimdex_core.types import TRANSITIONS, Interval, ReelClip, Space, VideoState, make_scene_id, parse_scene_id


def test_interval_overlap_and_iou_by_hand() -> None:
    # [0, 4) and [3, 7): 1 s shared of 7 s covered
    assert Interval(0, 4).overlap_s(Interval(3, 7)) == 1
    assert Interval(0, 4).iou(Interval(3, 7)) == pytest.approx(1 / 7)
    assert Interval(0, 4).iou(Interval(4, 8)) == 0
    assert Interval(2, 2).iou(Interval(2, 2)) == 1


@pytest.mark.parametrize(("start_s", "end_s"), [(2, 1), (-1, 1), (float("nan"), 1)])
def test_an_interval_refuses_other_numbers(start_s: float, end_s: float) -> None:
    with pytest.raises(InvalidValue):
        Interval(start_s, end_s)


def test_scene_id_round_trip() -> None:
    video_id = "0b8c1f6e-1111-4222-8333-444455556666"
    scene_id = make_scene_id(video_id, 1.2345, 60.0)
    assert parse_scene_id(scene_id) == (video_id, 1234, 60000)


@pytest.mark.parametrize("text", ["", "abc", "abc_1", "abc_x_2", "abc_-1_2"])
def test_other_text_is_no_scene_id(text: str) -> None:
    with pytest.raises(SceneNotFound):
        parse_scene_id(text)


def test_a_clip_may_reach_beyond_its_scene_and_is_named_after_it() -> None:
    assert ReelClip("v", 0.5, 3.5, 1.0, 3.0).duration_s == 3.0
    assert ReelClip("v", 0.5, 3.5, 1.0, 3.0).clip_id == "v_1000_3000"
    assert ReelClip("v", 0.5, 3.5, 1.0, 3.0, copy=2).clip_id == "v_1000_3000#2"
    nan, inf = float("nan"), float("inf")
    for start_s, end_s in ((-0.5, 2.0), (2.0, 2.0), (2.0, 1.0), (nan, 2.0), (0.0, nan), (0.0, inf)):
        with pytest.raises(InvalidValue):
            ReelClip("v", start_s, end_s, 1.0, 3.0)
    for scene_start_s, scene_end_s, copy in ((3.0, 1.0, 0), (-1.0, 1.0, 0), (1.0, 3.0, -1)):
        with pytest.raises(InvalidValue):
            ReelClip("v", 0.0, 1.0, scene_start_s, scene_end_s, copy)


def test_a_mismatch_of_spaces_names_the_other_space() -> None:
    ours = Space("text/m", "text", "m", "1", 384)
    ours.check(Space("text/m", "text", "m", "1", 384))
    with pytest.raises(SpaceMismatch, match=r"m 2 \(384-d\)"):
        ours.check(Space("text/m", "text", "m", "2", 384))


def test_every_state_can_be_deleted_and_only_indexed_by_processing() -> None:
    assert all(VideoState.DELETED in TRANSITIONS[s] for s in VideoState if s != VideoState.DELETED)
    into_indexed = {s for s in VideoState if VideoState.INDEXED in TRANSITIONS[s]}
    assert into_indexed == {VideoState.PROCESSING, VideoState.DELETED}
