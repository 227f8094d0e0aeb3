"""A query's way: check it, ask the channels (or the cache), fuse, and look up the page of hits.

Everything is asked of one view of the library and of the models of that view's set, so that a search that
falls together with a switch to other models has all of its parts from before it or all from after.
"""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import HeimdexError, InvalidQuery, InvalidValue, SearchFailed, ViewOutdated
from heimdex_core.search.cache import AnswerCache, CacheKey
from heimdex_core.search.channels.base import Answer, Ask, Channel
from heimdex_core.search.channels.of_set import SetChannels
from heimdex_core.search.fusion import Fused, FusedScene, fusion_method
from heimdex_core.search.matching import matched_words
from heimdex_core.search.plan import Plan, Slot, plan_of
from heimdex_core.search.results import SearchResult
from heimdex_core.search.runner import ChannelRunner, Timed
from heimdex_core.settings import Settings, default_weights
from heimdex_core.store.analysis import mark
from heimdex_core.types import ChannelScore, ChannelState, Hit, Json, Query, Scene, utc_now

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


@dataclass
class _Answers:
    """What the channels said to one query, and what it took."""

    by_channel: dict[str, Answer]
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
        self._cache = AnswerCache(settings.search_cache_size)
        self._lock = threading.Lock()
        self._sets: dict[int, SetChannels] = {}

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
        answers = self._answers(view, plan, asked, weights)
        _refuse_if_all_broken(answers.by_channel, weights)

        fusing = time.perf_counter()
        offered = {name: answer.scenes for name, answer in answers.by_channel.items()}
        shared = plan.within_sides(weights, [name for name, scenes in offered.items() if scenes.hits])
        fused = method.fuse(offered, shared)
        answers.timing_ms["fuse"] = _since(fusing)
        hits, thumbnails = _page(view, query, fused, answers.by_channel, asked.user_id)
        answers.timing_ms["total"] = _since(started)

        return SearchResult(
            query=query,
            fusion=method.name,
            weights=weights,
            hits=hits,
            total=len(fused.ranking),
            channels=_states(plan, answers.by_channel, weights, fused),
            timing_ms=answers.timing_ms,
            cached=answers.cached,
            set_id=view.set_id,
            spaces=plan.asked,
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

    def _answers(self, view: View, plan: Plan, asked: _Asked, weights: Mapping[str, float]) -> _Answers:
        user_id, videos = asked.user_id, asked.video_ids
        count = len(view.scene_ids(user_id, videos))
        ask = Ask(view, asked.text, user_id, videos, self._settings.channel_depth, count)
        keys = {slot: self._key(slot, ask) for slot in plan.slots}
        known = {slot.name: answer for slot, key in keys.items() if (answer := self._cache.get(key)) is not None}
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
            ran, loading_s = self._runner.run(ask, wanted.values())
        for slot in wanted:
            if ran[slot.name].lasting:
                self._cache.put(keys[slot], ran[slot.name].answer)
        answers = known | {name: timed.answer for name, timed in ran.items()}
        timing = {name: timed.seconds * 1000 for name, timed in ran.items()}
        # Channels run side by side, so the slowest encoder is what the person waited for.
        timing["encode"] = max((timed.answer.encode_ms for timed in ran.values()), default=0.0)
        timing["load"] = loading_s * 1000
        return _Answers({name: answers.get(name, Answer()) for name in plan.names}, timing, cached=not wanted)

    def _channels_of(self, view: View, plan: Plan) -> dict[Slot, Channel]:
        """The plan's channels over the models of the view's set."""
        set_id = view.set_id
        with self._lock:
            of_set = self._sets.pop(set_id, None) or SetChannels(lambda: self._models_of(set_id))
            self._sets[set_id] = of_set  # the latest is the last
            for longest_ago in list(self._sets)[:-_SETS_KEPT]:
                del self._sets[longest_ago]
        return {slot: of_set.channel(slot) for slot in plan.slots}

    def _key(self, slot: Slot, ask: Ask) -> CacheKey:
        looks_at = (slot.kind, slot.space)
        return CacheKey(looks_at, ask.user_id, ask.text, ask.video_ids, ask.view.token, ask.depth)

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


def _refuse_if_all_broken(answers: Mapping[str, Answer], weights: Mapping[str, float]) -> None:
    asked = {name: answer for name, answer in answers.items() if weights.get(name, 0.0) > 0}
    if asked and all(answer.reason in BROKEN for answer in asked.values()):
        reasons = "; ".join(f"{name}: {answer.reason} ({answer.detail})" for name, answer in asked.items())
        raise SearchFailed(reasons=reasons)


def _page(
    view: View, query: Query, fused: Fused, answers: Mapping[str, Answer], user_id: str
) -> tuple[tuple[Hit, ...], dict[str, Path]]:
    wanted = fused.ranking[query.offset : query.offset + query.limit]
    if not wanted:
        return (), {}
    scenes = view.scenes_by_id([item.scene_id for item in wanted])
    titles = {video.video_id: video.title for video in view.visible_videos(user_id)}
    ranks = {name: answer.scenes.ranks() for name, answer in answers.items()}
    scores = {name: dict(answer.scenes.hits) for name, answer in answers.items()}
    terms = next((answer.terms for answer in answers.values() if answer.terms), ())
    hits, thumbnails = [], {}
    for rank, item in enumerate(wanted, start=query.offset + 1):
        scene = scenes.get(item.scene_id)
        # An index that is out of step with the sidecars may name what is not there.
        if scene is None or scene.video_id not in titles:
            continue
        parts = {name: _channel_score(name, item, fused, scores, ranks) for name in answers}
        hits.append(_hit(scene, titles[scene.video_id], item.score, rank, parts, terms))
        if scene.thumbnail:
            thumbnails[scene.scene_id] = view.frame_path(scene, scene.thumbnail)
    return tuple(hits), thumbnails


def _states(
    plan: Plan, answers: Mapping[str, Answer], weights: Mapping[str, float], fused: Fused
) -> dict[str, ChannelState]:
    states = {}
    for slot in plan.slots:
        name, answer = slot.name, answers[slot.name]
        weight = fused.weights.get(name, 0.0)
        reason = answer.reason if weights[name] > 0 else "weight_zero"
        reason = reason or fused.left.get(name)
        states[name] = ChannelState(
            active=reason is None,
            weight=weight,
            reason=reason,
            detail=answer.detail,
            used_words=answer.used_words,
            kind=slot.kind,
            space=slot.space.name if slot.space else None,
            error=answer.error,
        )
    return states


def _channel_score(
    name: str,
    item: FusedScene,
    fused: Fused,
    scores: Mapping[str, Mapping[str, float]],
    ranks: Mapping[str, Mapping[str, int]],
) -> ChannelScore:
    part = item.parts.get(name)
    return ChannelScore(
        score=scores[name].get(item.scene_id),
        rank=ranks[name].get(item.scene_id),
        weight=fused.weights.get(name, 0.0),
        normalised=part.normalised if part else 0.0,
        contribution=part.contribution if part else 0.0,
    )


def _hit(
    scene: Scene, title: str, score: float, rank: int, parts: Mapping[str, ChannelScore], terms: tuple[str, ...]
) -> Hit:
    return Hit(
        scene=scene,
        video_title=title,
        score=score,
        rank=rank,
        channels=parts,
        matched_words=matched_words((scene.transcript, title, *scene.tags, scene.caption, scene.on_screen_text), terms),
        transcript_spans=tuple(mark(scene.transcript, terms)),
    )
