"""Stage `scenes`: scenes from cuts, and long takes divided at pauses.

Scenes cover [0, duration) without gaps or overlap, to the millisecond. A take longer than `divide_max_s`
is divided at pauses (of the voice, or between supplied subtitle lines) into pieces of `divide_min_s` to
`divide_max_s`. Recognised words play no part, so that a better recogniser does not move scenes.

Which pauses are chosen is settled by dynamic programming over all of them. A division costs
    sum over pieces of ((length - ideal) / ideal)^2  +  sum over cuts of 0.4 / (1 + pause_s / 0.5),
where `ideal` is the take divided into equal pieces of at most two thirds of `divide_max_s`; so long pauses and
even pieces are preferred. Where no pause is in reach the cut falls at `divide_max_s`, at a price that
makes it the last resort. Where pauses are so dense that the choice would take minutes, only the longest of each short
stretch of time is considered.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.scene_edits import SceneSpan, apply_edits
from heimdex_core.ingest.stages import audio, picture, probe, subtitles
from heimdex_core.types import Interval, Json, Segment, WorkContext, to_json

_SHORTEST_PAUSE_S = 0.3
"""Below this a silence is a breath or a plosive, not a place to cut."""
_PAUSE_PRICE = 0.4
_NO_PAUSE_PRICE = 10.0
_WAYS_PER_S = 500
"""Pairs of places that are compared for a second of a take, at most; with a line every two seconds there are ten."""
_Node = tuple[int, float]
"""A place in milliseconds, and the length in seconds of the pause there (0 where there is none)."""


def make_scenes(
    cuts_s: Sequence[float],
    duration_s: float,
    *,
    silences: Sequence[Interval],
    lines: Sequence[Segment],
    params: IngestParams,
    context: WorkContext | None = None,
) -> list[SceneSpan]:
    """The scenes of a video from its cuts (seconds), its silences and its supplied subtitle lines.

    With `lines` given, takes are divided between lines; else at silences, which are in order and apart from each other.
    `context` is asked for cancellation.
    """
    context = context or WorkContext()
    pauses = pauses_between(lines, duration_s) if lines else [s for s in silences if s.duration_s >= _SHORTEST_PAUSE_S]
    starts, ends = [pause.start_s for pause in pauses], [pause.end_s for pause in pauses]
    scenes: list[SceneSpan] = []
    for start_s, end_s in shots(cuts_s, duration_s, min_scene_s=params.min_scene_s):
        context.check()
        places: list[float] = []
        if params.divide_long_takes and end_s - start_s > params.divide_max_s:
            inside = pauses[bisect_left(ends, start_s - 0.001) : bisect_right(starts, end_s + 0.001)]
            places = divide(start_s, end_s, inside, min_s=params.divide_min_s, max_s=params.divide_max_s)
        edges = [start_s, *places, end_s]
        scenes += [SceneSpan(a, b, divided=bool(places)) for a, b in zip(edges, edges[1:], strict=False)]
    return scenes


def shots(cuts_s: Sequence[float], duration_s: float, *, min_scene_s: float) -> list[tuple[float, float]]:
    """Shots between cuts. A cut that would leave less than `min_scene_s` on either side is left out."""
    end_s = round(max(duration_s, 0.001), 3)
    edges = [0.0]
    for cut_s in sorted({round(c, 3) for c in cuts_s}):
        if cut_s - edges[-1] >= min_scene_s - 0.0005 and end_s - cut_s >= min_scene_s - 0.0005:
            edges.append(cut_s)
    return list(zip(edges, [*edges[1:], end_s], strict=True))


def pauses_between(lines: Sequence[Segment], duration_s: float) -> list[Interval]:
    """The gaps between subtitle lines, before the first and after the last; touching lines have a gap of 0 s."""
    gaps: list[Interval] = []
    spoken_until = 0.0
    for line in sorted(lines, key=lambda s: s.start_s):
        if line.start_s >= spoken_until:
            gaps.append(Interval(spoken_until, min(line.start_s, max(duration_s, spoken_until))))
        spoken_until = max(spoken_until, line.end_s)
    if spoken_until < duration_s:
        gaps.append(Interval(spoken_until, duration_s))
    return gaps


def divide(start_s: float, end_s: float, pauses: Sequence[Interval], *, min_s: float, max_s: float) -> list[float]:
    """Where a take [start_s, end_s) is cut, in seconds; empty if it is not longer than `max_s`."""
    start, end, shortest, longest = (round(t * 1000) for t in (start_s, end_s, min_s, max_s))
    if end - start <= longest:
        return []
    places = _thinned(_places(start, end, pauses, shortest), end - start, shortest, longest)
    pieces = math.ceil((end - start) / (longest * 2 / 3))
    chosen = _cheapest_way(start, end, places, shortest, longest, ideal=(end - start) / pieces)
    return [ms / 1000 for ms in chosen]


def _places(start: int, end: int, pauses: Sequence[Interval], shortest: int) -> list[_Node]:
    """Where the take may be cut: the middle of each pause, several places in a pause longer than a piece."""
    found: dict[int, float] = {}
    for pause in pauses:
        a, b = max(round(pause.start_s * 1000), start), min(round(pause.end_s * 1000), end)
        if b < a:
            continue
        count = 1 + (b - a) // shortest
        for n in range(count):
            ms = a + round((b - a) * (n + 0.5) / count)
            if start + shortest <= ms <= end - shortest:
                found[ms] = max(found.get(ms, 0.0), (b - a) / 1000)
    return sorted(found.items())


def _thinned(places: list[_Node], length: int, shortest: int, longest: int) -> list[_Node]:
    """The places, all of them unless they are too dense: then the longest pause of each of equal stretches of time."""
    times = np.array([ms for ms, _ in places])
    within_reach = np.searchsorted(times, times + longest, "right") - np.searchsorted(times, times + shortest)
    if within_reach.sum() <= _WAYS_PER_S * length / 1000:
        return places
    # with one place in every `step`, there are length / step of them, each with (longest - shortest) / step to go to
    step = math.ceil(math.sqrt(1000 * (longest - shortest) / _WAYS_PER_S))
    best: dict[int, _Node] = {}
    for place in places:
        at = place[0] // step
        if at not in best or place[1] > best[at][1]:
            best[at] = place
    return list(best.values())


def _cheapest_way(start: int, end: int, places: list[_Node], shortest: int, longest: int, *, ideal: float) -> list[int]:
    """Dijkstra's algorithm forwards in time; every place reached leaves at least `shortest` before the end."""
    times = [ms for ms, _ in places]
    cost: dict[int, float] = {start: 0.0}
    came_from: dict[int, int] = {}
    todo = [start]  # a heap by time: every way into a place comes from before it
    while (here := heapq.heappop(todo)) != end:
        for ms, price in _next(here, end, places, times, shortest, longest):
            new = cost[here] + price + ((ms - here - ideal) / ideal) ** 2
            if ms not in cost:
                heapq.heappush(todo, ms)
            if new < cost.get(ms, math.inf):
                cost[ms], came_from[ms] = new, here
    way: list[int] = []
    while here != start:
        here = came_from[here]
        way.append(here)
    return way[-2::-1]


