"""The tables of LanceDB: what a crash, another writer or a missing table leaves, and searches in many generations."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pytest

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged, ObjectStorageFailed, ViewOutdated
from heimdex_core.store import lance_merging, lance_search, lance_tables, lance_writing
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.store.lance_search import LanceSearch
from heimdex_core.store.lance_tables import TableEntry, lance_errors, read_manifest, vectors_role
from heimdex_core.store.lance_writing import LanceWriter, table_names
from heimdex_core.store.locks import index_lock
from heimdex_core.store.scene_set import SceneSet
from heimdex_core.store.search_index import IndexOrder
from heimdex_core.types import Filters, Scene, Space, WorkContext
from tests.support import searched as made
from tests.support.searched import (
    LAST,
    NEW_TWO,
    ONE,
    OTHER,
    SPACE,
    TWO,
    Generations,
    Searched,
    all_scenes,
    key,
    numbers,
    scene_id,
)

EVERY = frozenset([ONE, TWO, NEW_TWO, LAST])


@pytest.fixture
def tables(tmp_path: Path) -> Searched:
    return Searched(LanceSearch, tmp_path)


def content(tables: Searched) -> list[tuple[int, int]]:
    """(video, scene) of all vectors, and of all words, which must be the same."""
    found = [one for one, _ in tables.vectors().search(np.eye(8)[0], k=99, allowed=EVERY)]
    said = [one for one, _ in tables.words().search("film", k=99, allowed=EVERY).hits]
    assert sorted(found) == sorted(said)
    assert len(set(found)) == len(found)
    return sorted(numbers(found))


def of(*videos: int) -> list[tuple[int, int]]:
    return [(video, n) for video in videos for n in range(3)]


def folder(tables: Searched) -> Path:
    return tables.paths.indexes / "lance"


def database(tables: Searched) -> Any:
    return lancedb.connect(str(folder(tables)))


# --- crashes --------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from heimdex_core import files
from heimdex_core.store.lance_search import LanceSearch
from tests.support.searched import ONE, NEW_TWO, Searched
files.crash_point = lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == "tables-written" else None
Searched(LanceSearch, Path(sys.argv[1])).write([ONE, NEW_TWO])
"""


