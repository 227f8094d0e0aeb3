"""Query sets and judgements, in the catalog.

A judgement names an interval of a video in milliseconds, not a scene: scenes change when a video is indexed again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from heimdex_core.errors import HeimdexError, InvalidValue
from heimdex_core.files import file_signature
from heimdex_core.store import copies
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths, check_user
from heimdex_core.store.transaction import Row, Transaction, behind, from_us, to_us
from heimdex_core.store.users import ensure_user
from heimdex_core.types import DEFAULT_QUERY_SET, Interval, QuerySet, SceneJudgement, SetQuery, to_json, utc_now

SAME_IOU = 0.5
"""Two judgements of one judge are of the same scene from this overlap on; the later one replaces the earlier."""


@dataclass(frozen=True, slots=True)
class NewJudgement:
    """A judgement to be saved."""

    query: str
    video_id: str
    start_ms: int
    end_ms: int
    grade: int
    judge: str
    reason: str = ""
    judged_at: datetime | None = None
    """None is now."""


class JudgementRecords:
    """The query sets and judgements of one library. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog) -> None:
        self._paths = paths
        self._catalog = catalog
        self._published: tuple[Any, list[Row]] | None = None

    # --- query sets ---

    def query_sets(self, user_id: str) -> list[QuerySet]:
        """A user's query sets, by name."""
        with self._catalog.transaction() as transaction:
            rows = transaction.rows("select * from query_sets where user_id = ? order by name", [user_id])
            counts = transaction.rows(
                "select coalesce(query_set, ?) as name, count(*) as n from judgements where user_id = ? group by 1",
                [DEFAULT_QUERY_SET, user_id],
            )
        number = {row["name"]: int(row["n"]) for row in counts}
        return [_query_set(row, number.get(row["name"], 0)) for row in rows]

    def save_query_set(
        self, user_id: str, name: str, queries: Sequence[SetQuery] | None, guidelines: str | None
    ) -> None:
        """Insert or change a query set; None leaves the queries or the guidelines as they are."""
        check_user(user_id)
        with self._catalog.transaction() as transaction:
            known = _get_set(transaction, user_id, name) or QuerySet(name)
            _put_set(
                transaction,
                user_id,
                name,
                known.queries if queries is None else queries,
                known.guidelines if guidelines is None else guidelines,
            )

    def rename_query_set(self, user_id: str, name: str, new: str) -> None:
        """Give a query set and its judgements another name. Raises InvalidValue if there is one of that name."""
        with self._catalog.transaction() as transaction:
            if _get_set(transaction, user_id, new) is not None:
                raise InvalidValue(name="query set", value=new, reason="there is one of this name")
            transaction.run("update query_sets set name = ? where user_id = ? and name = ?", [new, user_id, name])
            transaction.run(
                "update judgements set query_set = ? where user_id = ? and coalesce(query_set, ?) = ?",
                [new, user_id, DEFAULT_QUERY_SET, name],
            )

    def delete_query_set(self, user_id: str, name: str) -> None:
        """Remove a query set and its judgements."""
        with self._catalog.transaction() as transaction:
            transaction.run("delete from query_sets where user_id = ? and name = ?", [user_id, name])
            transaction.run(
                "delete from judgements where user_id = ? and coalesce(query_set, ?) = ?",
                [user_id, DEFAULT_QUERY_SET, name],
            )

    # --- judgements ---

    def save(
        self, user_id: str, query_set: str, judgements: Sequence[NewJudgement], queries: Sequence[SetQuery] = ()
    ) -> list[SceneJudgement]:
        """Save judgements, each in place of an earlier one of the same judge, query and scene, in one transaction.

        Args:
            user_id: whose videos and query sets they belong to.
            query_set: created if there is none of that name.
            judgements: grades of 0 to 3; several may be of different judges.
            queries: queries to add to the set besides those of the judgements; one of the same text stays as it is.
        """
        check_user(user_id)
        with self._catalog.transaction() as transaction:
            known = _get_set(transaction, user_id, query_set)
            wanted = [*queries, *(SetQuery(one.query) for one in judgements)]
            merged = {query.text: query for query in reversed([*(known.queries if known else ()), *wanted])}
            in_order = dict.fromkeys(query.text for query in (*(known.queries if known else ()), *wanted))
            if known is None or len(merged) > len(known.queries):
                guidelines = known.guidelines if known else ""
                _put_set(transaction, user_id, query_set, [merged[text] for text in in_order], guidelines)
            saved = [_new(query_set, one) for one in judgements]
            _replace_earlier(transaction, user_id, query_set, saved)
            _insert(transaction, user_id, saved)
        return saved

    def of_user(
        self,
        user_id: str,
        query_set: str | None = None,
        *,
        query: str | None = None,
        judge: str | None = None,
        limit: int | None = None,
        after: tuple[datetime, str] | None = None,
    ) -> list[SceneJudgement]:
        """A user's judgements in the order in which they were made, without the scenes of today.

        `after` is the judged_at and the judgement_id of the one that they come behind.
        """
        is_behind, place = behind(after, "judgement_id", newest_first=False)
        with self._catalog.transaction() as transaction:
            rows = transaction.rows(
                f"""select * from judgements where user_id = ? and (? is null or coalesce(query_set, ?) = ?)
                   and (? is null or query = ?) and (? is null or coalesce(judge, user_id) = ?) and {is_behind}
                   order by created_us, judgement_id limit ?""",  # noqa: S608 - our own condition
                [
                    *(user_id, query_set, DEFAULT_QUERY_SET, query_set, query, query, judge, judge),
                    *place,
                    2**62 if limit is None else limit,
                ],
            )
        return [_judgement(row) for row in rows]

    def published(self, user_id: str, query_set: str, query: str, judge: str) -> list[SceneJudgement]:
        """The judgements of one judge for one query, read from the copy of the table, so without waiting for a writer.

        A table that is too large to be copied after every change is read itself.
        """
        rows = self._copied_rows()
        if rows is None:
            return self.of_user(user_id, query_set, query=query, judge=judge)
        found = [_judgement(row) for row in rows if row["user_id"] == user_id and row["query"] == query]
        return [one for one in found if (one.query_set, one.judge) == (query_set, judge)]

    def _copied_rows(self) -> list[Row] | None:
        """All rows as they were copied last; None where the copy may not be of the last change."""
        path = copies.path_of(self._paths, "judgements")
        signature = file_signature(path)
        if self._published is None or self._published[0] != signature:
            try:
                copied = copies.read(self._paths, "judgements")
            except HeimdexError:
                return None
            self._published = (signature, copied.rows.to_pylist() if copied is not None else [])
        rows = self._published[1]
        return rows if len(rows) <= copies.LARGE_ROWS else None

    def forget(self, user_id: str, judgement_id: str) -> None:
        """Remove a judgement; nothing happens if there is none of this id."""
        with self._catalog.transaction() as transaction:
            transaction.run("delete from judgements where user_id = ? and judgement_id = ?", [user_id, judgement_id])


