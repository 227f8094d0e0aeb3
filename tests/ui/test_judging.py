"""Judging: which scenes are sent to the page, where it begins, and grades in place on the search page."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from heimdex_core.errors import LibraryBusy, SceneNotFound
from heimdex_core.types import Agreement, KappaPair, PoolItem, SceneJudgement
from ui import judging, state
from ui.evaluation import url
from ui.state import EvaluationState
from ui.views import judging as views


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", found)
    return found


def pool(**queries: str) -> list[PoolItem]:
    """A pool: for each query a letter a scene, "-" for one without a grade, else its grade."""
    return [
        PoolItem(query_id, f"text of {query_id}", f"s{number}", None if grade == "-" else int(grade))
        for query_id, grades in queries.items()
        for number, grade in enumerate(grades)
    ]


# --- the judging view -----------------------------------------------------------------------------


def test_judging_begins_with_the_first_scene_without_a_grade() -> None:
    found = pool(a="30", b="1--", c="-")
    assert views.place(found, None) == "b/s1"
    assert views.place(found, "a/s0") == "a/s0"  # a link to a scene
    assert views.place(found, "gone/s9") == "b/s1"
    assert views.place(found, views.beginning_of("c")) == "c/s0"
    assert views.place(found, views.beginning_of("a")) == "a/s0"  # all of it is judged: from its beginning
    assert views.place(found, views.beginning_of("text of c")) == "c/s0"
    assert views.place(found, views.END) is None
    assert views.place(pool(a="30"), None) is None


def test_the_scenes_of_the_query_and_of_the_next_open_ones_are_sent() -> None:
    found = pool(a="--", b="31", c="-2", d="-" * 30, e="-")
    sent = views.window(found, "a/s1")
    # b is judged, and d has enough for the time being
    assert list(dict.fromkeys(item.query_id for item in sent)) == ["a", "c", "d"]
    assert [item.scene_id for item in sent[:4]] == ["s0", "s1", "s0", "s1"]
    assert {item.query_id for item in views.window(found, "b/s0")} == {"b", "c", "d"}


def test_at_the_end_the_skipped_scenes_are_sent() -> None:
    assert {item.query_id for item in views.window(pool(a="1", b="2-"), None)} == {"b"}
    assert views.window(pool(a="12"), None) == []


def test_progress() -> None:
    found = pool(a="3-", b="0")
    assert views.progress(found) == {"done": 2, "total": 3}  # a grade of 0 is a grade
    assert [(row["id"], row["done"], row["total"]) for row in views.queries(found)] == [("a", 1, 2), ("b", 1, 1)]


def test_agreement_of_two_and_of_three_judges() -> None:
    two = Agreement(("ann", "ben"), (KappaPair(("ann", "ben"), 96, 0.784),), 0.5, 96, ())
    shown = views.agreement(two)
    assert shown is not None
    assert (shown["value"], shown["text"]) == ("κ 0.78", "Cohen’s kappa · ann, ben, scenes in common: 96")
    three = views.agreement(Agreement(("a", "b", "c"), (), -0.1, 12, ()))
    assert three is not None
    assert (three["value"], three["text"].split(" · ")[0]) == ("κ −0.10", "Fleiss’ kappa")
    undefined = views.agreement(Agreement(("a", "b"), (KappaPair(("a", "b"), 4, None),), None, 4, ()))
    assert undefined is not None
    assert undefined["value"] == "κ –"
    assert views.agreement(Agreement(("ann",), (), None, 0, ())) is None


# --- the URL --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        EvaluationState(query_set="밤"),
        EvaluationState(part="runs", query_set="s", first="r1", second="r2", measure="MRR", query="q1"),
        EvaluationState(part="judge", query_set="s", at="q1/v_0_1000", judge="ann"),
        EvaluationState(part="sweeps", query_set="s", sweep="s1", cell=12),
    ],
)
def test_a_url_brings_back_what_was_shown(shown: EvaluationState) -> None:
    entry, details = url.params(shown, shown.query_set)
    url.restore({name: value for name, value in {**entry, **details}.items() if value})
    assert state.evaluation() == shown


def test_a_link_to_judge_one_query_begins_with_it() -> None:
    url.restore({"view": "judge", "set": "s", "q": "q7"})
    assert (state.evaluation().at, state.evaluation().query) == ("q7/", None)


def test_values_of_a_url_may_be_anything() -> None:
    url.restore({"view": "..", "by": "AP(rel=2)", "cell": "²", "as": " " * 200, "a": ""})
    assert state.evaluation() == EvaluationState()
    url.restore({"cell": "9" * 5000})
    assert state.evaluation().cell is None


# --- in place -------------------------------------------------------------------------------------


class FakeLibrary:
    """Keeps grades as a library does, and counts how often they are read."""

    user_id = "me"

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], int] = {}
        self.reads = 0
        self.busy = False
        self.evaluation = SimpleNamespace(grades=self.grades, judgements=self.judgements, forget=self.forget)

    def judge(self, text: str, scene_id: str, grade: int) -> None:
        if scene_id == "gone":
            raise SceneNotFound(scene_id=scene_id)
        self.kept[text, scene_id] = grade

    def grades(self, text: str, *, query_set: str) -> dict[str, int]:
        self.reads += 1
        if self.busy:
            raise LibraryBusy(what="The catalog of the library", pid=1, program="x", seconds=1)
        return {scene_id: grade for (of_text, scene_id), grade in self.kept.items() if of_text == text}

    def judgements(self, query_set: str, *, query: str, judge: str) -> list[SceneJudgement]:
        now = datetime(2026, 11, 26, tzinfo=UTC)
        return [
            SceneJudgement(f"{text}|{scene_id}", query_set, text, "v", 0, 1, grade, judge, now, scene_id=scene_id)
            for (text, scene_id), grade in self.kept.items()
            if text == query
        ]

    def forget(self, judgement_id: str) -> None:
        text, _, scene_id = judgement_id.partition("|")
        del self.kept[text, scene_id]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = FakeLibrary()
    monkeypatch.setattr("ui.resources.library", lambda: found)
    return found


def test_grades_are_read_once_and_follow_what_is_judged(library: Any) -> None:
    library.kept["red", "s1"] = 2
    assert judging.grades(library, "red") == {"s1": 2}
    judging.judge({"id": "s2", "grade": 0, "text": "red"})
    judging.judge({"id": "s1", "grade": None, "text": "red"})
    assert judging.grades(library, "red") == {"s2": 0}
    assert library.kept == {("red", "s2"): 0}
    assert library.reads == 1
    assert judging.grades(library, "blue") == {}
    assert judging.grades(library, "  ") == {}


def test_a_late_judgement_is_stored_for_the_query_it_was_made_for(library: Any) -> None:
    state.update_search(query="blue")
    judging.grades(library, "blue")
    judging.judge({"id": "s1", "grade": 3, "text": "red"})
    judging.judge({"id": "s1", "grade": 1})  # without a text: the query of the page
    assert library.kept == {("red", "s1"): 3, ("blue", "s1"): 1}
    assert judging.grades(library, "blue") == {"s1": 1}


def test_grades_of_a_busy_library_are_read_again(library: Any) -> None:
    library.kept["red", "s1"] = 2
    library.busy = True
    assert judging.grades(library, "red") == {}
    judging.judge({"id": "s2", "grade": 3, "text": "red"})
    library.busy = False
    assert judging.grades(library, "red") == {"s1": 2, "s2": 3}


def test_a_judgement_that_is_refused_is_not_shown(library: Any) -> None:
    with pytest.raises(SceneNotFound):
        judging.judge({"id": "gone", "grade": 3, "text": "red"})
    assert judging.grades(library, "red") == {}
