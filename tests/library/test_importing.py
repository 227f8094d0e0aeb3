"""Files on their way into a library: names, copies, and the same bytes again."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled, DiskFull, FileUnreadable
from heimdex_core.files import read_json_object, require_free_space
from heimdex_core.library.importing import (
    IncomingFile,
    Registration,
    _choice,
    copy_and_hash,
    read_file,
    read_upload,
    register,
    safe_filename,
    source_extension,
)
from heimdex_core.media.subtitles import CHOICE_FILE, Sidecar
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import Json, VideoState
from tests.store.making import commit, new_store
from tests.support.media import ffmpeg, no_audio


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("talk.mp4", "talk.mp4"),
        ("지난 여름 부산 🌊.mp4", "지난 여름 부산 🌊.mp4"),
        ("a/b\\c:d|e<f>g.mov", "a-b-c-d-e-f-g.mov"),
        ("what?*.mkv", "what.mkv"),
        ("bell\x07\n.avi", "bell.avi"),
        ("..", "video"),
        ("", "video"),
    ],
)
def test_names(given: str, kept: str) -> None:
    assert safe_filename(given) == kept


def test_a_long_name_keeps_its_extension_and_whole_characters() -> None:
    name = safe_filename("한" * 200 + ".webm")
    assert len(name.encode()) <= 255
    assert name == "한" * 83 + ".webm"  # 83 x 3 bytes + 5 = 254


@pytest.mark.parametrize(
    ("filename", "container", "extension"),
    [
        ("a.MP4", "mov,mp4,m4a,3gp,3g2,mj2", ".mp4"),
        ("a.txt", "matroska,webm", ".webm"),
        ("a", "avi", ".avi"),
    ],
)
def test_extensions(filename: str, container: str, extension: str) -> None:
    assert source_extension(filename, container) == extension


# --- copies ---------------------------------------------------------------------------------------


def test_a_copy_is_hashed_and_the_source_stays(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"x" * 5_000_000)  # more than one chunk
    copy, sha256 = copy_and_hash(source, tmp_path / "uploads", what="a.bin")
    assert sha256 == hashlib.sha256(b"x" * 5_000_000).hexdigest()
    assert copy.parent == tmp_path / "uploads"
    assert copy.read_bytes() == source.read_bytes()


def test_a_disk_that_fills_up_while_copying_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"x" * 100)

    def fail(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("heimdex_core.library.importing.os.fsync", fail)
    with pytest.raises(DiskFull):
        copy_and_hash(source, tmp_path / "uploads", what="a.bin")
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_missing_source_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="No such file"):
        copy_and_hash(tmp_path / "none", tmp_path / "uploads", what="none")


def test_space_is_kept_free(tmp_path: Path) -> None:
    require_free_space(tmp_path, 1, keep_free_bytes=0, what="a")
    with pytest.raises(DiskFull, match="writing a"):
        require_free_space(tmp_path, 1, keep_free_bytes=10**18, what="a")


# --- the same bytes -------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = new_store(tmp_path / "library")
    yield opened
    opened.close()


def bring(
    store: Store,
    *,
    content: bytes = b"film",
    subtitles: Path | None = None,
    title: str = "",
    choice: Json | None = None,
) -> Registration:
    """Register a file of these bytes, as `add` does."""
    uploads = store.paths.uploads
    uploads.mkdir(parents=True, exist_ok=True)
    part = uploads / "one.part"
    part.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    incoming = IncomingFile(part, sha256, "film.mp4", ".mp4", subtitles, title=title, subtitle_choice=choice or {})
    return register(store, Settings(_env_file=None), "local", incoming)


def index(store: Store, found: Registration) -> None:
    commit(store, store.set_state(found.video.video_id, VideoState.PROCESSING), ["a scene"])


def test_a_new_file_is_placed_and_needs_work(store: Store) -> None:
    found = bring(store, title="가" * 300)
    assert (found.is_new, found.needs_work, found.video.state) == (True, True, VideoState.VALIDATING)
    assert found.video.title == "가" * 200
    assert store.paths.source(found.video.video_id).read_bytes() == b"film"
    assert list(store.paths.uploads.iterdir()) == []
    other = bring(store, content=b"another film")
    assert other.video.video_id != found.video.video_id


def test_an_indexed_file_again_needs_no_work(store: Store) -> None:
    first = bring(store)
    index(store, first)
    again = bring(store)
    assert (again.video.video_id, again.is_new, again.needs_work) == (first.video.video_id, False, False)
    assert list(store.paths.uploads.iterdir()) == []


def test_new_subtitles_index_a_video_again(store: Store, tmp_path: Path) -> None:
    first = bring(store)
    index(store, first)
    subtitles = tmp_path / "film.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    again = bring(store, subtitles=subtitles)
    assert (again.is_new, again.needs_work, again.video.state) == (False, True, VideoState.PROCESSING)
    store.set_state(first.video.video_id, VideoState.INDEXED)
    assert not bring(store, subtitles=subtitles).needs_work, "the same subtitles change nothing"


def test_a_deleted_video_is_restored(store: Store) -> None:
    first = bring(store)
    index(store, first)
    store.delete_video("local", first.video.video_id)
    again = bring(store)
    assert (again.is_new, again.needs_work, again.video.state) == (False, False, VideoState.INDEXED)


def test_a_failed_video_is_tried_again(store: Store) -> None:
    first = bring(store)
    store.mark_video_failed("local", first.video.video_id, Cancelled())
    store.paths.source(first.video.video_id).unlink()
    again = bring(store)
    assert (again.is_new, again.needs_work, again.video.state) == (False, True, VideoState.VALIDATING)
    assert store.paths.source(first.video.video_id).read_bytes() == b"film"


# --- subtitles ------------------------------------------------------------------------------------


def choice_of(store: Store, found: Registration) -> Json | None:
    return read_json_object(store.paths.video(found.video.video_id) / CHOICE_FILE)


def test_what_is_known_of_subtitles_is_kept_with_them_and_goes_with_them(store: Store, tmp_path: Path) -> None:
    korean, german = tmp_path / "film.ko.smi", tmp_path / "film.de.srt"
    korean.write_text("<SAMI>")
    german.write_text("1")
    found = bring(store, subtitles=korean, choice={"language": "ko"})
    kept = store.paths.subtitles(found.video.video_id)
    assert kept is not None
    assert (kept.name, kept.read_text(), choice_of(store, found)) == ("subtitles.smi", "<SAMI>", {"language": "ko"})
    bring(store, subtitles=german, choice={"language": "de"})
    kept = store.paths.subtitles(found.video.video_id)
    assert kept is not None
    assert (kept.name, choice_of(store, found)) == ("subtitles.srt", {"language": "de"})
    bring(store, choice={"language": None, "notes": ["subtitles_name_differs:x.srt"]})
    assert choice_of(store, found) == {"language": "de"}, "nothing was found that could replace them"


def test_why_no_subtitles_are_used_is_kept(store: Store) -> None:
    found = bring(store, choice={"notes": ["subtitles_pictures:film.sub"]})
    assert store.paths.subtitles(found.video.video_id) is None
    assert choice_of(store, found) == {"notes": ["subtitles_pictures:film.sub"]}


@pytest.mark.parametrize(
    ("language", "sound", "expected"),
    [
        (None, "kor", "film.ko.srt"),
        ("auto", "eng", "film.en.srt"),
        ("en", "kor", "film.en.srt"),
        ("ko", "eng", "film.ko.srt"),
    ],
)
def test_the_file_beside_a_video_is_chosen_by_its_speech(
    store: Store, tmp_path: Path, language: str | None, sound: str, expected: str
) -> None:
    picture = ["-f", "lavfi", "-i", "color=c=red:s=64x64:r=5:d=1", "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=1"]
    ffmpeg(*picture, "-c:v", "mpeg4", "-c:a", "aac", "-metadata:s:a:0", f"language={sound}", tmp_path / "film.mkv")
    for name in ("film.ko.srt", "film.en.srt", "film.ko.forced.srt"):
        (tmp_path / name).write_text("1\n00:00:00,000 --> 00:00:01,000\nx\n")
    incoming = read_file(store, Settings(_env_file=None), tmp_path / "film.mkv", None, language)
    assert incoming.subtitles == tmp_path / expected
    assert incoming.subtitle_choice == {
        "filename": expected,
        "language": expected[5:7],
        "notes": [f"subtitles_chosen_language:{expected}"],
    }
    # those that are given are used, whatever lies beside the video
    given = tmp_path / "film.ko.forced.srt"
    incoming = read_file(store, Settings(_env_file=None), tmp_path / "film.mkv", given, language)
    assert (incoming.subtitles, incoming.subtitle_choice["notes"]) == (given, [])


def test_one_of_several_uploads_is_used(store: Store, tmp_path: Path) -> None:
    part, korean, english = tmp_path / "a.part", tmp_path / "b.part.srt", tmp_path / "c.part.srt"
    shutil.copy(no_audio(tmp_path / "film.mp4", 0.2), part)
    korean.write_text("x")
    english.write_text("x")
    given = {"film.en.srt": english, "film.ko.srt": korean}
    incoming = read_upload(Settings(_env_file=None), part, "film.mp4", given, "ko")
    assert (incoming.subtitles, incoming.subtitle_choice["filename"]) == (korean, "film.ko.srt")
    assert read_upload(Settings(_env_file=None), part, "film.mp4", None).subtitle_choice == {}


# --- the same bytes again repair what is missing --------------------------------------------------


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


LOST = {
    "the folder": ".",
    "the generation": "gen",
    "the source": "source.mp4",
    "the description": "video.json",
    "the vectors": "gen/1/vectors",
    "the words": "gen/1/words.parquet",
    "a picture": "gen/1/frames/0.webp",
}
NEEDS_WORK = {"the folder", "the generation", "the vectors", "the words", "a picture"}


@pytest.mark.parametrize(
    ("name", "state"),
    [
        *((name, "indexed") for name in LOST),
        ("the folder", "deleted"),
        *(pytest.param(name, "deleted", marks=pytest.mark.long) for name in list(LOST)[1:]),
    ],
)
def test_a_file_added_again_repairs_its_video(store: Store, name: str, state: str) -> None:
    first = bring(store)
    index(store, first)
    video_id = first.video.video_id
    if state == "deleted":
        store.delete_video("local", video_id)
    remove(store.paths.video(video_id) / LOST[name])
    again = bring(store)
    assert (again.video.video_id, again.is_new) == (video_id, False)
    assert again.needs_work == (name in NEEDS_WORK)
    assert again.video.state == (VideoState.PROCESSING if name in NEEDS_WORK else VideoState.INDEXED)
    assert store.paths.source(video_id).read_bytes() == b"film"
    about = read_json_object(store.paths.video_json(video_id))
    assert about is not None
    assert (about["video_id"], about["title"]) == (video_id, "film")


@pytest.mark.parametrize("state", [VideoState.FAILED, VideoState.VALIDATING])
def test_a_video_that_was_never_indexed_gets_its_folder_again(store: Store, state: VideoState) -> None:
    first = bring(store)
    if state == VideoState.FAILED:
        store.mark_video_failed("local", first.video.video_id, Cancelled())
    shutil.rmtree(store.paths.video(first.video.video_id))
    again = bring(store)
    assert (again.needs_work, again.video.state) == (True, VideoState.VALIDATING)
    assert store.paths.source(first.video.video_id).read_bytes() == b"film"


def test_a_deleted_video_that_waits_for_work_gets_it(store: Store) -> None:
    """Its old job is over: nobody else would begin it again."""
    first = bring(store)
    store.set_job(first.video.video_id, "job")
    store.delete_video("local", first.video.video_id)
    again = bring(store)
    assert (again.needs_work, again.video.state) == (True, VideoState.VALIDATING)


def test_a_source_that_was_cut_off_is_replaced(store: Store) -> None:
    first = bring(store)
    index(store, first)
    source = store.paths.source(first.video.video_id)
    source.rename(source.with_suffix(".mkv"))  # under another extension, too
    source.with_suffix(".mkv").write_bytes(b"fi")
    bring(store)
    assert [path.name for path in source.parent.glob("source.*")] == ["source.mp4"]
    assert source.read_bytes() == b"film"


# --- names that are not UTF-8 ---------------------------------------------------------------------


def test_subtitles_whose_name_is_not_utf_8_are_used(store: Store, tmp_path: Path) -> None:
    name = b"caf\xe9.srt".decode(errors="surrogateescape")
    subtitles = tmp_path / name
    subtitles.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    found = bring(store, subtitles=subtitles, choice=_choice(Sidecar(subtitles), name))
    assert choice_of(store, found) == {"filename": "caf\ufffd.srt", "language": None, "notes": []}
