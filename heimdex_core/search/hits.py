"""From a fused ranking to a page of hits with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from heimdex_core.search.channels.base import ChannelResult
from heimdex_core.search.fusion.base import Fused, FusedScene, ids_of, scenes_at
from heimdex_core.search.keyframes import matched_keyframe
from heimdex_core.search.matching import match_spans, matched_words
from heimdex_core.search.people import PeopleView
from heimdex_core.search.plan import Plan
from heimdex_core.search.strength import strengths
from heimdex_core.store.view import View
from heimdex_core.types import ChannelScore, ChannelState, Hit, Keyframe, Query, Scene, SeenPerson


class Thumbnails(Mapping[str, Path]):
    """The files of thumbnails by scene_id; in a library in object storage each is fetched when it is asked for."""

    def __init__(self, files: Mapping[str, Callable[[], Path]]) -> None:
        self._files = files

    def __getitem__(self, scene_id: str) -> Path:
        return self._files[scene_id]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def matched_terms(results: Mapping[str, ChannelResult]) -> tuple[str, ...]:
    """The index terms of the query, from the channel that looked them up; empty if there is none."""
    return next((found.terms for found in results.values() if found.terms), ())


def page_of_hits(
    view: View,
    query: Query,
    fused: Fused,
    results: Mapping[str, ChannelResult],
    user_id: str,
    *,
    weights: Mapping[str, float],
    duplicates: Mapping[str, tuple[str, ...]],
    followers: Mapping[str, str],
    people: PeopleView | None = None,
    person_ids: Sequence[str] = (),
) -> tuple[tuple[Hit, ...], Mapping[str, Path]]:
    """(the hits on the query's page, the file of each hit's thumbnail by scene_id).

    Args:
        view: the view that was searched.
        query: `offset` and `limit` select the page.
        fused: the whole ranking.
        results: what each channel found, by its name in the search.
        user_id: whose videos are shown.
        weights: that were asked for, by channel.
        duplicates: the scenes folded under a scene, by its id.
        followers: the scene that follows a scene, by its id.
        people: the user's people.
        person_ids: those whom the query names.
    """
    places = np.arange(len(fused.ranking))[query.offset : query.offset + query.limit]
    if not len(places):
        return (), {}
    wanted = scenes_at(fused.ranking, places)
    scene_ids = ids_of(wanted)
    scenes = view.scenes_by_id(scene_ids)
    titles = view.video_titles(user_id, {scene.video_id for scene in scenes.values()})
    terms = matched_terms(results)
    close = strengths(view, user_id, results, weights, scene_ids)
    evidence = {name: _Evidence(found, scene_ids) for name, found in results.items()}
    hits, thumbnails = [], dict[str, Callable[[], Path]]()
    for place, item in enumerate(wanted):
        scene = scenes.get(item.scene_id)
        # An index that does not match the sidecars may name scenes that do not exist.
        if scene is None or scene.video_id not in titles:
            continue
        parts = {name: _channel_score(name, item, fused, *own.scores[place]) for name, own in evidence.items()}
        seen = people.seen_in(scene, person_ids) if people is not None else ()
        files = {name: own.keyframes[place] for name, own in evidence.items() if place in own.keyframes}
        keyframe = matched_keyframe(scene, files, item) or _keyframe_of(scene, seen)
        title, strength = titles[scene.video_id], close[scene.scene_id]
        texts = (scene.transcript, title, *scene.tags, scene.caption, scene.on_screen_text)
        hits.append(
            Hit(
                scene=scene,
                video_title=title,
                score=item.score,
                rank=query.offset + place + 1,
                channels=parts,
                matched_words=matched_words(texts, terms),
                matched_on_screen=matched_words((scene.on_screen_text,), terms),
                transcript_spans=tuple(match_spans(scene.transcript, terms)),
                strength=strength,
                is_close=strength != "weak",
                keyframe_s=keyframe.time_s if keyframe else None,
                keyframe=keyframe.file if keyframe else None,
                duplicates=duplicates.get(scene.scene_id, ()),
                then=followers.get(scene.scene_id),
                people=seen,
            )
        )
        if scene.thumbnail:
            thumbnails[scene.scene_id] = view.frame_file(scene, scene.thumbnail)
    return tuple(hits), Thumbnails(thumbnails)


def channel_states(
    plan: Plan, results: Mapping[str, ChannelResult], weights: Mapping[str, float], fused: Fused
) -> dict[str, ChannelState]:
    """For each channel of the plan: whether it took part, with which weight, or the reason why not.

    `weights` are those that were requested; the weights of the result come from `fused`.
    """
    states = {}
    for slot in plan.slots:
        name, found = slot.name, results[slot.name]
        weight = fused.weights.get(name, 0.0)
        reason = found.reason if weights[name] > 0 else "weight_zero"
        reason = reason or fused.left.get(name)
        states[name] = ChannelState(
            active=reason is None,
            weight=weight,
            reason=reason,
            detail=found.detail,
            used_words=found.used_words,
            kind=slot.kind,
            space=slot.space.name if slot.space else None,
            error=found.error,
        )
    return states


def _keyframe_of(scene: Scene, seen: Sequence[SeenPerson]) -> Keyframe | None:
    """The keyframe that shows the first of the people whom the query names."""
    file = next((one.keyframe for one in seen if one.keyframe is not None), None)
    return next((keyframe for keyframe in scene.keyframes if keyframe.file == file), None)


class _Evidence:
    """What one channel says of the scenes of a page."""

    def __init__(self, found: ChannelResult, scene_ids: Sequence[str]) -> None:
        positions = found.scenes.positions(scene_ids)
        has_found = np.flatnonzero(positions >= 0)
        own = positions[has_found]
        values, ranks = found.scenes.values[own].tolist(), found.scenes.rank_of[own].tolist()
        self.scores: list[tuple[float | None, int | None]] = [(None, None)] * len(scene_ids)
        """(score, rank) of each scene; None for one that the channel has not found."""
        for place, score, rank in zip(has_found.tolist(), values, ranks, strict=True):
            self.scores[place] = score, rank
        names = [] if found.keyframes is None else found.keyframes.take(own).names()
        self.keyframes: dict[int, str | None] = dict(zip(has_found.tolist(), names, strict=False))
        """By place: the file name of the keyframe that matched best."""


def _channel_score(name: str, item: FusedScene, fused: Fused, score: float | None, rank: int | None) -> ChannelScore:
    part = item.parts.get(name)
    return ChannelScore(
        score=score,
        rank=rank,
        weight=fused.weights.get(name, 0.0),
        normalised=part.normalised if part else 0.0,
        contribution=part.contribution if part else 0.0,
    )
