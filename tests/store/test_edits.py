"""edits.json: what is refused, what is kept, and that an edit and its video never come apart."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core import files
from heimdex_core.errors import (
    EditNotFound,
    EditsDamaged,
    HeimdexError,
    InvalidFolder,
    ScenesNotEditable,
    ScenesNotNeighbours,
    SplitOutside,
    SplitTooShort,
    VideoNotFound,
)
from heimdex_core.store import Store, edits
from heimdex_core.types import Video, VideoState
from tests.store.making import add, new_store, register

TEXTS = ("first words", "second words", "third words")
SPLIT = {"edit_id": "0f3a9c1e", "op": "split", "at_s": 1.0, "made_at": "2026-11-26T12:00:00+00:00"}
TRANSCRIPT_EDIT = {"edit_id": "x", "op": "correct_line", "at_s": "anything", "text": "of a newer version"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


@pytest.fixture
def video(store: Store) -> Video:
    """Three scenes of 2 s each."""
    return add(store, "talk", TEXTS)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Video]:
    """A library and its video as in `store` and `video`, for what must change nothing."""
    store = new_store(tmp_path_factory.mktemp("unchanged"))
    return store, add(store, "talk", TEXTS)


def journal_of(store: Store, video: Video) -> edits.Journal:
    return edits.read_journal(store.paths.video(video.video_id))


def put(store: Store, video: Video, content: object) -> Path:
    path = store.paths.video(video.video_id) / "edits.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def ready(store: Store, video: Video) -> None:
    """The stages have run, whatever they made."""
    store.set_state(video.video_id, VideoState.INDEXED)


# --- the file -------------------------------------------------------------------------------------


def test_edits_are_read_as_they_were_written(store: Store, video: Video) -> None:
    store.scene_edits.split("local", video.video_id, 0.75, minimum_s=0.5)
    ready(store, video)
    store.scene_edits.merge("local", video.video_id, 4.0)
    first, second = journal_of(store, video).scene_edits
    assert [(one.op, one.at_s, one.state) for one in (first, second)] == [
        ("split", 0.75, "waiting"),
        ("merge", 4.0, "waiting"),
    ]
    assert first.made_at <= second.made_at
    assert first.made_at.utcoffset() == timedelta(0)
    ready(store, video)
    assert store.scene_edits.of_video("local", video.video_id) == [first, second]


def test_what_a_newer_version_wrote_is_kept(store: Store, video: Video) -> None:
    more = {**SPLIT, "reason": "of a newer version"}
    put(store, video, {"version": 2, "operations": [TRANSCRIPT_EDIT, more]})
    journal = journal_of(store, video)
    assert (journal.unknown_count, len(journal.scene_edits)) == (1, 1)
    store.scene_edits.merge("local", video.video_id, 2.0)
    written = json.loads((store.paths.video(video.video_id) / "edits.json").read_text())
    assert written["version"] == 2
    assert written["operations"][:2] == [TRANSCRIPT_EDIT, more]
    assert len(written["operations"]) == 3
    with pytest.raises(EditNotFound):
        journal.without_edit("x")  # not one of the scenes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "no list of operations"),
        ({"version": 1}, "no list of operations"),
        ({"version": 0, "operations": []}, "version"),
        ({"version": True, "operations": []}, "version"),
        ({"version": 1, "operations": ["split"]}, "operation 1 has no kind"),
        ({"version": 1, "operations": [{"op": "../split"}]}, "operation 1 has no kind"),
        ({"version": 1, "operations": [{**SPLIT, "at_s": -1.0}]}, "at_s"),
        ({"version": 1, "operations": [{**SPLIT, "at_s": "1.0"}]}, "at_s"),
        ('{"version": 1, "operations": [{"op": "split", "at_s": NaN}]}', "NaN"),
        ({"version": 1, "operations": [{**SPLIT, "edit_id": "/etc/passwd"}]}, "edit_id"),
        ({"version": 1, "operations": [{**SPLIT, "made_at": "2026-11-26T12:00:00"}]}, "made_at"),
        ({"version": 1, "operations": [SPLIT, SPLIT]}, "twice"),
        ('{"version": 1, "operations": [{"op": "note", "text": "\\ud800"}]}', "surrogates"),
        ({"version": 1, "operations": [{"op": "note"}] * (edits.MAX_OPERATIONS + 1)}, "10001 operations"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_journal_says_what_is_wrong(tmp_path: Path, content: object, reason: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "edits.json").write_text(text, encoding="utf-8")
    with pytest.raises(EditsDamaged) as refused:
        edits.read_journal(tmp_path)
    assert reason.lower() in refused.value.details["reason"].lower()


def test_a_damaged_journal_is_never_ignored(store: Store, video: Video) -> None:
    path = put(store, video, "{")
    for use in (store.scene_edits.of_video, lambda user_id, video_id: store.scene_edits.merge(user_id, video_id, 2.0)):
        with pytest.raises(EditsDamaged):
            use("local", video.video_id)
    assert path.read_text() == "{"
    assert store.video("local", video.video_id).state == VideoState.INDEXED
    assert store.scene_edits.outdated() == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere.json"
    secret.write_text(json.dumps({"version": 1, "operations": []}))
    (tmp_path / "video").mkdir()
    os.symlink(secret, tmp_path / "video" / "edits.json")
    with pytest.raises(EditsDamaged, match="ordinary"):
        edits.read_journal(tmp_path / "video")


# --- editing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda s, v: s.split("local", v, 0.4, minimum_s=0.5), SplitTooShort),
        (lambda s, v: s.split("local", v, 1.6, minimum_s=0.5), SplitTooShort),
        (lambda s, v: s.split("local", v, 2.0, minimum_s=0.5), SplitTooShort),
        (lambda s, v: s.split("local", v, 0.0, minimum_s=0.5), SplitOutside),
        (lambda s, v: s.split("local", v, -3.0, minimum_s=0.5), SplitOutside),
        (lambda s, v: s.split("local", v, 6.0, minimum_s=0.5), SplitOutside),
        (lambda s, v: s.merge("local", v, 3.0), ScenesNotNeighbours),
        (lambda s, v: s.merge("local", v, 0.0), ScenesNotNeighbours),
        (lambda s, v: s.merge("local", v, 6.0), ScenesNotNeighbours),
        (lambda s, v: s.undo("local", v, None), EditNotFound),
        (lambda s, v: s.undo("local", v, "0f3a9c1e"), EditNotFound),
        (lambda s, v: s.split("somebody", v, 1.0, minimum_s=0.5), VideoNotFound),
        (lambda s, v: s.of_video("somebody", v), VideoNotFound),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    unchanged: tuple[Store, Video], act: Callable[[object, str], object], error: type[HeimdexError]
) -> None:
    store, video = unchanged
    with pytest.raises(error):
        act(store.scene_edits, video.video_id)
    assert store.video("local", video.video_id) == video
    assert not (store.paths.video(video.video_id) / "edits.json").exists()


def test_a_video_that_is_not_ready_is_not_edited(store: Store, video: Video) -> None:
    never_indexed = register(store, "new")
    for state in (VideoState.PROCESSING, VideoState.DELETED):
        store.set_state(video.video_id, state)
        with pytest.raises(ScenesNotEditable) as refused:
            store.scene_edits.merge("local", video.video_id, 2.0)
        assert refused.value.details["state"] == state
    with pytest.raises(ScenesNotEditable):
        store.scene_edits.split("local", never_indexed.video_id, 1.0, minimum_s=0.5)
    store.set_state(never_indexed.video_id, VideoState.FAILED)
    with pytest.raises(ScenesNotEditable):
        store.scene_edits.split("local", never_indexed.video_id, 1.0, minimum_s=0.5)


def test_of_edits_at_once_one_is_made(store: Store, video: Video) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(4)

    def merge() -> None:
        together.wait()
        try:
            store.scene_edits.merge("local", video.video_id, 2.0)
            outcomes.append("made")
        except ScenesNotEditable:
            outcomes.append("refused")

    threads = [threading.Thread(target=merge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused", "refused"]
    assert len(journal_of(store, video).operations) == 1


def test_an_edit_that_is_not_the_last_is_undone(store: Store, video: Video) -> None:
    for at_s in (2.0, 4.0):
        store.scene_edits.merge("local", video.video_id, at_s)
        ready(store, video)
    first, second = journal_of(store, video).scene_edits
    store.scene_edits.undo("local", video.video_id, first.edit_id)
    assert journal_of(store, video).scene_edits == (second,)
    ready(store, video)
    store.scene_edits.undo("local", video.video_id, None)
    assert journal_of(store, video).digest is None


# --- crashes --------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def test_killed_between_the_journal_and_the_catalog(
    store: Store, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(step: str) -> None:
        if step == "edits-written":
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(files, "crash_point", kill)
        with pytest.raises(Killed):
            store.scene_edits.merge("local", video.video_id, 2.0)
    again = Store.open(store.paths.root)
    assert again.video("local", video.video_id).state == VideoState.INDEXED
    assert again.scene_edits.outdated() == [("local", video.video_id)]
    assert again.scene_edits.begin_again("local", video.video_id)
    assert again.video("local", video.video_id).state == VideoState.PROCESSING
    assert again.scene_edits.outdated() == []
    assert not again.scene_edits.begin_again("local", video.video_id), "somebody did already"


def test_where_applying_them_has_failed_a_person_decides(store: Store, video: Video) -> None:
    store.scene_edits.merge("local", video.video_id, 2.0)
    store.mark_video_failed("local", video.video_id, ScenesNotNeighbours())
    assert store.video("local", video.video_id).state == VideoState.INDEXED
    assert store.scene_edits.outdated() == []


# --- what goes with the folder --------------------------------------------------------------------


def test_the_journal_goes_with_an_adopted_folder(store: Store, video: Video, tmp_path: Path) -> None:
    store.scene_edits.merge("local", video.video_id, 2.0)
    other = new_store(tmp_path / "other")
    adopted = other.adopt(store.paths.video(video.video_id), "local")
    assert journal_of(other, adopted) == journal_of(store, video)
    assert other.scene_edits.outdated() == [("local", adopted.video_id)], "its scenes are from before the edit"


def test_a_folder_with_a_damaged_journal_is_not_adopted(store: Store, video: Video, tmp_path: Path) -> None:
    put(store, video, {"version": 1, "operations": [{**SPLIT, "at_s": -1}]})
    with pytest.raises(InvalidFolder, match=r"edits\.json"):
        new_store(tmp_path / "other").adopt(store.paths.video(video.video_id), "local")


def test_a_damaged_journal_is_reported_and_put_aside(store: Store, video: Video) -> None:
    path = put(store, video, "{")
    assert ("EDITS_DAMAGED", video.video_id) in [(one.code, one.video_id) for one in store.maintenance.damage()]
    report = Store.repair(store.paths.root)
    assert any("edits.json" in problem for problem in report.problems)
    (kept,) = path.parent.glob("edits.json.damaged-*")
    assert kept.read_text() == "{"
    assert "EDITS_DAMAGED" not in [one.code for one in Store.open(store.paths.root).maintenance.damage()]
    store.scene_edits.merge("local", video.video_id, 2.0)


def test_edits_are_an_input_of_a_generation(store: Store, video: Video) -> None:
    """A move to other models indexes an edited video again; one without edits has the hash of before."""
    before = store.sets.inputs_of(video)
    put(store, video, {"version": 1, "operations": []})
    assert store.sets.inputs_of(video) == before
    store.scene_edits.merge("local", video.video_id, 2.0)
    edited = store.sets.inputs_of(video)
    assert edited != before
    put(store, video, "{")
    assert store.sets.inputs_of(video) not in (before, edited)
