"""A query's way: check it, ask the channels (or the cache), fuse, and look up the page of hits."""

from __future__ import annotations

import logging
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import HeimdexError, InvalidQuery, InvalidValue, SearchFailed
from heimdex_core.search.cache import AnswerCache, CacheKey
from heimdex_core.search.channels.base import Answer, Ask, Channel
from heimdex_core.search.channels.lexical import LexicalChannel
from heimdex_core.search.channels.transcript import TranscriptChannel
from heimdex_core.search.channels.vision import VisionChannel
from heimdex_core.search.fusion import Fused, FusedScene, fusion_method
from heimdex_core.search.matching import matched_words
from heimdex_core.search.results import SearchResult
from heimdex_core.search.runner import ChannelRunner
from heimdex_core.search.weights import normalise
from heimdex_core.settings import Settings, default_weights
from heimdex_core.store.analysis import mark
from heimdex_core.types import ChannelScore, ChannelState, Hit, Json, Query, Scene, utc_now

if TYPE_CHECKING:
    from heimdex_core.models.registry import Models
    from heimdex_core.store.reader import Reader

log = logging.getLogger(__name__)

BROKEN = ("failed", "timeout")


@dataclass
class _Answers:
    """What the channels said to one query, and what it took."""

    by_channel: dict[str, Answer]
    timing_ms: dict[str, float]
    cached: bool


class Searcher:
    """Searches one library. Thread-safe; keeps the raw scores of recent queries."""

    def __init__(
        self,
        reader: Reader,
        models: Models,
        settings: Settings,
        *,
        log: Callable[[Json], None] | None = None,
        channels: Sequence[Channel] | None = None,
    ) -> None:
        self._reader = reader
        self._models = models
        self._settings = settings
        self._log = log
        chosen = channels if channels is not None else standard_channels(reader, models)
        self._runner = ChannelRunner(chosen, timeout_s=settings.channel_timeout_s)
        self._cache = AnswerCache(settings.search_cache_size)

    def search(self, query: Query, *, user_id: str) -> SearchResult:
        """One page of the scenes that answer `query`, best first.

        A query to which no channel has anything to say gives an empty result with the reasons.
        Raises InvalidQuery, InvalidWeights, UnknownName, InvalidValue, SearchFailed.
        """
        started = time.perf_counter()
        text = self._checked(query)
        weights = normalise(query.weights if query.weights is not None else default_weights(self._settings))
        method = fusion_method(query.fusion or self._settings.fusion, rrf_k=self._settings.rrf_k)
        answers = self._answers(text, query.video_ids, user_id, weights)
        _refuse_if_all_broken(answers.by_channel, weights)

        fusing = time.perf_counter()
        fused = method.fuse({name: answer.scenes for name, answer in answers.by_channel.items()}, weights)
        answers.timing_ms["fuse"] = _since(fusing)
        hits, thumbnails = self._page(query, fused, answers.by_channel, user_id)
        answers.timing_ms["total"] = _since(started)

        result = SearchResult(
            query=query,
            fusion=method.name,
            weights=weights,
            hits=hits,
            total=len(fused.ranking),
            channels=_states(answers.by_channel, weights, fused),
            timing_ms=answers.timing_ms,
            cached=answers.cached,
            thumbnails=thumbnails,
        )
        self._note(result, user_id)
        return result

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

    def _answers(
        self, text: str, video_ids: tuple[str, ...] | None, user_id: str, weights: Mapping[str, float]
    ) -> _Answers:
        self._reader.refresh()
        # The token is read first: if a video becomes visible in between, newer scores are kept under the older
        # token and asked for again, instead of the other way about.
        token = self._reader.token
        videos = None if video_ids is None else tuple(sorted(set(video_ids)))
        count = len(self._reader.scene_ids(user_id, videos))
        ask = Ask(text, user_id, videos, self._settings.channel_depth, count)
        keys = {name: self._key(name, ask, token) for name in self._runner.channels}
        known = {name: answer for name, key in keys.items() if (answer := self._cache.get(key)) is not None}
        wanted = [name for name in keys if name not in known and self._worth_asking(name, weights)]
        ran, loading_s = self._runner.run(ask, wanted) if wanted else ({}, 0.0)
        for name, timed in ran.items():
            if timed.lasting:
                self._cache.put(keys[name], timed.answer)
        answers = known | {name: timed.answer for name, timed in ran.items()}
        timing = {name: timed.seconds * 1000 for name, timed in ran.items()}
        # Channels run side by side, so the slowest encoder is what the person waited for.
        timing["encode"] = max((timed.answer.encode_ms for timed in ran.values()), default=0.0)
        timing["load"] = loading_s * 1000
        return _Answers({name: answers.get(name, Answer()) for name in keys}, timing, cached=not wanted)

    def _worth_asking(self, name: str, weights: Mapping[str, float]) -> bool:
        """Channels of weight 0 are asked too, for the scores shown and for the next move of a slider.

        Except where that would load a model that nobody asked for.
        """
        return weights[name] > 0 or self._runner.channels[name].is_ready

    def _key(self, name: str, ask: Ask, token: str) -> CacheKey:
        spaces = tuple(sorted((kind, space.name, space.revision) for kind, space in self._models.spaces.items()))
        return CacheKey(name, ask.user_id, ask.text, ask.video_ids, token, spaces, ask.depth)

    # --- making the page --------------------------------------------------------------------------

    def _page(
        self, query: Query, fused: Fused, answers: Mapping[str, Answer], user_id: str
    ) -> tuple[tuple[Hit, ...], dict[str, Path]]:
        wanted = fused.ranking[query.offset : query.offset + query.limit]
        if not wanted:
            return (), {}
        scenes = self._reader.scenes_by_id([item.scene_id for item in wanted])
        titles = {video.video_id: video.title for video in self._reader.visible_videos(user_id)}
        ranks = {name: answer.scenes.ranks() for name, answer in answers.items()}
        scores = {name: dict(answer.scenes.hits) for name, answer in answers.items()}
        terms = next((answer.terms for answer in answers.values() if answer.terms), ())
        hits, thumbnails = [], {}
        for rank, item in enumerate(wanted, start=query.offset + 1):
            scene = scenes.get(item.scene_id)
            # A video that was deleted between the search and this look-up is no longer shown.
            if scene is None or scene.video_id not in titles:
                continue
            parts = {name: _channel_score(name, item, fused, scores, ranks) for name in answers}
            hits.append(_hit(scene, titles[scene.video_id], item.score, rank, parts, terms))
            if scene.thumbnail:
                thumbnails[scene.scene_id] = self._reader.frame_path(scene, scene.thumbnail)
        return tuple(hits), thumbnails

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


