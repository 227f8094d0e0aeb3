"""The scene table: segments of generations, what a write changes of them, and what a reader makes of damaged ones."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from heimdex_core.errors import DiskFull, LibraryDamaged
from heimdex_core.store import scene_segments
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.scene_segments import SceneIndex
from heimdex_core.store.scene_set import Part, SceneSet, SceneTable
from heimdex_core.store.sidecar import SCENES_SCHEMA, scenes_of
from heimdex_core.types import VisibleVideo, make_scene_id

Key = tuple[str, int]


def rows(video_id: str, *transcripts: str, length_s: float = 10.0, **columns: list) -> pa.Table:
    """A generation with a scene for each transcript."""
    times = [(length_s * n, length_s * (n + 1)) for n in range(len(transcripts))]
    made = [
        {
            "scene_id": make_scene_id(video_id, start, end),
            "video_id": video_id,
            "index": n,
            "start_s": start,
            "end_s": end,
            "transcript": transcripts[n],
            **{name: values[n] for name, values in columns.items()},
        }
        for n, (start, end) in enumerate(times)
    ]
    return pa.Table.from_pylist(made, schema=SCENES_SCHEMA)


class Generations(dict[Key, pa.Table]):
    """The sidecars; remembers which were read."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.read: list[Key] = []

    def load(self, key: Key) -> pa.Table | None:
        self.read.append(key)
        return self.get(key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index").mkdir()
    return tmp_path / "index" / "scenes"


@pytest.fixture
def generations() -> Generations:
    return Generations({("a", 1): rows("a", "one", "two"), ("b", 1): rows("b", "three"), ("c", 1): rows("c")})


def content(index: SceneIndex | None) -> dict[Key, list[str]]:
    assert index is not None
    return {key: [scene.transcript for scene in scenes_of(segment.of(key))] for key, segment in index.homes.items()}


def arrow_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.arrow"))


def test_a_write_reads_only_what_is_new_and_keeps_the_other_segments(folder: Path, generations: Generations) -> None:
    assert scene_segments.sync(folder, [("a", 1)], generations.load)
    first = scene_segments.open_index(folder)
    assert scene_segments.sync(folder, [("a", 1), ("b", 1), ("c", 1)], generations.load)
    assert generations.read == [("a", 1), ("b", 1), ("c", 1)]
    second = scene_segments.open_index(folder, first)
    assert content(second) == {("a", 1): ["one", "two"], ("b", 1): ["three"], ("c", 1): []}
    assert first is not None
    assert second is not None
    assert second.segments[0] is first.segments[0]
    assert not scene_segments.sync(folder, [("a", 1), ("b", 1), ("c", 1)], generations.load)
    assert scene_segments.check(folder) == {("a", 1), ("b", 1), ("c", 1)}


def test_what_is_removed_is_marked_and_leaves_the_files_when_it_is_to_be_erased(
    folder: Path, generations: Generations
) -> None:
    generations["b", 1] = rows("b", "secret")
    scene_segments.sync(folder, [*generations], generations.load)
    (name,) = arrow_files(folder)
    scene_segments.sync(folder, [("a", 1), ("c", 1)], generations.load)
    assert arrow_files(folder) == [name], "a mark changes the manifest alone"
    assert content(scene_segments.open_index(folder)) == {("a", 1): ["one", "two"], ("c", 1): []}
    assert scene_segments.sync(folder, [("a", 1), ("c", 1)], generations.load, erase=True)
    (now,) = [n for n in arrow_files(folder) if n != name]
    assert b"secret" not in (folder / now).read_bytes()
    assert content(scene_segments.open_index(folder)) == {("a", 1): ["one", "two"], ("c", 1): []}
    assert generations.read == [("a", 1), ("b", 1), ("c", 1)], "nothing is read again"


def test_a_generation_number_that_is_used_again_is_read_again(folder: Path, generations: Generations) -> None:
    scene_segments.sync(folder, [*generations], generations.load)
    generations["a", 1] = rows("a", "new")
    scene_segments.sync(folder, [*generations], generations.load, redo=[("a", 1)])
    assert content(scene_segments.open_index(folder))["a", 1] == ["new"]


def test_small_segments_are_merged(folder: Path) -> None:
    generations = Generations({(f"v{n:02}", 1): rows(f"v{n:02}", f"text {n}") for n in range(40)})
    wanted: list[Key] = []
    for key in generations:
        wanted.append(key)
        scene_segments.sync(folder, wanted, generations.load)
    index = scene_segments.open_index(folder)
    assert index is not None
    assert len(index.segments) <= 16
    assert content(index) == {key: [f"text {n}"] for n, key in enumerate(generations)}
    assert generations.read == [*generations]


def test_a_large_write_is_divided_into_segments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_segments, "MAX_ROWS", 3)
    generations = Generations({(f"v{n}", 1): rows(f"v{n}", "one", "two") for n in range(4)})
    scene_segments.sync(folder, [*generations], generations.load)
    index = scene_segments.open_index(folder)
    assert index is not None
    assert [len(segment.columns) for segment in index.segments] == [2, 2, 2, 2]
    assert index.homes.keys() == generations.keys()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        lambda path: path.write_bytes(b""),
        lambda path: path.with_name("manifest.json").write_text("{"),
        lambda path: path.with_name("manifest.json").write_text('{"format": 99}'),
    ],
    ids=["missing", "truncated", "empty", "manifest", "newer"],
)
def test_a_damaged_table_is_an_error_and_is_written_anew(
    folder: Path, generations: Generations, damage: Callable[[Path], object]
) -> None:
    scene_segments.sync(folder, [*generations], generations.load)
    damage(folder / arrow_files(folder)[0])
    with pytest.raises(LibraryDamaged, match="scene table"):
        scene_segments.open_index(folder)
    assert scene_segments.sync(folder, [*generations], generations.load)
    assert content(scene_segments.open_index(folder))["a", 1] == ["one", "two"]


