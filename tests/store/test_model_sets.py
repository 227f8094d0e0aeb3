"""Model sets: what a switch shows, what it keeps, what dropping a set removes, and what a crash leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heimdex_core.errors import InvalidValue, ModelsChanged, MoveIncomplete, SpaceMismatch, UnknownName
from heimdex_core.files import tree_bytes
from heimdex_core.store import Store
from heimdex_core.store.commit import CommitTarget
from heimdex_core.types import VideoState
from tests.store.crash_driver import drive, telling
from tests.store.making import (
    OTHER_TEXT,
    SPACES,
    TEXT,
    VISION,
    add,
    axis,
    commit,
    commit_in,
    new_store,
    other_set,
    register,
    stage,
)

OLD = ("stale apples", "stale pears")
NEW = ("fresh oranges", "fresh lemons", "fresh limes")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def shown(store: Store, video_id: str) -> tuple[int, tuple[str, ...], str]:
    """(set_id, texts, space of the text vectors) of one video as readers see it; fails unless all indexes agree."""
    now = store.reader().view()
    texts = tuple(scene.transcript for scene in now.scenes("local", video_id))
    text = now.spaces["text"]
    number = 0 if texts == OLD else 2
    best = now.vector_search(text, axis(number, text.dim), k=9, user_id="local", video_ids=[video_id])
    assert len(best) == len(texts)
    assert best[0][1] == 1.0
    seen = now.vector_search(VISION, axis(number, VISION.dim), k=9, user_id="local", video_ids=[video_id])
    assert len(seen) == len(texts)
    words = {
        word: len(now.lexical_search(word, k=9, user_id="local", video_ids=[video_id]).hits)
        for word in ("stale", "fresh")
    }
    assert words == ({"stale": 2, "fresh": 0} if texts == OLD else {"stale": 0, "fresh": 3})
    return now.set_id, texts, text.name


def test_a_new_library_has_one_set(store: Store) -> None:
    active = store.sets.active()
    assert (active.set_id, active.profile, active.is_active, active.spaces) == (1, "offline", True, SPACES)
    assert store.sets.previous() is None
    assert [one.set_id for one in store.sets.all()] == [1]


def test_the_same_models_are_the_same_set(store: Store) -> None:
    first = other_set(store)
    again = store.sets.add("other", {"name": "x", "reason": "another", "text": "made:other"}, first.spaces)
    assert (first.set_id, again.set_id) == (2, 2)
    assert store.sets.add("third", {"text": "made:third"}, first.spaces).set_id == 3


def test_a_generation_of_another_set_changes_nothing_that_readers_see(store: Store) -> None:
    video = add(store, "first", OLD)
    before = (store.paths.visible.read_bytes(), store.video("local", video.video_id))
    after = commit_in(store, video, other_set(store), NEW, axis_of=2)
    assert (store.paths.visible.read_bytes(), store.video("local", video.video_id)) == before
    assert (after.generation, after.scene_count, after.transcript_source) == (1, 2, "subtitles")
    assert store.sets.generation_of(video.video_id, 2) == 2
    assert shown(store, video.video_id) == (1, OLD, TEXT.name)


def test_a_switch_shows_the_new_set_and_switching_back_the_old_one(store: Store) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW, axis_of=2)

    active = store.switch_set(made.set_id)

    assert (active.set_id, active.is_active) == (2, True)
    assert shown(store, video.video_id) == (2, NEW, OTHER_TEXT.name)
    now = store.video("local", video.video_id)
    assert (now.generation, now.scene_count, now.transcript_source, now.state) == (2, 3, "recognised", "indexed")
    library_json = json.loads(store.paths.manifest.read_text())
    assert (library_json["profile"], library_json["spaces"]["text"]["name"]) == ("other", OTHER_TEXT.name)
    previous = store.sets.previous()
    assert previous is not None
    assert previous.set_id == 1

    store.switch_set(1)
    assert shown(store, video.video_id) == (1, OLD, TEXT.name)
    now = store.video("local", video.video_id)
    assert (now.generation, now.scene_count, now.transcript_source) == (1, 2, "subtitles")
    assert store.maintenance.check_indexes() == []


def test_a_switch_waits_for_every_video(store: Store) -> None:
    first, second = add(store, "first", OLD), add(store, "second", OLD)
    made = other_set(store)
    commit_in(store, first, made, NEW, axis_of=2)
    pending = store.sets.pending(made.set_id)
    assert (pending.missing, pending.total) == ((("local", second.video_id),), 2)
    with pytest.raises(MoveIncomplete) as caught:
        store.switch_set(made.set_id)
    assert (caught.value.details["missing"], caught.value.details["total"]) == (1, 2)
    assert store.sets.active().set_id == 1
    # a deleted video does not hold up a switch: it is indexed when it is restored
    store.delete_video("local", second.video_id)
    store.switch_set(made.set_id)
    restored = store.restore_video("local", second.video_id)
    assert (restored.state, restored.generation) == (VideoState.VALIDATING, None)
    # its generation in the first set is kept
    store.switch_set(1)
    assert store.sets.generation_of(second.video_id, 1) == 1


def test_new_subtitles_or_parameters_make_a_video_pending_again(store: Store) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW)
    assert store.sets.pending(made.set_id).missing == ()
    store.set_params(video.video_id, params={"min_scene_s": 3.0})
    assert store.sets.pending(made.set_id).missing == (("local", video.video_id),)
    store.set_params(video.video_id, params={})
    assert store.sets.pending(made.set_id).missing == ()
    store.paths.new_subtitles(video.video_id, ".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    assert store.sets.pending(made.set_id).missing == (("local", video.video_id),)


def test_indexing_again_keeps_the_other_sets_generation(store: Store) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW, axis_of=2)
    commit(store, store.set_state(video.video_id, VideoState.PROCESSING), OLD)
    generations = sorted(p.name for p in store.paths.generations(video.video_id).iterdir())
    assert generations == ["2", "3"]
    assert store.maintenance.check_indexes() == []
    store.switch_set(made.set_id)
    assert shown(store, video.video_id) == (2, NEW, OTHER_TEXT.name)


def test_a_commit_that_needs_the_active_set_is_refused_after_a_switch(store: Store) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW)
    late = register(store, "second")
    staged = stage(store, late, OLD)
    target = CommitTarget(set_id=1, must_be_active=True)
    store.switch_set(made.set_id)
    with pytest.raises(ModelsChanged):
        store.commit_generation(late.video_id, staged, n=1, target=target, spaces=SPACES.values())
    assert staged.exists()
    assert store.video("local", late.video_id).state == VideoState.PROCESSING


def test_vectors_of_another_set_are_refused(store: Store) -> None:
    video = register(store, "first")
    made = other_set(store)
    staged, target = stage(store, video, OLD), CommitTarget(made.set_id)
    with pytest.raises(SpaceMismatch):
        store.commit_generation(video.video_id, staged, n=1, target=target, spaces=SPACES.values())
    assert store.sets.generation_of(video.video_id, made.set_id) is None


def test_dropping_a_set_removes_what_only_it_has(store: Store) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW, axis_of=2)
    with pytest.raises(InvalidValue):
        store.sets.drop([1])
    assert store.sets.inactive_bytes() == tree_bytes(store.paths.generation(video.video_id, 2)) + sum(
        tree_bytes(folder) for folder in (store.paths.lexical_of(2), store.paths.vector_index(OTHER_TEXT))
    )
    store.switch_set(made.set_id)
    assert store.sets.inactive_bytes() == tree_bytes(store.paths.generation(video.video_id, 1)) + sum(
        tree_bytes(folder) for folder in (store.paths.lexical_of(1), store.paths.vector_index(TEXT))
    )
    store.sets.drop([1])
    assert store.sets.inactive_bytes() == 0
    assert [one.set_id for one in store.sets.all()] == [2]
    assert sorted(p.name for p in store.paths.generations(video.video_id).iterdir()) == ["2"]
    # the text space belonged to this set alone, the vision space is shared
    assert not store.paths.vector_index(TEXT).exists()
    assert store.paths.vector_index(VISION).exists()
    assert not store.paths.lexical_of(1).exists()
    assert shown(store, video.video_id) == (2, NEW, OTHER_TEXT.name)
    assert store.maintenance.check_indexes() == []
    assert store.sets.previous() is None
    with pytest.raises(UnknownName):
        store.switch_set(1)
    # its number is not used again
    assert store.sets.add("fourth", {"text": "made:fourth"}, SPACES).set_id == 3


def test_a_set_that_was_never_active_can_be_dropped(store: Store) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW, axis_of=2)
    store.sets.drop([made.set_id])
    assert sorted(p.name for p in store.paths.generations(video.video_id).iterdir()) == ["1"]
    assert shown(store, video.video_id) == (1, OLD, TEXT.name)
    assert store.maintenance.check_indexes() == []


def test_a_purged_video_is_removed_from_every_set(store: Store) -> None:
    video, other = add(store, "first", OLD), add(store, "second", OLD)
    made = other_set(store)
    for one in (video, other):
        commit_in(store, one, made, NEW, axis_of=2)
    store.purge_video(video.video_id)
    assert store.sets.generation_of(video.video_id, made.set_id) is None
    store.switch_set(made.set_id)
    assert [one.video_id for one in store.reader().view().visible_videos("local")] == [other.video_id]
    assert store.maintenance.check_indexes() == []


def test_a_folder_with_generations_of_two_sets_is_adopted_by_a_library_of_either(store: Store, tmp_path: Path) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW, axis_of=2)
    store.switch_set(made.set_id)
    elsewhere = new_store(tmp_path / "elsewhere")
    adopted = elsewhere.adopt(store.paths.video(video.video_id), "local")
    assert adopted.scene_count == 2
    assert shown(elsewhere, video.video_id) == (1, OLD, TEXT.name)


@pytest.mark.long
def test_switch_killed_anywhere(store: Store, tmp_path: Path) -> None:
    video, other = add(store, "first", OLD), add(store, "second", OLD)
    made = other_set(store)
    for one in (video, other):
        commit_in(store, one, made, NEW, axis_of=2)
    names = drive("switch", store.paths.root, tmp_path / "out")
    assert {"switch-ready", "catalog-committed"} <= set(names)
    states = []
    for step, name in telling(names):
        again = Store.open(tmp_path / "out" / str(step))
        seen = {shown(again, one.video_id) for one in (video, other)}
        assert seen in ({(1, OLD, TEXT.name)}, {(2, NEW, OTHER_TEXT.name)}), name
        states.append(next(iter(seen))[0])
        assert again.sets.active().set_id == states[-1], name
        assert json.loads(again.paths.manifest.read_text())["profile"] == again.sets.active().profile, name
        again.switch_set(2)
        assert {shown(again, one.video_id) for one in (video, other)} == {(2, NEW, OTHER_TEXT.name)}, name
        assert again.maintenance.check_indexes() == [], name
    assert states == sorted(states)
    assert set(states) == {1, 2}


@pytest.mark.long
def test_drop_killed_anywhere(store: Store, tmp_path: Path) -> None:
    video = add(store, "first", OLD)
    made = other_set(store)
    commit_in(store, video, made, NEW, axis_of=2)
    store.switch_set(made.set_id)
    names = drive("drop", store.paths.root, tmp_path / "out")
    for step, name in telling(names):
        again = Store.open(tmp_path / "out" / str(step))
        assert shown(again, video.video_id) == (2, NEW, OTHER_TEXT.name), name
        again.sets.drop([one.set_id for one in again.sets.all() if not one.is_active])
        assert not again.paths.vector_index(TEXT).exists(), name
        assert not again.paths.lexical_of(1).exists(), name
        assert again.maintenance.check_indexes() == [], name
        assert shown(again, video.video_id) == (2, NEW, OTHER_TEXT.name), name
