"""Answers to requests that may be sent again (RFC 9110, 9.2.2), by user and key, in the catalog.

The answers of a user are limited in number and in age, and so is how long a request without an answer counts as being
worked on: the process that worked on it may have ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heimdex_core.store.catalog import Catalog
from heimdex_core.store.transaction import to_us
from heimdex_core.types import utc_now

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

KEPT_S = 24 * 3600.0
KEPT_OF_USER = 1000
WORKED_ON_S = 120.0


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """What came with a key before; `status` is None while it is worked on."""

    digest: str
    status: int | None = None
    headers: str = ""
    """JSON."""
    body: str = ""


class RequestRecords:
    """Part of a store. Safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def begin(self, user_id: str, key: str, digest: str, now: datetime | None = None) -> KnownRequest | None:
        """What came with this key before; None where it is new, and is noted now."""
        now = now or utc_now()
        with self._catalog.transaction() as transaction:
            transaction.run("delete from api_requests where begun_us < ?", [to_us(now - timedelta(seconds=KEPT_S))])
            left = to_us(now - timedelta(seconds=WORKED_ON_S))
            transaction.run("delete from api_requests where status is null and begun_us < ?", [left])
            rows = transaction.rows(
                "select digest, status, headers, body from api_requests where user_id = ? and key = ?", [user_id, key]
            )
            if rows:
                row = rows[0]
                return KnownRequest(row["digest"], row["status"], row["headers"] or "", row["body"] or "")
            transaction.run(
                """delete from api_requests where user_id = ? and begun_us <= (
                       select begun_us from api_requests where user_id = ?
                       order by begun_us desc limit 1 offset ?)""",
                [user_id, user_id, KEPT_OF_USER - 1],
            )
            transaction.insert(
                "api_requests", {"user_id": user_id, "key": key, "digest": digest, "begun_us": to_us(now)}
            )
            return None

    def finish(self, user_id: str, key: str, answer: KnownRequest) -> None:
        """Keep the answer to a request that `begin` has noted."""
        with self._catalog.transaction() as transaction:
            transaction.run(
                """update api_requests set status = ?, headers = ?, body = ?
                   where user_id = ? and key = ? and digest = ?""",
                [answer.status, answer.headers, answer.body, user_id, key, answer.digest],
            )

    def forget(self, user_id: str, key: str) -> None:
        """Let a request be worked on again that could not be answered."""
        with self._catalog.transaction() as transaction:
            transaction.run("delete from api_requests where user_id = ? and key = ? and status is null", [user_id, key])


_COUNT = """
    with old as (delete from shared.request_counts where ctid in (
        select ctid from shared.request_counts where minute < now() - interval '2 minutes' for update skip locked))
    insert into shared.request_counts as counted (key, minute, requests)
    select key, date_trunc('minute', now()), requests from unnest(%s::text[], %s::bigint[]) as given (key, requests)
    on conflict (key, minute) do update set requests = counted.requests + excluded.requests
    returning key, requests, extract(epoch from minute)::bigint / 60"""


def count_requests(shared: SharedTables, counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Add requests to those of this minute; (the minute since 1970, how many all processes have added) by key.

    Raises DatabaseUnavailable, DatabaseInterrupted, DatabaseRefused; it is not waited for a server that is away.
    """
    keys = sorted(counts)  # rows are locked in one order, so that no two processes wait for each other
    rows = shared.rows(_COUNT, [keys, [counts[key] for key in keys]], wait_s=0)
    return {key: (int(minute), int(requests)) for key, requests, minute in rows}
