"""The channels over each model set: created when a search first needs them, kept while the set is in use.

They keep nothing about users: a request says whose scenes are searched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from cachetools import LRUCache

from heimdex_core.errors import UnknownModelSet, ViewOutdated
from heimdex_core.search.channels import spec_of
from heimdex_core.search.channels.base import Channel
from heimdex_core.search.channels.encoders import QueryEncoder, QueryModels, SharedEncoder
from heimdex_core.search.plan import Slot
from heimdex_core.types import Space

KEPT_SETS = 2
"""Model sets whose models and channels stay in memory: the active one, and the one before a switch or after it."""


class ChannelSet:
    """The channels over the spaces of one model set. Channels of the same model share one encoder."""

    def __init__(self, models: Callable[[], QueryModels]) -> None:
        """`models` is called when a model has to be loaded; it raises UnknownModelSet for a dropped set."""
        self._models = models
        self._lock = threading.Lock()
        self._channels: dict[Slot, Channel] = {}
        self._encoders: dict[str, SharedEncoder] = {}

    def channel(self, slot: Slot) -> Channel:
        """The channel for a slot of a search's plan. No model is loaded."""
        with self._lock:
            if slot not in self._channels:
                self._channels[slot] = self._make(slot)
            return self._channels[slot]

    def _make(self, slot: Slot) -> Channel:
        spec = spec_of(slot.kind)
        spaces = [slot.space, slot.second] if slot.second is not None else [slot.space]
        parts = [(space, None if space is None else self._encoder(space, spec.warm_up_text)) for space in spaces]
        return spec.make(slot.name, *(value for part in parts for value in part))

    def _encoder(self, space: Space, warm_up_text: str) -> SharedEncoder:
        """The encoder of a space's model; captions are encoded by the text model of the same name."""
        name = f"{space.kind}/{space.name.partition('/')[2]}"
        if name not in self._encoders:

            def load() -> QueryEncoder:
                try:
                    models = self._models()
                except UnknownModelSet as error:
                    raise ViewOutdated(what=f"the model of {space.name}") from error
                encoder = models.encoder(name)
                # The vectors were computed by the revision that the library names: a query encoded by another
                # revision of the model on this machine must not be compared with them.
                space.check(replace(encoder.space, name=space.name))
                return encoder

            self._encoders[name] = SharedEncoder(load, warm_up_text)
        return self._encoders[name]


class ChannelSets:
    """The channels of a library's model sets, for all of its searchers: what they load serves every user.

    Safe to share between threads.
    """

    def __init__(self, models_of: Callable[[int], QueryModels]) -> None:
        """`models_of` gives the models of a set by its id; they load at their first use."""
        self._models_of = models_of
        self._lock = threading.Lock()
        self._made: LRUCache[int, ChannelSet] = LRUCache(KEPT_SETS)

    def of(self, set_id: int) -> ChannelSet:
        """The channels of a set. Nothing is loaded."""
        with self._lock:
            if set_id not in self._made:
                self._made[set_id] = ChannelSet(lambda: self._models_of(set_id))
            return self._made[set_id]
