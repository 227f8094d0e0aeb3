"""/shared-with-me: what other users share with the user, and giving it back."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from heimdex_core.api.access import Reading, Writing
from heimdex_core.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of, tagged
from heimdex_core.schemas import shapes

router = APIRouter(prefix="/shared-with-me", tags=["sharing"])


@router.get("", response_model=Page[shapes.Share])
def list_shared_with_me(
    request: Request, library: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """The videos and collections that other users share with the user."""
    titles: dict[str, str] = {one.collection_id: one.title for one in library.sharing.collections()}
    titles |= {video.video_id: video.title for video in library.searchable_videos()}
    found = sorted(library.sharing.shared_with_me(), key=lambda one: (one.kind, one.target_id))
    items, following = page_of(found, cursor, limit, lambda one: (one.kind, one.target_id))
    shares = [shapes.Share.of(one, titles.get(one.target_id)) for one in items]
    return tagged(request, Page[shapes.Share](items=shares, next_cursor=following))


@router.delete("/videos/{video_id}", status_code=204)
def give_back_video(library: Writing, video_id: str) -> None:
    """Give back a video; only its owner can share it again. One of a shared collection goes with the collection."""
    library.sharing.give_back("video", video_id)


@router.delete("/collections/{collection_id}", status_code=204)
def give_back_collection(library: Writing, collection_id: str) -> None:
    """Give back a collection with the videos in it; only its owner can share it again."""
    library.sharing.give_back("collection", collection_id)
