"""How many found scenes each choice of a filter has."""

from __future__ import annotations

from collections import Counter

import numpy as np

from heimdex_core.store.scene_columns import Numbers
from heimdex_core.store.scene_set import SceneTable

FACETS = ("video_ids", "languages", "has_speech", "tags")
"""The filters whose choices are counted, by their names in Filters."""


def count_choices(table: SceneTable, rows: Numbers, facet: str) -> dict[str, int]:
    """The scenes by choice, most first and then by name.

    Args:
        table: the scenes of the user.
        rows: of the scenes that were found, each once.
        facet: one of FACETS.
    """
    counts: Counter[str] = Counter()
    if facet == "video_ids":
        numbers, found = np.unique(table.video_numbers[rows], return_counts=True)
        counts.update({table.videos[number].video_id: int(n) for number, n in zip(numbers, found, strict=True)})
    elif facet == "has_speech":
        spoken = int(table.has_speech[rows].sum())
        counts.update({name: n for name, n in (("true", spoken), ("false", len(rows) - spoken)) if n})
    else:
        counts = table.count_languages(rows) if facet == "languages" else table.count_tags(rows)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