@pytest.mark.long
def test_killed_before_the_manifest(tables: Searched) -> None:
    tables.write([ONE, TWO])
    done = subprocess.run([sys.executable, "-c", KILLED, str(tables.paths.root)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert content(tables) == of(1, 2)
    assert tables.found("stale", *EVERY) == [(2, 0)]
    tables.write([ONE, NEW_TWO])
    assert content(tables) == of(1, 2)
    assert tables.found("fresh", *EVERY) == [(2, 0)]
    assert tables.backend.count(SPACE) == 6


@pytest.mark.parametrize("step", ["tables-written", "manifest-switched"])
def test_interrupted(tables: Searched, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    tables.write([ONE])

    def interrupt(at: str) -> None:
        if at == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "crash_point", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tables.write([ONE, TWO])
    assert content(tables) == (of(1) if step == "tables-written" else of(1, 2))
    tables.write([ONE, TWO])
    assert content(tables) == of(1, 2)


# --- other writers --------------------------------------------------------------------------------


def write(writer: LanceWriter, *keys: tuple[str, int], source: Generations | None = None) -> None:
    source = source or Generations()
    writer.write_vectors(SPACE, frozenset(keys), IndexOrder(source))
    writer.write_words(1, frozenset(keys), IndexOrder(source))


def test_what_a_stale_writer_leaves_is_not_read_and_goes(tables: Searched) -> None:
    tables.write([ONE])
    stale = LanceWriter(folder(tables), database(tables))
    tables.write([ONE, TWO])
    write(stale, LAST)  # it removes what it does not know, and adds what is not wanted any more
    assert content(tables) == of(1, 2)
    tables.write([ONE, TWO, LAST])
    assert content(tables) == of(1, 2, 3)


@pytest.mark.parametrize("times", [1, 99])
def test_a_stale_writer_writes_in_between(tables: Searched, times: int) -> None:
    tables.write([ONE])
    name = read_manifest(folder(tables)).tables[vectors_role(SPACE.name)].table  # type: ignore[union-attr]

    class Disturbed(Generations):
        count = 0

        def vector_rows(self, space: Any, of: tuple[str, int]) -> Any:
            self.count += 1
            if space == SPACE and self.count <= times:
                database(tables).open_table(name).delete("generation = 1")
            return super().vector_rows(space, of)

    source = Disturbed()
    writer = LanceWriter(folder(tables), database(tables))
    write(writer, ONE, TWO, source=source)
    writer.publish()
    assert content(tables) == of(1, 2)
    manifest = read_manifest(folder(tables))
    assert manifest is not None
    # with somebody who does not stop, the rows are in a table of their own
    assert (name in manifest.retired) == (times == 99)


# --- damage ---------------------------------------------------------------------------------------


def test_a_manifest_of_a_newer_format(tables: Searched) -> None:
    tables.write([ONE])
    path = folder(tables) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(LibraryDamaged, match="it has format 2"):
        tables.vectors()
    with pytest.raises(LibraryDamaged):
        tables.backend.check_words(1)
    assert not tables.backend.is_merge_due([])


def test_a_missing_table_is_named_and_made_again(tables: Searched) -> None:
    tables.write([ONE, TWO])
    shutil.rmtree(next(folder(tables).glob("words-*")))
    with pytest.raises(LibraryDamaged, match="the lexical index"):
        tables.words()
    with pytest.raises(LibraryDamaged):
        tables.backend.check_words(1)
    tables.write([ONE, TWO, LAST])
    assert content(tables) == of(1, 2, 3)


def test_a_table_whose_files_go_while_it_is_open(tables: Searched) -> None:
    tables.write([ONE])
    index = tables.vectors()
    shutil.rmtree(next(folder(tables).glob("vectors-text-*")) / "data")
    with pytest.raises(LibraryDamaged, match="the index of text/made-up"):
        index.search(np.eye(8)[0], k=3, allowed=EVERY)


# --- compaction -----------------------------------------------------------------------------------


def test_tables_are_compacted_and_old_ones_removed(tables: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_search, "MAX_APPENDS", 1)
    lock = index_lock(tables.paths.index_lock)
    for keys in ([ONE], [ONE, TWO], [ONE, NEW_TWO], [ONE, NEW_TWO, LAST]):
        tables.write(keys)
    opened = tables.vectors()
    assert tables.backend.is_merge_due([])
    assert tables.backend.merge([], lock, WorkContext()) == 3
    assert not tables.backend.is_merge_due([])
    assert content(tables) == of(1, 2, 3)
    assert len(opened.search(np.eye(8)[0], k=99, allowed=EVERY)) == 9  # its version is kept for a while
    assert numbers(tables.words().with_similar_word("frehs", edits=1, k=9, allowed=EVERY)) == [(2, 0)]
    manifest = read_manifest(folder(tables))
    assert manifest is not None
    assert {entry.indexed_below for entry in manifest.tables.values()} == {5}


def test_a_view_whose_version_was_removed_is_outdated(tables: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_search, "MAX_APPENDS", 1)
    monkeypatch.setattr(lance_writing, "KEPT_S", 0.001)
    for keys in ([ONE], [ONE, TWO], [ONE, NEW_TWO], [ONE, NEW_TWO, LAST]):
        tables.write(keys)
    vectors, words, other = tables.vectors(), tables.words(), tables.vectors(OTHER)
    vectors_of = [(scene_id(ONE, 0), ONE)]
    assert tables.backend.merge([], index_lock(tables.paths.index_lock), WorkContext()) == 3
    for asked in (
        lambda: vectors.search(np.eye(8)[0], k=9, allowed=EVERY),
        lambda: vectors.vectors(vectors_of),
        lambda: vectors.has_outside(other, allowed=EVERY),
        lambda: vectors.sample(5),
        lambda: words.search("film", k=9, allowed=EVERY),
        lambda: words.coverage([[("film",)]], scene_ids=[scene_id(ONE, 0)], allowed=EVERY),
    ):
        with pytest.raises(ViewOutdated):
            asked()
    assert content(tables) == of(1, 2, 3)


def test_the_version_that_counts_is_never_removed_by_a_compaction_that_is_interrupted(
    tables: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_search, "MAX_APPENDS", 1)
    monkeypatch.setattr(lance_writing, "KEPT_S", 0.001)
    for keys in ([ONE], [ONE, TWO], [ONE, NEW_TWO], [ONE, NEW_TWO, LAST]):
        tables.write(keys)
    lock = index_lock(tables.paths.index_lock)
    interrupted = 0
    while tables.backend.is_merge_due([]):
        for step in ("tables-written", "manifest-switched"):

            def interrupt(at: str, step: str = step) -> None:
                if at == step:
                    raise KeyboardInterrupt

            with monkeypatch.context() as patched:
                patched.setattr(files, "crash_point", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    tables.backend.merge([], lock, WorkContext())
            interrupted += 1
            assert content(tables) == of(1, 2, 3)
    assert interrupted == 6


def test_retired_tables_are_kept_for_an_hour(tables: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.write([ONE])
    before = set(table_names(database(tables)))
    database(tables).create_table("of-a-killed-writer", [{"n": 1}])
    source = Generations()
    writer = LanceWriter(folder(tables), database(tables))
    writer.write_words(1, frozenset([ONE]), IndexOrder(source, rebuild=True))
    writer.remove_unused()
    writer.publish()
    assert len(table_names(database(tables))) == len(before) + 1
    now = lance_writing.time.time()
    monkeypatch.setattr(lance_writing.time, "time", lambda: now + lance_writing.KEPT_S + 1)
    later = LanceWriter(folder(tables), database(tables))
    later.remove_unused()
    assert len(table_names(database(tables))) == len(before)
    assert content(tables) == of(1)


def test_what_is_purged_leaves_the_files(tables: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = index_lock(tables.paths.index_lock)
    tables.write([ONE, TWO])
    wanted = frozenset([TWO])
    tables.backend.write(IndexOrder(Generations(), {SPACE: wanted}, {1: wanted}, erase=True), WorkContext())
    assert tables.backend.is_merge_due([])
    assert tables.backend.merge([], lock, WorkContext()) == 2
    assert not tables.backend.is_merge_due([])
    assert content(tables) == of(2)

    def files_with(text: bytes) -> list[str]:
        return [path.name for path in folder(tables).rglob("*.lance") if path.is_file() and text in path.read_bytes()]

    assert files_with(b"bridg")  # for an hour, for those who read them
    now = lance_writing.time.time()
    monkeypatch.setattr(lance_writing.time, "time", lambda: now + lance_writing.KEPT_S + 1)
    assert tables.backend.is_merge_due([])
    tables.backend.merge([], lock, WorkContext())
    assert not tables.backend.is_merge_due([])
    assert files_with(b"bridg") == []
    assert files_with(b"stale")
    assert content(tables) == of(2)


# --- many generations and scenes ------------------------------------------------------------------


@pytest.mark.parametrize(("listed_scenes", "listed_generations"), [(2000, 500), (2, 2), (0, 0)])
def test_large_sets_are_filtered(
    tables: Searched, monkeypatch: pytest.MonkeyPatch, listed_scenes: int, listed_generations: int
) -> None:
    monkeypatch.setattr(lance_tables, "MAX_LISTED_SCENES", listed_scenes)
    monkeypatch.setattr(lance_tables, "MAX_LISTED_GENERATIONS", listed_generations)
    keys = [key(n) for n in range(1, 9)]
    monkeypatch.setattr(made, "TEXTS", {one: ("bread", "wolf", "moon") for one in keys})
    tables.write(keys)
    for chosen in (keys, keys[:1], keys[1:4], keys[:7]):
        allowed = frozenset(chosen)
        videos = [number for number in range(1, 9) if keys[number - 1] in allowed]
        for k in (1, 4, 99):
            best = tables.vectors().search(np.eye(8)[0], k=k, allowed=allowed)
            assert len(best) == min(k, 3 * len(videos))
            assert {video for video, _ in numbers(one for one, _ in best)} <= set(videos)
            # scene 0 of each video is near, and all others are equally far
            near = [scene for scene, score in best if score > 0.5]
            assert {scene for _, scene in numbers(near)} == {0}
            assert len(near) == min(k, len(videos))
        table = all_scenes(*chosen)
        some = SceneSet(table, (table.starts_ms == 4000) | (table.video_numbers == 0))
        found = tables.vectors().search(np.eye(8)[0], k=99, allowed=allowed, scene_ids=some)
        assert sorted(one for one, _ in found) == sorted(some)
        words = tables.words().search("moon", k=99, allowed=allowed, scene_ids=some)
        assert sorted(numbers(one for one, _ in words.hits)) == [(n, 2) for n in videos]


def test_texts_and_ids_are_quoted(tables: Searched) -> None:
    tables.write([ONE, LAST])
    assert lance_tables.quoted("it's") == "'it''s'"
    found = tables.vectors().search(np.eye(8)[0], k=9, allowed=EVERY, scene_ids=["') or ('1'='1"])
    assert found == []
    assert tables.found("\"it's a\" ') or (", *EVERY) == [(3, 0)]
    table = all_scenes(ONE)
    filters = [Filters(languages=("en') or ('a' = 'a",))]
    some = SceneSet(table, table.starts_ms >= 0)
    assert tables.words().search("film", k=9, allowed=EVERY, scene_ids=some, filters=filters).hits == []


# --- large tables ---------------------------------------------------------------------------------


class TestLargeTables:
    """Tables that are copied in the background, here from 500 rows on."""

    DIM, EACH = 16, 50
    SPACE = Space("text/large", "text", "large", "1", DIM)

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lance_merging, "LARGE_ROWS", 500)
        monkeypatch.setattr(lance_merging, "MAX_PROBED", 1)  # all of so few clusters find what is wanted

    def vectors_of(self, number: int) -> Any:
        """(EACH, DIM) unit vectors near five centres."""
        rng = np.random.default_rng(number)
        centres = np.random.default_rng(1).normal(size=(5, self.DIM))
        found = centres[rng.integers(0, 5, self.EACH)] + rng.normal(scale=0.3, size=(self.EACH, self.DIM))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    def ids_of(self, number: int) -> list[str]:
        return [made.scene_id(key(number), n) for n in range(self.EACH)]

    def vector_rows(self, space: Space, of: tuple[str, int]) -> VectorRows:
        number = numbers([f"{of[0]}_0_0"])[0][0]
        return VectorRows(self.ids_of(number), self.vectors_of(number))

    def texts(self, of: tuple[str, int]) -> tuple[str, list[Scene]]:
        return "A film", []

    def write(self, tables: Searched, count: int) -> None:
        wanted = frozenset(key(number) for number in range(1, count + 1))
        tables.backend.write(IndexOrder(self, {self.SPACE: wanted}), WorkContext())

    def entry(self, tables: Searched) -> TableEntry:
        manifest = read_manifest(folder(tables))
        assert manifest is not None
        return manifest.tables[vectors_role(self.SPACE.name)]

    def recall(self, tables: Searched, allowed: frozenset[tuple[str, int]]) -> float:
        videos = [number for number in range(1, 31) if key(number) in allowed]
        ids = [one for number in videos for one in self.ids_of(number)]
        rows = np.concatenate([self.vectors_of(number) for number in videos])
        found = []
        for query in self.vectors_of(99)[:20]:
            exact = {ids[row] for row in np.argsort(-(rows @ query))[:10]}
            got = tables.vectors(self.SPACE).search(query, k=10, allowed=allowed)
            found.append(len(exact & {one for one, _ in got}) / 10)
        return float(np.mean(found))

    def test_vectors_are_searched_by_clusters(self, tables: Searched) -> None:
        lock = index_lock(tables.paths.index_lock)
        self.write(tables, 20)
        before = self.entry(tables)
        assert tables.backend.is_merge_due([])
        assert tables.backend.merge([], lock, WorkContext()) == 1
        assert not tables.backend.is_merge_due([])
        entry = self.entry(tables)
        assert entry.table != before.table
        assert entry.clusters is not None
        assert (entry.clusters["lists"], entry.clusters["rows"]) == (32, 1000)
        assert 0 < entry.clusters["probes"] <= 32
        assert entry.clusters["recall_at_10"] >= 0.98
        self.write(tables, 21)  # a row that is in no cluster is compared
        every = frozenset(key(number) for number in range(1, 22))
        assert self.recall(tables, every) >= 0.98
        assert self.recall(tables, frozenset([key(3), key(21)])) >= 0.98
        assert self.recall(tables, every - {key(3)}) >= 0.98
        assert set(tables.backend.check_vectors(self.SPACE)) == every

    def test_others_write_while_a_table_is_copied(self, tables: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
        lock = index_lock(tables.paths.index_lock)
        self.write(tables, 20)
        cluster = lance_merging.cluster

        def clustered(table: Any, rows: int) -> Any:
            self.write(tables, 22)
            self.write(tables, 19)
            self.write(tables, 21)
            return cluster(table, rows)

        monkeypatch.setattr(lance_merging, "cluster", clustered)
        assert tables.backend.merge([], lock, WorkContext()) == 1
        every = frozenset(key(number) for number in range(1, 22))
        assert set(self.entry(tables).numbers) == every
        assert tables.backend.count(self.SPACE) == 21 * self.EACH
        assert set(tables.backend.check_vectors(self.SPACE)) == every
        assert self.recall(tables, every) >= 0.98

    def test_where_clusters_do_not_find_enough_all_vectors_are_compared(
        self, tables: Searched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lance_merging, "REQUIRED_RECALL", 1.1)
        self.write(tables, 20)
        assert tables.backend.merge([], index_lock(tables.paths.index_lock), WorkContext()) == 1
        clusters = self.entry(tables).clusters
        assert clusters is not None
        assert clusters["probes"] == 0
        assert not tables.backend.is_merge_due([])  # it is not tried again at once
        assert self.recall(tables, frozenset(key(number) for number in range(1, 21))) >= 0.98  # float16


@pytest.mark.parametrize(
    ("text", "host", "attempts", "reason"),
    [
        (
            'Generic { store: "S3", source: RetryError(RetryErrorImpl { uri: Some(http://127.0.0.1:99/b?list-type=2), '
            "retries: 3, max_retries: 3, inner: Status { status: 503, body: Some(<Error><Code>SlowDown</Code>) } }) }",
            "127.0.0.1:99",
            4,
            "503 SlowDown",
        ),
        (
            "Generic S3 error: Error performing GET https://s3.example.com/b/x in 2s, after 3 retries: error sending",
            "s3.example.com",
            1,
            "there was no answer",
        ),
        (
            "LanceError(IO): Generic S3 error: HTTP error: request or response body error, function.rs:250",
            "storage.example.com:9000",
            1,
            "an answer was cut off",
        ),
    ],
)
def test_a_storage_that_fails_is_no_damage(
    text: str, host: str, attempts: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://storage.example.com:9000")
    with pytest.raises(ObjectStorageFailed) as failed, lance_errors("The search index"):
        raise ValueError(text)
    assert failed.value.details == {"host": host, "attempts": attempts, "reason": reason}


def test_a_file_that_is_gone_is_damage() -> None:
    with pytest.raises(LibraryDamaged), lance_errors("The search index"):
        raise ValueError('store: "S3", uri: Some(http://h/b), status: 404, <Code>NoSuchKey</Code>')
