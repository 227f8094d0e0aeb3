"""One search from the query to the page of hits: check the query, run the channels, fuse, look up the scenes.

A search uses one view of the library and the models of that view's set throughout, so a switch to other models during
a search never mixes results of the two.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cachetools import LRUCache

from heimdex_core.errors import HeimdexError, ViewOutdated
from heimdex_core.search.channel_results import ChannelResults
from heimdex_core.search.channels import spec_of
from heimdex_core.search.channels.base import ChannelRequest, ChannelResult
from heimdex_core.search.channels.channel_set import ChannelSet
from heimdex_core.search.duplicates import Collapsed, collapsed_by_plan
from heimdex_core.search.examples import ResolvedExample, resolve
from heimdex_core.search.facets import PEOPLE, SHARED_FACETS, count_choices, count_shared, facets_of
from heimdex_core.search.filters import Selection, select
from heimdex_core.search.fusion import fusion_method
from heimdex_core.search.fusion.base import Fused, FusedScene, Fusion, ScoredScenes, ids_of
from heimdex_core.search.hits import channel_states, matched_terms, page_of_hits
from heimdex_core.search.html import NotebookResult
from heimdex_core.search.listing import Listing
from heimdex_core.search.log_entry import log_entry
from heimdex_core.search.modality import with_missing
from heimdex_core.search.order import ordered, video_count, video_of
from heimdex_core.search.people import PeopleSearch, PeopleView
from heimdex_core.search.per_view import KEPT_VIEWS, PerView
from heimdex_core.search.plan import Plan, plan_of, with_share, without_people
from heimdex_core.search.query_language import ParsedText
from heimdex_core.search.runner import refuse_if_all_broken
from heimdex_core.search.sequence import follow
from heimdex_core.search.strength import nothing_close
from heimdex_core.search.understanding import Understood, understand
from heimdex_core.settings import Settings, default_weights
from heimdex_core.store.hits import rows_in
from heimdex_core.types import NO_FILTERS, Filters, Json, Query, SearchResult

if TYPE_CHECKING:
    from heimdex_core.store.reader import Reader, SetReader
    from heimdex_core.store.view import View

log = logging.getLogger(__name__)

_ATTEMPTS = 20
"""How often a search is started again because the library changed between taking the view and opening its files."""
_CACHED_SELECTIONS = 16
"""Sets of filtered scenes of a view that are kept; one of a million scenes is a megabyte."""
_CACHED_OFFERS = 8
"""Searches of a view whose channels' results are kept as the fusion takes them."""
_NOT_ASKED = ChannelResult(reason="not_asked")


@dataclass(frozen=True)
class _Setting:
    """How one search is done, whatever is looked for."""

    view: View
    user_id: str
    plan: Plan
    weights: Mapping[str, float]
    method: Fusion
    example: ResolvedExample | None
    temperature: float
    people: PeopleView | None = None
    person_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Offer:
    """What the channels found, as the fusion takes it."""

    results: Mapping[str, ChannelResult]
    """What it was made of. They are held, so that no other object gets their identity, by which they are looked up."""
    scenes: Mapping[str, ScoredScenes]


@dataclass(frozen=True)
class _Found:
    """What the channels found, and the ranking that was made of it."""

    selection: Selection
    results: Mapping[str, ChannelResult]
    fused: Fused
    timing_ms: dict[str, float]


