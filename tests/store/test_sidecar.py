from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import InvalidValue, LibraryDamaged, SpaceMismatch
from heimdex_core.store import sidecar
from heimdex_core.types import Segment, Transcript, Word
from tests.store.making import TEXT, make_scenes


def test_scenes_come_back_as_they_were(tmp_path: Path) -> None:
    scenes = make_scenes("v", ["one", "둘 🎬", ""], tags=("red", "밤"))
    scenes[1] = replace(scenes[1], near_duplicate_group=4, divided=True, thumbnail=None, language=None)
    sidecar.write_scenes(tmp_path, scenes)
    assert sidecar.read_scenes(tmp_path) == scenes


def test_no_scenes(tmp_path: Path) -> None:
    sidecar.write_scenes(tmp_path, [])
    assert sidecar.read_scenes(tmp_path) == []


def test_transcript_comes_back_and_words_know_their_scene(tmp_path: Path) -> None:
    transcript = Transcript(
        (
            Segment(0.0, 2.5, "one two", 0.9, 0.1, (Word("one", 0.0, 1.0, 0.5), Word("two", 1.8, 2.5))),
            Segment(3.0, 9.0, "a line without word times"),
        ),
        "embedded",
        language="en",
        model="m",
        rough=True,
        dropped={"music": 2},
        notes=("subtitles_overlap_mended",),
    )
    scenes = make_scenes("v", ["", ""])  # [0, 2) and [2, 4)
    sidecar.write_words(tmp_path, transcript, scenes)
    assert sidecar.read_words(tmp_path) == transcript
    table = sidecar.read_words_table(tmp_path)
    # The middles are 0.5 and 2.15, and 6.0, where there is no scene.
    assert table.column("scene_id").to_pylist() == ["v_0_2000", "v_2000_4000", None]
    assert table.column("is_word").to_pylist() == [True, True, False]


def test_a_missing_transcript_is_none(tmp_path: Path) -> None:
    assert sidecar.read_words(tmp_path) == Transcript((), "none")


def test_vectors_are_half_precision_in_the_file(tmp_path: Path) -> None:
    array = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    sidecar.write_vectors(tmp_path, TEXT, ["a", "b", "c"], array)
    ids, back = sidecar.read_vectors(tmp_path, TEXT)
    assert ids == ["a", "b", "c"]
    assert back.dtype == np.float32
    assert np.array_equal(back, array.astype(np.float16).astype(np.float32))
    path = sidecar.vectors_path(tmp_path, TEXT.name)
    assert str(pq.read_schema(path).field("vector").type) == "fixed_size_list<element: halffloat>[8]"
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_no_vectors(tmp_path: Path) -> None:
    sidecar.write_vectors(tmp_path, TEXT, [], np.empty((0, 8)))
    ids, back = sidecar.read_vectors(tmp_path, TEXT)
    assert ids == []
    assert back.shape == (0, 8)


def test_vectors_of_another_space_are_refused(tmp_path: Path) -> None:
    sidecar.write_vectors(tmp_path, TEXT, ["a"], np.ones((1, 8)))
    with pytest.raises(SpaceMismatch):
        sidecar.read_vectors(tmp_path, replace(TEXT, revision="2"))


@pytest.mark.parametrize("bad", [np.ones((1, 7)), np.full((1, 8), np.nan), np.full((1, 8), np.inf)])
def test_bad_vectors_are_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(InvalidValue):
        sidecar.write_vectors(tmp_path, TEXT, ["a"], bad)
    assert list(tmp_path.rglob("*.parquet")) == []


def test_damaged_and_newer_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "scenes.parquet").write_bytes(b"rubbish")
    with pytest.raises(LibraryDamaged):
        sidecar.read_scenes(tmp_path)
    sidecar.write_scenes(tmp_path, [])
    table = pq.read_table(tmp_path / "scenes.parquet")
    pq.write_table(table.replace_schema_metadata({"format": "99"}), tmp_path / "scenes.parquet")
    with pytest.raises(LibraryDamaged, match="99"):
        sidecar.read_scenes(tmp_path)


def test_provenance(tmp_path: Path) -> None:
    sidecar.write_provenance(tmp_path, {"speech": {"model": "m"}})
    assert sidecar.read_provenance(tmp_path) == {"format": 1, "speech": {"model": "m"}}
