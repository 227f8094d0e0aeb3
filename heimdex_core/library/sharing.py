"""Sharing videos with other users, one by one or in collections."""

from __future__ import annotations

from heimdex_core.errors import InvalidValue
from heimdex_core.library.arguments import Names, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.store.shares import Sharing as Published
from heimdex_core.types import ACCESSES, SHARE_KINDS, Access, Collection, Share, ShareKind


class Sharing:
    """Part of a Library (`lib.sharing`).

    Who may read a shared video finds it in searches and listings, plays it, and uses its scenes in reels and shorts.
    Who may also write renames it, edits its scenes, transcript and tags, and has it indexed again. Only its owner
    deletes and shares it. What others may not see is not found.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._records = context.store.shares
        self._user_id = context.user_id

    # --- collections ------------------------------------------------------------------------------

    def collections(self) -> list[Collection]:
        """The user's collections and those that others share with them, by title; without deleted videos.

        Never waits for a writer.
        """
        return self._published().collections_of(self._user_id)

    @checked
    def make_collection(self, title: str) -> Collection:
        """Make an empty collection. Raises InvalidValue for a title that is empty or too long."""
        return self._records.make_collection(self._user_id, self._title(title))

    @checked
    def rename_collection(self, collection_id: str, title: str) -> Collection:
        """Give a collection another title. Raises InvalidValue, CollectionNotFound, NotAllowed."""
        return self._records.rename_collection(self._user_id, collection_id, self._title(title))

    @checked
    def delete_collection(self, collection_id: str) -> None:
        """Remove a collection; its videos stay. Raises CollectionNotFound, NotAllowed."""
        self._records.delete_collection(self._user_id, collection_id)

    @checked
    def put(self, collection_id: str, video_ids: Names) -> Collection:
        """Put videos of one's own into a collection of one's own.

        Raises CollectionNotFound, VideoNotFound, NotAllowed.
        """
        return self._records.put(self._user_id, collection_id, video_ids)

    @checked
    def take_out(self, collection_id: str, video_ids: Names) -> Collection:
        """Take videos out of a collection. Raises CollectionNotFound, VideoNotFound, NotAllowed."""
        return self._records.take_out(self._user_id, collection_id, video_ids)

    # --- shares -----------------------------------------------------------------------------------

    @checked
    def share(self, kind: str, target_id: str, user: str, access: str = "read") -> Share:
        """Let another user read or change a video or a collection; replaces what was allowed before.

        Args:
            kind: "video" or "collection".
            target_id: its id.
            user: the id or the verified e-mail address of somebody who has signed in before.
            access: "read" or "write".

        Raises InvalidValue, VideoNotFound, CollectionNotFound, UserNotFound, NotAllowed for what is not one's own.
        """
        if access not in ACCESSES:
            raise InvalidValue(name="access", value=access[:80], reason=f"one of {', '.join(ACCESSES)}")
        return self._records.share(self._user_id, _kind(kind), target_id, user, access)

    @checked
    def unshare(self, kind: str, target_id: str, user: str) -> None:
        """Share no longer with a user, at once.

        Raises InvalidValue, VideoNotFound, CollectionNotFound, UserNotFound, NotAllowed.
        """
        self._records.unshare(self._user_id, _kind(kind), target_id, user)

    @checked
    def give_back(self, kind: str, target_id: str) -> None:
        """Give back what another user shares with oneself, at once; only its owner can share it again.

        A video that is shared as part of a collection is given back with the collection. Raises InvalidValue,
        ShareNotFound.
        """
        self._records.give_back(self._user_id, _kind(kind), target_id)

    @checked
    def shares(self, kind: str | None = None, target_id: str | None = None) -> list[Share]:
        """What the user shares with others: of one video or collection, or everything.

        Raises InvalidValue, VideoNotFound, CollectionNotFound, NotAllowed.
        """
        if kind is None or target_id is None:
            wanted = None if kind is None else _kind(kind)
            return [share for share in self._records.given(self._user_id) if wanted in (None, share.kind)]
        return self._records.of_target(self._user_id, _kind(kind), target_id)

    @checked
    def shared_with_me(self, video_id: str | None = None) -> list[Share]:
        """What others share with the user, without deleted videos.

        Of a video: the shares by which the user sees it, be it of the video or of collections that have it.
        Never waits for a writer.
        """
        published = self._published()
        shares = published.with_user(self._user_id)
        if video_id is None:
            return shares
        having = {one.collection_id for one in published.collections.values() if video_id in one.video_ids}
        return [share for share in shares if share.target_id in {video_id, *having}]

    @checked
    def access_to(self, video_id: str) -> Access | None:
        """What the user may do with a video that somebody shares with them; None for their own, and for nothing.

        Never waits for a writer.
        """
        return self._published().videos_of(self._user_id).get(video_id)

    def user_names(self) -> dict[str, str]:
        """By user_id: the names of those who share something with the user, or whom the user shares it with."""
        published, view = self._context.store.accounts.published(), self._context.store.reader().view()
        found: set[str] = set()
        for share in self._published().shares:
            collection = self._published().collections.get(share.target_id)
            video = view.snapshot.visible.get(share.target_id)
            owner = collection.owner_id if collection else video.user_id if video else None
            if share.user_id == self._user_id and owner is not None:
                found.add(owner)
            elif owner == self._user_id:
                found.add(share.user_id)
        return {user_id: user.name for user_id in sorted(found) if (user := published.users.get(user_id)) is not None}

    # --- helpers ----------------------------------------------------------------------------------

    def _published(self) -> Published:
        return self._context.store.sharing()

    def _title(self, title: str) -> str:
        title, limit = " ".join(title.split()), self._context.settings.max_title_chars
        if not 1 <= len(title) <= limit:
            raise InvalidValue(name="title", value=title[:80], reason=f"1 to {limit} characters are needed")
        return title


def _kind(kind: str) -> ShareKind:
    if kind not in SHARE_KINDS:
        raise InvalidValue(name="kind", value=kind[:80], reason=f"one of {', '.join(SHARE_KINDS)}")
    return kind
