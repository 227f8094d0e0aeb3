"""What a store does with collections and shares: each method is one transaction."""

from __future__ import annotations

from collections.abc import Iterable

from heimdex_core.errors import InvalidValue, ShareNotFound, VideoNotFound
from heimdex_core.store import accounts, shares, videos
from heimdex_core.store.catalog import Catalog
from heimdex_core.types import Access, Collection, Share, ShareKind


class ShareRecords:
    """Part of a store. Safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def make_collection(self, user_id: str, title: str) -> Collection:
        """A new, empty collection."""
        with self._catalog.transaction() as transaction:
            return shares.make_collection(transaction, user_id, title)

    def rename_collection(self, user_id: str, collection_id: str, title: str) -> Collection:
        """Give a collection another title. Raises CollectionNotFound, NotAllowed."""
        with self._catalog.transaction() as transaction:
            shares.collection(transaction, user_id, collection_id)
            transaction.update("collections", {"title": title}, {"collection_id": collection_id})
            return shares.collection(transaction, user_id, collection_id)

    def delete_collection(self, user_id: str, collection_id: str) -> None:
        """Remove a collection and its shares. Raises CollectionNotFound, NotAllowed."""
        with self._catalog.transaction() as transaction:
            shares.collection(transaction, user_id, collection_id)
            shares.delete_collection(transaction, collection_id)

    def put(self, user_id: str, collection_id: str, video_ids: Iterable[str]) -> Collection:
        """Put the owner's videos into a collection. Raises CollectionNotFound, VideoNotFound, NotAllowed."""
        ids = list(video_ids)
        with self._catalog.transaction() as transaction:
            found = shares.collection(transaction, user_id, collection_id)
            for video_id in ids:
                videos.get(transaction, video_id, user_id)
            shares.put(transaction, found, ids)
            return shares.collection(transaction, user_id, collection_id)

    def take_out(self, user_id: str, collection_id: str, video_ids: Iterable[str]) -> Collection:
        """Take videos out of a collection. Raises CollectionNotFound, NotAllowed; VideoNotFound if it has not one."""
        ids = list(video_ids)
        with self._catalog.transaction() as transaction:
            found = shares.collection(transaction, user_id, collection_id)
            for video_id in ids:
                if video_id not in found.video_ids:
                    raise VideoNotFound(video_id=video_id[:80])
            shares.take_out(transaction, collection_id, ids)
            return shares.collection(transaction, user_id, collection_id)

    def share(self, user_id: str, kind: ShareKind, target_id: str, user: str, access: Access) -> Share:
        """Let a user (id or e-mail) read or change what is the owner's.

        Raises VideoNotFound, CollectionNotFound, NotAllowed, UserNotFound, InvalidValue for oneself.
        """
        with self._catalog.transaction() as transaction:
            shares.require_owner(transaction, user_id, kind, target_id)
            found = Share(kind, target_id, accounts.get(transaction, user).user_id, access)
            if found.user_id == user_id:
                raise InvalidValue(name="user", value=user[:80], reason="it is your own already")
            shares.put_share(transaction, found)
            return found

    def unshare(self, user_id: str, kind: ShareKind, target_id: str, user: str) -> None:
        """Share no longer with a user. Raises VideoNotFound, CollectionNotFound, NotAllowed, UserNotFound."""
        with self._catalog.transaction() as transaction:
            other = accounts.get(transaction, user).user_id
            shares.require_owner(transaction, user_id, kind, target_id)
            shares.remove_share(transaction, kind, target_id, other)

    def give_back(self, user_id: str, kind: ShareKind, target_id: str) -> None:
        """Remove what another user shares with this one. Raises ShareNotFound."""
        with self._catalog.transaction() as transaction:
            sql = "select 1 from shares where kind = ? and target_id = ? and user_id = ?"
            if not transaction.rows(sql, [kind, target_id, user_id]):
                raise ShareNotFound(kind=kind, target_id=target_id[:80])
            shares.remove_share(transaction, kind, target_id, user_id)

    def given(self, user_id: str) -> list[Share]:
        """What a user shares with others, the oldest first."""
        with self._catalog.transaction() as transaction:
            return shares.given_by(transaction, user_id)

    def of_target(self, user_id: str, kind: ShareKind, target_id: str) -> list[Share]:
        """With whom the owner shares one thing. Raises VideoNotFound, CollectionNotFound, NotAllowed."""
        with self._catalog.transaction() as transaction:
            shares.require_owner(transaction, user_id, kind, target_id)
            given = shares.given_by(transaction, user_id)
        return [share for share in given if (share.kind, share.target_id) == (kind, target_id)]
