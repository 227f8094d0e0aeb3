"""What a reel may consist of."""

from dataclasses import replace

import pytest

from heimdex_core.errors import ClipsFailed, InvalidReel, InvalidValue, SceneNotFound, UnknownName
from heimdex_core.export import export_kind
from heimdex_core.export.plan import clip_of, plan_export
from heimdex_core.settings import Settings
from heimdex_core.types import (
    Export,
    ExportState,
    Interval,
    MediaInfo,
    ReelClip,
    ReelOptions,
    Scene,
    Video,
    VideoState,
    make_scene_id,
    parse_scene_id,
    to_json,
    utc_now,
)

VIDEO = "0a6c2c3e-6f5b-4f6e-9a55-2f4f0d3a1b11"
SETTINGS = Settings(_env_file=None)


def scene(start_s: float, end_s: float) -> Scene:
    return Scene(make_scene_id(VIDEO, start_s, end_s), VIDEO, 0, start_s, end_s)


class FakeView:
    """A view with some scenes of one user, found by id or else by overlap."""

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = scenes

    def scene(self, user_id: str, scene_id: str) -> Scene:
        _, start_ms, end_ms = parse_scene_id(scene_id)
        wanted = Interval(start_ms / 1000, end_ms / 1000)
        best = max(self.scenes, key=lambda s: s.interval.iou(wanted))
        if user_id != "ann" or best.interval.iou(wanted) < 0.5:
            raise SceneNotFound(scene_id=scene_id)
        return best


VIEW = FakeView(scene(0.0, 4.0), scene(4.0, 10.0))
FIRST, SECOND = (s.scene_id for s in VIEW.scenes)


def plan(
    clips: list[ReelClip | str],
    *,
    title: str = "",
    user: str = "ann",
    view: FakeView = VIEW,
    video: Video | None = None,
) -> Export:
    return plan_export(
        view, user, clips, kind=export_kind("reel"), title=title, settings=SETTINGS, find_video=lambda video_id: video
    )


def video_of(duration_s: float) -> Video:
    info = MediaInfo("mp4", 1, None, duration_s, 0.0, 0, "h264", None, None, 320, 180, 320, 180, 0, 25.0, 1, False, 0.0)
    return Video(VIDEO, "ann", "0" * 64, "Talk", "talk.mp4", VideoState.INDEXED, utc_now(), utc_now(), info=info)


def test_scenes_whole_and_in_the_order_given() -> None:
    made = plan([SECOND, FIRST, SECOND], title=" Two and one ")
    assert [(c.start_s, c.end_s) for c in made.clips] == [(4.0, 10.0), (0.0, 4.0), (4.0, 10.0)]
    assert sum(clip.duration_s for clip in made.clips) == 16.0
    assert made.title == "Two and one"


def test_trims_are_kept() -> None:
    made = plan([ReelClip(VIDEO, 5.0, 6.5, 4.0, 10.0)])
    assert (made.clips[0].start_s, made.clips[0].end_s) == (5.0, 6.5)
    assert made.clips[0].duration_s == 1.5


def test_the_strategy_of_a_clip_is_kept_and_must_be_known() -> None:
    own = ReelClip(VIDEO, 5.0, 6.5, 4.0, 10.0, strategy="blur_pad")
    assert [clip.strategy for clip in plan([FIRST, own, own]).clips] == [None, "blur_pad", "blur_pad"]
    with pytest.raises(UnknownName, match="zoom"):
        plan([FIRST, replace(own, strategy="zoom")])


def test_a_clip_keeps_its_times_when_its_scene_has_moved() -> None:
    """The scene was [4, 10) and is [5, 9) since: IoU 4/6."""
    made = plan([ReelClip(VIDEO, 4.5, 10.0, 4.0, 10.0)], view=FakeView(scene(5.0, 9.0)))
    clip = made.clips[0]
    assert (clip.start_s, clip.end_s, clip.scene_start_s, clip.scene_end_s) == (4.5, 10.0, 5.0, 9.0)


def test_a_clip_ends_with_its_video() -> None:
    made = plan([ReelClip(VIDEO, 3.0, 60.0, 4.0, 10.0)], video=video_of(12.5))
    assert (made.clips[0].start_s, made.clips[0].end_s) == (3.0, 12.5)


def test_a_clip_outside_its_video_is_refused() -> None:
    with pytest.raises(ClipsFailed, match="Clip 2 .*shorter than it was"):
        plan([FIRST, ReelClip(VIDEO, 12.5, 15.0, 4.0, 10.0)], video=video_of(12.5))


