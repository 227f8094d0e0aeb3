"""The videos table. Every function works inside one catalog transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from heimdex_core.errors import Cancelled, InvalidTransition, InvalidValue, NotAllowed, VideoNotFound
from heimdex_core.store import named_people, sets, shares
from heimdex_core.store.transaction import Row, Transaction, behind, from_us, to_us
from heimdex_core.store.users import ensure_user
from heimdex_core.types import TRANSITIONS, Json, MediaInfo, Video, VideoState, to_json, utc_now

Need = Literal["read", "write", "owner"]
"""What somebody wants to do with a video: look at it, change it, or what only its owner may."""

UNFINISHED = (VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING)
"""The states of videos that are being worked on or wait for it."""


def register(
    transaction: Transaction,
    user_id: str,
    sha256: str,
    *,
    title: str,
    filename: str,
    description: str,
    language: str,
    notes: Sequence[str],
    video_id: str | None = None,
) -> tuple[Video, bool]:
    """The user's video of these bytes, whatever its state; if there is none, insert one in state uploading.

    Returns (the video, whether it was inserted). Raises InvalidValue for a malformed sha256 or user_id.
    """
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise InvalidValue(name="sha256", value=sha256[:80], reason="64 lower-case hexadecimal digits are needed")
    ensure_user(transaction, user_id)
    existing = find_by_content(transaction, user_id, sha256)
    if existing is not None:
        return existing, False
    now = to_us(utc_now())
    row: Row = {
        "video_id": video_id or str(uuid.uuid4()),
        "user_id": user_id,
        "sha256": sha256,
        "title": title,
        "filename": filename,
        "description": description,
        "state": str(VideoState.UPLOADING),
        "created_us": now,
        "updated_us": now,
        "scene_count": 0,
        "transcript_rough": False,
        "language": language,
        "notes": json.dumps(list(notes)),
        "has_preview": False,
    }
    transaction.insert("videos", row)
    return get(transaction, row["video_id"]), True


def restore_record(transaction: Transaction, video: Video) -> None:
    """Insert the record of a video whose folder is there already, in whatever state."""
    ensure_user(transaction, video.user_id)
    values = {name: getattr(video, name) for name in Video.__dataclass_fields__}
    created_at, updated_at = values.pop("created_at"), values.pop("updated_at")
    row: Row = {**_encode(values), "created_us": to_us(created_at), "updated_us": to_us(updated_at)}
    row["state"] = str(video.state)
    if video.state == VideoState.DELETED:
        row["state_before"] = str(VideoState.INDEXED if video.generation is not None else VideoState.FAILED)
    transaction.insert("videos", row)


def find(transaction: Transaction, video_id: str) -> Video | None:
    """One video of any user; None if there is none."""
    rows = transaction.rows("select * from videos where video_id = ?", [video_id])
    return _video(rows[0]) if rows else None


def find_by_content(transaction: Transaction, user_id: str, sha256: str) -> Video | None:
    """The user's video of these bytes; None if there is none."""
    rows = transaction.rows("select * from videos where user_id = ? and sha256 = ?", [user_id, sha256])
    return _video(rows[0]) if rows else None


def get(transaction: Transaction, video_id: str, user_id: str | None = None, needed: Need = "owner") -> Video:
    """One video; of any user if `user_id` is None.

    Raises VideoNotFound for a video that the user does not see, NotAllowed for one that is shared with them for less
    than `needed`.
    """
    rows = transaction.rows("select * from videos where video_id = ?", [video_id])
    if not rows:
        raise VideoNotFound(video_id=video_id)
    if user_id is not None and rows[0]["user_id"] != user_id:
        shared = rows[0]["state"] != VideoState.DELETED
        access = shares.access(transaction, user_id, video_id) if shared else None
        if access is None:
            raise VideoNotFound(video_id=video_id)
        if needed == "owner" or (needed == "write" and access == "read"):
            raise NotAllowed(needed="the ownership of the video" if needed == "owner" else "write access to the video")
    return _video(rows[0])


