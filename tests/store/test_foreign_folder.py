"""A folder that comes from another library is checked before anything of it is used, and readers leave bad rows out."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import FileTooLarge, HeimdexError, InvalidFolder
from heimdex_core.store import Store, damage, sidecar
from heimdex_core.store.foreign_folder import examine
from tests.store.making import SPACES, TEXT, add, new_store


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a video of three scenes in another library."""
    elsewhere = new_store(tmp_path_factory.mktemp("elsewhere"))
    video = add(elsewhere, "moved", ("one word", "two words", "three words"))
    folder = elsewhere.paths.video(video.video_id)
    (folder / "gen" / "1" / "stages").mkdir()
    record = {"stage": "scenes", "fingerprint": "f", "files": {"frames/0.webp": 12}, "seconds": 1.0, "result": {}}
    (folder / "gen" / "1" / "stages" / "scenes.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def folder(tmp_path: Path, original: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def about(**changes: Any) -> Callable[[Path], None]:
    """Changes fields of video.json; NaN, infinity and lone surrogates are written as Python's json does."""

    def edit(folder: Path) -> None:
        value = json.loads((folder / "video.json").read_text())
        (folder / "video.json").write_text(json.dumps({**value, **changes}))

    return edit


def info(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        about(info={**json.loads((folder / "video.json").read_text())["info"], **changes})(folder)

    return edit


def column(file: str, name: str, values: list[Any], kind: pa.DataType | None = None) -> Callable[[Path], None]:
    """Replaces a column of a Parquet file of the generation."""

    def edit(folder: Path) -> None:
        path = folder / "gen" / "1" / file
        table = pq.ParquetFile(path).read()
        at = table.column_names.index(name)
        made = pa.array(values, kind or table.schema.field(name).type)
        changed = table.set_column(at, pa.field(name, made.type), made)
        pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)

    return edit


def scenes(name: str, *values: Any, kind: pa.DataType | None = None) -> Callable[[Path], None]:
    return column("scenes.parquet", name, list(values), kind)


def not_utf8(folder: Path) -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.array([0, 2, 3, 4], pa.int32()).buffers()[1], pa.py_buffer(b"\xed\xa0ab")]
    )
    column("scenes.parquet", "transcript", [""] * 3)(folder)
    path = folder / "gen" / "1" / "scenes.parquet"
    table = pq.ParquetFile(path).read()
    at = table.column_names.index("transcript")
    pq.write_table(table.set_column(at, "transcript", broken), path)