def standard_channels(reader: Reader, models: Models) -> tuple[Channel, ...]:
    """Transcript, vision and lexical over one library."""
    return (TranscriptChannel(reader, models.text), VisionChannel(reader, models.vision), LexicalChannel(reader))


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _refuse_if_all_broken(answers: Mapping[str, Answer], weights: Mapping[str, float]) -> None:
    asked = {name: answer for name, answer in answers.items() if weights.get(name, 0.0) > 0}
    if asked and all(answer.reason in BROKEN for answer in asked.values()):
        reasons = "; ".join(f"{name}: {answer.reason} ({answer.detail})" for name, answer in asked.items())
        raise SearchFailed(reasons=reasons)


def _states(answers: Mapping[str, Answer], weights: Mapping[str, float], fused: Fused) -> dict[str, ChannelState]:
    states = {}
    for name, answer in answers.items():
        weight = fused.weights.get(name, 0.0)
        reason = answer.reason if weights[name] > 0 else "weight_zero"
        reason = reason or fused.left.get(name)
        states[name] = ChannelState(
            active=reason is None,
            weight=weight,
            reason=reason,
            detail=answer.detail,
            used_words=answer.used_words,
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
        matched_words=matched_words((scene.transcript, title, *scene.tags, scene.on_screen_text), terms),
        transcript_spans=tuple(mark(scene.transcript, terms)),
    )
