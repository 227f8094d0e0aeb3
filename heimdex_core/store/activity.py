"""What the catalog says about the work of all users, grouped in SQL: a large library costs no more objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from heimdex_core.store.transaction import Row, Transaction, from_us, to_us
from heimdex_core.types import FailedVideo, ProcessingTimes, UserDisk, Video, VideoState, utc_now

if TYPE_CHECKING:
    from heimdex_core.store.catalog import Catalog

MAX_FAILED = 200

# A cancelled video is no failure. One that is indexed and has an error could not be indexed again.
_FAILED = """from (select *, cast(error as json) as problem from videos where state in ('failed', 'indexed')
                   and error is not null) failed
             where problem ->> 'code' <> 'CANCELLED'"""
_STAGE = "coalesce(problem -> 'details' ->> 'stage', '')"

_PROCESSING = """
    select stage, count(*) as videos,
        percentile_cont(0.5) within group (order by seconds) as p50_s,
        percentile_cont(0.9) within group (order by seconds) as p90_s,
        percentile_cont(0.99) within group (order by seconds) as p99_s,
        sum(case when duration_s > 0 then seconds end) / nullif(sum(duration_s), 0) as real_time_factor
    from stage_times group by stage
    order by case when stage = 'total' then 0 else 1 end, sum(seconds) desc, stage"""

_DISK = """
    with sources as (
        select user_id, count(*) as videos,
            cast(sum(cast(cast(info as json) ->> 'size_bytes' as bigint)) as bigint) as source_bytes
        from videos group by user_id),
    derived as (
        select v.user_id, cast(sum(g.size_bytes) as bigint) as derived_bytes,
            sum(case when g.size_bytes is null then 1 else 0 end) as unmeasured
        from video_generations g join videos v on v.video_id = g.video_id group by v.user_id),
    made as (
        select user_id, cast(sum(size_bytes) as bigint) as export_bytes from exports where path is not null
        group by user_id)
    select u.user_id, u.name, s.videos, s.source_bytes, d.derived_bytes, d.unmeasured, m.export_bytes
    from users u left join sources s on s.user_id = u.user_id left join derived d on d.user_id = u.user_id
        left join made m on m.user_id = u.user_id"""


def put_stage_times(transaction: Transaction, video: Video, times: Mapping[str, float]) -> None:
    """Keep how many seconds the stages of a video took, in place of what is known of the same stages."""
    duration_s = video.info.duration_s if video.info is not None else None
    finished_us = to_us(utc_now())
    for stage, seconds in times.items():
        row: Row = {"video_id": video.video_id, "stage": stage}
        transaction.run("delete from stage_times where video_id = ? and stage = ?", list(row.values()))
        row |= {"seconds": seconds, "duration_s": duration_s, "finished_us": finished_us}
        transaction.insert("stage_times", row)


class ActivityRecords:
    """Figures of all users.

    Each call is one short transaction, which waits for `timeout_s` (default: as long as any other) and raises
    LibraryBusy.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def states(self, timeout_s: float | None = None) -> tuple[dict[VideoState, int], float]:
        """(videos by state, seconds of the indexed ones)."""
        sql = """select state, count(*) as videos,
                     sum(cast(cast(info as json) ->> 'duration_s' as float8)) as duration_s
                 from videos group by state"""
        with self._catalog.transaction(timeout_s) as transaction:
            found = {row["state"]: row for row in transaction.rows(sql)}
        counts = {state: int(found[state]["videos"]) if state in found else 0 for state in VideoState}
        return counts, float(found.get("indexed", {}).get("duration_s") or 0.0)

    def failures(self, *, limit: int = MAX_FAILED) -> tuple[dict[str, int], list[FailedVideo]]:
        """(failed videos by stage, the last `limit` of them, newest first)."""
        by_stage = f"select {_STAGE} as stage, count(*) as videos {_FAILED} group by 1 order by 2 desc, 1"
        last = f"""select video_id, title, user_id, {_STAGE} as stage, updated_us, error {_FAILED}
                   order by updated_us desc, video_id limit ?"""
        with self._catalog.transaction() as transaction:
            counts = {row["stage"]: int(row["videos"]) for row in transaction.rows(by_stage)}
            rows = transaction.rows(last, [limit])
        return counts, [_failed(row) for row in rows]

    def processing(self) -> list[ProcessingTimes]:
        """How long stages took: "total" first, then the stages that took longest together."""
        with self._catalog.transaction() as transaction:
            rows = transaction.rows(_PROCESSING)
        return [ProcessingTimes(**row) for row in rows]

    def disk(self, timeout_s: float | None = None) -> list[UserDisk]:
        """What the files of each user take, the largest first; users without any are left out."""
        with self._catalog.transaction(timeout_s) as transaction:
            rows = transaction.rows(_DISK)
        found = [
            UserDisk(
                user_id=row["user_id"],
                name=row["name"] or row["user_id"],
                videos=int(row["videos"] or 0),
                source_bytes=int(row["source_bytes"] or 0),
                derived_bytes=int(row["derived_bytes"] or 0),
                export_bytes=int(row["export_bytes"] or 0),
                unmeasured_videos=int(row["unmeasured"] or 0),
            )
            for row in rows
        ]
        return sorted((one for one in found if one.total_bytes or one.videos), key=lambda one: -one.total_bytes)


def _failed(row: Row) -> FailedVideo:
    return FailedVideo(
        video_id=row["video_id"],
        title=row["title"] or "",
        user_id=row["user_id"],
        stage=row["stage"],
        failed_at=from_us(row["updated_us"]) or utc_now(),
        error=json.loads(row["error"]),
    )
