"""How many found scenes each choice of a filter has."""

from __future__ import annotations

from collections import Counter

import numpy as np

from heimdex_core.search.people import PeopleView
from heimdex_core.store.scene_columns import Numbers
from heimdex_core.store.scene_set import SceneTable
from heimdex_core.store.shares import Sharing

FACETS = ("video_ids", "languages", "has_speech", "tags")
"""The filters whose choices are counted, by their names in Filters."""
PEOPLE = "people"
"""The filter whose choices are counted besides where the user has named somebody."""
SHARED_FACETS = ("owner", "collections")
"""Those that are counted besides for users who have collections, or with whom something is shared."""


def facets_of(sharing: Sharing, user_id: str) -> tuple[str, ...]:
    """The facets of a user."""
    return (*FACETS, *SHARED_FACETS) if sharing.is_about(user_id) else FACETS


def count_shared(table: SceneTable, rows: Numbers, facet: str, sharing: Sharing, user_id: str) -> dict[str, int]:
    """As `count_choices`, for one of SHARED_FACETS; collections by their titles."""
    by_video = count_choices(table, rows, "video_ids")
    counts: Counter[str] = Counter()
    if facet == "owner":
        shared = sharing.videos_of(user_id)
        for video_id, count in by_video.items():
            counts["shared" if video_id in shared else "mine"] += count
    else:
        members: dict[str, set[str]] = {}
        for collection in sharing.collections_of(user_id):
            members.setdefault(collection.title, set()).update(collection.video_ids)
        counts.update({title: sum(by_video.get(one, 0) for one in ids) for title, ids in members.items()})
    return {name: count for name, count in counts.most_common() if count}


def count_choices(table: SceneTable, rows: Numbers, facet: str, people: PeopleView | None = None) -> dict[str, int]:
    """The scenes by choice, most first and then by name.

    Args:
        table: the scenes of the user.
        rows: of the scenes that were found, each once.
        facet: one of FACETS, or PEOPLE.
        people: the user's people, for PEOPLE.
    """
    counts: Counter[str] = Counter()
    if facet == "video_ids":
        numbers, found = np.unique(table.video_numbers[rows], return_counts=True)
        counts.update({table.videos[number].video_id: int(n) for number, n in zip(numbers, found, strict=True)})
    elif facet == PEOPLE:
        counts.update(people.count_people(table, rows) if people is not None else {})
    elif facet == "has_speech":
        spoken = int(table.has_speech[rows].sum())
        counts.update({name: n for name, n in (("true", spoken), ("false", len(rows) - spoken)) if n})
    else:
        counts = table.count_languages(rows) if facet == "languages" else table.count_tags(rows)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
