"""How work that ended early shows on its video.

A video that is still being worked on fails with the error; one that is indexed already stays so, and only
says what went wrong with making it anew. Deleted meanwhile, or at its end, it stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heimdex_core.errors import HeimdexError, VideoNotFound
from heimdex_core.store import videos
from heimdex_core.types import VideoState

if TYPE_CHECKING:
    from heimdex_core.store import Store

WORKING = (VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING)


def settle_video(store: Store, user_id: str, video_id: str, error: HeimdexError) -> bool:
    """End an unfinished video with `error`; false if there was nothing to end."""
    told = {"error": error.to_dict()}
    try:
        # One transaction: a video deleted between looking and writing would come back.
        with store.catalog.transaction() as transaction:
            video = videos.get(transaction, video_id, user_id)
            if video.state not in WORKING:
                return False
            if video.generation is None:
                videos.set_state(transaction, video_id, VideoState.FAILED, told)
                return True
            if video.state == VideoState.UPLOADING:
                videos.set_state(transaction, video_id, VideoState.VALIDATING, {})
            videos.set_state(transaction, video_id, VideoState.PROCESSING, {})
            videos.set_state(transaction, video_id, VideoState.INDEXED, told)
    except VideoNotFound:
        return False
    return True
