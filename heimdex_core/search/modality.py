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
    certain = {
        scene_id
        for name, result in results.items()
        if result.closeness is not None and sides.get(name) not in OF_SPEECH
        for scene_id, score in result.scenes.hits
        if result.closeness.strength(score) != "weak"
    }
    table = view.scene_table(user_id)
    rows = table.rows_of(sorted(certain))
    is_spoken = np.append(table.has_speech, True)[rows]  # a scene that is not in the table has the row -1
    silent = frozenset(one for one, spoken in zip(sorted(certain), is_spoken, strict=True) if not spoken)
    return {name: _completed(result, silent, sides.get(name, "")) for name, result in results.items()}


def _completed(result: ChannelResult, silent: frozenset[str], side: str) -> ScoredScenes:
    scenes = result.scenes
    if silent and side in OF_SPEECH:
        return replace(scenes, missing=silent - scenes.scores.keys())
    if result.closeness is None or result.closeness.words:
        return scenes
    return replace(scenes, close_at=result.closeness.close_at, strong_at=result.closeness.strong_at)