def of_user(
    transaction: Transaction,
    user_id: str,
    *,
    include_deleted: bool,
    limit: int | None,
    offset: int,
    shared: bool = False,
    state: VideoState | None = None,
    after: tuple[datetime, str] | None = None,
) -> list[Video]:
    """A user's videos, newest first; the order is total, so pages do not overlap.

    With `shared` also those that others share with them, without deleted ones. With `after` those that come behind the
    one with that created_at and video_id.
    """
    others = f"or (video_id in {shares.SHARED_WITH} and state <> 'deleted')" if shared else ""
    is_behind, place = behind(after, "video_id")
    in_state = "state = ?" if state is not None else "true"
    rows = transaction.rows(
        f"""select * from videos where ((user_id = ? and (? or state <> 'deleted')) {others})
           and {in_state} and {is_behind}
           order by created_us desc, video_id limit ? offset ?""",  # noqa: S608 - our own conditions
        [
            *(user_id, include_deleted),
            *([user_id] * 2 if shared else ()),
            *([str(state)] if state is not None else ()),
            *place,
            *(2**62 if limit is None else limit, offset),
        ],
    )
    return [_video(row) for row in rows]


def set_state(transaction: Transaction, video_id: str, state: VideoState, changes: Json) -> Video:
    """Change a video's state, and columns with it. Raises VideoNotFound, InvalidTransition.

    The error is removed, unless the new state is failed or deleted or `changes` has one.
    """
    video = get(transaction, video_id)
    check_transition(video.state, state)
    row: Row = {"state": str(state), "updated_us": to_us(utc_now()), **_encode(changes)}
    if state == VideoState.DELETED and video.state != VideoState.DELETED:
        row["state_before"] = str(video.state)
    if state not in (VideoState.FAILED, VideoState.DELETED) and "error" not in changes:
        row["error"] = None
    if video.state in (VideoState.FAILED, VideoState.INDEXED) and state in UNFINISHED:
        # New work: the job before it can no longer say how it ended.
        row.setdefault("job_id", None)
    transaction.update("videos", row, {"video_id": video_id})
    # The states of work in progress are not kept: who reads video.json could not go on with it.
    if set(changes) - {"job_id"} or VideoState.DELETED in (state, video.state) or state not in UNFINISHED:
        transaction.changed_videos.add(video_id)
    if VideoState.DELETED in (state, video.state) and state != video.state:
        transaction.shares_changed = True
    if video.generation is not None and VideoState.DELETED in (state, video.state) and state != video.state:
        transaction.mark_visible_changed()
    return get(transaction, video_id)


def begin_work(transaction: Transaction, video_id: str) -> Video:
    """A stage of a video begins: one that is not being worked on becomes so, unless the work was cancelled.

    Who cancels and who begins may come at the same time, so it is decided here, in one transaction: only a new attempt,
    which changes the state first, revives a video that was cancelled. Raises Cancelled, VideoNotFound.
    """
    video = get(transaction, video_id)
    if video.state not in (VideoState.UPLOADING, VideoState.FAILED, VideoState.INDEXED):
        return video
    if video.error is not None and video.error.get("code") == Cancelled.code:
        raise Cancelled()
    wanted = VideoState.PROCESSING if video.state == VideoState.INDEXED else VideoState.VALIDATING
    return set_state(transaction, video_id, wanted, {"job_id": video.job_id})


def end_work(transaction: Transaction, user_id: str, video_id: str, error: Json) -> bool:
    """End unfinished work on a user's video with an error dict; False if there was none.

    A video that was never indexed becomes failed. One with a generation becomes indexed again and keeps the error of
    the attempt to index it again. Any other video stays as it is. Raises VideoNotFound.
    """
    video = get(transaction, video_id, user_id, "write")
    if video.state not in UNFINISHED:
        return False
    if video.generation is None:
        set_state(transaction, video_id, VideoState.FAILED, {"error": error})
        return True
    if video.state == VideoState.UPLOADING:
        set_state(transaction, video_id, VideoState.VALIDATING, {})
    set_state(transaction, video_id, VideoState.PROCESSING, {})
    set_state(transaction, video_id, VideoState.INDEXED, {"error": error})
    return True


def end_validation(transaction: Transaction, video_id: str, info: MediaInfo) -> Video:
    """A video that is being validated is processed from now on; any other one stays as it is. Raises VideoNotFound."""
    video = get(transaction, video_id)
    if video.state != VideoState.VALIDATING:
        return video
    return set_state(transaction, video_id, VideoState.PROCESSING, {"info": info})


