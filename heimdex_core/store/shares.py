"""What users share: the tables shares, collections and collection_videos, and the file that readers have of them.

    shares.json     collections and shares, rewritten after each commit that changes them

A search reads it when it has changed, and never waits for a writer. A library in which nothing is shared and nobody has
a collection has no such file. A collection has only videos of its owner, and only an owner shares, so a share never
hands on what somebody else has shared.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from heimdex_core.errors import CollectionNotFound, NotAllowed, VideoNotFound
from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.transaction import Row, Transaction, to_us
from heimdex_core.types import Access, Collection, Json, Share, ShareKind, utc_now

SHARED_WITH = """(
    select target_id from shares where kind = 'video' and user_id = ?
    union select m.video_id from collection_videos m join shares s on s.target_id = m.collection_id
        where s.kind = 'collection' and s.user_id = ?)"""
"""The ids of the videos that others share with a user, who is the value of both placeholders."""


@dataclass(frozen=True)
class Sharing:
    """One moment of shares.json. Deleted videos are in none of it."""

    collections: Mapping[str, Collection] = field(default_factory=dict)
    """By collection_id."""
    shares: tuple[Share, ...] = ()
    _videos: dict[str, dict[str, Access]] = field(default_factory=dict, compare=False)

    def videos_of(self, user_id: str) -> Mapping[str, Access]:
        """What others share with a user, as videos or in collections: what is allowed by video_id."""
        found = self._videos.get(user_id)
        if found is None:
            found = {}
            for share in self.with_user(user_id):
                collection = self.collections.get(share.target_id)
                ids = [share.target_id] if share.kind == "video" else collection.video_ids if collection else ()
                found |= {video_id: share.access for video_id in ids if found.get(video_id) != "write"}
            self._videos[user_id] = found
        return found

    def with_user(self, user_id: str) -> list[Share]:
        """What others share with a user."""
        return [share for share in self.shares if share.user_id == user_id]

    def collections_of(self, user_id: str) -> list[Collection]:
        """The user's collections and those that others share with them, by title."""
        shared = {share.target_id for share in self.with_user(user_id) if share.kind == "collection"}
        found = [one for one in self.collections.values() if one.owner_id == user_id or one.collection_id in shared]
        return sorted(found, key=lambda one: (one.title.casefold(), one.collection_id))

    def collections_named(self, user_id: str, names: Several[str]) -> list[Collection]:
        """Those of `collections_of` with one of these ids or, in any case, titles."""
        wanted = {name.casefold() for name in names}
        mine = self.collections_of(user_id)
        return [one for one in mine if one.collection_id in wanted or one.title.casefold() in wanted]

    def is_about(self, user_id: str) -> bool:
        """Whether the user has a collection, or anybody shares something with them."""
        return bool(self.videos_of(user_id) or self.collections_of(user_id))


NOTHING_SHARED = Sharing()


# --- access ---------------------------------------------------------------------------------------


def access(transaction: Transaction, user_id: str, video_id: str) -> Access | None:
    """What a user may do with a video that others share with them; None for nothing."""
    rows = transaction.rows(
        """select access from shares where user_id = ? and kind = 'video' and target_id = ?
           union select s.access from shares s join collection_videos m on m.collection_id = s.target_id
               where s.user_id = ? and s.kind = 'collection' and m.video_id = ?""",
        [user_id, video_id, user_id, video_id],
    )
    found = {row["access"] for row in rows}
    return "write" if "write" in found else "read" if found else None


# --- collections ----------------------------------------------------------------------------------


def collection(transaction: Transaction, user_id: str, collection_id: str) -> Collection:
    """A collection, to be changed by its owner.

    Raises CollectionNotFound, or NotAllowed where it is shared with the user.
    """
    rows = transaction.rows("select * from collections where collection_id = ?", [collection_id])
    if not rows or rows[0]["owner_id"] != user_id:
        shared = "select 1 from shares where kind = 'collection' and target_id = ? and user_id = ?"
        if rows and transaction.rows(shared, [collection_id, user_id]):
            raise NotAllowed(needed="the ownership of the collection")
        raise CollectionNotFound(collection_id=collection_id[:80])
    videos = transaction.rows(
        "select video_id from collection_videos where collection_id = ? order by number", [collection_id]
    )
    return Collection(collection_id, user_id, rows[0]["title"], tuple(row["video_id"] for row in videos))


def make_collection(transaction: Transaction, user_id: str, title: str) -> Collection:
    """A new, empty collection."""
    row: Row = {
        "collection_id": str(uuid.uuid4()),
        "owner_id": user_id,
        "title": title,
        "created_us": to_us(utc_now()),
    }
    transaction.insert("collections", row)
    return Collection(row["collection_id"], user_id, title, ())


def delete_collection(transaction: Transaction, collection_id: str) -> None:
    """Remove a collection and its shares; its videos stay."""
    transaction.run("delete from collections where collection_id = ?", [collection_id])
    transaction.run("delete from collection_videos where collection_id = ?", [collection_id])
    transaction.run("delete from shares where kind = 'collection' and target_id = ?", [collection_id])


def put(transaction: Transaction, found: Collection, video_ids: Iterable[str]) -> None:
    """Put videos into a collection, of which all must be its owner's."""
    numbers = "select coalesce(max(number), 0) as last from collection_videos where collection_id = ?"
    number = int(transaction.rows(numbers, [found.collection_id])[0]["last"])
    for video_id in dict.fromkeys(video_ids):
        if video_id in found.video_ids:
            continue
        number += 1
        row: Row = {"collection_id": found.collection_id, "video_id": video_id, "number": number}
        transaction.insert("collection_videos", row)