def test_a_flipped_byte_is_found_by_the_check(folder: Path, generations: Generations) -> None:
    scene_segments.sync(folder, [*generations], generations.load)
    path = folder / arrow_files(folder)[0]
    path.write_bytes(path.read_bytes().replace(b"two", b"twa"))
    with pytest.raises(LibraryDamaged, match="not what was written"):
        scene_segments.check(folder)


def test_a_full_disk_leaves_the_table_as_it_was(
    folder: Path, generations: Generations, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_segments.sync(folder, [("a", 1)], generations.load)
    before = (folder / "manifest.json").read_bytes()

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", refused)
    with pytest.raises(DiskFull):
        scene_segments.sync(folder, [*generations], generations.load)
    assert (folder / "manifest.json").read_bytes() == before
    assert arrow_files(folder) == ["scenes-1.arrow"]
    assert content(scene_segments.open_index(folder)) == {("a", 1): ["one", "two"]}


def test_the_manifest_names_no_more_than_what_is_there(folder: Path, generations: Generations) -> None:
    scene_segments.sync(folder, [*generations], generations.load)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [(entry["number"], entry["rows"]) for entry in manifest["segments"]] == [(1, 3)]


# --- a user's table -------------------------------------------------------------------------------


def video(video_id: str) -> VisibleVideo:
    return VisibleVideo(video_id, "local", 1, title=video_id, deleted=False, filename=f"{video_id}.mp4")


@pytest.fixture
def table() -> SceneTable:
    """Videos c, b, a (newest first) in two files, of which the first has a video of somebody else between a and b."""
    one = SceneColumns.of(
        pa.concat_tables(
            [
                rows("a", "yes", " ", language=["en", "EN"], tags=[["red", "Red"], ["sea"]]),
                rows("x", "hidden", language=["en"], tags=[["red"]]),
                rows("b", "also", language=["ko"], tags=[["red", "red"]]),
            ]
        )
    )
    two = SceneColumns.of(rows("c", "", "said", length_s=2.5, language=[None, "ko"], tags=[None, []]))
    parts = [Part(two, range(2)), Part(one, range(3, 4)), Part(one, range(2))]
    return SceneTable([video("c"), video("b"), video("a")], parts)


IDS = ["c_0_2500", "c_2500_5000", "a_0_10000", "a_10000_20000", "b_0_10000"]
"""In the order of the rows: that of the files."""


def test_rows_are_found_by_id_and_back(table: SceneTable) -> None:
    assert len(table) == 5
    rows_found = table.rows_of([*IDS, "x_0_10000", "a_5_10", "a_0_9999", "nonsense", "a_99999999999999999999_1"])
    assert rows_found.tolist() == [0, 1, 2, 3, 4, -1, -1, -1, -1, -1]
    assert table.ids_at(rows_found[:5]) == IDS
    assert table.video_numbers.tolist() == [0, 0, 2, 2, 1]


def test_a_set_lists_its_scenes_video_by_video(table: SceneTable) -> None:
    chosen = SceneSet(table, table.rows_of(IDS) >= 1)
    assert list(chosen) == ["c_2500_5000", "b_0_10000", "a_0_10000", "a_10000_20000"]
    assert len(chosen) == 4
    assert chosen.has(["c_0_2500", "a_0_10000", "x_0_10000"]).tolist() == [False, True, False]
    assert "b_0_10000" in chosen
    assert 7 not in chosen


def test_columns_follow_the_rows(table: SceneTable) -> None:
    assert table.has_speech.tolist() == [False, True, True, False, True]
    assert table.durations_s.tolist() == [2.5, 2.5, 10, 10, 10]
    assert table.in_language(["en"]).tolist() == [False, False, True, True, False]
    assert table.with_tag("RED").tolist() == [False, False, True, False, True]


def test_choices_are_counted_once_a_scene(table: SceneTable) -> None:
    every = table.rows_of(IDS)
    assert table.count_languages(every) == {"en": 1, "EN": 1, "ko": 2}
    assert table.count_tags(every) == {"red": 2, "Red": 1, "sea": 1}


def test_scenes_with_one_start_and_scenes_out_of_order_are_found() -> None:
    twice = rows("a", "one", "two", "three")
    order = pa.concat_tables([twice.slice(2, 1), twice.slice(0, 1), twice.slice(1, 1)])
    longer = rows("a", "long", length_s=20.0)
    columns = SceneColumns.of(pa.concat_tables([order, longer]))
    table = SceneTable([video("a")], [Part(columns, range(4))])
    ids = ["a_20000_30000", "a_0_10000", "a_10000_20000", "a_0_20000"]
    assert table.rows_of(ids).tolist() == [0, 1, 2, 3]


def test_an_empty_table_finds_nothing() -> None:
    table = SceneTable([], [])
    assert table.rows_of(["a_0_1"]).tolist() == [-1]
    assert list(SceneSet(table, table.has_speech)) == []
