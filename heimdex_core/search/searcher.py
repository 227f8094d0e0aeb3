"""A query's way: check it, ask the channels (or the cache), fuse, and look up the page of hits.

Everything is asked of one view of the library and of the models of that view's set, so that a search that
falls together with a switch to other models has all of its parts from before it or all from after.
"""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache

from heimdex_core.errors import HeimdexError, InvalidQuery, InvalidValue, SearchFailed, ViewOutdated
from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelResult
from heimdex_core.search.channels.channel_set import ChannelSet
from heimdex_core.search.fusion import fusion_method
from heimdex_core.search.hits import channel_states, matched_terms, page_of_hits
from heimdex_core.search.html import NotebookResult
from heimdex_core.search.plan import Plan, Slot, plan_of
from heimdex_core.search.runner import ChannelRunner, Timed
from heimdex_core.settings import Settings, default_weights
from heimdex_core.types import Json, Query, SearchResult, utc_now

if TYPE_CHECKING:
    from heimdex_core.models.registry import Models
    from heimdex_core.store.reader import Reader
    from heimdex_core.store.view import View

log = logging.getLogger(__name__)

BROKEN = ("failed", "timeout")


_ATTEMPTS = 20
"""How often a search begins again because the library changed in the moment between looking and opening."""
_SETS_KEPT = 2
"""Sets of models whose channels are kept: the one in use, and the one that may come or come back."""


@dataclass(frozen=True, slots=True)
class _CacheKey:
    """Everything that a channel's result depends on: other weights or another fusion cost no model call.

    `token` is the view's: it changes with what is visible and with the model set. `looks_at` is the channel's kind
    and space, whatever it is called in a search.
    """

    looks_at: Hashable
    user_id: str
    text: str
    video_ids: tuple[str, ...] | None
    token: str
    depth: int


@dataclass
class _ChannelResults:
    """What the channels found for one query, and what it took."""

    by_channel: dict[str, ChannelResult]
    timing_ms: dict[str, float]
    cached: bool


@dataclass(frozen=True)
class _Asked:
    """A query that has been checked."""

    query: Query
    text: str
    user_id: str
    video_ids: tuple[str, ...] | None


