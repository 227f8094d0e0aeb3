"""How many found scenes each choice of a filter has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from heimdex_core.store.scene_set import SceneTable

FACETS = ("video_ids", "languages", "has_speech", "tags")
"""The filters whose choices are counted, by their names in Filters."""


def count_choices(table: SceneTable, scene_ids: Iterable[str], facet: str) -> dict[str, int]:
    """The scenes by choice, most first and then by name.

    Args:
        table: the scenes of the user.
        scene_ids: those that were found.
        facet: one of FACETS.
    """
    known = (row for row in map(table.positions.get, scene_ids) if row is not None)
    rows = np.fromiter(known, dtype=np.int64)
    counts: Counter[str] = Counter()
    if facet == "video_ids":
        counts.update(table.videos[table.video_numbers[row]].video_id for row in rows)
    elif facet == "has_speech":
        counts.update("true" if table.has_speech[row] else "false" for row in rows)
    elif facet == "languages":
        counts.update(code for code in table.languages.take(pa.array(rows)).to_pylist() if code)
    else:
        counts.update(tag for tags in table.tags.take(pa.array(rows)).to_pylist() for tag in set(tags or ()))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