def test_a_scene_that_ends_a_little_behind_the_measured_end_is_whole() -> None:
    assert plan([SECOND], video=video_of(9.98)).clips[0].end_s == 10.0


@pytest.mark.parametrize(("count", "told"), [(0, "no scenes"), (51, "it has 51 scenes")])
def test_one_to_fifty_scenes(count: int, told: str) -> None:
    with pytest.raises(InvalidReel, match=told):
        plan([FIRST] * count)


def test_the_pieces_that_pauses_leave_of_a_clip_are_one_clip() -> None:
    """As many as ten for each of the fifty; what overlaps, or goes back, was put there as a clip of its own."""

    def pieces(count: int, step_s: float = 0.004, length_s: float = 0.003) -> list[ReelClip | str]:
        return [ReelClip(VIDEO, n * step_s, n * step_s + length_s, 0.0, 4.0) for n in range(count)]

    made = plan(pieces(500))
    assert len(made.clips) == len({clip.clip_id for clip in made.clips}) == 500
    assert len(plan([*pieces(60), SECOND, *pieces(60), *[SECOND] * 47]).clips) == 168
    with pytest.raises(InvalidReel, match="501 pieces without its pauses, and may have 500"):
        plan(pieces(501))
    for many in (pieces(51, length_s=0.005), pieces(51)[::-1], [*pieces(60), SECOND, *pieces(60), *[SECOND] * 48]):
        with pytest.raises(InvalidReel, match="it has 51 scenes"):
            plan(many)


def test_fifty_scenes_are_fine() -> None:
    made = plan([FIRST] * 50)
    assert [clip.duration_s for clip in made.clips] == [4.0] * 50
    assert [clip.clip_id for clip in made.clips] == [FIRST, *(f"{FIRST}#{n}" for n in range(1, 50))]


def test_copies_keep_their_numbers() -> None:
    clips = [ReelClip(VIDEO, 0.0, 4.0, 0.0, 4.0, copy=copy) for copy in (2, 0, 2)]
    assert [clip.copy for clip in plan([*clips]).clips] == [2, 0, 3]
    clips = [ReelClip(VIDEO, 0.0, 4.0, 0.0, 4.0, copy=copy) for copy in (0, 0, 5, 0, 5, 2, 1, 0, 0, 5)]
    assert [clip.copy for clip in plan([*clips]).clips] == [0, 1, 5, 2, 6, 3, 4, 7, 8, 9]


def test_titles() -> None:
    assert plan([FIRST], title="가" * 200).title == "가" * 200
    with pytest.raises(InvalidReel, match="201"):
        plan([FIRST], title="x" * 201)
    with pytest.raises(InvalidReel):
        plan([FIRST], title="two\nlines")


def test_scenes_of_other_users_do_not_exist() -> None:
    with pytest.raises(ClipsFailed):
        plan([FIRST], user="bob")


@pytest.mark.parametrize("scene_id", ["nonsense", f"{VIDEO}_9000_9000"])
def test_what_is_no_scene_id(scene_id: str) -> None:
    with pytest.raises(SceneNotFound):
        plan([scene_id])


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [(None, None, (4.0, 10.0)), (-1.0, 99.0, (0.0, 11.0)), (5.0, None, (5.0, 10.0)), (None, 5.0, (4.0, 5.0))],
)
def test_clip_of(start_s: float | None, end_s: float | None, expected: tuple[float, float]) -> None:
    clip = clip_of(scene(4.0, 10.0), start_s, end_s, video_end_s=11.0)
    assert (clip.start_s, clip.end_s) == expected


@pytest.mark.parametrize(("start_s", "end_s"), [(11.0, 12.0), (-2.0, 0.0), (6.0, 5.0)])
def test_an_interval_outside_the_video_is_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(InvalidValue):
        clip_of(scene(4.0, 10.0), start_s, end_s, video_end_s=11.0)


def test_the_record_of_a_new_reel() -> None:
    export = plan([FIRST], title="T")
    assert (export.user_id, export.kind, export.title, export.state) == ("ann", "reel", "T", ExportState.PENDING)
    assert [clip.scene_id for clip in export.clips] == [FIRST]
    assert export.params == {
        **to_json(ReelOptions(height_px=720)),
        "fps": 30.0,
        "crf": 20,
        "preset": "veryfast",
    }
    assert export.path is None
    assert export.export_id != plan([FIRST], title="T").export_id
