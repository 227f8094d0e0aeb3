"""One search from the query to the page of hits: check the query, run the channels, fuse, look up the scenes.

A search uses one view of the library and the models of that view's set throughout, so a switch to other models during
a search never mixes results of the two.
"""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from cachetools import LRUCache

from heimdex_core.errors import HeimdexError, InvalidQuery, InvalidValue, SearchFailed, ViewOutdated
from heimdex_core.search.channels import spec_of
from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelResult
from heimdex_core.search.channels.channel_set import ChannelSet
from heimdex_core.search.channels.encoders import QueryModels
from heimdex_core.search.fusion import fusion_method
from heimdex_core.search.hits import channel_states, matched_terms, page_of_hits
from heimdex_core.search.html import NotebookResult
from heimdex_core.search.plan import Plan, Slot, plan_of
from heimdex_core.search.runner import ChannelRunner, Timed
from heimdex_core.settings import Settings, default_weights
from heimdex_core.types import Json, Query, SearchResult, utc_now

if TYPE_CHECKING:
    from heimdex_core.store.reader import Reader
    from heimdex_core.store.view import View

log = logging.getLogger(__name__)

BROKEN = ("failed", "timeout")
"""Reasons for which a channel has no result although it should have one."""

_ATTEMPTS = 20
"""How often a search is started again because the library changed between taking the view and opening its files."""
_CACHED_SETS = 2
"""Model sets whose channels are kept: the active one, and the one before a switch or after it."""