def vectors(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        ids, array = sidecar.read_vectors(folder / "gen" / "1", TEXT)
        column("vectors/text/made-up.parquet", "vector", change(array).astype(np.float16).tolist())(folder)

    return edit


def words(name: str, first: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = sidecar.read_words_table(folder / "gen" / "1").column(name).to_pylist()
        column("words.parquet", name, [first, *values[1:]])(folder)

    return edit


def nested(folder: Path) -> None:
    (folder / "video.json").write_text('{"format": 1, "error": ' + "[" * 200_000 + "]" * 200_000 + "}")


def linked(folder: Path) -> None:
    (folder / "gen").rename(folder / "g")
    (folder / "gen").symlink_to(folder / "g")


def pipe(folder: Path) -> None:
    (folder / "source.mp4").unlink()
    os.mkfifo(folder / "source.mp4")


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "width is text": (info(width="x"), "info.width"),
    "width is true": (info(width=True), "info.width"),
    "width of billions": (info(width=2**40), "width"),
    "no height": (info(height=0), "height"),
    "length is NaN": (info(duration_s=float("nan")), "info.duration_s"),
    "length is infinite": (info(duration_s=float("inf")), "info.duration_s"),
    "length below 0": (info(duration_s=-1.0), "duration_s"),
    "frame count of 20 digits": (info(frame_count=10**20), "frame_count"),
    "sound track that is not there": (info(sound={"stream_index": 7, "channels": []}), "no track 7"),
    "unknown treatment": (info(treatment={"matrix": "../x"}), "matrix"),
    "title with half a character": (about(title="a\ud800"), "video.json"),
    "description of a megabyte": (about(description="x" * 1_000_000), "description"),
    "file name with a folder": (about(filename="../../x.mp4"), "file name"),
    "file name of a kilobyte": (about(filename="x" * 1000), "too long"),
    "language of its own": (about(language="../../x"), "language"),
    "notes are text": (about(notes="no_audio"), "notes"),
    "time without zone": (about(created_at="2026-01-01T00:00:00"), "created_at"),
    "time of the year 20000": (about(created_at="20000-01-01T00:00:00Z"), "created_at"),
    "generation is text": (about(generation="../1"), "generation"),
    "another format": (about(format=2), "format"),
    "nested 200,000 times": (nested, "video.json"),
    "video.json of 5 MB": (about(error={"x": "y" * 5_000_000}), "bytes"),
    "thumbnail leaves the folder": (scenes("thumbnail", "../../x", "1.webp", "2.webp"), "thumbnail"),
    "end is infinite": (scenes("end_s", 2.0, 4.0, float("inf")), "times"),
    "end is NaN": (scenes("end_s", 2.0, 4.0, float("nan")), "times"),
    "end before start": (scenes("end_s", 2.0, 1.0, 6.0), "times"),
    "start below 0": (scenes("start_s", -1.0, 2.0, 4.0), "times"),
    "times are text": (scenes("end_s", "2", "4", "x", kind=pa.string()), "scenes.parquet"),
    "no text": (scenes("transcript", None, "b", "c"), "missing"),
    "text that is not UTF-8": (not_utf8, "Unicode"),
    "made in the year 200,000": (scenes("created_at", 0, 0, 2**62), "impossible time"),
    "keyframe leaves the folder": (
        scenes("keyframes", [], [], [dict(time_s=1.0, brightness=1.0, sharpness=1.0, score=1.0, file="a/../b")]),
        "keyframe",
    ),
    "keyframe at no time": (
        scenes(
            "keyframes", [], [], [dict(time_s=float("nan"), brightness=1.0, sharpness=1.0, score=1.0, file="0.webp")]
        ),
        "keyframe",
    ),
    "tag is missing": (scenes("tags", [None], [], []), "tag"),
    "ids of other times": (scenes("scene_id", "a", "b", "c"), "id"),
    "words at no time": (words("start_s", float("nan")), "words.parquet"),
    "words without a file": (lambda f: (f / "gen/1/words.parquet").unlink(), "words.parquet"),
    "words of another format": (lambda f: (f / "gen/1/words.parquet").write_bytes(b"x" * 99), "words.parquet"),
    "vectors are infinite": (vectors(lambda array: array + np.inf), "not finite"),
    "vectors are long": (vectors(lambda array: array * 9), "longer than 1"),
    "no vectors": (lambda f: shutil.rmtree(f / "gen/1/vectors"), "no vectors"),
    "no pictures": (lambda f: shutil.rmtree(f / "gen/1/frames"), "frames/"),
    "picture is a page": (lambda f: (f / "gen/1/frames/0.webp").write_text("<script>alert(1)</script>"), "no"),
    "source is a pipe": (pipe, "no ordinary file"),
    "preview is a folder": (lambda f: (f / "preview.mp4").mkdir(), "no ordinary file"),
    "gen is a link": (linked, "symbolic link"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused_in_words(folder: Path, name: str) -> None:
    change, said = HOSTILE[name]
    change(folder)
    with pytest.raises(HeimdexError) as caught:
        examine(folder, SPACES)
    assert caught.value.code in ("INVALID_FOLDER", "SPACE_MISMATCH")
    assert said in caught.value.message
    assert len(caught.value.message) < 1000
    json.dumps(caught.value.to_dict(), ensure_ascii=False).encode()


def test_too_many_rows_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "MAX_WORDS", 3)
    with pytest.raises(InvalidFolder, match=r"it has 6 rows, more than 3"):
        examine(folder, SPACES)


def test_what_unpacks_to_too_much_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1 MB of the same letter, in three scenes: a few hundred bytes in the file
    scenes("transcript", *["x" * 1_000_000] * 3)(folder)
    assert (folder / "gen" / "1" / "scenes.parquet").stat().st_size < 100_000
    monkeypatch.setattr("heimdex_core.store.parquet.MAX_TABLE_BYTES", 2_000_000)
    with pytest.raises(InvalidFolder, match="its content is larger"):
        examine(folder, SPACES)


def test_a_file_above_the_limit_is_not_even_hashed(folder: Path) -> None:
    os.truncate(folder / "source.mp4", 1 << 40)  # a hole: it takes no space
    with pytest.raises(FileTooLarge):
        examine(folder, SPACES, max_file_bytes=1 << 30)


def test_harmless_excess_is_cut_or_stays_behind(tmp_path: Path, folder: Path) -> None:
    about(title="t\x1b" * 250_000)(folder)
    deep = folder / "gen" / "1"
    for _ in range(400):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (folder / "gen" / "1" / "frames" / "autorun.exe").write_bytes(b"x")
    (folder / "edits.html").write_text("<script>")
    (folder / "gen" / "1" / "stages" / "evil.json").write_text('{"files": {"../../../x": 1}}')
    for name, result in (("up", {"thumbnail": "../../../.secret"}), ("root", ["/etc/passwd"]), ("far", [1e300])):
        (folder / "gen" / "1" / "stages" / f"{name}.json").write_text(json.dumps({"files": {}, "result": result}))
    (folder / "gen" / "1" / "stages" / "nan.json").write_text('{"files": {}, "result": NaN}')
    store = new_store(tmp_path / "library")
    video = store.adopt(folder, "local")
    assert (len(video.title), set(video.title), video.notes) == (200, {"t"}, ("title_shortened",))
    there = {str(p.relative_to(store.paths.video(video.video_id))) for p in store.paths.videos.rglob("*.*")}
    assert {"gen/1/scenes.parquet", "gen/1/stages/scenes.json", "video.json"} <= there
    assert [name for name in there if "stages/" in name] == ["gen/1/stages/scenes.json"]
    assert not [name for name in there if name.endswith((".exe", ".html"))]
    assert not (store.paths.video(video.video_id) / "gen" / "1" / "d").exists()
    assert json.loads(store.paths.video_json(video.video_id).read_text())["title"] == video.title


BAD_ROWS: dict[str, Callable[[Path], Any]] = {
    name: HOSTILE[name][0]
    for name in (
        "thumbnail leaves the folder",
        "end is infinite",
        "end is NaN",
        "end before start",
        "no text",
        "text that is not UTF-8",
        "made in the year 200,000",
        "keyframe leaves the folder",
        "tag is missing",
    )
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_reader_leaves_bad_rows_out_and_says_so(
    original: Path, folder: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The file is in the library already: an older version adopted it, or the disk has damaged it."""
    generation = folder / "gen" / "1"
    BAD_ROWS[name](folder)
    with caplog.at_level(logging.WARNING):
        found = sidecar.read_scenes(generation)
        again = sidecar.read_scenes(generation)
    whole = sidecar.read_scenes(original / "gen" / "1")
    assert found == again
    assert len(found) == 2
    assert {scene.scene_id for scene in found} < {scene.scene_id for scene in whole}
    assert len([record for record in caplog.records if "left out" in record.getMessage()]) == 1
    assert any("scenes.parquet: 1 row" in fault for fault in damage.generation_faults(generation, SPACES.values()))


def test_search_and_sql_go_on_without_the_bad_row(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "one", ("good words", "bad words", "other words"))
    scenes("end_s", 2.0, float("inf"), 6.0)(store.paths.video(video.video_id))
    words("start_s", float("nan"))(store.paths.video(video.video_id))
    shutil.rmtree(store.paths.scene_index)  # which has the rows as they were; older versions had none
    again = Store.open(store.paths.root)
    view = again.reader().view()
    kept = [f"{video.video_id}_0_2000", f"{video.video_id}_4000_6000"]
    assert view.scene_ids("local") == kept
    assert view.sql("select count(*) as n, max(end_s) as last from scenes", user_id="local").to_dict("records") == [
        {"n": 2, "last": 6.0}
    ]
    assert [s.text for s in view.words("local", video.video_id)] == ["good words", "bad words", "other words"]
    again.maintenance.rebuild_indexes()
    view = again.reader().view()
    assert [hit[0] for hit in view.lexical_search("words", k=9, user_id="local").hits] == kept
    assert view.scene("local", kept[1]).transcript == "other words"