class Searcher:
    """Searches one library and caches the channels' scores of recent queries. Safe to share between threads."""

    def __init__(
        self,
        reader: Reader | SetReader,
        channels_of: Callable[[int], ChannelSet],
        settings: Settings,
        *,
        log: Callable[[Json], None] | None = None,
        people: PeopleSearch | None = None,
    ) -> None:
        """Nothing is opened or loaded before the first search.

        Args:
            reader: gives the current view of the library, or of one of its model sets.
            channels_of: gives the channels of a model set by its id, such as `ChannelSets.of`.
            settings: limits, the default weights and the default fusion.
            log: called with one JSON object per search; None for no log.
            people: the people of the library; None for nobody.
        """
        self._reader = reader
        self._settings = settings
        self._log = log
        self._people = people
        self._channels = ChannelResults(channels_of, settings)
        self._lock = threading.Lock()
        """Protects `_views`."""
        self._views: LRUCache[str | None, View] = LRUCache(KEPT_VIEWS)
        self._selections: PerView[Selection] = PerView(_CACHED_SELECTIONS)
        self._offers: PerView[_Offer] = PerView(_CACHED_OFFERS)

    def search(self, query: Query, *, user_id: str) -> SearchResult:
        """One page of the scenes that match `query`, best first.

        Where no channel finds anything the result is empty and its `channels` have the reasons.

        Raises InvalidQuery, InvalidWeights, UnknownName, InvalidValue; SearchFailed where every channel with a weight
        above 0 failed or timed out.
        """
        started = time.perf_counter()
        for attempts_left in reversed(range(_ATTEMPTS)):
            view = self._view_for(query, user_id)
            try:
                result = self._search_in(view, query, user_id, started)
                break
            except ViewOutdated:
                query = replace(query, view_token=None)
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
            count = max(view.scene_count(user_id), 1)  # also for a library that is still empty
            channels = self._channels.channels(view, plan_of(view.spaces))
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

    def _view_for(self, query: Query, user_id: str) -> View:
        """The view that the query names, if all of the user's videos are still as they are in it; else the present one.

        Views that were searched are kept for a while, for the next pages.
        """
        view = self._reader.view()
        with self._lock:
            before = self._views.get(query.view_token)
            self._views[view.token] = view
        if before is None or before is view:
            return view
        now = {(video.video_id, video.generation) for video in view.visible_videos(user_id)}
        is_same = all((video.video_id, video.generation) in now for video in before.visible_videos(user_id))
        return before if is_same and before.set_id == view.set_id else view

    def _search_in(self, view: View, query: Query, user_id: str, started: float) -> SearchResult:
        asked = understand(
            query,
            view.visible_videos(user_id),
            max_chars=self._settings.max_query_chars,
            people=lambda: self._people_of(view, user_id),
        )
        plan, weights = self._plan_of(view, query, asked.wanted_people)
        method = fusion_method(query.fusion or self._settings.fusion, rrf_k=self._settings.rrf_k)
        example = resolve(view, query.example, asked.text.plain, user_id)
        temperature = self._settings.keyframe_temperature
        if query.keyframe_temperature is not None:
            temperature = query.keyframe_temperature
        setting = _Setting(
            view, user_id, plan, weights, method, example, temperature, asked.people, asked.wanted_people
        )
        found = self._find(setting, asked.text, asked.all_filters(), is_listing=asked.is_listing)
        fused, duplicates, followers = self._ranked(setting, query, asked, found)
        hits, thumbnails = page_of_hits(
            view,
            query,
            fused,
            found.results,
            user_id,
            weights=weights,
            duplicates=duplicates,
            followers=followers,
            people=asked.people,
            person_ids=asked.named_people,
        )
        facets = self._facets(setting, asked, found) if query.facets else {}
        timing_ms = found.timing_ms
        timing_ms["total"] = _since(started)
        return NotebookResult(
            query=query,
            fusion=method.name,
            weights=weights,
            hits=hits,
            total=len(fused.ranking),
            channels=channel_states(plan, found.results, weights, fused),
            timing_ms=timing_ms,
            cached=timing_ms.keys().isdisjoint(plan.names),
            set_id=view.set_id,
            spaces=plan.requested,
            terms=matched_terms(found.results),
            thumbnails=thumbnails,
            total_videos=video_count(fused.ranking),
            nothing_close=bool(asked.text.plain) and example is None and nothing_close(found.results, weights),
            corrected=next((one.corrected for one in found.results.values() if one.corrected), {}),
            facets=facets,
            notes=asked.notes,
            named_videos=asked.named_videos,
            conditions=asked.conditions,
            is_listing=asked.is_listing,
            view_token=view.token,
        )

    def _plan_of(self, view: View, query: Query, person_ids: Sequence[str]) -> tuple[Plan, dict[str, float]]:
        """The channels and their weights, where the scenes of these people come first."""
        plan = plan_of(view.spaces, query.spaces, ["people"] if person_ids else [])
        given = query.weights if query.weights is not None else default_weights(self._settings)
        share = self._settings.people_weight
        return plan, plan.weights(with_share(given, "people", share) if person_ids else without_people(given))

    def _people_of(self, view: View, user_id: str) -> PeopleView | None:
        """The user's people; None where they are turned off."""
        return self._people.view(view, user_id) if self._people is not None and self._people.is_on() else None

    def _ranked(
        self, setting: _Setting, query: Query, asked: Understood, found: _Found
    ) -> tuple[Fused, Mapping[str, tuple[str, ...]], Mapping[str, str]]:
        """(the scenes as they are shown, the scenes folded under a scene, the scene that follows a scene)."""
        view, fused = setting.view, found.fused
        followers: Mapping[str, str] = {}
        if query.then is not None and asked.then is not None:
            plan, weights = self._plan_of(view, query, asked.wanted_by_then)
            following = replace(setting, plan=plan, weights=weights, example=None, person_ids=asked.wanted_by_then)
            second = self._find(following, asked.then, asked.filters_of_then())
            fused, followers = follow(fused, second.fused, query.then.within_s)
        folds = query.collapse and not asked.is_listing
        terms = matched_terms(found.results)
        collapsed = collapsed_by_plan(fused, view, setting.plan, terms) if folds else Collapsed(fused.ranking)
        ranking = ordered(
            _with_named_videos(view, setting.user_id, collapsed, found.selection, asked),
            view.visible_videos(setting.user_id),
            sort=query.sort,
            group_by_video=query.group_by_video,
            first=asked.named_videos,
        )
        return replace(fused, ranking=ranking), collapsed.duplicates, followers

    # --- running the channels ---------------------------------------------------------------------

    def _find(
        self, setting: _Setting, text: ParsedText, filters: Sequence[Filters], *, is_listing: bool = False
    ) -> _Found:
        """Ask the channels about the scenes that pass the filters, and fuse their answers.

        With `is_listing` no channel is asked: all these scenes are the ranking, with a score of 0.
        """
        view, user_id = setting.view, setting.user_id
        filtering = time.perf_counter()
        selection = self._select(setting, tuple(filters), text)
        filter_ms = {"filter": _since(filtering)} if filters or text.excluded or text.without else {}
        if is_listing:
            results = dict.fromkeys(setting.plan.names, _NOT_ASKED)
            listing = Listing.of(view.scene_table(user_id), selection)
            return _Found(selection, results, Fused(listing, dict.fromkeys(setting.plan.names, 0.0)), filter_ms)
        request = ChannelRequest(
            view,
            text.plain,
            user_id,
            selection.video_ids,
            self._settings.channel_depth,
            selection.count,
            scene_ids=selection.scenes,
            filters=tuple(filters),
            lookup=text.lookup,
            example=setting.example,
            temperature=setting.temperature,
            people=setting.people,
            person_ids=setting.person_ids,
        )
        example_key = setting.example.key if setting.example is not None else None
        people_key = (setting.people.token, setting.person_ids) if setting.people is not None else None
        about = (tuple(filters), text.excluded, text.without, example_key, setting.temperature, people_key)
        plan = setting.plan if text.plain or setting.example is not None else setting.plan.of_side("people")
        ran = self._channels.find(request, plan, setting.weights, about)
        results, timing_ms = dict.fromkeys(setting.plan.names, _NOT_ASKED) | ran.results, ran.timing_ms
        refuse_if_all_broken(results, setting.weights)
        fusing = time.perf_counter()
        offered = self._offered(setting, results)
        shared = setting.plan.within_sides(setting.weights, [name for name, scenes in offered.items() if scenes.hits])
        fused = setting.method.fuse(offered, shared)
        timing_ms["fuse"] = _since(fusing)
        return _Found(selection, results, fused, timing_ms | filter_ms)

    def _offered(self, setting: _Setting, results: Mapping[str, ChannelResult]) -> Mapping[str, ScoredScenes]:
        """What the fusion takes. It is kept: while a slider is moved, only the weights change."""
        token, key = setting.view.token, tuple((name, id(found)) for name, found in results.items())
        kept = self._offers.get(token, key)
        if kept is None:
            sides = {slot.name: slot.side for slot in setting.plan.slots}
            kept = _Offer(results, with_missing(setting.view, setting.user_id, results, sides))
            self._offers.keep(token, key, kept)
        return kept.scenes

    def _select(self, setting: _Setting, filters: tuple[Filters, ...], text: ParsedText) -> Selection:
        """The scenes to search; those of recent searches are kept, so that moving a slider does not filter again."""
        people, excluded, without = setting.people, text.excluded, text.without
        people_token = None if people is None else people.token
        token, key = setting.view.token, (setting.user_id, filters, excluded, without, people_token)
        found = self._selections.get(token, key)
        if found is None:
            found = select(setting.view, setting.user_id, filters, excluded, people, without=without)
            self._selections.keep(token, key, found)
        return found

    def _facets(self, setting: _Setting, asked: Understood, found: _Found) -> dict[str, dict[str, int]]:
        """How many found scenes each choice has. A filter does not count for its own choices: they widen the search."""
        table = setting.view.scene_table(setting.user_id)
        all_found = rows_in(table, ids_of(found.fused.ranking))
        facets = {}
        sharing, user_id = setting.view.snapshot.sharing, setting.user_id
        people, has_people = setting.people, self._people is not None and self._people.has_named(user_id)
        if has_people and people is None:
            people = self._people_of(setting.view, user_id)
        for facet in (*facets_of(sharing, user_id), *([PEOPLE] if has_people else [])):
            rows = all_found
            if getattr(asked.filters, facet) != getattr(NO_FILTERS, facet):
                filters = asked.all_filters(without=facet)
                fused = self._find(setting, asked.text, filters, is_listing=asked.is_listing).fused
                rows = rows_in(table, ids_of(fused.ranking))
            rows = rows[rows >= 0]
            if facet in SHARED_FACETS:
                facets[facet] = count_shared(table, rows, facet, sharing, user_id)
            else:
                facets[facet] = count_choices(table, rows, facet, people)
        return facets

    def _write_log(self, result: SearchResult, user_id: str) -> None:
        """Append the search to the query log. A log that cannot be written does not make the search fail."""
        if self._log is None:
            return
        try:
            self._log(log_entry(result, user_id))
        except (OSError, HeimdexError) as error:
            log.warning("the query log could not be written: %s", error)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _with_named_videos(
    view: View, user_id: str, collapsed: Collapsed, selection: Selection, asked: Understood
) -> Sequence[FusedScene]:
    """The ranking with those scenes of the named videos too that no channel found, last and with a score of 0."""
    if not asked.named_videos or asked.is_listing:
        return collapsed.ranking
    known = {item.scene_id for item in collapsed.ranking}.union(*collapsed.duplicates.values())
    chosen, scenes = selection.video_ids, selection.scenes
    more = [
        FusedScene(scene_id, 0.0, {})
        for scene_id in view.scene_ids(user_id, asked.named_videos)
        if scene_id not in known
        and (chosen is None or video_of(scene_id) in chosen)
        and (scenes is None or scene_id in scenes)
    ]
    return (*collapsed.ranking, *more)