def replace_job(transaction: Transaction, video_id: str, old: str | None, new: str) -> bool:
    """Name another job of an unfinished video; False if it is finished, gone, or names another job than `old`."""
    video = find(transaction, video_id)
    if video is None or video.state not in UNFINISHED or video.job_id not in (old, new):
        return False
    change(transaction, video_id, {"job_id": new})
    return True


def unfinished_jobs(transaction: Transaction) -> list[Row]:
    """user_id, video_id and job_id of the videos whose job has not ended, oldest first."""
    return transaction.rows(
        """select user_id, video_id, job_id from videos
           where state in ('uploading', 'validating', 'processing') and job_id is not null order by created_us"""
    )


def change(transaction: Transaction, video_id: str, changes: Json) -> Video:
    """Change columns of a video, but not its state. Raises VideoNotFound."""
    get(transaction, video_id)
    transaction.update("videos", {**_encode(changes), "updated_us": to_us(utc_now())}, {"video_id": video_id})
    if set(changes) - {"job_id"}:
        transaction.changed_videos.add(video_id)
    return get(transaction, video_id)


def assign(transaction: Transaction, video: Video, user_id: str) -> bool:
    """Make a video another user's; False if that one has a video of these bytes, or it is theirs already.

    A job that works on it ends, since it looks for a video of the old owner; the video is queued again.
    """
    if find_by_content(transaction, user_id, video.sha256) is not None:
        return False
    ensure_user(transaction, user_id)
    change(transaction, video.video_id, {"user_id": user_id, "job_id": None})
    shares.forget_videos(transaction, [video.video_id])
    if video.generation is not None:
        transaction.mark_visible_changed()
    return True


def check_transition(state: VideoState, wanted: VideoState) -> None:
    """Raise InvalidTransition unless a video may go from `state` to `wanted`; staying is allowed."""
    if wanted != state and wanted not in TRANSITIONS[state]:
        raise InvalidTransition(state=str(state), wanted=str(wanted))


def restore(transaction: Transaction, user_id: str, video_id: str) -> Video:
    """Undo a deletion; a video that is not deleted stays as it is.

    With a generation in the active set it is indexed. Without one it waits for work (validating) if it was indexed
    or being worked on when it was deleted, and is failed if its upload was not complete. Raises VideoNotFound.
    """
    video = get(transaction, video_id, user_id)
    if video.state != VideoState.DELETED:
        return video
    row = transaction.rows("select state_before from videos where video_id = ?", [video_id])[0]
    before = VideoState(row["state_before"] or VideoState.FAILED)
    if video.generation is not None:
        wanted = VideoState.INDEXED
    elif before in (VideoState.VALIDATING, VideoState.PROCESSING, VideoState.INDEXED):
        wanted = VideoState.VALIDATING
    else:
        wanted = VideoState.FAILED
    return set_state(transaction, video_id, wanted, {"error": video.error})


def commit_generation(transaction: Transaction, video_id: str, n: int, changes: Json) -> Video:
    """Record generation `n` as the visible one. A deleted video stays deleted and is indexed when it is restored."""
    video = get(transaction, video_id)
    wanted = VideoState.DELETED if video.state == VideoState.DELETED else VideoState.INDEXED
    check_transition(video.state, wanted)
    row: Row = {"state": str(wanted), "generation": n, "error": None, "updated_us": to_us(utc_now())}
    transaction.update("videos", {**row, **_encode(changes)}, {"video_id": video_id})
    transaction.changed_videos.add(video_id)
    transaction.mark_visible_changed()
    return get(transaction, video_id)


def forget_generation(transaction: Transaction, video_id: str) -> None:
    """First step of a purge: the video is deleted, has no generation in any set, and is not visible."""
    video = get(transaction, video_id)
    transaction.update("videos", {"state": "deleted", "generation": None}, {"video_id": video_id})
    sets.forget(transaction, video_id)
    if video.generation is not None:
        transaction.mark_visible_changed()


def remove(transaction: Transaction, video_id: str) -> None:
    """Remove the row of a video; nothing happens if there is none."""
    transaction.run("delete from videos where video_id = ?", [video_id])
    transaction.run("delete from stage_times where video_id = ?", [video_id])
    named_people.forget_faces(transaction, video_id)
    shares.forget_videos(transaction, [video_id])
    transaction.changed_files.add(f"videos/{video_id}/")


