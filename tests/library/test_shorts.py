"""Shorts: what is refused before anything is rendered, what is rendered, and how it ends."""

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import heimdex_core.export.interrupted as interrupted
import heimdex_core.library.exports as library_exports
import heimdex_core.library.maintenance as maintenance
import heimdex_core.library.shorts as library_shorts
import heimdex_core.store.exports as store_exports
from heimdex_core.errors import (
    Cancelled,
    ExportExpired,
    ExportLimitExceeded,
    InvalidValue,
    RenderInterrupted,
    SceneNotFound,
    SceneTooLong,
    SourceChanged,
    SourceMissing,
    UnknownName,
)
from heimdex_core.export.interrupted import render_lock
from heimdex_core.export.progress import work_folder
from heimdex_core.library import Library
from heimdex_core.library.exports import Exports
from heimdex_core.media.render import measure
from heimdex_core.settings import Settings
from heimdex_core.types import CropKeyframe, CropPath, Cue, Export, ExportState, ShortRequest, utc_now
from tests.support import media

SETTINGS = Settings(_env_file=None, min_free_bytes=0, profile="offline", short_preset="ultrafast", short_daily_limit=3)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one video of 3 s: red, then blue."""
    root = tmp_path_factory.mktemp("shorts")
    film = root / "film.mp4"
    media.colour_clips(film, [("red", 1.5), ("blue", 1.5)], tone_hz=440)
    with Library.open(root / "library", settings=SETTINGS) as made:
        made.add(film)
    return root / "library"


@pytest.fixture
def lib(template: Path, tmp_path: Path) -> Iterator[Library]:
    # with the times of the files: a later one looks like a change of the source
    with Library.open(shutil.copytree(template, tmp_path / "library"), settings=SETTINGS) as opened:
        yield opened


@pytest.fixture
def scene_id(lib: Library) -> str:
    return lib.scenes(lib.videos()[0].video_id)[0].scene_id


class Clock:
    """The time of everything that makes, counts and expires exports."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = utc_now()
        for module in (library_shorts, library_exports, store_exports, maintenance):
            patch.setattr(module, "utc_now", lambda: self.now)

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


def record(lib: Library, scene_id: str, state: ExportState = ExportState.COMPLETED) -> Export:
    """A short that is only recorded."""
    shorts = lib.shorts
    [export] = shorts._planned([ShortRequest(scene_id)], queue=False)
    return lib._store.exports.update(export.export_id, state=state)


# --- rendering ------------------------------------------------------------------------------------


def test_a_short_is_made_with_captions_beyond_its_scene(lib: Library, scene_id: str, tmp_path: Path) -> None:
    cue = Cue(0.5, 2.0, "Hello there")
    out = tmp_path / "short.mp4"
    made = lib.short(scene_id, trim=(0.5, 2.5), captions="plain", cues=[cue], out=out)
    assert (made.state, made.kind, made.strategy, made.quality) == (
        ExportState.COMPLETED, "short", "center_crop", "medium"
    )  # fmt: skip
    assert (made.width, made.height, made.measured_duration_s) == (1080, 1920, pytest.approx(2.0, abs=0.04))
    assert made.loudness_lufs == pytest.approx(-14.0, abs=1.0)
    assert made.true_peak_dbtp is not None
    assert made.true_peak_dbtp <= -1.0
    assert made.expires_at == made.created_at + timedelta(hours=24)
    found = measure(out)
    assert (found.video_codec, found.pixel_format, found.audio_codec) == ("h264", "yuv420p", "aac")
    head = out.read_bytes()[:4096]
    assert b"moov" in head  # the index is in front
    asked = lib.shorts.request_of(made.export_id)
    assert (asked.cues, asked.trim, asked.captions) == ((cue,), (0.5, 2.5), "plain")


def test_a_preview_is_a_small_picture(lib: Library, scene_id: str) -> None:
    path = CropPath((CropKeyframe(0.0, 0.2),))
    for name, crop_path in (("center_crop", None), ("letterbox", None), ("blur_pad", None), ("smart_crop", path)):
        assert lib.shorts.preview(scene_id, name, 0.5, crop_path)[:2] == b"\xff\xd8"


# --- what is refused ------------------------------------------------------------------------------


