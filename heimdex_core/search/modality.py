"""Which scenes a channel has nothing of: scenes without speech, for the channels of what is said.

The fusion does not punish them for it where another channel is certain (fusion/base.py, `without_missing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.search.channels.base import ChannelResult
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.hits import SceneRows, rows_in, taken
from heimdex_core.store.ordering import distinct

if TYPE_CHECKING:
    from heimdex_core.store.view import View

OF_SPEECH = frozenset({"said", "words"})
"""The sides of channels that a scene without speech has nothing for, unless its title, tags or description match."""


def with_missing(
    view: View, user_id: str, results: Mapping[str, ChannelResult], sides: Mapping[str, str]
) -> dict[str, ScoredScenes]:
    """What the channels found, for the fusion: with the scenes that they have nothing of, and with their limits.

    Args:
        view: the view that was searched.
        user_id: whose scenes.
        results: what each channel found, by its name in the search.
        sides: the side of each channel (ChannelSpec.side).
    """
    table = view.scene_table(user_id)
    certain = [np.zeros(0, dtype=np.int64)]
    for name, result in results.items():
        if result.closeness is not None and sides.get(name) not in OF_SPEECH:
            is_close = result.scenes.values >= result.closeness.close_at
            certain.append(rows_in(table, taken(result.scenes.scene_ids, np.flatnonzero(is_close))))
    rows = distinct(np.concatenate(certain))
    rows = rows[rows >= 0]
    silent = SceneRows(table, rows[~table.has_speech[rows]])
    return {name: _completed(result, silent, sides.get(name, "")) for name, result in results.items()}


def _completed(result: ChannelResult, silent: SceneRows, side: str) -> ScoredScenes:
    scenes = result.scenes
    if len(silent) and side in OF_SPEECH:
        return replace(scenes, missing=silent.take(np.flatnonzero(scenes.positions(silent) < 0)))
    if result.closeness is None or result.closeness.words:
        return scenes
    return replace(scenes, close_at=result.closeness.close_at, strong_at=result.closeness.strong_at)