def _replace_earlier(
    transaction: Transaction, user_id: str, query_set: str, judgements: Sequence[SceneJudgement]
) -> None:
    """Remove what the same judges have said before about the same scenes."""
    rows = transaction.rows(
        """select * from judgements where user_id = ? and coalesce(query_set, ?) = ?
           and coalesce(judge, user_id) = any(?::varchar[])""",
        [user_id, DEFAULT_QUERY_SET, query_set, sorted({one.judge for one in judgements})],
    )
    earlier: dict[tuple[str, str, str], list[SceneJudgement]] = {}
    for one in map(_judgement, rows):
        earlier.setdefault((one.query, one.video_id, one.judge), []).append(one)
    replaced = {
        before.judgement_id
        for one in judgements
        for before in earlier.get((one.query, one.video_id, one.judge), ())
        if _interval(before).iou(_interval(one)) >= SAME_IOU
    }
    if replaced:
        transaction.run("delete from judgements where judgement_id = any(?::varchar[])", [sorted(replaced)])


def _insert(transaction: Transaction, user_id: str, judgements: Sequence[SceneJudgement]) -> None:
    rows = [
        {
            "judgement_id": one.judgement_id,
            "user_id": user_id,
            "query_set": one.query_set,
            "query": one.query,
            "video_id": one.video_id,
            "start_ms": one.start_ms,
            "end_ms": one.end_ms,
            "grade": one.grade,
            "judge": one.judge,
            "reason": one.reason,
            "created_us": to_us(one.judged_at),
        }
        for one in judgements
    ]
    if rows:
        transaction.insert_table("judgements", pa.Table.from_pylist(rows))


def _new(query_set: str, new: NewJudgement) -> SceneJudgement:
    return SceneJudgement(
        judgement_id=str(uuid.uuid4()),
        query_set=query_set,
        query=new.query,
        video_id=new.video_id,
        start_ms=new.start_ms,
        end_ms=new.end_ms,
        grade=new.grade,
        judge=new.judge,
        judged_at=new.judged_at or utc_now(),
        reason=new.reason,
    )


def _interval(one: SceneJudgement) -> Interval:
    return Interval(one.start_ms / 1000, one.end_ms / 1000)


def _get_set(transaction: Transaction, user_id: str, name: str) -> QuerySet | None:
    rows = transaction.rows("select * from query_sets where user_id = ? and name = ?", [user_id, name])
    return _query_set(rows[0], 0) if rows else None


def _put_set(transaction: Transaction, user_id: str, name: str, queries: Sequence[SetQuery], guidelines: str) -> None:
    ensure_user(transaction, user_id)
    transaction.run("delete from query_sets where user_id = ? and name = ?", [user_id, name])
    row: Row = {
        "user_id": user_id,
        "name": name,
        "guidelines": guidelines,
        "queries": json.dumps(to_json(queries), ensure_ascii=False),
        "updated_us": to_us(utc_now()),
    }
    transaction.insert("query_sets", row)


def _query_set(row: Row, judgement_count: int) -> QuerySet:
    return QuerySet(
        name=row["name"],
        queries=tuple(SetQuery(**query) for query in json.loads(row["queries"])),
        guidelines=row["guidelines"],
        updated_at=from_us(row["updated_us"]),
        judgement_count=judgement_count,
    )


def _judgement(row: Row) -> SceneJudgement:
    """Columns that an older version did not have are null, or missing in the copy that it wrote."""
    return SceneJudgement(
        judgement_id=row["judgement_id"],
        query_set=row.get("query_set") or DEFAULT_QUERY_SET,
        query=row["query"],
        video_id=row["video_id"],
        start_ms=int(row["start_ms"]),
        end_ms=int(row["end_ms"]),
        grade=int(row["grade"]),
        judge=row.get("judge") or row["user_id"],
        judged_at=from_us(row["created_us"]) or utc_now(),
        reason=row.get("reason") or "",
    )
