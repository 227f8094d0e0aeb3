"""visible.parquet: formats, upgrading, and the active set that is read from it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import Store, visible
from heimdex_core.store.transaction import to_us
from heimdex_core.types import ModelSet, to_json
from tests.store.making import OTHER_SPACES, SPACES, add, commit_in, new_store, other_set


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def metadata(store: Store) -> dict[str, str]:
    pairs = pq.read_schema(store.paths.visible).metadata.items()
    return {name.decode(): value.decode() for name, value in pairs if name != b"ARROW:schema"}


def write_metadata(store: Store, values: dict[str, str]) -> None:
    """Replace the metadata of the published file by hand."""
    table = pq.read_table(store.paths.visible)
    pq.write_table(table.replace_schema_metadata(values), store.paths.visible)


def make_format_1(store: Store) -> None:
    """What the version before format 2 published: of the active set only its number and spaces."""
    active = store.sets.active()
    value = json.dumps({"set_id": active.set_id, "spaces": to_json(active.spaces)})
    write_metadata(store, {"revision": metadata(store)["revision"], "format": "1", "set": value})


def facts(model_set: ModelSet) -> tuple[object, ...]:
    return model_set.set_id, model_set.profile, model_set.choice, model_set.spaces, model_set.is_active


def test_a_new_library_publishes_the_whole_active_set(store: Store) -> None:
    assert metadata(store)["format"] == "2"
    active = visible.read_active_set(store.paths.visible)
    assert active is not None
    assert facts(active) == (1, "offline", {"name": "offline"}, SPACES, True)
    with store.catalog.transaction() as transaction:
        (row,) = transaction.rows("select created_us from model_sets")
    assert to_us(active.created_at) == row["created_us"]


def test_a_library_of_format_1_is_upgraded_on_opening(store: Store) -> None:
    video = add(store, "one", ("words",))
    made = other_set(store)
    commit_in(store, video, made, ("words",))
    store.switch_set(made.set_id)
    make_format_1(store)
    revision = visible.read_revision(store.paths.visible)

    again = Store.open(store.paths.root)

    assert metadata(again)["format"] == "2"
    assert visible.read_revision(again.paths.visible) == (revision or 0) + 1
    with again.catalog.transaction():  # read without opening the catalog
        active = again.sets.active()
    expected = (2, "other", {"name": "other", "text": "made:other"}, OTHER_SPACES, True)
    assert facts(active) == expected
    view = again.reader().view()
    assert (view.set_id, view.spaces) == (2, OTHER_SPACES)
    assert [v.video_id for v in view.visible_videos("local")] == [video.video_id]
    Store.open(store.paths.root)
    assert visible.read_revision(again.paths.visible) == (revision or 0) + 1  # once


def test_a_file_of_format_1_published_meanwhile_is_completed_from_the_catalog(store: Store) -> None:
    """Another process of an older version writes while this one is open."""
    add(store, "one", ("words",))
    make_format_1(store)
    assert visible.read_active_set(store.paths.visible) is None
    assert facts(store.sets.active()) == (1, "offline", {"name": "offline"}, SPACES, True)
    view = store.reader().view()
    assert (view.set_id, view.spaces, len(view.scenes("local"))) == (1, SPACES, 1)


def test_the_active_set_follows_a_switch_by_another_process(store: Store) -> None:
    other = Store.open(store.paths.root)
    assert other.sets.active().set_id == 1
    assert other.sets.active() is other.sets.active()  # read once while the file stays as it is
    store.switch_set(other_set(store).set_id)
    assert facts(other.sets.active()) == (2, "other", {"name": "other", "text": "made:other"}, OTHER_SPACES, True)


def test_a_set_that_cannot_be_parsed_is_damage(store: Store) -> None:
    values = metadata(store)
    for bad in ("rubbish", "[]", '{"set_id": 1}', '{"set_id": 1, "spaces": {"text": {"name": "x"}}}'):
        write_metadata(store, {**values, "set": bad})
        with pytest.raises(LibraryDamaged, match=r"visible\.parquet"):
            visible.read(store.paths.visible)
        with pytest.raises(LibraryDamaged, match=r"visible\.parquet"):
            visible.read_active_set(store.paths.visible)


def test_a_file_without_a_set_is_damage(store: Store) -> None:
    values = metadata(store)
    del values["set"]
    write_metadata(store, values)
    with pytest.raises(LibraryDamaged, match=r"visible\.parquet"):
        visible.read(store.paths.visible)


def table_of(titles: list[str], ids: list[int]) -> pa.Table:
    """One row a video, whose title depends on the number in `titles`."""
    rows = [
        {"video_id": str(number), "user_id": "local", "generation": 1, "title": title, "deleted": False}
        | {"filename": f"{number}.mp4", "duration_s": None, "scene_count": number, "created_at": None}
        for title, number in zip(titles, ids, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=visible.SCHEMA)


ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), max_size=6, unique_by=lambda row: row[0])


@given(ROWS, ROWS)
def test_what_was_read_before_changes_nothing(before: list[tuple[int, str]], now: list[tuple[int, str]]) -> None:
    first, second = (table_of([title for _, title in rows], [number for number, _ in rows]) for rows in (before, now))
    alone = visible.Published(second)
    assert list(visible.Published(second, visible.Published(first)).items()) == list(alone.items())
    assert [(video.title, video.scene_count) for video in alone.values()] == [(title, number) for number, title in now]


def test_only_new_and_changed_videos_are_made_again() -> None:
    before = visible.Published(table_of(["a", "b", "c"], [3, 2, 1]))
    added = visible.Published(table_of(["d", "a", "b", "c"], [4, 3, 2, 1]), before)
    assert [added[key] is before[key] for key in before] == [True, True, True]
    renamed = visible.Published(table_of(["d", "a", "other", "c"], [4, 3, 2, 1]), added)
    assert [renamed[key] is added[key] for key in added] == [True, True, False, True]
    assert renamed["2"].title == "other"
