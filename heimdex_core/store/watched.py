"""Watched folders, and what became of their files, in the catalog."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import check_user
from heimdex_core.store.transaction import Row, Transaction, from_us, to_us
from heimdex_core.store.users import ensure_user
from heimdex_core.types import WatchedFile, WatchedFolder, WatchOutcome, utc_now


class WatchedRecords:
    """The watched folders of one library. Safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def add(self, user_id: str, path: str, mount_point: str) -> WatchedFolder:
        """The user's watched folder of that path; it is inserted if there is none."""
        check_user(user_id)
        with self._catalog.transaction() as transaction:
            ensure_user(transaction, user_id)
            rows = transaction.rows("select * from watched_folders where user_id = ? and path = ?", [user_id, path])
            if rows:
                return _folder(rows[0])
            folder = WatchedFolder(str(uuid.uuid4()), user_id, path, mount_point, utc_now())
            transaction.insert(
                "watched_folders",
                {
                    "folder_id": folder.folder_id,
                    "user_id": user_id,
                    "path": path,
                    "mount_point": mount_point,
                    "created_us": to_us(folder.created_at),
                    "revision": 0,
                },
            )
            return folder

    def folders(self, user_id: str | None = None) -> list[WatchedFolder]:
        """A user's watched folders, or those of all users, in the order in which they were added."""
        with self._catalog.transaction() as transaction:
            rows = transaction.rows(
                "select * from watched_folders where ? is null or user_id = ? order by created_us, folder_id",
                [user_id, user_id],
            )
        return [_folder(row) for row in rows]

    def remove(self, folder_id: str) -> None:
        """Forget a folder and its files; the videos stay. Nothing happens if it is unknown."""
        with self._catalog.transaction() as transaction:
            transaction.run("delete from watched_folders where folder_id = ?", [folder_id])
            transaction.run("delete from watched_files where folder_id = ?", [folder_id])

    # --- files ------------------------------------------------------------------------------------

    def files(self, folder_id: str) -> list[WatchedFile]:
        """What became of the folder's files."""
        with self._catalog.transaction() as transaction:
            rows = transaction.rows("select * from watched_files where folder_id = ?", [folder_id])
        return [_file(row) for row in rows]

    def note(self, folder_id: str, file: WatchedFile) -> bool:
        """Record what became of a file; False if the folder is not watched any more."""
        with self._catalog.transaction() as transaction:
            if not transaction.rows("select 1 from watched_folders where folder_id = ?", [folder_id]):
                return False
            transaction.run("delete from watched_files where folder_id = ? and path = ?", [folder_id, file.path])
            transaction.insert("watched_files", {"folder_id": folder_id, **_encode(file)})
        return True

    def forget_files(self, folder_id: str, paths: Sequence[str]) -> None:
        """Remove the records of files."""
        with self._catalog.transaction() as transaction:
            transaction.run(
                "delete from watched_files where folder_id = ? and path = any(?::varchar[])",
                [folder_id, list(paths)],
            )

    def forget_refused(self, folder_id: str) -> int:
        """Have the refused files tried again; how many there were."""
        with self._catalog.transaction() as transaction:
            where = "where folder_id = ? and outcome = 'refused'"
            found = transaction.rows(f"select count(*) as n from watched_files {where}", [folder_id])  # noqa: S608
            transaction.run(f"delete from watched_files {where}", [folder_id])  # noqa: S608
            transaction.run("update watched_folders set revision = revision + 1 where folder_id = ?", [folder_id])
        return int(found[0]["n"])

    def summary(self, folder_id: str, limit: int) -> tuple[dict[WatchOutcome, int], list[WatchedFile]]:
        """(the number of files by outcome, the last `limit` refused ones)."""
        with self._catalog.transaction() as transaction:
            return _counts(transaction, folder_id), _refused(transaction, folder_id, limit)


def _counts(transaction: Transaction, folder_id: str) -> dict[WatchOutcome, int]:
    rows = transaction.rows(
        "select outcome, count(*) as n from watched_files where folder_id = ? group by outcome order by outcome",
        [folder_id],
    )
    return {row["outcome"]: int(row["n"]) for row in rows}


def _refused(transaction: Transaction, folder_id: str, limit: int) -> list[WatchedFile]:
    rows = transaction.rows(
        """select * from watched_files where folder_id = ? and outcome = 'refused'
           order by noted_us desc, path limit ?""",
        [folder_id, limit],
    )
    return [_file(row) for row in rows]


def _folder(row: Row) -> WatchedFolder:
    values: dict[str, Any] = dict(row)
    values["created_at"] = from_us(values.pop("created_us"))
    return WatchedFolder(**values)


def _encode(file: WatchedFile) -> Row:
    return {
        "path": file.path,
        "size_bytes": file.size_bytes,
        "mtime_ns": file.mtime_ns,
        "ctime_ns": file.ctime_ns,
        "subtitles": file.subtitles,
        "outcome": file.outcome,
        "noted_us": to_us(file.noted_at),
        "video_id": file.video_id,
        "error": json.dumps(file.error, ensure_ascii=False) if file.error else None,
    }


def _file(row: Row) -> WatchedFile:
    values: dict[str, Any] = dict(row)
    del values["folder_id"]
    values["noted_at"] = from_us(values.pop("noted_us"))
    values["error"] = json.loads(row["error"]) if row["error"] else None
    return WatchedFile(**values)
