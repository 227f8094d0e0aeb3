"""Which scenes a channel has nothing of: scenes without speech, for the channels of what is said.

The fusion does not punish them for it where another channel is certain (fusion/base.py, `without_missing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

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
    certain: set[str] = set()
    for name, result in results.items():
        if result.closeness is not None and sides.get(name) not in OF_SPEECH:
            is_close = result.scenes.values >= result.closeness.close_at
            certain.update(compress(result.scenes.positions, is_close.tolist()))
    silent = _silent(view, user_id, list(certain)) if certain else frozenset()
    return {name: _completed(result, silent, sides.get(name, "")) for name, result in results.items()}


def _silent(view: View, user_id: str, scene_ids: Sequence[str]) -> frozenset[str]:
    """Those of the scenes that have no speech."""
    table = view.scene_table(user_id)
    if not len(table):
        return frozenset()
    rows = table.rows_of(scene_ids)
    is_silent = (rows >= 0) & ~table.has_speech[rows]
    return frozenset(compress(scene_ids, is_silent.tolist()))


def _completed(result: ChannelResult, silent: frozenset[str], side: str) -> ScoredScenes:
    scenes = result.scenes
    if silent and side in OF_SPEECH:
        return replace(scenes, missing=silent - scenes.scores.keys())
    if result.closeness is None or result.closeness.words:
        return scenes
    return replace(scenes, close_at=result.closeness.close_at, strong_at=result.closeness.strong_at)
