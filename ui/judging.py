"""Judgements made in place on the search page, in the query set "default"."""

from __future__ import annotations

from typing import Any

from heimdex_core.errors import StorageError
from heimdex_core.library import Library
from heimdex_core.types import DEFAULT_QUERY_SET, MAX_GRADE
from ui import resources, state
from ui.i18n import t

GRADES = tuple(range(MAX_GRADE + 1))


def grades(library: Library, text: str) -> dict[str, int]:
    """This person's grades for a query, by scene_id: {scene_id: 0 to 3}.

    They are read once for each query and open page, and then follow what `judge` does. While the library is busy there
    are none, and they are read again when the page is drawn next.
    """
    if not text.strip():
        return {}
    found = state.grades_of(text)
    if found is None:
        try:
            found = dict(library.evaluation.grades(text, query_set=DEFAULT_QUERY_SET))
        except StorageError:
            return {}
        state.set_grades(text, found)
    return found


def judge(value: Any) -> None:
    """Judge a scene, or take that back: {"id": scene_id, "grade": 0 to 3 or None, "text": the query it was found for}.

    Without "text" it is the query of the search page.
    """
    library = resources.library()
    text = str(value.get("text") or state.search().query)
    scene_id, grade = str(value["id"]), value["grade"]
    known = grades(library, text)
    if grade is None:
        take_back(library, text, scene_id)
        known.pop(scene_id, None)
    else:
        library.judge(text, scene_id, int(grade))
        known[scene_id] = int(grade)
    if state.grades_of(text) is not None:
        state.set_grades(text, known)


def take_back(library: Library, text: str, scene_id: str) -> None:
    """Remove this person's judgement of a scene for a query, if there is one."""
    found = library.evaluation.judgements(DEFAULT_QUERY_SET, query=text, judge=library.user_id)
    for judgement in found:
        if judgement.scene_id == scene_id:
            library.evaluation.forget(judgement.judgement_id)


def labels() -> dict[str, str]:
    """The texts of buttons that judge: {"judge", "judged", "grade_0" to "grade_3"}."""
    return {
        "judge": t("judge.grades"),
        "judged": t("judge.judged"),
        **{f"grade_{grade}": t(f"judge.grade.{grade}") for grade in GRADES},
    }