def take_out(transaction: Transaction, collection_id: str, video_ids: Iterable[str]) -> None:
    """Take videos out of a collection; others are passed over."""
    for video_id in video_ids:
        sql = "delete from collection_videos where collection_id = ? and video_id = ?"
        transaction.run(sql, [collection_id, video_id])


# --- shares ---------------------------------------------------------------------------------------


def require_owner(transaction: Transaction, user_id: str, kind: ShareKind, target_id: str) -> None:
    """Raise VideoNotFound or CollectionNotFound, or NotAllowed where it is shared with the user."""
    if kind == "collection":
        collection(transaction, user_id, target_id)
        return
    rows = transaction.rows("select user_id, state from videos where video_id = ?", [target_id])
    if rows and rows[0]["user_id"] == user_id:
        return
    if rows and rows[0]["state"] != "deleted" and access(transaction, user_id, target_id) is not None:
        raise NotAllowed(needed="the ownership of the video")
    raise VideoNotFound(video_id=target_id[:80])


def put_share(transaction: Transaction, share: Share) -> None:
    """Share, or change what is allowed."""
    remove_share(transaction, share.kind, share.target_id, share.user_id)
    row: Row = {"kind": share.kind, "target_id": share.target_id, "user_id": share.user_id, "access": share.access}
    transaction.insert("shares", {**row, "created_us": to_us(utc_now())})


def remove_share(transaction: Transaction, kind: ShareKind, target_id: str, user_id: str) -> None:
    """Share no longer; nothing happens where nothing was shared."""
    sql = "delete from shares where kind = ? and target_id = ? and user_id = ?"
    transaction.run(sql, [kind, target_id, user_id])


def given_by(transaction: Transaction, user_id: str) -> list[Share]:
    """What a user shares with others, the oldest first."""
    rows = transaction.rows(
        """select s.* from shares s where (s.kind = 'video' and s.target_id in (
               select video_id from videos where user_id = ?))
           or (s.kind = 'collection' and s.target_id in (select collection_id from collections where owner_id = ?))
           order by s.created_us, s.target_id, s.user_id""",
        [user_id, user_id],
    )
    return [_share(row) for row in rows]


def forget_videos(transaction: Transaction, video_ids: Sequence[str]) -> None:
    """The videos are gone, or another user's: they are in no collection and not shared."""
    for video_id in video_ids:
        transaction.run("delete from collection_videos where video_id = ?", [video_id])
        transaction.run("delete from shares where kind = 'video' and target_id = ?", [video_id])


def forget_user(transaction: Transaction, user_id: str) -> None:
    """The user is gone: what they share and what is shared with them."""
    for row in transaction.rows("select collection_id from collections where owner_id = ?", [user_id]):
        delete_collection(transaction, row["collection_id"])
    own = "select video_id from videos where user_id = ?"
    transaction.run(f"delete from shares where kind = 'video' and target_id in ({own})", [user_id])  # noqa: S608
    transaction.run("delete from shares where user_id = ?", [user_id])


def _share(row: Row) -> Share:
    return Share(row["kind"], row["target_id"], row["user_id"], row["access"])


# --- the published file ---------------------------------------------------------------------------


def collect(transaction: Transaction, paths: LibraryPaths) -> Json | None:
    """What shares.json shall contain; None where no file is needed."""
    collections = transaction.rows(
        "select collection_id, owner_id, title from collections order by created_us, collection_id"
    )
    members = transaction.rows(
        """select m.collection_id, m.video_id from collection_videos m join videos v on v.video_id = m.video_id
           where v.state <> 'deleted' order by m.collection_id, m.number"""
    )
    rows = transaction.rows(
        """select kind, target_id, user_id, access from shares
           where kind = 'collection' or target_id in (select video_id from videos where state <> 'deleted')
           order by created_us, kind, target_id, user_id"""
    )
    if not (collections or rows or paths.shares.exists()):
        return None
    videos: dict[str, list[str]] = {}
    for member in members:
        videos.setdefault(member["collection_id"], []).append(member["video_id"])
    return {
        "collections": [{**row, "video_ids": videos.get(row["collection_id"], [])} for row in collections],
        "shares": rows,
    }


def write(paths: LibraryPaths, content: Json) -> None:
    """Publish what `collect` has found, unless the file says so already. The caller holds the catalog's lock."""
    if read_json_object(paths.shares) != content:
        write_json(paths.shares, content)


def is_outdated(transaction: Transaction, paths: LibraryPaths) -> bool:
    """Whether the published file differs from the catalog, as after a crash."""
    return collect(transaction, paths) != read_json_object(paths.shares)


def read(paths: LibraryPaths) -> Sharing:
    """What is published, read without a lock. What cannot be read shares nothing."""
    found = read_json_object(paths.shares)
    if found is None:
        return NOTHING_SHARED
    collections = [
        Collection(row["collection_id"], row["owner_id"], row["title"], tuple(row["video_ids"]))
        for row in found.get("collections", ())
    ]
    shares = tuple(_share(row) for row in found.get("shares", ()))
    return Sharing({one.collection_id: one for one in collections}, shares)
