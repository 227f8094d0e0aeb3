"""Changes of several videos in one transaction: opening the catalog costs more than changing a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from heimdex_core.errors import HeimdexError, NotAllowed, VideoNotFound
from heimdex_core.store import accounts, videos
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Video, VideoState


class BulkChanges:
    """All or none of the videos are changed, unless a method says otherwise. Every method raises LibraryBusy."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def get(self, user_id: str, video_ids: Sequence[str], needed: videos.Need = "owner") -> list[Video]:
        """These videos of a user. Raises VideoNotFound, NotAllowed."""
        return self._each(video_ids, lambda transaction, video_id: videos.get(transaction, video_id, user_id, needed))

    def delete(self, user_id: str, video_ids: Sequence[str]) -> list[Video]:
        """Hide videos. Raises VideoNotFound."""

        def delete_one(transaction: Transaction, video_id: str) -> Video:
            videos.get(transaction, video_id, user_id)
            return videos.set_state(transaction, video_id, VideoState.DELETED, {})

        return self._each(video_ids, delete_one)

    def restore(self, user_id: str, video_ids: Sequence[str]) -> list[Video]:
        """Undo a deletion. Raises VideoNotFound."""
        return self._each(video_ids, lambda transaction, video_id: videos.restore(transaction, user_id, video_id))

    def assign(self, from_user: str, to_user: str, video_ids: Sequence[str] | None) -> list[Video]:
        """Make videos of one user another one's, all of them if `video_ids` is None; returns those that have changed.

        They are no longer shared, nor in collections. A video of bytes that the other user has already stays. Raises
        VideoNotFound, UserNotFound.
        """
        with self._catalog.transaction() as transaction:
            owner, heir = (accounts.get(transaction, user).user_id for user in (from_user, to_user))
            if video_ids is None:
                found = videos.of_user(transaction, owner, include_deleted=True, limit=None, offset=0)
            else:
                found = [videos.get(transaction, video_id, owner) for video_id in video_ids]
            changed = [video for video in found if videos.assign(transaction, video, heir)]
            return [videos.get(transaction, video.video_id) for video in changed]

    def end_work(self, user_id: str, video_ids: Sequence[str], error: HeimdexError) -> None:
        """End unfinished work, as videos.end_work does; videos that are not there are passed over."""
        given = error.to_dict()
        with self._catalog.transaction() as transaction:
            for video_id in video_ids:
                with suppress(VideoNotFound, NotAllowed):
                    videos.end_work(transaction, user_id, video_id, given)

    def _each(self, video_ids: Sequence[str], change: Callable[[Transaction, str], Video]) -> list[Video]:
        with self._catalog.transaction() as transaction:
            return [change(transaction, video_id) for video_id in video_ids]
