"""An export, from its record to a published file or to an error that leaves nothing."""

import errno
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import heimdex_core.export as kinds
import heimdex_core.files as files_module
from heimdex_core.errors import (
    Cancelled,
    ClipsFailed,
    DiskFull,
    HeimdexError,
    RenderCheckFailed,
    RenderFailed,
    RenderTimeout,
    UnknownName,
)
from heimdex_core.export import reel
from heimdex_core.export.progress import export_context, read_export_progress, work_folder
from heimdex_core.export.render import render
from heimdex_core.files import sha256_of
from heimdex_core.media.render import measure
from heimdex_core.settings import Settings
from heimdex_core.store.store import Store
from heimdex_core.types import Export, ExportState, ReelClip, Space, StageProgress, VideoState, WorkContext, utc_now
from tests.export import toy_kind
from tests.support import media
from tests.support.decoding import centres, info_of, is_colour

SPACES = {"text": Space("text/t", "text", "t", "1", 4), "vision": Space("vision/v", "vision", "v", "1", 4)}
SETTINGS = Settings(_env_file=None, min_free_bytes=0, reel_height_px=360)
PARAMS = {"height_px": 360, "fps": 25.0, "crf": 23, "preset": "ultrafast"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one video: 2 s of red and 2 s of blue."""
    root = tmp_path_factory.mktemp("export") / "library"
    made = Store.create(root, profile="offline", models={}, spaces=SPACES)
    add_video(made, [("red", 2.0), ("blue", 2.0)])
    made.close()
    return root


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(shutil.copytree(template, tmp_path / "library"))
    yield opened
    opened.close()


def add_video(store: Store, clips: list[tuple[str, float]], user_id: str = "local", **options: Any) -> str:
    made = media.colour_clips(store.paths.root / f"{uuid.uuid4()}.mp4", clips, tone_hz=440, **options)
    with made.open("ab") as file:  # a box that players skip: the same pictures are another video
        file.write(b"\0\0\0\x18free" + uuid.uuid4().bytes)
    video, _ = store.register_video(user_id, sha256_of(made), "A film", "film.mp4")
    place = store.paths.new_source(video.video_id, ".mp4")
    place.parent.mkdir(parents=True, exist_ok=True)
    made.rename(place)
    store.set_state(video.video_id, VideoState.VALIDATING, info=info_of(place))
    return video.video_id


def add_export(store: Store, *clips: ReelClip, user_id: str = "local") -> Export:
    export = Export(str(uuid.uuid4()), user_id, "reel", "T", ExportState.PENDING, clips, utc_now(), params=PARAMS)
    return store.exports.create(export)


@pytest.fixture
def export(store: Store) -> Export:
    """A reel of 1 s of red and 0.5 s of blue."""
    video_id = store.videos("local")[0].video_id
    return add_export(store, ReelClip(video_id, 0.5, 1.5, 0.0, 2.0), ReelClip(video_id, 3.0, 3.5, 2.0, 4.0))


def files(store: Store) -> list[str]:
    """Everything below exports/ and work/ of the library."""
    roots = (store.paths.exports, store.paths.work_root)
    return sorted(path.name for root in roots if root.exists() for path in root.rglob("*") if path.is_file())


def test_a_reel_is_rendered_and_recorded(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    before = utc_now()
    done = render(store, export, settings=SETTINGS, context=WorkContext())
    path = store.exports.file(done)
    assert done == store.exports.get("local", export.export_id)
    assert done.state is ExportState.COMPLETED
    assert done.path == f"exports/local/{export.export_id}.mp4"
    assert done.size_bytes == path.stat().st_size
    assert done.measured_duration_s == pytest.approx(37 / 25, abs=1e-3)  # 25 frames and 12.5, to even
    assert (done.width, done.height) == (640, 360)
    assert done.error is None
    assert done.completed_at is not None
    assert done.expires_at == export.created_at + timedelta(hours=24)
    assert before <= done.completed_at <= utc_now()
    assert files(store) == [path.name]
    # the clips are in order: 25 frames and round(12.5) = 12, the even one
    seen = centres(path)
    assert len(seen) == 37
    assert all(is_colour(pixel, media.RGB["red"]) for pixel in seen[:25])
    assert all(is_colour(pixel, media.RGB["blue"]) for pixel in seen[25:])
    # and once it is completed it is not rendered again
    monkeypatch.setattr(reel, "render_reel", lambda *args, **kwargs: pytest.fail("rendered again"))
    assert render(store, done, settings=SETTINGS, context=WorkContext()) == done


def test_the_files_of_a_killed_attempt_are_removed(store: Store, export: Export) -> None:
    left = work_folder(store.paths, export.export_id)
    left.mkdir(parents=True)
    (left / "reel.mp4").write_bytes(b"half")
    assert render(store, export, settings=SETTINGS, context=WorkContext()).state is ExportState.COMPLETED
    assert files(store) == [f"{export.export_id}.mp4"]


def fail_with(store: Store, export: Export, kind: type[Exception], context: WorkContext | None = None) -> Export:
    """Render, check that it fails and leaves no file, and return the record."""
    with pytest.raises(kind) as caught:
        render(store, export, settings=SETTINGS, context=context or WorkContext())
    record = store.exports.get(export.user_id, export.export_id)
    if isinstance(caught.value, HeimdexError):
        assert record.error == caught.value.to_dict()
    assert record.path is None
    assert files(store) == []
    assert not work_folder(store.paths, export.export_id).exists()
    return record


def test_a_file_that_fails_the_check_is_not_published(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reel, "measure", lambda path: replace(measure(path), av_offset_s=0.1))
    record = fail_with(store, export, RenderCheckFailed)
    assert record.state is ExportState.FAILED


def test_a_file_that_is_too_short_is_not_published(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_clip_only(clips: list[object], out: Path, **options: object) -> None:
        media.colour_clips(out, [("red", 1.0)], size=(640, 360), tone_hz=440)

    monkeypatch.setattr(reel, "render_reel", first_clip_only)
    record = fail_with(store, export, RenderCheckFailed)
    assert record.error is not None
    assert "instead of 1.500 s" in record.error["message"]


def test_a_file_that_cannot_be_read_is_not_published(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reel, "render_reel", lambda clips, out, **options: out.write_bytes(b"no video"))
    assert fail_with(store, export, RenderFailed).state is ExportState.FAILED


def test_cancelling(store: Store, export: Export) -> None:
    reported: list[float] = []
    context = WorkContext(report=lambda done, total: reported.append(done), is_cancelled=lambda: bool(reported))
    assert fail_with(store, export, Cancelled, context).state is ExportState.CANCELLED


def test_cancelled_before_the_start(store: Store, export: Export) -> None:
    context = WorkContext(is_cancelled=lambda: True)
    assert fail_with(store, export, Cancelled, context).state is ExportState.CANCELLED


def raising(error: BaseException) -> Callable[..., None]:
    def render_reel(clips: object, out: Path, **options: object) -> None:
        out.write_bytes(b"started")
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
def test_every_error_is_recorded(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    monkeypatch.setattr(reel, "render_reel", raising(error))
    record = fail_with(store, export, kind)
    assert record.state is ExportState.FAILED
    assert record.error is not None


def test_the_time_limit_holds_for_what_is_done_before_and_between(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(store: Store, export: Export, settings: Settings, context: WorkContext) -> Export:
        while not context.is_cancelled():
            pass
        raise Cancelled()

    slow = replace(toy_kind.KIND, prepare=prepare)
    of_kind = store.exports.create(replace(export, export_id=str(uuid.uuid4()), kind="toy", params={}))
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, slow))
    with pytest.raises(RenderTimeout) as timeout:
        render(store, of_kind, settings=SETTINGS.model_copy(update={"render_timeout_s": 0.01}), context=WorkContext())
    assert timeout.value.details["limit_s"] == 0.01
    assert store.exports.get("local", of_kind.export_id).state is ExportState.FAILED
    # a person who cancels it just then is not told of the limit
    with pytest.raises(Cancelled):
        render(store, of_kind, settings=SETTINGS, context=WorkContext(is_cancelled=lambda: True))


def test_an_interrupt_leaves_a_cancelled_record(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reel, "render_reel", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        render(store, export, settings=SETTINGS, context=WorkContext())
    assert store.exports.get("local", export.export_id).state is ExportState.CANCELLED
    assert files(store) == []


def test_too_little_space_is_reported_before_the_render(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "free_bytes", lambda where: 1_000_000)
    monkeypatch.setattr(reel, "render_reel", lambda *args, **kwargs: pytest.fail("rendered"))
    record = fail_with(store, export, DiskFull)
    assert record.error is not None
    assert record.error["details"]["needed_bytes"] == 2_400_000  # 1.5 s


def test_a_file_that_cannot_be_recorded_is_removed(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = store.exports.update

    def refuse(export_id: str, **changes: Any) -> Export:
        if changes["state"] is ExportState.COMPLETED:
            raise DiskFull(what="catalog", needed_bytes=1, free_bytes=0)
        return update(export_id, **changes)

    monkeypatch.setattr(store.exports, "update", refuse)
    assert fail_with(store, export, DiskFull).state is ExportState.FAILED


def test_a_video_that_was_deleted_meanwhile(store: Store, export: Export) -> None:
    store.delete_video("local", export.clips[0].video_id)
    assert fail_with(store, export, HeimdexError).state is ExportState.FAILED


def test_videos_of_other_users_cannot_be_used(store: Store) -> None:
    video_id = add_video(store, [("red", 1.0)], user_id="ann")
    stolen = add_export(store, ReelClip(video_id, 0.0, 1.0, 0.0, 1.0), user_id="bob")
    fail_with(store, stolen, ClipsFailed)


def test_progress_can_be_read_only_while_the_render_runs(store: Store, export: Export) -> None:
    seen: list[StageProgress] = []
    read: list[StageProgress | None] = []

    def listen(progress: StageProgress) -> None:
        seen.append(progress)
        read.append(read_export_progress(store, export.export_id))

    context = export_context(store, export, listen, lambda: False)
    render(store, export, settings=SETTINGS, context=context)
    assert read == seen
    assert (seen[-1].done, seen[-1].total, seen[-1].overall) == pytest.approx((37 / 25, 37 / 25, 1.0))
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert [p.stage for p in seen] == ["render" if p.overall < 1 else "check" for p in seen]
    assert seen[-1].eta_s is None, "how long checking takes is not known"
    assert read_export_progress(store, export.export_id) is None


def test_a_new_kind_is_one_file_and_one_line(store: Store, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    of_kind = store.exports.create(replace(export, export_id=str(uuid.uuid4()), kind="toy", params={}))
    with pytest.raises(UnknownName, match="toy"):
        render(store, of_kind, settings=SETTINGS, context=WorkContext())
    assert store.exports.get("local", of_kind.export_id).state is ExportState.FAILED

    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, toy_kind.KIND))
    done = render(store, of_kind, settings=SETTINGS, context=WorkContext())
    assert (done.state, done.kind, done.width, done.height) == (ExportState.COMPLETED, "toy", 320, 180)


def test_an_export_that_has_ended_is_not_rendered_again(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is killed after a render has failed, and before the queue knows, is followed by another one."""
    monkeypatch.setattr(reel, "render_reel", lambda *args, **kwargs: pytest.fail("rendered again"))
    for error in (RenderTimeout(limit_s=600), Cancelled()):
        ended = add_export(store, *export.clips)
        store.exports.mark_failed("local", ended.export_id, error)
        left = work_folder(store.paths, ended.export_id)
        left.mkdir(parents=True)
        with pytest.raises(type(error)):
            render(store, store.exports.get("local", ended.export_id), settings=SETTINGS, context=WorkContext())
        assert store.exports.get("local", ended.export_id).error == error.to_dict()
        assert not left.exists()


def test_room_is_made_before_a_failure_is_recorded(
    store: Store, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full takes no record; and if it takes none even then, the first error is the one to report."""
    monkeypatch.setattr(reel, "render_reel", raising(OSError(errno.ENOSPC, "No space left on device")))
    left: list[str] = []

    def refuse(user_id: str, export_id: str, error: HeimdexError) -> bool:
        left.extend(files(store))
        raise DiskFull(what="catalog", needed_bytes=1, free_bytes=0)

    monkeypatch.setattr(store.exports, "mark_failed", refuse)
    with pytest.raises(DiskFull) as caught:
        render(store, export, settings=SETTINGS, context=WorkContext())
    assert caught.value.details["what"] == "the export"
    assert left == []