def test_what_cannot_be_made_is_refused_before_it_is_recorded(lib: Library, scene_id: str) -> None:
    video_id = lib.videos()[0].video_id
    refused = (
        (SceneNotFound, {"scene_id": f"{uuid.uuid4()}_0_1000"}),
        (SceneNotFound, {"scene_id": f"{video_id}_90000_99000"}),
        (UnknownName, {"quality": "best"}),
        (UnknownName, {"strategy": "zoom"}),
        (UnknownName, {"captions": "neon"}),
        (InvalidValue, {"trim": (2.0, 1.0)}),
        (InvalidValue, {"trim": (1.0, 99.0)}),
        (InvalidValue, {"crop_path": CropPath((CropKeyframe(0.0, 0.5),))}),
        (InvalidValue, {"captions": "plain", "cues": [Cue(0.0, 1.0, "a"), Cue(0.5, 1.5, "b")]}),
        (InvalidValue, {"title": "two\nlines"}),
    )
    for error, changes in refused:
        arguments = {"scene_id": scene_id, **changes}
        with pytest.raises(error):
            lib.short(**arguments)  # type: ignore[arg-type]
    assert lib.exports.list() == []


def test_a_scene_is_too_long_by_hundredths(lib: Library, scene_id: str) -> None:
    with Library.open(lib.path, settings=SETTINGS.model_copy(update={"short_max_s": 1.0})) as strict:
        with pytest.raises(SceneTooLong) as refused:
            strict.short(scene_id, trim=(0.0, 1.04))
        assert refused.value.details == {"scene_duration_s": 1.04, "max_duration_s": 1.0}
        strict.shorts._planned([ShortRequest(scene_id, trim=(0.0, 1.0))], queue=False)


def test_a_long_short_says_so(lib: Library, scene_id: str) -> None:
    with Library.open(lib.path, settings=SETTINGS.model_copy(update={"short_warn_s": 1.0})) as warning:
        requests = [ShortRequest(scene_id, trim=(0.0, end_s)) for end_s in (0.99, 1.0)]
        planned = warning.shorts._planned(requests, queue=False)
    assert [export.notes for export in planned] == [(), ("almost_too_long",)]


def test_a_source_that_is_gone_or_changed_is_named(lib: Library, scene_id: str) -> None:
    source = lib._store.paths.source(lib.videos()[0].video_id)
    content = source.read_bytes()
    later = source.stat().st_mtime + 3600
    source.write_bytes(content[:-1] + b"?")
    os.utime(source, (later, later))
    with pytest.raises(SourceChanged):
        lib.short(scene_id)
    source.write_bytes(content + b"more")
    with pytest.raises(SourceChanged):
        lib.short(scene_id)
    source.write_bytes(content)
    os.utime(source, (later, later))
    lib.shorts._planned([ShortRequest(scene_id)], queue=False)  # written again, with the same bytes
    source.unlink()
    with pytest.raises(SourceMissing):
        lib.short(scene_id)


# --- the daily limit ------------------------------------------------------------------------------