def _next(
    here: int, end: int, places: list[_Node], times: list[int], shortest: int, longest: int
) -> list[tuple[int, float]]:
    """The places that a piece beginning `here` may end at, each with the price of cutting there."""
    ways = [(end, 0.0)] if end - here <= longest else []
    for n in range(bisect_left(times, here + shortest), bisect_right(times, here + longest)):
        ways.append((times[n], _PAUSE_PRICE / (1.0 + places[n][1] / 0.5)))
    return ways or [(min(here + longest, end - shortest), _NO_PAUSE_PRICE)]


def run(context: StageContext, work: WorkContext) -> StageOutput:
    # only lines that came with the video: what a recogniser makes of the sound must not move scenes
    supplied = context.result(subtitles.SPEC).found
    found = make_scenes(
        context.result(picture.SPEC).cuts_s,
        context.result(probe.SPEC).duration_s,
        silences=context.result(audio.SPEC).silences,
        lines=supplied.segments if supplied is not None else (),
        params=context.params,
        context=work,
    )
    if not _edits(context):
        return StageOutput({"scenes": to_json(found)})
    journal = context.edits
    found, states = apply_edits(found, journal.scene_edits, min_scene_s=context.params.min_scene_s)
    not_applied = sum(state == "not_applied" for state in states.values())
    notes = [f"edits_not_applied:{not_applied}"] if not_applied else []
    notes += [f"edits_unknown:{journal.unknown_count}"] if journal.unknown_count else []
    return StageOutput({"scenes": to_json(found), "edits": states, "notes": notes})


def _edits(context: StageContext) -> Json:
    """In the fingerprint only where there are any: the scenes of videos that nobody edited hold."""
    journal = context.edits
    edits = {"edits": [[edit.edit_id, edit.op, edit.at_s] for edit in journal.scene_edits]}
    if not (edits["edits"] or journal.unknown_count):
        return {}
    return {**edits, "unknown_edits": journal.unknown_count}


def notes_of(context: StageContext) -> tuple[str, ...]:
    """The notes about edits of the scenes."""
    record = context.work.record(SPEC.name)
    return tuple(record.result.get("notes", ())) if record is not None else ()


SPEC = StageSpec(
    name="scenes",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: [SceneSpan(**span) for span in data["scenes"]],
    label={"en": "Dividing into scenes", "ko": "장면 나누기"},
    needs=(probe.SPEC, audio.SPEC, subtitles.SPEC, picture.SPEC),
    params=("min_scene_s", "divide_long_takes", "divide_min_s", "divide_max_s"),
    own_params=_edits,
    unit="items",
    weight=0.5,
)
