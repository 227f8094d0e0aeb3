"""Which scenes a search is about, found before any channel runs.

Every channel searches exactly the scenes that pass, so filtering is not a matter of what is cut off a list of results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.store.scene_set import Mask, SceneSet, SceneTable
from heimdex_core.types import NO_FILTERS, Filters, VisibleVideo

if TYPE_CHECKING:
    from heimdex_core.search.people import PeopleView
    from heimdex_core.store.view import View


@dataclass(frozen=True)
class Selection:
    """The scenes that are searched."""

    video_ids: tuple[str, ...] | None
    """Their videos, sorted; None for all of the user's."""
    scenes: SceneSet | None
    """The scenes; None for all of those videos."""
    count: int
    """How many scenes they are."""


def select(
    view: View,
    user_id: str,
    filters: Sequence[Filters],
    excluded: Sequence[str] = (),
    people: PeopleView | None = None,
    *,
    without: Sequence[Filters] = (),
) -> Selection:
    """The user's scenes that pass all filters of one list and none of the other, and have none of the excluded words.

    Args:
        view: what is searched.
        user_id: whose scenes.
        filters: a scene has to pass each of them.
        people: the user's people; without them no scene shows a person.
        excluded: words and phrases that must not be in a scene's transcript, its tags or its video's title.
        without: a scene must pass none of them.

    Raises LibraryDamaged where words are excluded, or must be on screen, and the lexical index cannot be read,
    ViewOutdated.
    """
    wanted = [one for one in filters if one]
    video_ids = _videos(view, user_id, wanted)
    if not excluded and not without and not any(_is_about_scenes(one) for one in wanted):
        return Selection(video_ids, None, view.scene_count(user_id, video_ids))
    table = view.scene_table(user_id)
    mask = np.ones(len(table), dtype=bool)
    if video_ids is not None:
        mask &= table.of_videos(video_ids)
    for one in wanted:
        mask &= _passing(view, user_id, table, one, people)
    for one in without:
        passing, of_videos = _passing(view, user_id, table, one, people), _videos(view, user_id, [one])
        mask &= ~(passing if of_videos is None else passing & table.of_videos(of_videos))
    for text in excluded:
        mask &= ~table.of_scenes(view.scenes_with(text, user_id=user_id))
    scenes = SceneSet(table, mask)
    return Selection(video_ids, scenes, len(scenes))


def _is_about_scenes(filters: Filters) -> bool:
    """Whether it divides the scenes of one video."""
    return replace(filters, **{name: getattr(NO_FILTERS, name) for name in _ABOUT_VIDEOS}) != NO_FILTERS


_ABOUT_VIDEOS = ("video_ids", "title", "filename", "added_from", "added_to", "owner", "collections")


def _videos(view: View, user_id: str, filters: Sequence[Filters]) -> tuple[str, ...] | None:
    if not any(getattr(one, name) != getattr(NO_FILTERS, name) for one in filters for name in _ABOUT_VIDEOS):
        return None
    videos = view.visible_videos(user_id)
    for one in filters:
        if one.owner is not None:
            videos = [video for video in videos if (video.user_id == user_id) == (one.owner == "mine")]
        if one.collections:
            named = view.snapshot.sharing.collections_named(user_id, one.collections)
            chosen = {video_id for collection in named for video_id in collection.video_ids}
            videos = [video for video in videos if video.video_id in chosen]
    return tuple(sorted(video.video_id for video in videos if all(_fits(video, one) for one in filters)))


def _fits(video: VisibleVideo, filters: Filters) -> bool:
    day = video.created_at.date() if video.created_at is not None else None
    return (
        (filters.video_ids is None or video.video_id in filters.video_ids)
        and filters.title.casefold() in video.title.casefold()
        and filters.filename.casefold() in video.filename.casefold()
        and (filters.added_from is None or (day is not None and day >= filters.added_from))
        and (filters.added_to is None or (day is not None and day <= filters.added_to))
    )


def _passing(view: View, user_id: str, table: SceneTable, filters: Filters, people: PeopleView | None) -> Mask:
    """(n,) whether each scene passes what is about scenes."""
    mask = np.ones(len(table), dtype=bool)
    if filters.min_s is not None:
        mask &= table.durations_s >= filters.min_s
    if filters.max_s is not None:
        mask &= table.durations_s <= filters.max_s
    if filters.languages:
        mask &= table.in_language(filters.languages)
    if filters.has_speech is not None:
        mask &= table.has_speech == filters.has_speech
    for tag in filters.tags:
        mask &= table.with_tag(tag)
    for name in filters.people:
        person_id = people.person_named(name) if people is not None else None
        mask &= people.with_person(table, person_id) if people is not None and person_id is not None else False
    if filters.on_screen:
        mask &= table.of_scenes(view.scenes_with(filters.on_screen, user_id=user_id, fields=("on_screen_text",)))
    return mask