def test_the_limit_is_that_of_any_24_hours(lib: Library, scene_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    record(lib, scene_id)
    first_at = clock.now
    clock.move(hours=10)
    record(lib, scene_id)
    record(lib, scene_id, ExportState.FAILED)  # does not count
    clock.move(hours=2.55)
    third = record(lib, scene_id)
    allowance = lib.shorts.allowance()
    assert (allowance.limit, allowance.used, allowance.remaining) == (3, 3, 0)
    assert allowance.resets_at == first_at + timedelta(hours=24)
    with pytest.raises(ExportLimitExceeded) as refused:
        lib.short(scene_id)
    # 24 - 12.55 hours
    assert refused.value.details == {
        "current_count": 3, "limit": 3, "hours_until_reset": 11.45, "asked": 1, "allowed": 0,
    }  # fmt: skip
    clock.move(hours=11.45)  # 24 hours after the first one, to the second
    assert lib.shorts.allowance().remaining == 1
    with pytest.raises(ExportLimitExceeded) as batch:
        lib.shorts.make_all([ShortRequest(scene_id), ShortRequest(scene_id)], queue=False)
    assert (batch.value.details["asked"], batch.value.details["allowed"]) == (2, 1)
    assert len(lib.exports.list()) == 4
    lib.exports.remove(third.export_id)
    assert lib.shorts.allowance().used == 2  # what is removed was made all the same


def test_the_eleventh_is_possible_24_hours_after_the_first(
    lib: Library, scene_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library.open(lib.path, settings=SETTINGS.model_copy(update={"short_daily_limit": 10})) as opened:
        clock, one = Clock(monkeypatch), ShortRequest(scene_id)
        shorts = opened.shorts
        with pytest.raises(ExportLimitExceeded) as refused:
            shorts._planned([one] * 11, queue=False)
        assert (refused.value.details["asked"], refused.value.details["allowed"]) == (11, 10)
        assert opened.exports.list() == [], "a batch is refused whole"
        shorts._planned([one] * 9, queue=False)
        clock.move(hours=1)
        shorts._planned([one], queue=False)
        assert shorts.allowance().remaining == 0
        clock.move(hours=23, microseconds=-1)
        for export in opened.exports.list():  # else they would end as interrupted, and not count
            opened._store.exports.update(export.export_id, state=ExportState.COMPLETED)
        with pytest.raises(ExportLimitExceeded) as refused:
            opened.short(scene_id)
        assert refused.value.details["hours_until_reset"] == 0.01  # rounded up
        clock.move(microseconds=1)
        assert shorts.allowance().remaining == 9
        with pytest.raises(ExportLimitExceeded) as batch:
            shorts.make_all([one] * 10, queue=False)
        assert (batch.value.details["asked"], batch.value.details["allowed"]) == (10, 9)
        shorts._planned([one] * 9, queue=False)


def test_no_limit(lib: Library, scene_id: str) -> None:
    with Library.open(lib.path, settings=SETTINGS.model_copy(update={"short_daily_limit": 0})) as free:
        for _ in range(4):
            record(free, scene_id)
        assert free.shorts.allowance().remaining is None


# --- what becomes of it ---------------------------------------------------------------------------


def test_a_file_expires_and_its_record_stays(lib: Library, scene_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    export = record(lib, scene_id)
    file = lib._store.paths.export(export.user_id, export.export_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"video")
    done = lib._store.exports.update(export.export_id, path=file, expires_at=clock.now + timedelta(hours=1))
    assert lib.exports.file(done) == file
    clock.move(hours=1)
    with pytest.raises(ExportExpired):  # although it has not been removed yet
        lib.exports.file(done)
    assert lib._store.exports.remove_expired_files(clock.now) == 1
    assert not file.exists()
    assert lib.exports.get(export.export_id).state is ExportState.COMPLETED


def test_the_clean_up_removes_files_24_hours_after_they_were_made(
    lib: Library, scene_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    made, kept = (record(lib, scene_id) for _ in range(2))
    files = []
    for export in (made, kept):
        files.append(lib._store.paths.export(export.user_id, export.export_id))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_bytes(b"video")
        expires_at = export.created_at + timedelta(seconds=lib.settings.export_ttl_s)
        lib._store.exports.update(export.export_id, path=files[-1], expires_at=expires_at)
    lib.exports.keep(kept.export_id)
    clock.move(hours=24, microseconds=-1)
    assert lib.exports.file(lib.exports.get(made.export_id)) == files[0]
    assert lib.clean_up()["exports"] == 0
    clock.move(microseconds=1)
    assert lib.clean_up()["exports"] == 1
    assert [file.exists() for file in files] == [False, True]
    with pytest.raises(ExportExpired):
        lib.exports.file(lib.exports.get(made.export_id))
    assert [export.state for export in lib.exports.list()] == [ExportState.COMPLETED] * 2


def test_a_file_is_removed_by_hand(lib: Library, scene_id: str) -> None:
    export = record(lib, scene_id)
    file = lib._store.paths.export(export.user_id, export.export_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"video")
    lib._store.exports.update(export.export_id, path=file)
    removed = lib.exports.remove(export.export_id)
    assert not file.exists()
    assert removed.path is None
    with pytest.raises(ExportExpired):
        lib.exports.file(removed)


def test_a_render_that_was_killed_is_ended(lib: Library, scene_id: str) -> None:
    export = record(lib, scene_id, ExportState.PROCESSING)
    half_made = work_folder(lib._store.paths, export.export_id) / "render.mp4"
    half_made.parent.mkdir(parents=True)
    half_made.write_bytes(b"half")
    with render_lock(lib._store.paths, export.export_id).hold():
        assert lib.exports.list()[0].state is ExportState.PROCESSING  # somebody renders it
    [ended] = lib.exports.list()
    assert ended.state is ExportState.FAILED
    assert ended.error is not None
    assert ended.error["code"] == RenderInterrupted.code
    assert not half_made.parent.exists()


def test_what_was_killed_does_not_count_and_is_ended_whoever_asks(lib: Library, scene_id: str) -> None:
    killed = [record(lib, scene_id, ExportState.PROCESSING) for _ in range(4)]  # one more than the limit
    assert lib.exports.get(killed[-1].export_id).error == RenderInterrupted().to_dict()
    record(lib, scene_id, ExportState.PROCESSING)
    assert lib.shorts.allowance().used == 0


def test_a_batch_that_waits_for_its_turn_is_not_ended(
    lib: Library, scene_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is rendered for minutes while others look at the exports."""
    seen: list[list[ExportState]] = []

    def slowly(self: Exports, export_id: str, **options: Any) -> Export:
        elsewhere = Thread(target=lambda: seen.append([export.state for export in lib.exports.list()]))
        elsewhere.start()
        elsewhere.join()
        return lib._store.exports.update(export_id, state=ExportState.COMPLETED)

    monkeypatch.setattr(Exports, "render", slowly)
    monkeypatch.setattr(interrupted, "utc_now", lambda: utc_now() + timedelta(minutes=5))
    made = lib.shorts.make_all([ShortRequest(scene_id)] * 2, queue=False)
    assert [export.state for export in made] == [ExportState.COMPLETED] * 2
    assert [states.count(ExportState.PENDING) for states in seen] == [2, 1]
    forgotten = record(lib, scene_id, ExportState.PENDING)
    assert lib.exports.get(forgotten.export_id).error == RenderInterrupted().to_dict()


def test_what_a_killed_process_left_goes_when_its_export_is_cancelled_and_at_the_clean_up(
    lib: Library, scene_id: str
) -> None:
    paths, left = lib._store.paths, []
    exports = []
    for _ in range(3):
        export = record(lib, scene_id, ExportState.PROCESSING)
        exports.append(lib._store.exports.update(export.export_id, job_id="of a worker"))
        left.append(work_folder(paths, export.export_id) / "render.mp4")
        left[-1].parent.mkdir(parents=True)
        left[-1].write_bytes(b"half")
    lib.exports.cancel(exports[0].export_id)
    lib._store.exports.mark_failed("local", exports[1].export_id, RenderInterrupted())
    assert [file.exists() for file in left] == [False, True, True]
    assert lib.clean_up()["work"] == 1
    assert [file.exists() for file in left] == [False, False, True], "the last one is for the next worker"


def test_an_error_is_kept_with_500_characters(lib: Library, scene_id: str) -> None:
    export = record(lib, scene_id, ExportState.PROCESSING)
    from heimdex_core.errors import RenderFailed

    lib._store.exports.mark_failed("local", export.export_id, RenderFailed(reason="x" * 2000))
    error = lib.exports.get(export.export_id).error
    assert error is not None
    assert len(error["message"]) == 500


def test_a_smart_crop_is_planned_and_kept(lib: Library, scene_id: str) -> None:
    made = lib.short(scene_id, strategy="smart_crop", trim=(0.0, 1.0))
    assert made.state is ExportState.COMPLETED
    path = lib.shorts.request_of(made.export_id).crop_path
    seen: list[tuple[float, float]] = []
    assert path == lib.shorts.plan_crop(scene_id, 0.0, 1.0, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (pytest.approx(0.88, abs=0.1), 1.0)
    with pytest.raises(Cancelled):
        lib.shorts.plan_crop(scene_id, 0.0, 1.0, is_cancelled=lambda: True)
    # it says that faces were not looked for
    assert not lib.shorts.has_face_detector()
    assert "no_face_detector" in made.notes
