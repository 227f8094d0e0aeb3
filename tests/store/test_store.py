"""Opening a library, and its videos from registration to purging."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from heimdex_core import files
from heimdex_core.errors import (
    InvalidFolder,
    InvalidTransition,
    InvalidValue,
    LibraryDamaged,
    LibraryNotFound,
    LibraryVersion,
    SpaceMismatch,
    VideoNotFound,
)
from heimdex_core.store import Store, scene_segments, sidecar
from heimdex_core.types import VideoState, WorkContext
from tests.store.making import INFO, SPACES, TEXT, add, commit, make_scenes, new_store, register, stage

SHA = "0" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


# --- opening --------------------------------------------------------------------------------------


def test_a_library_is_opened_with_what_it_was_created_with(store: Store) -> None:
    manifest = Store.open(store.paths.root).manifest
    assert manifest.spaces == SPACES
    assert (manifest.profile, manifest.choice) == ("offline", {"name": "offline"})


def test_creating_twice_opens_the_first(store: Store) -> None:
    other = Store.create(store.paths.root, profile="studio", models={}, spaces={})
    assert other.manifest == store.manifest


def test_opening_a_folder_without_a_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound):
        Store.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_opening_newer_and_damaged_libraries(store: Store) -> None:
    value = json.loads(store.paths.manifest.read_text())
    store.paths.manifest.write_text(json.dumps({**value, "format_version": 99}))
    with pytest.raises(LibraryVersion):
        Store.open(store.paths.root)
    for bad in ("", "[]", '{"format_version": 1}', '{"format_version": "x"}'):
        store.paths.manifest.write_text(bad)
        with pytest.raises(LibraryDamaged):
            Store.open(store.paths.root)


# --- videos ---------------------------------------------------------------------------------------


def test_the_same_bytes_of_one_owner_are_one_video(store: Store) -> None:
    first, made = store.register_video("local", SHA, "A", "a.mp4", notes=("odd",))
    again, made_again = store.register_video("local", SHA, "B", "b.mp4")
    other, made_other = store.register_video("someone", SHA, "C", "c.mp4")
    assert (made, made_again, made_other) == (True, False, True)
    assert again == first
    assert first.notes == ("odd",)
    assert other.video_id != first.video_id


def test_the_same_bytes_at_the_same_moment_are_one_video(store: Store) -> None:
    results: list[tuple[str, bool]] = []

    def work() -> None:
        video, created = store.register_video("local", SHA, "A", "a.mp4")
        results.append((video.video_id, created))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({video_id for video_id, _ in results}) == 1
    assert sorted(created for _, created in results) == [False] * 5 + [True]


def test_other_users_get_not_found(store: Store) -> None:
    video = add(store, "mine", ("words",))
    for call in (store.video, store.delete_video, store.restore_video):
        with pytest.raises(VideoNotFound):
            call("someone", video.video_id)
    assert store.videos("someone") == []
    assert store.video("local", video.video_id).state == VideoState.INDEXED


def test_newest_first_and_paged(store: Store) -> None:
    ids = [store.register_video("local", f"{i:064x}", str(i), "f")[0].video_id for i in range(4)]
    assert [v.video_id for v in store.videos("local")] == ids[::-1]
    assert [v.video_id for v in store.videos("local", limit=2, offset=1)] == [ids[2], ids[1]]


def test_states_go_only_where_they_may(store: Store) -> None:
    video, _ = store.register_video("local", SHA, "A", "a.mp4")
    with pytest.raises(InvalidTransition):
        store.set_state(video.video_id, VideoState.INDEXED)
    assert store.set_state(video.video_id, VideoState.UPLOADING).state == VideoState.UPLOADING
    store.set_state(video.video_id, VideoState.VALIDATING)
    failed = store.set_state(video.video_id, VideoState.FAILED, error={"code": "X"}, job_id="j")
    assert (failed.error, failed.job_id) == ({"code": "X"}, "j")
    retried = store.set_state(video.video_id, VideoState.VALIDATING, info=INFO, language="ko", notes=["no_audio"])
    assert (retried.error, retried.info, retried.language, retried.notes) == (None, INFO, "ko", ("no_audio",))
    assert retried.job_id is None, "what the job before it says does not count any more"


def test_bad_ids_and_hashes(store: Store) -> None:
    with pytest.raises(VideoNotFound):
        store.video("local", "../../etc")
    with pytest.raises(InvalidValue):
        store.register_video("local", "xyz", "A", "a.mp4")
    with pytest.raises(InvalidValue):
        store.register_video("../x", SHA, "A", "a.mp4")


# --- delete, restore, purge -----------------------------------------------------------------------


def test_delete_hides_and_restore_shows(store: Store) -> None:
    video = add(store, "one", ("spoken words",))
    before = store.reader().view()
    store.delete_video("local", video.video_id)
    view = store.reader().view()
    assert view.token != before.token
    assert view.visible_videos("local") == []
    assert view.lexical_search("spoken", k=5, user_id="local").hits == []
    assert store.videos("local") == []
    assert len(store.videos("local", include_deleted=True)) == 1
    store.delete_video("local", video.video_id)  # once more is fine
    assert store.restore_video("local", video.video_id).state == VideoState.INDEXED
    assert len(store.reader().view().lexical_search("spoken", k=5, user_id="local").hits) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (VideoState.UPLOADING, VideoState.FAILED),
        (VideoState.VALIDATING, VideoState.VALIDATING),
        (VideoState.PROCESSING, VideoState.VALIDATING),
        (VideoState.FAILED, VideoState.FAILED),
    ],
)
def test_restore_without_a_generation(store: Store, before: VideoState, after: VideoState) -> None:
    video, _ = store.register_video("local", SHA, "A", "a.mp4")
    path = [VideoState.VALIDATING, VideoState.PROCESSING, VideoState.FAILED]
    for state in path:
        if store.video("local", video.video_id).state == before:
            break
        store.set_state(video.video_id, state)
    store.delete_video("local", video.video_id)
    assert store.restore_video("local", video.video_id).state == after


def test_committed_while_deleted_stays_deleted(store: Store) -> None:
    video = register(store, "one")
    staged = stage(store, video, ("words",))
    store.delete_video("local", video.video_id)
    done = store.commit_generation(video.video_id, staged, n=1)
    assert done.state == VideoState.DELETED
    assert store.reader().view().visible_videos("local") == []
    assert store.restore_video("local", video.video_id).state == VideoState.INDEXED


def test_purge_leaves_nothing(store: Store) -> None:
    video = add(store, "one", ("words",))
    kept = add(store, "two", ("words",))
    store.paths.work(video.video_id).mkdir()
    store.purge_video(video.video_id)
    store.purge_video(video.video_id)
    left = [p for p in store.paths.root.rglob("*") if video.video_id in str(p)]
    assert left == []
    manifest = json.loads((store.paths.vector_index(TEXT) / "manifest.json").read_text())
    assert manifest["count"] == 1
    (segment,) = manifest["segments"]
    rows = pq.read_table(store.paths.vector_index(TEXT) / f"rows-{segment['number']}.parquet")
    assert rows.column("video_id").to_pylist() == [kept.video_id]
    assert video.video_id not in str(rows.schema.metadata)
    with pytest.raises(VideoNotFound):
        store.commit_generation(video.video_id, store.paths.generations(video.video_id) / ".tmp-x", n=2)


def test_abandoned_is_what_may_be_purged(store: Store) -> None:
    failed, _ = store.register_video("local", f"{1:064x}", "failed", "f")
    store.set_state(failed.video_id, VideoState.FAILED)
    half, _ = store.register_video("local", f"{2:064x}", "half", "f")
    waiting, _ = store.register_video("local", f"{3:064x}", "waiting", "f")
    store.set_state(waiting.video_id, VideoState.VALIDATING)
    deleted = add(store, "deleted", ("words",))
    store.delete_video("local", deleted.video_id)
    again = add(store, "re-index failed", ("words",))
    store.set_state(again.video_id, VideoState.PROCESSING)
    store.set_state(again.video_id, VideoState.FAILED)
    assert store.abandoned(3600) == []
    assert {v.video_id for v in store.abandoned(-1)} == {failed.video_id, half.video_id, deleted.video_id}
    assert store.busy_ids() == {half.video_id, waiting.video_id}


# --- generations ----------------------------------------------------------------------------------


def test_a_new_generation_replaces_the_old_one(store: Store) -> None:
    video = add(store, "one", ("stale words",))
    store.set_state(video.video_id, VideoState.PROCESSING)
    # still visible while it is indexed again
    assert [s.transcript for s in store.reader().view().scenes("local")] == ["stale words"]
    done = commit(store, video, ("fresh words", "and more"))
    assert (done.generation, done.scene_count, done.transcript_source) == (2, 2, "subtitles")
    view = store.reader().view()
    assert [s.transcript for s in view.scenes("local")] == ["fresh words", "and more"]
    assert view.lexical_search("stale", k=5, user_id="local").hits == []
    assert [p.name for p in store.paths.generations(video.video_id).iterdir()] == ["2"]
    assert store.next_generation(video.video_id) == 3


def test_what_a_crash_left_behind_a_newer_generation_is_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    video = add(store, "one", ("stale words",))
    store.set_state(video.video_id, VideoState.PROCESSING)

    def crash(step: str) -> None:
        if step == "published":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "crash_point", crash)
        with pytest.raises(KeyboardInterrupt):
            commit(store, video, ("fresh words",))
    store.paths.new_generation(video.video_id, 3).mkdir()  # of a commit that may be repeated
    assert store.paths.generation_numbers(video.video_id) == [1, 2, 3]
    # over a bucket, the copy of what the catalog does not name goes with the next transaction
    assert store.maintenance.remove_left_generations() == (1 if store.catalog.mirror is None else 0)
    assert store.paths.generation_numbers(video.video_id) == [2, 3]
    assert store.maintenance.remove_left_generations() == 0
    assert [s.transcript for s in store.reader().view().scenes("local")] == ["fresh words"]


def test_committing_again_is_the_same(store: Store) -> None:
    video = register(store, "one")
    staged = stage(store, video, ("words",))
    first = store.commit_generation(video.video_id, staged, n=1, transcript_source="subtitles")
    again = store.commit_generation(video.video_id, staged, n=1, transcript_source="subtitles")
    assert replace(again, updated_at=first.updated_at) == first
    with_new_staging = store.commit_generation(video.video_id, stage(store, video, ("other",)), n=1)
    assert with_new_staging.scene_count == 1
    assert store.reader().view().scenes("local")[0].transcript == "words"
    assert [p.name for p in store.paths.generations(video.video_id).iterdir()] == ["1"]


def test_commit_refuses_before_it_changes_anything(store: Store) -> None:
    video = register(store, "one")
    good = stage(store, video, ("words",))
    with pytest.raises(SpaceMismatch):
        store.commit_generation(video.video_id, good, n=1, spaces=[replace(TEXT, revision="2")])
    wrong = store.new_staging(video.video_id)
    scenes = make_scenes(video.video_id, ["words"])
    sidecar.write_scenes(wrong, scenes)
    sidecar.write_vectors(wrong, replace(TEXT, dim=4), [scenes[0].scene_id], [[1, 0, 0, 0]])
    with pytest.raises(SpaceMismatch):
        store.commit_generation(video.video_id, wrong, n=1)
    sidecar.write_vectors(wrong, TEXT, ["another scene"], [[1] * 8])
    with pytest.raises(InvalidFolder):
        store.commit_generation(video.video_id, wrong, n=1)
    sidecar.write_scenes(wrong, make_scenes("another-video", ["words"]))
    with pytest.raises(InvalidFolder):
        store.commit_generation(video.video_id, wrong, n=1)
    with pytest.raises(InvalidValue):
        store.commit_generation(video.video_id, store.paths.root, n=1)
    assert store.video("local", video.video_id).state == VideoState.PROCESSING
    assert store.commit_generation(video.video_id, good, n=1).state == VideoState.INDEXED


def test_rebuilding_indexes_restores_what_it_can_and_reports_the_rest(store: Store) -> None:
    good, bad = add(store, "good", ("good words",)), add(store, "bad", ("bad words",))
    (store.paths.generation(bad.video_id, 1) / "scenes.parquet").write_bytes(b"rubbish")
    seen: list[tuple[float, float]] = []
    report = store.maintenance.rebuild_indexes(WorkContext(report=lambda done, total: seen.append((done, total))))
    assert report["videos"] == 2
    assert report["scenes"] == 1
    (problem,) = [text for text in report["problems"] if "Generation" in text]
    assert bad.video_id in problem
    assert seen[-1] == (4, 4)
    assert len(store.maintenance.check_indexes()) >= 1
    view = store.reader().view()
    assert [v.video_id for v in view.visible_videos("local")] == [good.video_id]
    assert len(view.snapshot.problems) == 1
    third = add(store, "third", ("third words",))  # one broken video does not stop the commit of another
    assert third.state == VideoState.INDEXED


def test_rebuilding_indexes_with_another_type(store: Store) -> None:
    add(store, "one", ("words",))
    store.maintenance.rebuild_indexes(index_type="Flat")
    add(store, "two", ("words",))
    assert json.loads((store.paths.vector_index(TEXT) / "manifest.json").read_text())["type"] == "Flat"
    assert store.maintenance.check_indexes() == []


# --- maintenance ----------------------------------------------------------------------------------


def test_disk_usage_adds_up(store: Store) -> None:
    add(store, "one", ("words",))
    use = store.maintenance.disk_usage()
    assert use["total"] == sum(use[part] for part in ("videos", "index", "exports", "work", "other"))
    assert use["videos"] > 0
    assert use["index"] > 0


def test_a_library_of_a_version_without_a_scene_table_gets_one_in_the_background(store: Store) -> None:
    assert not store.maintenance.is_merge_due()
    video = add(store, "one", ("some words",))
    assert not store.maintenance.is_merge_due()
    shutil.rmtree(store.paths.scene_index)
    assert store.maintenance.is_merge_due()
    assert store.maintenance.merge_indexes() == 1
    assert scene_segments.check(store.paths.scene_index) == {(video.video_id, 1)}
    assert (store.maintenance.is_merge_due(), store.maintenance.merge_indexes()) == (False, 0)
