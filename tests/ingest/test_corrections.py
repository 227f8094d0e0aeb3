"""Transcript and tags corrected by hand: what a correction replaces, and what a run makes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import EditsDamaged, InvalidValue
from heimdex_core.ingest.corrections import corrected, corrected_tags
from heimdex_core.ingest.scene_edits import SceneSpan
from heimdex_core.store import Store, edits, sidecar
from heimdex_core.store.edits import Journal
from heimdex_core.types import Segment, Transcript, Video, VideoState, Word
from tests.ingest.running import LINES, anew, generation_of, scenes_of
from tests.support.ingest import USER

HEARD = Segment(
    10.0,
    14.0,
    "the old lite house",
    words=(Word("the", 10.0, 10.5), Word("old", 10.5, 11.0), Word("lite", 11.0, 12.0), Word("house", 12.0, 14.0)),
)


def said(*lines: Segment) -> Transcript:
    return Transcript(lines, source="recognised")


def words_after(text: str, *, start_s: float = 10.0, end_s: float = 14.0) -> list[tuple[str, float, float]]:
    journal = Journal().with_line(start_s, end_s, text)
    lines = corrected(said(HEARD), journal.transcript_edits).segments
    return [(word.text, word.start_s, word.end_s) for line in lines for word in line.words]


# --- words ----------------------------------------------------------------------------------------


def test_words_that_stay_keep_their_times() -> None:
    # "lighthouse" (10 letters) stands for "lite house": from 11 to 14 s
    assert words_after("The old lighthouse") == [("The", 10.0, 10.5), ("old", 10.5, 11.0), ("lighthouse", 11.0, 14.0)]


def test_words_without_a_counterpart_share_the_time_by_their_length() -> None:
    # "tall bright" has 4 + 6 letters for the second of "lite"
    assert words_after("the old tall bright house")[2:] == [
        ("tall", 11.0, 11.4),
        ("bright", 11.4, 12.0),
        ("house", 12.0, 14.0),
    ]


def test_a_word_in_front_begins_with_the_line() -> None:
    assert words_after("Behold the old lite house", start_s=9.0)[:2] == [("Behold", 9.0, 10.0), ("the", 10.0, 10.5)]


def test_nothing_said_removes_the_line() -> None:
    assert corrected(said(HEARD), Journal().with_line(10.0, 14.0, "").transcript_edits).segments == ()


def test_what_another_recogniser_hears_around_the_stretch_stays() -> None:
    """It made one line of what was two; the correction is of the first half."""
    lines = corrected(said(HEARD), Journal().with_line(10.0, 11.0, "an ancient").transcript_edits).segments
    assert [(line.text, line.start_s, line.end_s) for line in lines] == [
        ("an ancient", 10.0, 11.0),
        ("lite house", 11.0, 14.0),
    ]


@pytest.mark.parametrize(
    ("line", "is_replaced"),
    [
        ((10.5, 11.5), True),  # all of the line is in the stretch
        ((13.0, 15.0), True),  # half of the line
        ((13.1, 15.0), False),  # less than half of the line, and of the stretch
        ((12.0, 40.0), True),  # half of the stretch
        ((12.1, 40.0), False),
        ((14.0, 15.0), False),  # [10, 14) and [14, 15) do not overlap
    ],
)
def test_lines_without_word_times_are_replaced_by_overlap(line: tuple[float, float], is_replaced: bool) -> None:
    journal = Journal().with_line(10.0, 14.0, "new words")
    lines = corrected(said(Segment(*line, "old words")), journal.transcript_edits).segments
    assert ("old words" not in [one.text for one in lines]) is is_replaced
    assert next(one for one in lines if one.text == "new words").words == ()


def test_the_last_correction_of_a_line_holds() -> None:
    journal = Journal().with_line(10.0, 14.0, "first").with_line(10.0, 14.0, "second")
    assert [line.text for line in corrected(said(HEARD), journal.transcript_edits).segments] == ["second"]
    undone = journal.without_edit(journal.transcript_edits[1].edit_id)
    assert [line.text for line in corrected(said(HEARD), undone.transcript_edits).segments] == ["first"]


def test_words_written_into_silence_count_as_subtitles() -> None:
    journal = Journal().with_line(1.0, 2.0, "a sign says stop")
    found = corrected(Transcript((), source="none"), journal.transcript_edits)
    assert (found.source, [line.text for line in found.segments]) == ("subtitles", ["a sign says stop"])


# --- tags -----------------------------------------------------------------------------------------


def test_tags_follow_the_time_when_scenes_are_split_and_merged() -> None:
    edit = Journal().with_tags(4.0, 8.0, ["Ferry"], ["car"]).tag_edits
    halves = [SceneSpan(0.0, 4.0), SceneSpan(4.0, 6.0), SceneSpan(6.0, 8.0)]
    assert corrected_tags([["car"], ["car"], ["sea", "Car"]], halves, edit) == [["car"], ["Ferry"], ["Ferry", "sea"]]
    assert corrected_tags([["car"]], [SceneSpan(0.0, 8.0)], edit) == [["Ferry"]]
    assert corrected_tags([["car"]], [SceneSpan(0.0, 5.9)], edit) == [["car"]]  # 1.9 of 4 s


def test_a_tag_is_there_once() -> None:
    edit = Journal().with_tags(0.0, 1.0, ["Sea"], []).tag_edits
    assert corrected_tags([["sea", "blue"]], [SceneSpan(0.0, 1.0)], edit) == [["Sea", "blue"]]


# --- the journal ----------------------------------------------------------------------------------


def test_corrections_are_in_the_digest_and_other_edits_are_as_before() -> None:
    split = Journal().with_edit("split", 3.0)
    both = split.with_line(0.0, 1.0, "x")
    assert both.scene_edits == split.scene_edits
    assert both.digest not in (None, split.digest)
    assert edits.digest_of(split.scene_edits) == split.digest
    assert both.unknown_count == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "transcript", "start_s": 2.0, "end_s": 1.0, "text": "x"},
        {"op": "transcript", "start_s": 0.0, "end_s": 1.0, "text": "x" * 4001},
        {"op": "transcript", "start_s": "0", "end_s": 1.0, "text": "x"},
        {"op": "tags", "start_s": 0.0, "end_s": 1.0, "added": [""], "removed": []},
        {"op": "tags", "start_s": 0.0, "end_s": 1.0, "added": "sea", "removed": []},
    ],
)
def test_a_journal_with_a_wrong_correction_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    operation = {"edit_id": "0f3a9c1e", "made_at": "2026-11-26T12:00:00+00:00", **wrong}
    (tmp_path / "edits.json").write_text(json.dumps({"version": 1, "operations": [operation]}), encoding="utf-8")
    with pytest.raises(EditsDamaged):
        edits.read_journal(tmp_path)


# --- whole runs -----------------------------------------------------------------------------------


@pytest.fixture
def store(indexed: Path, tmp_path: Path) -> Iterator[Store]:
    made = Store.open(shutil.copytree(indexed, tmp_path / "library"))
    yield made
    made.close()


@pytest.fixture
def video(store: Store) -> Video:
    return store.videos(USER)[0]


def correct(store: Store, video: Video, text: str) -> None:
    store.scene_edits.correct(USER, video.video_id, lambda journal: journal.with_line(2.2, 4.8, text), end_s=4.8)


def test_words_and_vectors_follow_and_nothing_is_recognised_again(store: Store, video: Video) -> None:
    space = store.sets.active().spaces["text"]
    before = sidecar.read_vectors(generation_of(store, video), space)
    correct(store, video, "dead bee")
    assert [one.state for one in store.scene_edits.corrections(USER, video.video_id)] == ["waiting"]
    assert store.video(USER, video.video_id).state == VideoState.PROCESSING
    again, ran = anew(store, video)
    assert ran == {"text_embedding"}
    assert [scene.transcript for scene in scenes_of(store, again)] == ["a bad cab", "dead bee", "face facade"]
    lines = store.reader().view().words(USER, video.video_id)
    assert [line.text for line in lines] == ["a bad cab", "dead bee", "face facade"]
    found = store.reader().view().lexical_search("bee", k=3, user_id=USER)
    assert len(found.hits) == 1, "the index of words follows"
    after = sidecar.read_vectors(generation_of(store, again), space)
    assert list(after[0]) == list(before[0])
    changed = [not np.allclose(one, other) for one, other in zip(before[1], after[1], strict=True)]
    assert changed[1], "the vector of the corrected scene is another one"
    assert [one.state for one in store.scene_edits.corrections(USER, video.video_id)] == ["applied"]
    assert store.scene_edits.outdated() == []
    assert anew(store, video)[1] == set(), "nothing has changed since"


@pytest.mark.long
def test_undoing_a_correction_restores_what_was_recognised(store: Store, video: Video) -> None:
    correct(store, video, "dead bee")
    anew(store, video)
    (made,) = store.scene_edits.corrections(USER, video.video_id)
    store.scene_edits.undo(USER, video.video_id, made.edit_id)
    again, _ = anew(store, video)
    assert [scene.transcript for scene in scenes_of(store, again)] == [text for _, _, text in LINES]
    assert store.scene_edits.corrections(USER, video.video_id) == []


@pytest.mark.long
def test_changed_tags_hold_when_the_scene_is_split(store: Store, video: Video) -> None:
    _, blue, white = scenes_of(store, video)
    store.scene_edits.correct(
        USER,
        video.video_id,
        lambda journal: journal.with_tags(blue.start_s, blue.end_s, ["ferry"], blue.tags[:1]),
        end_s=blue.end_s,
    )
    again, ran = anew(store, video)
    assert ran == set(), "no model has anything to do with it"
    assert scenes_of(store, again)[1].tags == ("ferry", *blue.tags[1:])
    assert scenes_of(store, again)[2].tags == white.tags
    store.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    split, _ = anew(store, video)
    assert ["ferry" in scene.tags for scene in scenes_of(store, split)] == [False, True, True, False]


def test_a_correction_beyond_the_end_is_refused(store: Store, video: Video) -> None:
    with pytest.raises(InvalidValue):
        store.scene_edits.correct(USER, video.video_id, lambda journal: journal.with_line(6.0, 60.0, "x"), end_s=60.0)
    assert store.video(USER, video.video_id).state == VideoState.INDEXED
    assert not (store.paths.video(video.video_id) / "edits.json").exists()