class Searcher:
    """Searches one library and caches the channels' scores of recent queries. Safe to share between threads."""

    def __init__(
        self,
        reader: Reader,
        models_of: Callable[[int], QueryModels],
        settings: Settings,
        *,
        log: Callable[[Json], None] | None = None,
    ) -> None:
        """Nothing is opened or loaded before the first search.

        Args:
            reader: gives the current view of the library.
            models_of: gives the models of a set by its id; they load at their first use.
            settings: limits, the default weights and the default fusion.
            log: called with one JSON object per search; None for no log.
        """
        self._reader = reader
        self._models_of = models_of
        self._settings = settings
        self._log = log
        self._runner = ChannelRunner(timeout_s=settings.channel_timeout_s)
        self._lock = threading.Lock()
        """Protects the two caches."""
        self._cache: LRUCache[Hashable, ChannelResult] = LRUCache(settings.search_cache_size)
        self._sets: LRUCache[int, ChannelSet] = LRUCache(_CACHED_SETS)

    def search(self, query: Query, *, user_id: str) -> SearchResult:
        """One page of the scenes that match `query`, best first.

        Where no channel finds anything the result is empty and its `channels` have the reasons.

        Raises InvalidQuery, InvalidWeights, UnknownName, InvalidValue; SearchFailed where every channel with a weight
        above 0 failed or timed out.
        """
        started = time.perf_counter()
        text = self._checked_text(query)
        for attempts_left in reversed(range(_ATTEMPTS)):
            view = self._reader.view()
            try:
                result = self._search_in(view, query, text, user_id, started)
                break
            except ViewOutdated:
                if not attempts_left:
                    raise
        self._write_log(result, user_id)
        return result

    def warm(self, user_id: str) -> None:
        """Load what a first search needs, in this thread. What cannot be loaded is logged, and raises where it is used.

        A second text model is loaded if a scene needs it.
        """
        try:
            view = self._reader.view()
            count = max(len(view.scene_ids(user_id)), 1)  # also for a library that is still empty
            channels = self._channels_of(view, plan_of(view.spaces))
            view.hold([space for slot in channels for space in slot.spaces], words=True)
        except HeimdexError as error:
            log.warning("nothing was loaded in advance: %s", error)
            return
        for slot, channel in channels.items():
            text = spec_of(slot.kind).warm_up_text
            try:
                channel.prepare(ChannelRequest(view, text, user_id, None, 1, count))
            except HeimdexError as error:
                log.warning("the model of channel %s was not loaded: %s", slot.name, error)

    def _search_in(self, view: View, query: Query, text: str, user_id: str, started: float) -> SearchResult:
        plan = plan_of(view.spaces, query.spaces)
        weights = plan.weights(query.weights if query.weights is not None else default_weights(self._settings))
        method = fusion_method(query.fusion or self._settings.fusion, rrf_k=self._settings.rrf_k)
        videos = None if query.video_ids is None else tuple(sorted(set(query.video_ids)))
        count = len(view.scene_ids(user_id, videos))
        request = ChannelRequest(view, text, user_id, videos, self._settings.channel_depth, count)
        results, timing_ms = self._run_channels(request, plan, weights)
        _refuse_if_all_broken(results, weights)

        fusing = time.perf_counter()
        offered = {name: found.scenes for name, found in results.items()}
        shared = plan.within_sides(weights, [name for name, scenes in offered.items() if scenes.hits])
        fused = method.fuse(offered, shared)
        timing_ms["fuse"] = _since(fusing)
        hits, thumbnails = page_of_hits(view, query, fused, results, user_id)
        timing_ms["total"] = _since(started)

        return NotebookResult(
            query=query,
            fusion=method.name,
            weights=weights,
            hits=hits,
            total=len(fused.ranking),
            channels=channel_states(plan, results, weights, fused),
            timing_ms=timing_ms,
            cached=timing_ms.keys().isdisjoint(plan.names),
            set_id=view.set_id,
            spaces=plan.requested,
            terms=matched_terms(results),
            thumbnails=thumbnails,
            total_videos=len({item.scene_id.rsplit("_", 2)[0] for item in fused.ranking}),
        )

    # --- running the channels ---------------------------------------------------------------------

    def _checked_text(self, query: Query) -> str:
        """The query's text in NFC with single spaces."""
        text = " ".join(unicodedata.normalize("NFC", query.text).split())
        limit = self._settings.max_query_chars
        if not 1 <= len(text) <= limit:
            raise InvalidQuery(length=len(text), minimum=1, maximum=limit)
        if query.limit < 1:
            raise InvalidValue(name="limit", value=query.limit, reason="it must be at least 1")
        if query.offset < 0:
            raise InvalidValue(name="offset", value=query.offset, reason="it must not be negative")
        return text

    def _run_channels(
        self, request: ChannelRequest, plan: Plan, weights: Mapping[str, float]
    ) -> tuple[dict[str, ChannelResult], dict[str, float]]:
        """({channel: what it found}, milliseconds by channel that was run, "encode" and "load")."""
        view = request.view
        # Everything that a result depends on. Weights and fusion are not part of it: changing them is cheap.
        searched = (request.user_id, request.text, request.video_ids, request.depth, view.token)
        keys = {slot: (slot.kind, slot.spaces, *searched) for slot in plan.slots}
        with self._lock:
            known = {slot.name: found for slot, key in keys.items() if (found := self._cache.get(key)) is not None}
        channels = self._channels_of(view, plan)
        wanted = {
            slot: channel
            for slot, channel in channels.items()
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
        with self._lock:
            self._cache.update({keys[slot]: ran[slot.name].result for slot in wanted if ran[slot.name].cacheable})
        results = known | {name: timed.result for name, timed in ran.items()}
        timing_ms = {name: timed.seconds * 1000 for name, timed in ran.items()}
        # Channels run in parallel, so the slowest encoder determines the waiting time.
        timing_ms["encode"] = max((timed.result.encode_ms for timed in ran.values()), default=0.0)
        timing_ms["load"] = loading_s * 1000
        return {name: results.get(name, ChannelResult()) for name in plan.names}, timing_ms

    def _channels_of(self, view: View, plan: Plan) -> dict[Slot, Channel]:
        """The plan's channels, with the models of the view's set."""
        set_id = view.set_id
        with self._lock:
            channels = self._sets.get(set_id)
            if channels is None:
                channels = self._sets[set_id] = ChannelSet(lambda: self._models_of(set_id))
        return {slot: channels.channel(slot) for slot in plan.slots}

    def _write_log(self, result: SearchResult, user_id: str) -> None:
        """Append the search to the query log. A log that cannot be written does not make the search fail."""
        if self._log is None:
            return
        row: Json = {
            "at": utc_now().isoformat(),
            "user_id": user_id,
            "text": result.query.text,
            "weights": dict(result.weights),
            "fusion": result.fusion,
            "set_id": result.set_id,
            "spaces": list(result.spaces),
            "video_ids": list(result.query.video_ids) if result.query.video_ids is not None else None,
            "offset": result.query.offset,
            "limit": result.query.limit,
            "total": result.total,
            "cached": result.cached,
            "timing_ms": {name: round(value, 3) for name, value in result.timing_ms.items()},
            "active": [name for name, state in result.channels.items() if state.active],
            "abstaining": {name: state.reason for name, state in result.channels.items() if not state.active},
        }
        try:
            self._log(row)
        except (OSError, HeimdexError) as error:
            log.warning("the query log could not be written: %s", error)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _refuse_if_all_broken(results: Mapping[str, ChannelResult], weights: Mapping[str, float]) -> None:
    weighted = {name: found for name, found in results.items() if weights.get(name, 0.0) > 0}
    if weighted and all(found.reason in BROKEN for found in weighted.values()):
        reasons = "; ".join(f"{name}: {found.reason} ({found.detail})" for name, found in weighted.items())
        raise SearchFailed(reasons=reasons)
