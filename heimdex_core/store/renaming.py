"""Another title for a video: in the catalog, in what readers see, and in the lexical indexes.

A crash between catalog and indexes leaves a video that searches find by the words of its old title, until it is renamed
again, or the indexes are rebuilt.
"""

from __future__ import annotations

from heimdex_core.store import indexing, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.locks import FileLock
from heimdex_core.types import Video

WAIT_S = 5.0
"""How long the indexes are awaited: somebody has pressed Enter and waits."""


def rename(context: StoreContext, user_id: str, video_id: str, title: str) -> Video:
    """Give a video another title. Raises VideoNotFound, NotAllowed, LibraryBusy, DiskFull."""
    index = context.index_lock
    # unlike the lock of the context it is not awaited for as long as its holder works
    with FileLock(index.path, rank=index.rank, what=index.what, timeout_s=WAIT_S).hold():
        with context.catalog.transaction() as transaction:
            video = videos.get(transaction, video_id, user_id, "write")
            if video.title == title:
                return video
            video = videos.change(transaction, video_id, {"title": title})
            if video.generation is not None:
                transaction.mark_visible_changed()
        indexing.write_title_again(context, video_id)
    return video