class Searcher:
    """Searches one library. Thread-safe; keeps the raw scores of recent queries."""

    def __init__(
        self,
        reader: Reader,
        models_of: Callable[[int], Models],
        settings: Settings,
        *,
        log: Callable[[Json], None] | None = None,
    ) -> None:
        """`models_of` gives the models of a set by its number; they load when they are first asked."""
        self._reader = reader
        self._models_of = models_of
        self._settings = settings
        self._log = log
        self._runner = ChannelRunner(timeout_s=settings.channel_timeout_s)
        self._lock = threading.Lock()
        """Guards the two caches."""
        self._cache: LRUCache[_CacheKey, ChannelResult] = LRUCache(settings.search_cache_size)
        self._sets: LRUCache[int, ChannelSet] = LRUCache(_SETS_KEPT)

    def search(self, query: Query, *, user_id: str) -> SearchResult:
        """One page of the scenes that answer `query`, best first.

        A query to which no channel has anything to say gives an empty result with the reasons.
        Raises InvalidQuery, InvalidWeights, UnknownName, InvalidValue, SearchFailed.
        """
        started = time.perf_counter()
        videos = None if query.video_ids is None else tuple(sorted(set(query.video_ids)))
        asked = _Asked(query, self._checked(query), user_id, videos)
        for left in reversed(range(_ATTEMPTS)):
            view = self._reader.view()
            try:
                result = self._search_in(view, asked, started)
                break
            except ViewOutdated:
                if not left:
                    raise
        self._note(result, user_id)
        return result

    def _search_in(self, view: View, asked: _Asked, started: float) -> SearchResult:
        query = asked.query
        plan = plan_of(view.spaces, query.spaces)
        weights = plan.weights(query.weights if query.weights is not None else default_weights(self._settings))
        method = fusion_method(query.fusion or self._settings.fusion, rrf_k=self._settings.rrf_k)
        results = self._ask(view, plan, asked, weights)
        _refuse_if_all_broken(results.by_channel, weights)

        fusing = time.perf_counter()
        offered = {name: found.scenes for name, found in results.by_channel.items()}
        shared = plan.within_sides(weights, [name for name, scenes in offered.items() if scenes.hits])
        fused = method.fuse(offered, shared)
        results.timing_ms["fuse"] = _since(fusing)
        terms = matched_terms(results.by_channel)
        hits, thumbnails = page_of_hits(view, query, fused, results.by_channel, asked.user_id)
        results.timing_ms["total"] = _since(started)

        return NotebookResult(
            query=query,
            fusion=method.name,
            weights=weights,
            hits=hits,
            total=len(fused.ranking),
            channels=channel_states(plan, results.by_channel, weights, fused),
            timing_ms=results.timing_ms,
            cached=results.cached,
            set_id=view.set_id,
            spaces=plan.asked,
            terms=terms,
            thumbnails=thumbnails,
        )

    def close(self) -> None:
        """Let the threads go."""
        self._runner.close()

    # --- asking the channels ----------------------------------------------------------------------

    def _checked(self, query: Query) -> str:
        """The query's text in one spelling: NFC, single spaces."""
        text = " ".join(unicodedata.normalize("NFC", query.text).split())
        limit = self._settings.max_query_chars
        if not 1 <= len(text) <= limit:
            raise InvalidQuery(length=len(text), minimum=1, maximum=limit)
        if query.limit < 1:
            raise InvalidValue(name="limit", value=query.limit, reason="at least 1 hit is needed")
        if query.offset < 0:
            raise InvalidValue(name="offset", value=query.offset, reason="it cannot be negative")
        return text

    def _ask(self, view: View, plan: Plan, asked: _Asked, weights: Mapping[str, float]) -> _ChannelResults:
        user_id, videos = asked.user_id, asked.video_ids
        count = len(view.scene_ids(user_id, videos))
        request = ChannelRequest(view, asked.text, user_id, videos, self._settings.channel_depth, count)
        keys = {slot: self._key(slot, request) for slot in plan.slots}
        with self._lock:
            known = {slot.name: found for slot, key in keys.items() if (found := self._cache.get(key)) is not None}
        channels = self._channels_of(view, plan)
        wanted = {
            slot: channel
            for slot, channel in channels.items()
            # Channels of weight 0 are asked too, for the scores shown and for the next move of a slider.
            # Except where that would load a model that nobody asked for.
            if slot.name not in known and (weights[slot.name] > 0 or channel.is_ready)
        }
        ran: dict[str, Timed] = {}
        loading_s = 0.0
        if wanted:
            # Before models are loaded, which may take long: the library may move on meanwhile.
            view.hold([slot.space for slot in wanted if slot.space], words=any(not slot.space for slot in wanted))
            ran, loading_s = self._runner.run(request, wanted.values())
        with self._lock:
            self._cache.update({keys[slot]: ran[slot.name].result for slot in wanted if ran[slot.name].lasting})
        results = known | {name: timed.result for name, timed in ran.items()}
        timing = {name: timed.seconds * 1000 for name, timed in ran.items()}
        # Channels run side by side, so the slowest encoder is what the person waited for.
        timing["encode"] = max((timed.result.encode_ms for timed in ran.values()), default=0.0)
        timing["load"] = loading_s * 1000
        return _ChannelResults(
            {name: results.get(name, ChannelResult()) for name in plan.names}, timing, cached=not wanted
        )

    def _channels_of(self, view: View, plan: Plan) -> dict[Slot, Channel]:
        """The plan's channels over the models of the view's set."""
        set_id = view.set_id
        with self._lock:
            channels = self._sets.get(set_id)
            if channels is None:
                channels = self._sets[set_id] = ChannelSet(lambda: self._models_of(set_id))
        return {slot: channels.channel(slot) for slot in plan.slots}

    def _key(self, slot: Slot, request: ChannelRequest) -> _CacheKey:
        looks_at = (slot.kind, slot.space)
        return _CacheKey(looks_at, request.user_id, request.text, request.video_ids, request.view.token, request.depth)

    def _note(self, result: SearchResult, user_id: str) -> None:
        """Write the query log; a search does not fail because its log cannot be written."""
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
            log.warning("the query log was not written: %s", error)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _refuse_if_all_broken(results: Mapping[str, ChannelResult], weights: Mapping[str, float]) -> None:
    asked = {name: found for name, found in results.items() if weights.get(name, 0.0) > 0}
    if asked and all(found.reason in BROKEN for found in asked.values()):
        reasons = "; ".join(f"{name}: {found.reason} ({found.detail})" for name, found in asked.items())
        raise SearchFailed(reasons=reasons)
