"""The channels over one set of models: made when a search first needs them, kept while the set is in use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from heimdex_core.errors import UnknownName, ViewOutdated
from heimdex_core.search.channels import spec_of
from heimdex_core.search.channels.base import Channel
from heimdex_core.search.channels.encoders import QueryEncoder, SharedEncoder
from heimdex_core.search.plan import Slot
from heimdex_core.types import Space

if TYPE_CHECKING:
    from heimdex_core.models.registry import Models


class ChannelSet:
    """Channels share what can be shared: each space is one, and each model is asked a query once."""

    def __init__(self, models: Callable[[], Models]) -> None:
        """`models` is asked when a model is to be loaded; UnknownName there means that the set has been dropped."""
        self._models = models
        self._lock = threading.Lock()
        self._channels: dict[Slot, Channel] = {}
        self._encoders: dict[str, SharedEncoder] = {}

    def channel(self, slot: Slot) -> Channel:
        """The channel of a search's plan; nothing is loaded."""
        with self._lock:
            if slot not in self._channels:
                self._channels[slot] = self._make(slot)
            return self._channels[slot]

    def _make(self, slot: Slot) -> Channel:
        spec = spec_of(slot.kind)
        encoder = self._encoder(slot.space, spec.warm_up_text) if slot.space is not None else None
        return spec.make(slot.name, slot.space, encoder)

    def _encoder(self, space: Space, warm_up_text: str) -> SharedEncoder:
        """By the model: descriptions are read by the one that reads what is said."""
        name = f"{space.kind}/{space.name.partition('/')[2]}"
        if name not in self._encoders:

            def load() -> QueryEncoder:
                try:
                    models = self._models()
                except UnknownName as error:
                    if error.details.get("kind") != "set of models":
                        raise
                    raise ViewOutdated(what=f"the model of {space.name}") from error
                encoder = models.encoder(name)
                # Whoever made the vectors made them with the model that is named in the library; another
                # revision of it on this machine is refused in words.
                space.check(replace(encoder.space, name=space.name))
                return encoder

            self._encoders[name] = SharedEncoder(load, warm_up_text)
        return self._encoders[name]
