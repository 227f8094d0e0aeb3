"""Judged queries in a file, and how their times become scenes of a library.

A judgement names a video by file name or title and a stretch [start_s, end_s) of it, never a scene id:
scenes move when a video is indexed anew, what is to be found in it does not. Format (JSON):

    {"format": 1, "queries": [{"query_id": "q1", "query": "...", "language": "en", "kind": "said",
      "relevant": [{"video": "talk.mp4", "start_s": 3.0, "end_s": 9.5, "grade": 2}]}]}

`query_id`, `kind` and `language` may be left out. Grades are 0 to 3; 0 is "looked at, not relevant".
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import FileUnreadable, InvalidValue
from heimdex_core.types import Interval, Json, Scene

MIN_OVERLAP = 0.5
"""Share of the shorter of scene and judgement that both must have in common."""


@dataclass(frozen=True, slots=True)
class Judgement:
    video: str
    interval: Interval
    grade: int

    def __post_init__(self) -> None:
        if self.grade not in (0, 1, 2, 3):
            raise InvalidValue(name="grade", value=self.grade, reason="it is 0, 1, 2 or 3")


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    query_id: str
    text: str
    language: str
    kind: str
    relevant: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class VideoScenes:
    """A video of the library as judgements may name it, and its scenes."""

    title: str
    filename: str
    scenes: tuple[Scene, ...]


Qrels = dict[str, dict[str, int]]
"""{query_id: {scene_id: grade}}."""


def read_queries(path: Path) -> tuple[JudgedQuery, ...]:
    """The judged queries of a file. Raises FileUnreadable, InvalidValue."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["queries"]
        queries = tuple(_query(row, f"q{number}") for number, row in enumerate(rows, start=1))
    except OSError as error:
        raise FileUnreadable(filename=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"not a file of judged queries ({type(error).__name__}: {error})"
        raise FileUnreadable(filename=str(path), reason=reason) from error
    if len({query.query_id for query in queries}) < len(queries):
        raise InvalidValue(name="query_id", value=str(path), reason="two queries have the same one")
    return queries


def _query(row: Json, default_id: str) -> JudgedQuery:
    return JudgedQuery(
        query_id=str(row.get("query_id", default_id)),
        text=str(row["query"]),
        language=str(row.get("language", "en")),
        kind=str(row.get("kind", "")),
        relevant=tuple(
            Judgement(str(item["video"]), Interval(float(item["start_s"]), float(item["end_s"])), int(item["grade"]))
            for item in row["relevant"]
        ),
    )


def overlaps(scene: Interval, judged: Interval) -> bool:
    """True where the two share at least half of the shorter one."""
    shorter = min(scene.duration_s, judged.duration_s)
    return shorter > 0 and scene.overlap_s(judged) >= MIN_OVERLAP * shorter


def qrels_of(queries: Iterable[JudgedQuery], videos: Iterable[VideoScenes]) -> Qrels:
    """Grades by scene. What was judged relevant and is no scene here counts as not found.

    A scene that several judgements fall on has the highest of their grades.
    """
    by_name: dict[str, list[VideoScenes]] = {}
    for video in videos:
        for name in {_name(video.title), _name(video.filename)}:
            by_name.setdefault(name, []).append(video)
    return {query.query_id: _grades(query, by_name) for query in queries}


def _grades(query: JudgedQuery, by_name: Mapping[str, list[VideoScenes]]) -> dict[str, int]:
    grades: dict[str, int] = {}
    for judged in query.relevant:
        matches = [
            scene.scene_id
            for video in by_name.get(_name(judged.video), ())
            for scene in video.scenes
            if overlaps(scene.interval, judged.interval)
        ]
        # Left out, it would make recall look better than it is.
        missing = f"missing:{judged.video}:{judged.interval.start_s:.3f}-{judged.interval.end_s:.3f}"
        for scene_id in matches or ([missing] if judged.grade > 0 else []):
            grades[scene_id] = max(judged.grade, grades.get(scene_id, 0))
    return grades


def _name(name: str) -> str:
    """Names compare in one spelling: Korean file names come composed or in single letters."""
    return unicodedata.normalize("NFC", name).casefold()