def abandoned(transaction: Transaction, unchanged_for_s: float) -> list[Video]:
    """Deleted videos and those that failed or are uploading and were never indexed, unchanged for that long."""
    rows = transaction.rows(
        """select * from videos where updated_us < ?
           and (state = 'deleted' or (generation is null and state in ('uploading', 'failed')))
           order by updated_us, video_id""",
        [_us_before(unchanged_for_s)],
    )
    return [_video(row) for row in rows]


def unfinished(transaction: Transaction, unchanged_for_s: float) -> list[tuple[str, str]]:
    """(user_id, video_id) of videos that are being validated or processed, unchanged for that long; oldest first."""
    rows = transaction.rows(
        """select user_id, video_id from videos where state in ('validating', 'processing') and updated_us < ?
           order by created_us""",
        [_us_before(unchanged_for_s)],
    )
    return [(row["user_id"], row["video_id"]) for row in rows]


def count_unfinished(transaction: Transaction) -> int:
    """How many videos are being validated or processed, or wait for it."""
    rows = transaction.rows("select count(*) as n from videos where state in ('validating', 'processing')")
    return int(rows[0]["n"])


def count_never_indexed(transaction: Transaction, user_id: str) -> int:
    """How many of a user's videos have no generation and are being worked on, or wait for it."""
    rows = transaction.rows(
        """select count(*) as n from videos where user_id = ? and generation is null
           and state in ('uploading', 'validating', 'processing')""",
        [user_id],
    )
    return int(rows[0]["n"])


def with_generation(transaction: Transaction) -> list[Video]:
    """Every video with a generation in the active set, also deleted ones (they may be restored), newest first."""
    rows = transaction.rows("select * from videos where generation is not null order by created_us desc, video_id")
    return [_video(row) for row in rows]


def every(transaction: Transaction) -> list[Video]:
    """All videos of all users in any state, newest first."""
    return [_video(row) for row in transaction.rows("select * from videos order by created_us desc, video_id")]


def titles(transaction: Transaction, video_ids: Collection[str] | None = None) -> dict[str, str]:
    """The titles of these videos by video_id; None means all."""
    sql, chosen = "select video_id, title from videos", list(video_ids or ())
    if video_ids is not None:
        sql += f" where video_id in ({', '.join('?' for _ in chosen) or 'null'})"
    return {row["video_id"]: row["title"] for row in transaction.rows(sql, chosen)}


def show_set(transaction: Transaction, generations: Sequence[sets.SetGeneration]) -> None:
    """Make these the visible generations, with their facts; other videos have none."""
    transaction.run("update videos set generation = null")
    for row in generations:
        facts = _encode(dict(row.facts))
        transaction.update("videos", {"generation": row.generation, **facts}, {"video_id": row.video_id})
        transaction.changed_videos.add(row.video_id)


def busy_ids(transaction: Transaction) -> set[str]:
    """Ids of videos and exports that are being worked on, or wait for it."""
    rows = transaction.rows(
        """select video_id as id from videos where state in ('uploading', 'validating', 'processing')
           union all select export_id from exports where state in ('pending', 'processing')"""
    )
    return {row["id"] for row in rows}


def _us_before(seconds: float) -> int | None:
    """So many seconds ago, as the catalog stores it."""
    return to_us(utc_now() - timedelta(seconds=seconds))


def _encode(changes: Json) -> Row:
    row: Row = dict(changes)
    for name in ("info", "error", "params"):
        if row.get(name) is not None:
            # Postgres cannot read JSON with null characters; nothing that is kept here means them.
            row[name] = json.dumps(to_json(row[name]), ensure_ascii=False).replace("\\u0000", "\\ufffd")
    if "notes" in row:
        row["notes"] = json.dumps(list(row["notes"]))
    return row


def _video(row: Row) -> Video:
    values: dict[str, Any] = dict(row)
    del values["state_before"]
    values["state"] = VideoState(row["state"])
    values["created_at"] = from_us(values.pop("created_us"))
    values["updated_at"] = from_us(values.pop("updated_us"))
    values["info"] = MediaInfo.from_json(json.loads(row["info"])) if row["info"] else None
    values["error"] = json.loads(row["error"]) if row["error"] else None
    values["params"] = json.loads(row["params"]) if row["params"] else {}
    values["notes"] = tuple(json.loads(row["notes"] or "[]"))
    return Video(**values)
