"""Clips that cannot be rendered: named by number, title and time, and left out on request."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from heimdex_core.errors import ClipsFailed, HeimdexError, RenderCheckFailed, RenderFailed
from heimdex_core.export import reel
from heimdex_core.export.plan import plan_export
from heimdex_core.export.render import render
from heimdex_core.store.store import Store
from heimdex_core.types import Export, ExportState, ReelClip, Video, WorkContext, utc_now
from tests.export.test_plan import FIRST, SECOND, VIDEO, VIEW
from tests.export.test_plan import SETTINGS as PLAN_SETTINGS
from tests.export.test_render import PARAMS, SETTINGS, add_video, files, store, template
from tests.support import media
from tests.support.decoding import centres, is_colour

__all__ = ["store", "template"]
Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    """Only the first quarter of the pictures is left; the index and the size stay."""
    size = path.stat().st_size
    whole = path.with_name("whole.mp4")
    path.rename(whole)
    media.ffmpeg("-i", whole, "-c", "copy", "-movflags", "+faststart", path)
    whole.unlink()
    data = path.read_bytes()
    start = data.index(b"mdat")
    path.write_bytes(data[: start + (len(data) - start) // 4].ljust(size, b"\0"))


def scramble(path: Path) -> None:
    path.write_bytes(b"\x07" * path.stat().st_size)


def make(store: Store, *clips: ReelClip, **params: object) -> Export:
    export = Export(
        str(uuid.uuid4()), "local", "reel", "T", ExportState.PENDING, clips, utc_now(), params={**PARAMS, **params}
    )
    return store.exports.create(export)


def second_video(store: Store) -> str:
    """4 s of green, a keyframe every second, and noise, so that a quarter of the bytes is about a quarter of it."""
    return add_video(store, [("green", 1.0), ("white", 3.0)], noise=10, key_every=25)


def three_clips(store: Store, damage: Damage | None) -> tuple[ReelClip, ...]:
    """Red, one of a damaged or removed file, blue."""
    good, bad = store.videos("local")[-1].video_id, second_video(store)
    source = store.paths.source(bad)
    damage(source) if damage else source.unlink()
    return ReelClip(good, 0.0, 1.0, 0.0, 2.0), ReelClip(bad, 3.0, 3.6, 1.0, 4.0), ReelClip(good, 3.0, 3.4, 2.0, 4.0)


@pytest.mark.parametrize(
    ("damage", "problem", "text"),
    [
        (None, "clip_file_missing", "the file of its video is missing."),
        (cut, "clip_undecodable", "the file is damaged there, and no picture can be decoded."),
        (scramble, "clip_file_damaged", "the file of its video is damaged and cannot be opened."),
        (media.empty_file, "clip_file_changed", "the file of its video has changed since the video was added."),
    ],
)
def test_the_clip_is_named(store: Store, damage: Damage | None, problem: str, text: str) -> None:
    clips = three_clips(store, damage)
    export = make(store, *clips)
    with pytest.raises(ClipsFailed) as failed:
        render(store, export, settings=SETTINGS, context=WorkContext())
    assert failed.value.message == f"The reel cannot be rendered. Clip 2 (“A film”, 0:03.0 to 0:03.6): {text}"
    record = store.exports.get("local", export.export_id)
    assert (record.state, record.error) == (ExportState.FAILED, failed.value.to_dict())
    assert [clip["problem"] for clip in failed.value.details["clips"]] == [problem]
    assert files(store) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(None, "clip_file_missing", marks=pytest.mark.long),
        (cut, "clip_undecodable"),
        pytest.param(scramble, "clip_file_damaged", marks=pytest.mark.long),
        pytest.param(media.empty_file, "clip_file_changed", marks=pytest.mark.long),
    ],
)
def test_the_clip_can_be_left_out(store: Store, damage: Damage | None, problem: str) -> None:
    clips = three_clips(store, damage)
    done = render(store, make(store, *clips, skip_failed=True), settings=SETTINGS, context=WorkContext())
    assert done.state is ExportState.COMPLETED
    assert [(clip["number"], clip["title"], clip["problem"]) for clip in done.left_out] == [(2, "A film", problem)]
    assert done.clips == clips
    seen = centres(store.exports.file(done))
    assert len(seen) == 25 + 10
    assert all(is_colour(pixel, media.RGB["red"]) for pixel in seen[:25])
    assert all(is_colour(pixel, media.RGB["blue"]) for pixel in seen[25:])


def test_a_part_that_can_be_decoded_is_rendered_from_a_damaged_file(store: Store) -> None:
    _, bad, _ = three_clips(store, cut)
    intact = ReelClip(bad.video_id, 0.0, 0.4, 0.0, 1.0)
    assert render(store, make(store, intact), settings=SETTINGS, context=WorkContext()).left_out == ()


def test_all_clips_that_fail_are_named_at_once(store: Store) -> None:
    good = store.videos("local")[-1].video_id
    deleted = add_video(store, [("green", 1.0)])
    store.delete_video("local", deleted)
    gone = ReelClip(str(uuid.uuid4()), 75.0, 76.0, 70.0, 80.0)
    clips = (ReelClip(deleted, 0.0, 1.0, 0.0, 1.0), ReelClip(good, 0.0, 0.4, 0.0, 2.0), gone)
    with pytest.raises(ClipsFailed) as failed:
        render(store, make(store, *clips), settings=SETTINGS, context=WorkContext())
    assert failed.value.message == (
        "The reel cannot be rendered. Clip 1 (“A film”, 0:00.0 to 0:01.0): its video is not in the library any more."
        " Clip 3 (1:15.0 to 1:16.0): its video is not in the library any more."
    )
    done = render(store, make(store, *clips, skip_failed=True), settings=SETTINGS, context=WorkContext())
    assert [clip["number"] for clip in done.left_out] == [1, 3]


def test_without_a_clip_that_is_left_there_is_no_reel(store: Store) -> None:
    clip = three_clips(store, None)[1]
    with pytest.raises(ClipsFailed):
        render(store, make(store, clip, skip_failed=True), settings=SETTINGS, context=WorkContext())
    assert files(store) == []


@pytest.mark.parametrize("error", [RenderFailed(reason="no encoder"), RenderCheckFailed(reason="too long")])
def test_an_error_that_no_clip_causes_names_none(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: HeimdexError
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(reel, "render_reel", fail)
    clip = ReelClip(store.videos("local")[-1].video_id, 0.0, 0.4, 0.0, 2.0)
    with pytest.raises(type(error), match=str(error.details["reason"])):
        render(store, make(store, clip, skip_failed=True), settings=SETTINGS, context=WorkContext())


def test_an_error_survives_being_stored() -> None:
    error = ClipsFailed(clips=[{"number": 1, "title": None, "start": "0:01.0", "end": "0:02.0", "problem": "x"}])
    assert HeimdexError.from_dict(error.to_dict()).to_dict() == error.to_dict()


# --- before anything is rendered ------------------------------------------------------------------


def plan(*clips: ReelClip | str, skip_failed: bool = False, video: Video | None = None) -> Export:
    return plan_export(
        VIEW,
        "ann",
        clips,
        kind=reel.KIND,
        title="",
        settings=PLAN_SETTINGS,
        find_video=lambda video_id: video,
        skip_failed=skip_failed,
    )


def test_scenes_that_are_gone_are_named_by_number() -> None:
    gone = f"{VIDEO}_90000_95000"
    with pytest.raises(ClipsFailed) as failed:
        plan(FIRST, gone, SECOND)
    assert [(clip["number"], clip["start"], clip["end"]) for clip in failed.value.details["clips"]] == [
        (2, "1:30.0", "1:35.0")
    ]
    export = plan(FIRST, gone, SECOND, skip_failed=True)
    assert [clip["number"] for clip in export.left_out] == [2]
    assert [clip.scene_id for clip in export.clips] == [FIRST, gone, SECOND], "positions stay"
    assert export.params["skip_failed"] is True
    with pytest.raises(ClipsFailed):
        plan(gone, skip_failed=True)
