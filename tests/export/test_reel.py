"""An export from its record to a file that may be shown, or to nothing at all."""

import errno
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core.errors import (
    Cancelled,
    DiskFull,
    HeimdexError,
    RenderCheckFailed,
    RenderFailed,
    RenderTimeout,
    VideoNotFound,
)
from heimdex_core.export import reel as module
from heimdex_core.export.progress import export_context, read_export_progress, work_folder
from heimdex_core.export.reel import render
from heimdex_core.media.render import RenderMeasure, measure
from heimdex_core.settings import Settings
from heimdex_core.store.store import Store
from heimdex_core.types import Export, ExportState, ReelClip, Space, StageProgress, VideoState, WorkContext, utc_now
from tests.support import media
from tests.support.decoding import centres, info_of, is_colour

SPACES = {"text": Space("text/t", "text", "t", "1", 4), "vision": Space("vision/v", "vision", "v", "1", 4)}
SETTINGS = Settings(_env_file=None, min_free_bytes=0, reel_height_px=360)  # type: ignore[call-arg]
PARAMS = {"height_px": 360, "fps": 25.0, "crf": 23, "preset": "ultrafast"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.create(tmp_path / "library", profile="offline", models={}, spaces=SPACES)
    yield made
    made.close()


def add_video(store: Store, tmp_path: Path, clips: list[tuple[str, float]], user_id: str = "local") -> str:
    video, _ = store.register_video(user_id, uuid.uuid4().hex * 2, "A film", "film.mp4")
    source = media.colour_clips(tmp_path / f"{video.video_id}.mp4", clips, tone_hz=440)
    place = store.paths.new_source(video.video_id, ".mp4")
    place.parent.mkdir(parents=True, exist_ok=True)
    source.replace(place)
    store.set_state(video.video_id, VideoState.VALIDATING, info=info_of(place))
    return video.video_id


def add_export(store: Store, *clips: ReelClip, user_id: str = "local") -> Export:
    export = Export(str(uuid.uuid4()), user_id, "reel", "T", ExportState.PENDING, clips, utc_now(), params=PARAMS)
    return store.create_export(export)


@pytest.fixture
def export(store: Store, tmp_path: Path) -> Export:
    """A reel of 1 s of red and 0.5 s of blue."""
    video_id = add_video(store, tmp_path, [("red", 2.0), ("blue", 2.0)])
    return add_export(store, ReelClip(video_id, 0.5, 1.5, 0.0, 2.0), ReelClip(video_id, 3.0, 3.5, 2.0, 4.0))


def files(store: Store) -> list[str]:
    """Everything below exports/ and work/ of the library."""
    roots = (store.paths.exports, store.paths.work_root)
    return sorted(path.name for root in roots if root.exists() for path in root.rglob("*") if path.is_file())


def test_a_reel_is_rendered_and_recorded(store: Store, export: Export) -> None:
    before = utc_now()
    done = render(store, export, settings=SETTINGS, context=WorkContext())
    path = store.export_path(done)
    assert done == store.export("local", export.export_id)
    assert done.state is ExportState.COMPLETED
    assert done.path == f"exports/local/{export.export_id}.mp4"
    assert done.size_bytes == path.stat().st_size
    assert done.measured_duration_s == pytest.approx(37 / 25, abs=1e-3)  # 25 frames and 12.5, to even
    assert (done.width, done.height) == (640, 360)
    assert done.error is None
    assert done.completed_at is not None
    assert done.expires_at == done.completed_at + timedelta(hours=24)
    assert before <= done.completed_at <= utc_now()
    assert files(store) == [path.name]


def test_its_clips_are_in_their_order(store: Store, export: Export) -> None:
    done = render(store, export, settings=SETTINGS, context=WorkContext())
    seen = centres(store.export_path(done))
    # 25 frames and round(12.5) = 12: the even one
    assert len(seen) == 37
    assert all(is_colour(pixel, media.RGB["red"]) for pixel in seen[:25])
    assert all(is_colour(pixel, media.RGB["blue"]) for pixel in seen[25:])


def test_a_completed_one_is_not_rendered_again(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    done = render(store, export, settings=SETTINGS, context=WorkContext())
    monkeypatch.setattr(module, "render_reel", lambda *args, **kwargs: pytest.fail("rendered again"))
    assert render(store, done, settings=SETTINGS, context=WorkContext()) == done


def test_what_a_killed_attempt_left_is_no_obstacle(store: Store, export: Export) -> None:
    left = work_folder(store.paths, export.export_id)
    left.mkdir(parents=True)
    (left / "reel.mp4").write_bytes(b"half")
    assert render(store, export, settings=SETTINGS, context=WorkContext()).state is ExportState.COMPLETED
    assert files(store) == [f"{export.export_id}.mp4"]


def fail_with(store: Store, export: Export, kind: type[Exception], context: WorkContext | None = None) -> Export:
    """Render, see it fail, and see that nothing is left; the record afterwards."""
    with pytest.raises(kind) as caught:
        render(store, export, settings=SETTINGS, context=context or WorkContext())
    record = store.export(export.user_id, export.export_id)
    if isinstance(caught.value, HeimdexError):
        assert record.error == caught.value.to_dict()
    assert record.path is None
    assert files(store) == []
    assert not work_folder(store.paths, export.export_id).exists()
    return record


@pytest.mark.parametrize(
    "change", [{"video_duration_s": 9.0}, {"audio_duration_s": 1.6}, {"pixel_format": "yuv444p"}, {"av_offset_s": 0.1}]
)
def test_a_file_that_fails_the_check_is_not_published(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    def measured(path: Path) -> RenderMeasure:
        return replace(measure(path), **change)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "measure", measured)
    record = fail_with(store, export, RenderCheckFailed)
    assert record.state is ExportState.FAILED


def test_a_render_that_is_really_too_short(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_clip_only(clips: list[object], out: Path, **options: object) -> None:
        media.colour_clips(out, [("red", 1.0)], size=(640, 360), tone_hz=440)

    monkeypatch.setattr(module, "render_reel", first_clip_only)
    record = fail_with(store, export, RenderCheckFailed)
    assert record.error is not None
    assert "instead of 1.500 s" in record.error["message"]


def test_a_render_that_wrote_rubbish(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "render_reel", lambda clips, out, **options: out.write_bytes(b"rubbish"))
    assert fail_with(store, export, RenderFailed).state is ExportState.FAILED


def test_cancelling(store: Store, export: Export) -> None:
    reported: list[float] = []
    context = WorkContext(report=lambda done, total: reported.append(done), is_cancelled=lambda: bool(reported))
    assert fail_with(store, export, Cancelled, context).state is ExportState.CANCELLED


def test_cancelled_before_it_begins(store: Store, export: Export) -> None:
    context = WorkContext(is_cancelled=lambda: True)
    assert fail_with(store, export, Cancelled, context).state is ExportState.CANCELLED


def raising(error: BaseException) -> Callable[..., None]:
    def render_reel(clips: object, out: Path, **options: object) -> None:
        out.write_bytes(b"begun")
        raise error

    return render_reel


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RenderTimeout(limit_s=1), RenderTimeout),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (OSError(errno.EIO, "Input/output error"), RenderFailed),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_whatever_goes_wrong_is_recorded(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    monkeypatch.setattr(module, "render_reel", raising(error))
    record = fail_with(store, export, kind)
    assert record.state is ExportState.FAILED
    assert record.error is not None


def test_an_interrupt_leaves_a_cancelled_record(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "render_reel", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        render(store, export, settings=SETTINGS, context=WorkContext())
    assert store.export("local", export.export_id).state is ExportState.CANCELLED
    assert files(store) == []


def test_too_little_space_is_said_before_the_work(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda where: 1_000_000)
    monkeypatch.setattr(module, "render_reel", lambda *args, **kwargs: pytest.fail("rendered"))
    record = fail_with(store, export, DiskFull)
    assert record.error is not None
    assert record.error["details"]["needed_bytes"] == 1_200_000  # 1.5 s


def test_a_file_that_cannot_be_recorded_is_not_kept(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = store.update_export

    def refuse(export_id: str, **changes: object) -> Export:
        if changes["state"] is ExportState.COMPLETED:
            raise DiskFull(what="catalog", needed_bytes=1, free_bytes=0)
        return update(export_id, **changes)

    monkeypatch.setattr(store, "update_export", refuse)
    assert fail_with(store, export, DiskFull).state is ExportState.FAILED


def test_a_video_that_was_deleted_meanwhile(store: Store, export: Export) -> None:
    store.delete_video("local", export.clips[0].video_id)
    assert fail_with(store, export, HeimdexError).state is ExportState.FAILED


def test_videos_of_others_cannot_be_used(store: Store, tmp_path: Path) -> None:
    video_id = add_video(store, tmp_path, [("red", 1.0)], user_id="ann")
    stolen = add_export(store, ReelClip(video_id, 0.0, 1.0, 0.0, 1.0), user_id="bob")
    fail_with(store, stolen, VideoNotFound)


def test_progress_can_be_read_while_it_runs_and_not_after(store: Store, export: Export) -> None:
    seen: list[StageProgress] = []
    read: list[StageProgress | None] = []

    def listen(progress: StageProgress) -> None:
        seen.append(progress)
        read.append(read_export_progress(store.paths, export.export_id))

    context = export_context(store.paths, export, listen, lambda: False)
    render(store, export, settings=SETTINGS, context=context)
    assert read == seen
    assert (seen[-1].done, seen[-1].total, seen[-1].overall) == pytest.approx((37 / 25, 37 / 25, 1.0))
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert read_export_progress(store.paths, export.export_id) is None
