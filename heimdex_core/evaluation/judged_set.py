"""A set of queries with the grades of its scenes, from judgements in the catalog or from a file of judged queries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from heimdex_core.errors import NoJudgements
from heimdex_core.evaluation.judgements import JudgedQuery, Qrels, VideoScenes, qrels_of
from heimdex_core.evaluation.metrics import is_scored
from heimdex_core.types import QuerySet, SceneJudgement, SetQuery


@dataclass(frozen=True)
class JudgedSet:
    """Queries and grades by scene."""

    name: str
    queries: tuple[SetQuery, ...]
    """Each with its query_id."""
    qrels: Qrels
    moved: int = 0
    """Judgements that no scene of today corresponds to; they are left out."""

    @property
    def scored(self) -> tuple[str, ...]:
        """The ids of the queries that have a relevant scene."""
        return tuple(query.query_id for query in self.queries if is_scored(self.qrels.get(query.query_id, {})))

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that change with any grade."""
        text = json.dumps({query_id: dict(grades) for query_id, grades in self.qrels.items()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def require_scored(self) -> None:
        """Raise NoJudgements if no query has a relevant scene."""
        if not self.scored:
            raise NoJudgements(query_set=self.name, queries=len(self.queries))


def from_judgements(query_set: QuerySet, judgements: Iterable[SceneJudgement]) -> JudgedSet:
    """The set with the grades of its judges averaged by scene; of one judge the last grade counts."""
    queries = query_set.queries
    ids = {query.text: query.query_id for query in queries}
    by_judge: dict[str, dict[str, dict[str, int]]] = {query.query_id: {} for query in queries}
    moved = 0
    for one in judgements:
        if one.scene_id is None:
            moved += 1
        elif one.query in ids:
            by_judge[ids[one.query]].setdefault(one.scene_id, {})[one.judge] = one.grade
    qrels = {
        query_id: {scene_id: sum(grades.values()) / len(grades) for scene_id, grades in scenes.items()}
        for query_id, scenes in by_judge.items()
    }
    return JudgedSet(query_set.name, queries, qrels, moved)


def from_file(name: str, queries: Sequence[JudgedQuery], videos: Iterable[VideoScenes]) -> JudgedSet:
    """The set of a file of judged queries, with the scenes that its intervals are now."""
    listed = tuple(SetQuery(query.text, query.query_id, query.language, query.kind) for query in queries)
    return JudgedSet(name, listed, qrels_of(queries, videos))


def restricted(judged: JudgedSet, query_ids: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
    """The grades of some of the queries."""
    return {query_id: judged.qrels[query_id] for query_id in query_ids if query_id in judged.qrels}
