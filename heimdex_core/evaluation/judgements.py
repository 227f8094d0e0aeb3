"""Judged queries in a file, and how their intervals become scenes of a library (qrels).

A judgement names a video by its file name or title and an interval [start_s, end_s) of it, never a scene id: the
boundaries of scenes change when a video is indexed again, the moments to be found do not. Format (JSON):

    {"format": 1, "queries": [{"query_id": "q1", "query": "...", "language": "en", "kind": "said",
      "relevant": [{"video": "talk.mp4", "start_s": 3.0, "end_s": 9.5, "grade": 2}]}]}

`query_id`, `kind` and `language` are optional. Grades are 0 to 3; 0 means "judged, not relevant".
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
"""The part of the shorter one of scene and judgement that the two must have in common."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A moment that was judged for a query. Raises InvalidValue for a grade other than 0, 1, 2 and 3."""

    video: str
    """File name or title of the video."""
    interval: Interval
    grade: int
    """0 (not relevant) to 3."""

    def __post_init__(self) -> None:
        if self.grade not in (0, 1, 2, 3):
            raise InvalidValue(name="grade", value=self.grade, reason="it must be 0, 1, 2 or 3")


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query with its judgements."""

    query_id: str
    text: str
    language: str
    """ISO 639-1 code of the query, for example "ko"."""
    kind: str
    """What the query is about, for tables; "" where it is not given."""
    relevant: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class VideoScenes:
    """The names by which judgements may refer to a video of the library, and its scenes."""

    title: str
    filename: str
    scenes: tuple[Scene, ...]


Qrels = Mapping[str, Mapping[str, float]]
"""Relevance judgements: {query_id: {scene_id: grade}}; the average of several judges need not be an integer."""


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
    """Whether scene and judgement have at least MIN_OVERLAP of the shorter one in common."""
    shorter = min(scene.duration_s, judged.duration_s)
    return shorter > 0 and scene.overlap_s(judged) >= MIN_OVERLAP * shorter


def qrels_of(queries: Iterable[JudgedQuery], videos: Iterable[VideoScenes]) -> Qrels:
    """The judgements by scene.

    A scene that overlaps several judgements has the highest of their grades. A judgement that is relevant and overlaps
    no scene of `videos` becomes an id of its own, so that it counts as not found.
    """
    by_name: dict[str, list[VideoScenes]] = {}
    for video in videos:
        for name in {_name(video.title), _name(video.filename)}:
            by_name.setdefault(name, []).append(video)
    return {query.query_id: _grades(query, by_name) for query in queries}


def _grades(query: JudgedQuery, by_name: Mapping[str, list[VideoScenes]]) -> dict[str, float]:
    grades: dict[str, float] = {}
    for judged in query.relevant:
        matches = [
            scene.scene_id
            for video in by_name.get(_name(judged.video), ())
            for scene in video.scenes
            if overlaps(scene.interval, judged.interval)
        ]
        # Without an id for it, recall would be too high.
        missing = f"missing:{judged.video}:{judged.interval.start_s:.3f}-{judged.interval.end_s:.3f}"
        for scene_id in matches or ([missing] if judged.grade > 0 else []):
            grades[scene_id] = max(judged.grade, grades.get(scene_id, 0))
    return grades


def _name(name: str) -> str:
    """A name for comparisons, in NFC and lower case: some systems write Korean file names in NFD."""
    return unicodedata.normalize("NFC", name).casefold()
