"""Scenes to judge, pooled from the top of several runs (K. Sparck Jones, C. J. van Rijsbergen, "Report on the need for
and provision of an ideal information retrieval test collection", 1975; the method of TREC).

The judge is not told which run found a scene, nor at which rank: both would influence the grade.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from heimdex_core.types import PoolItem, Ranking, SetQuery


def pool(
    queries: Sequence[SetQuery],
    rankings: Iterable[Mapping[str, Ranking]],
    *,
    depth: int,
    judge: str,
    grades: Mapping[tuple[str, str], int],
) -> list[PoolItem]:
    """The first `depth` scenes that each run found for each query, without repetition.

    Args:
        queries: each with its query_id; the pool is in their order.
        rankings: those of each run, by query_id.
        depth: how many scenes of a run are taken for a query.
        judge: the order of a query's scenes is another one for every judge, and the same whenever they come back.
        grades: what the judge has said already, by (text of the query, scene_id).
    """
    runs = list(rankings)
    found: list[PoolItem] = []
    for query in queries:
        scenes = {scene_id for run in runs for scene_id, _ in run.get(query.query_id, ())[:depth]}
        shuffled = sorted(scenes, key=lambda scene_id: _place(judge, query.text, scene_id))
        found += [PoolItem(query.query_id, query.text, one, grades.get((query.text, one))) for one in shuffled]
    return found


def _place(judge: str, text: str, scene_id: str) -> bytes:
    return hashlib.sha256("\n".join((judge, text, scene_id)).encode()).digest()
