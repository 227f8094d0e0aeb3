"""The text formats of TREC: qrels, runs and topics (https://trec.nist.gov/data/qrels_eng/).

    qrels     query_id 0 scene_id grade
    run       query_id Q0 scene_id rank score name
    topics    <top> <num> Number: query_id <title> text </top>, or query_id and text with a tab in between

Columns are separated by spaces or tabs, so ids have none. Files are UTF-8.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from heimdex_core.errors import FileUnreadable
from heimdex_core.types import MAX_GRADE, Ranking, SetQuery, tidy_query

MAX_FILE_BYTES = 256 * 1024**2

_TOPIC = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"<num>\s*(?:Number:)?\s*([^\s<]+)", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*(?:Topic:)?\s*([^<]*)", re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Qrel:
    """A line of qrels."""

    query_id: str
    scene_id: str
    grade: int


def read_qrels(path: Path) -> tuple[Qrel, ...]:
    """The lines of a qrels file. Raises FileUnreadable, with the number of the line that is wrong.

    Negative grades, which TREC uses for "not judged" and junk, become 0.
    """

    def parsed(columns: Sequence[str]) -> Qrel:
        query_id, _, scene_id, grade = _exactly(columns, 4, "query_id 0 scene_id grade")
        value = int(grade)
        if value > MAX_GRADE:
            raise ValueError(f"the grade {value} is above {MAX_GRADE}")
        return Qrel(query_id, scene_id, max(value, 0))

    return tuple(_lines(path, parsed))


def read_run(path: Path) -> tuple[str, dict[str, Ranking]]:
    """(the name of a run, its rankings by query_id, ordered by score). Raises FileUnreadable."""
    found: dict[str, dict[str, float]] = {}
    names: dict[str, None] = {}

    def parsed(columns: Sequence[str]) -> None:
        query_id, _, scene_id, _, score, name = _exactly(columns, 6, "query_id Q0 scene_id rank score name")
        scenes = found.setdefault(query_id, {})
        if scene_id in scenes:
            raise ValueError(f"the scene {scene_id} is there twice for query {query_id}")
        scenes[scene_id] = float(score)
        names[name] = None

    _lines(path, parsed)
    if not found:
        raise FileUnreadable(filename=path.name, reason="it has no lines")
    # sorted() is stable: scenes of equal score keep the order of the file
    rankings = {
        query_id: tuple(sorted(scenes.items(), key=lambda item: -item[1])) for query_id, scenes in found.items()
    }
    return next(iter(names)), rankings


def read_topics(path: Path) -> tuple[SetQuery, ...]:
    """The queries of a topics file. Raises FileUnreadable."""
    text = _text(path)
    if topics := _TOPIC.findall(text):
        queries = [_topic(topic, number, path) for number, topic in enumerate(topics, start=1)]
    else:
        queries = _lines(path, _tabbed, separator="\t")
    if not queries:
        raise FileUnreadable(filename=path.name, reason="it has no topics")
    ids = [query.query_id for query in queries]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise FileUnreadable(filename=path.name, reason=f"the query id {twice} is there twice")
    return tuple(queries)


def _topic(topic: str, number: int, path: Path) -> SetQuery:
    query_id, title = _NUMBER.search(topic), _TITLE.search(topic)
    if query_id is None or title is None or not tidy_query(title[1]):
        raise FileUnreadable(filename=path.name, reason=f"topic {number} has no number or no title")
    return SetQuery(tidy_query(html.unescape(title[1])), query_id[1])


def _tabbed(columns: Sequence[str]) -> SetQuery:
    query_id, text = (tidy_query(one) for one in _exactly(columns, 2, "query_id and text, with a tab in between"))
    if not text or not query_id or " " in query_id:
        raise ValueError("an id without spaces and a text are needed")
    return SetQuery(text, query_id)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileUnreadable(filename=path.name, reason=f"it has more than {MAX_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileUnreadable(filename=path.name, reason="it is not UTF-8 text") from error
    except OSError as error:
        raise FileUnreadable(filename=str(path), reason=error.strerror or str(error)) from error


def _lines(path: Path, parsed: Callable[[Sequence[str]], T], separator: str | None = None) -> list[T]:
    found = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.strip():
            try:
                found.append(parsed(line.split(separator)))
            except ValueError as error:
                raise FileUnreadable(filename=path.name, reason=f"line {number}: {error}") from error
    return found


def _exactly(columns: Sequence[str], count: int, what: str) -> Sequence[str]:
    if len(columns) != count:
        raise ValueError(f"{len(columns)} columns instead of {count} ({what})")
    return columns


# --- writing --------------------------------------------------------------------------------------


def qrels_text(qrels: Mapping[str, Mapping[str, float]]) -> str:
    """Grades as qrels; the average of several judges is rounded, a half upwards."""
    return _joined(
        f"{query_id} 0 {scene_id} {int(grade + 0.5)}"
        for query_id, grades in qrels.items()
        for scene_id, grade in grades.items()
    )


def run_text(name: str, rankings: Mapping[str, Ranking]) -> str:
    """Rankings as a run; spaces in its name become underscores."""
    tag = "_".join(name.split()) or "run"
    return _joined(
        f"{query_id} Q0 {scene_id} {rank} {score:.9g} {tag}"
        for query_id, ranking in rankings.items()
        for rank, (scene_id, score) in enumerate(ranking, start=1)
    )


def topics_text(queries: Iterable[SetQuery]) -> str:
    """Queries, each with its query_id, as topics."""
    topics = ((query.query_id, html.escape(query.text, quote=False)) for query in queries)
    return "\n".join(f"<top>\n<num> Number: {query_id}\n<title> {text}\n</top>\n" for query_id, text in topics)


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
