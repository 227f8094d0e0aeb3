"""The channels' results for a search: those of recent searches are kept, the other channels are run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache

from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelResult
from heimdex_core.search.channels.channel_set import KEPT_SETS, ChannelSet
from heimdex_core.search.per_view import PerView
from heimdex_core.search.plan import Plan, Slot
from heimdex_core.search.runner import ChannelRunner, Timed
from heimdex_core.settings import Settings

if TYPE_CHECKING:
    from heimdex_core.store.view import View

_NOT_RUN = ChannelResult()


@dataclass(frozen=True, slots=True)
class FoundByChannels:
    """What the channels of a plan found."""

    results: dict[str, ChannelResult]
    """By the name of the channel; an empty one for a channel that was not run."""
    timing_ms: dict[str, float]
    """Milliseconds by channel that was run, "encode" and "load"."""


class ChannelResults:
    """Runs the channels of a library's model sets and caches what they found. Safe to share between threads."""

    def __init__(self, channels_of: Callable[[int], ChannelSet], settings: Settings) -> None:
        """Nothing is loaded before it is needed.

        Args:
            channels_of: gives the channels of a model set by its id.
            settings: the time limit of the channels and how many results are kept.
        """
        self._channels_of = channels_of
        self._runner = ChannelRunner(timeout_s=settings.channel_timeout_s)
        self._lock = threading.Lock()
        """Protects `_sets`."""
        self._kept: PerView[ChannelResult] = PerView(settings.search_cache_size)
        self._sets: LRUCache[int, ChannelSet] = LRUCache(KEPT_SETS)
        """Those that were used here last, also when `channels_of` has let go of them."""

    def find(
        self, request: ChannelRequest, plan: Plan, weights: Mapping[str, float], about: Hashable
    ) -> FoundByChannels:
        """Ask the channels of the plan.

        Args:
            request: what is looked for, and where.
            plan: the channels.
            weights: by the name of the channel, 0 to 1.
            about: stands for the scenes, the example and the temperature of the request.

        Raises ViewOutdated.
        """
        view = request.view
        # Everything that a result depends on. Weights and fusion are not part of it: changing them is cheap.
        searched = (request.user_id, request.text, request.lookup, about, request.depth)
        keys = {slot: (slot.kind, slot.spaces, *searched) for slot in plan.slots}
        kept = {slot.name: self._kept.get(view.token, key) for slot, key in keys.items()}
        known = {name: found for name, found in kept.items() if found is not None}
        wanted = {
            slot: channel
            for slot, channel in self.channels(view, plan).items()
            # Channels of weight 0 run too, so that their scores are shown and the next change of a weight is instant,
            # but no model is loaded only for that.
            if slot.name not in known and (weights[slot.name] > 0 or channel.is_ready(request))
        }
        ran: dict[str, Timed] = {}
        loading_s = 0.0
        if wanted:
            # Open the files before models are loaded: that may take long, and the library may change meanwhile.
            view.hold([space for slot in wanted for space in slot.spaces], words=any(not slot.space for slot in wanted))
            ran, loading_s = self._runner.run(request, wanted.values())
        for slot in wanted:
            if ran[slot.name].cacheable:
                self._kept.keep(view.token, keys[slot], ran[slot.name].result)
        results = known | {name: timed.result for name, timed in ran.items()}
        timing_ms = {name: timed.seconds * 1000 for name, timed in ran.items()}
        # Channels run in parallel, so the slowest encoder determines the waiting time.
        timing_ms["encode"] = max((timed.result.encode_ms for timed in ran.values()), default=0.0)
        timing_ms["load"] = loading_s * 1000
        return FoundByChannels({name: results.get(name, _NOT_RUN) for name in plan.names}, timing_ms)

    def channels(self, view: View, plan: Plan) -> dict[Slot, Channel]:
        """The plan's channels, with the models of the view's set. No model is loaded."""
        set_id = view.set_id
        with self._lock:
            channels = self._sets.get(set_id)
            if channels is None:
                channels = self._sets[set_id] = self._channels_of(set_id)
        return {slot: channels.channel(slot) for slot in plan.slots}
