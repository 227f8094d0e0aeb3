"""Which words are said in which scene.

A segment inside one scene belongs to it whole. One that spans a cut is parted where its words have times:
each word goes to the scene in which its middle lies, so that nothing is said twice. Without word times
the whole segment goes to every scene that it overlaps by half a second or by half of its own length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.types import Interval, Segment, Transcript

_ENOUGH_S = 0.5


@dataclass(frozen=True)
class Piece:
    """Words of one segment within one scene."""

    scene: int
    start_s: float
    end_s: float
    text: str


def pieces(transcript: Transcript, scenes: Sequence[SceneSpan]) -> list[Piece]:
    """The transcript parted by scenes, in order of time."""
    starts = [scene.start_s for scene in scenes]
    found: list[Piece] = []
    for segment in transcript.segments:
        first = max(0, bisect_right(starts, segment.start_s) - 1)
        last = max(first, bisect_right(starts, max(segment.start_s, segment.end_s - 1e-6)) - 1)
        if first == last:
            found.append(Piece(first, segment.start_s, segment.end_s, segment.text.strip()))
        elif segment.words:
            found += _by_words(segment, starts)
        else:
            found += _by_overlap(segment, scenes, range(first, last + 1))
    return sorted((p for p in found if p.text), key=lambda p: (p.start_s, p.scene))


def scene_texts(found: Sequence[Piece], count: int) -> list[str]:
    """What is said in each of `count` scenes; empty where nothing is."""
    texts: list[list[str]] = [[] for _ in range(count)]
    for piece in found:
        texts[piece.scene].append(piece.text)
    return [" ".join(" ".join(parts).split()) for parts in texts]


def with_context(
    found: Sequence[Piece], scenes: Sequence[SceneSpan], own: Sequence[str], *, below_chars: int, within_s: float
) -> list[str]:
    """The texts to embed: a short one gets what is said up to `within_s` before and after its scene.

    Only for the embedding; the context is never shown as the scene's own words. `found` is in order of time, as
    from `pieces`.
    """
    texts: list[str] = []
    starts = [piece.start_s for piece in found]
    latest_ends = list(accumulate((piece.end_s for piece in found), max))
    for n, (scene, text) in enumerate(zip(scenes, own, strict=True)):
        if not text or len(text) >= below_chars:
            texts.append(text)
            continue
        # what stands before `first` has ended by then
        first = bisect_right(latest_ends, scene.start_s - within_s)
        last = bisect_left(starts, scene.end_s + within_s)
        near = [p for p in found[first:last] if p.end_s > scene.start_s - within_s]
        before = [p.text for p in near if p.scene < n]
        after = [p.text for p in near if p.scene > n]
        texts.append(" ".join(dict.fromkeys([*before, text, *after])))
    return texts


def speech_ratios(scenes: Sequence[SceneSpan], speech: Sequence[Interval]) -> list[float]:
    """The share of each scene in which somebody speaks, 0 to 1."""
    spans = _united(speech)
    starts, ends = [start_s for start_s, _ in spans], [end_s for _, end_s in spans]
    ratios: list[float] = []
    for scene in scenes:
        inside = spans[bisect_right(ends, scene.start_s) : bisect_left(starts, scene.end_s)]
        spoken_s = sum(min(end_s, scene.end_s) - max(start_s, scene.start_s) for start_s, end_s in inside)
        length_s = scene.end_s - scene.start_s
        ratios.append(round(min(spoken_s / length_s, 1.0), 4) if length_s > 0 else 0.0)
    return ratios


def _united(spans: Sequence[Interval]) -> list[tuple[float, float]]:
    """(start_s, end_s) of what the spans cover, in order and apart from each other."""
    found: list[tuple[float, float]] = []
    for span in sorted(spans, key=lambda s: s.start_s):
        if found and span.start_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], span.end_s))
        elif span.end_s > span.start_s:
            found.append((span.start_s, span.end_s))
    return found


def _by_words(segment: Segment, starts: Sequence[float]) -> list[Piece]:
    """Consecutive words of one scene make a piece; its text is cut out of the segment's own spelling."""
    owners = [max(0, bisect_right(starts, (w.start_s + w.end_s) / 2) - 1) for w in segment.words]
    places = _places(segment)
    found: list[Piece] = []
    first = 0
    for n in range(1, len(owners) + 1):
        if n < len(owners) and owners[n] == owners[first]:
            continue
        words = segment.words[first:n]
        if places is None:
            text = " ".join(w.text.strip() for w in words)
        else:
            begin = 0 if first == 0 else places[first]
            text = segment.text[begin : places[n] if n < len(owners) else len(segment.text)]
        found.append(Piece(owners[first], words[0].start_s, words[-1].end_s, text.strip()))
        first = n
    return found


def _places(segment: Segment) -> list[int] | None:
    """Where each word begins in the segment's text; None if the text does not hold them all in order."""
    places: list[int] = []
    at = 0
    for word in segment.words:
        place = segment.text.find(word.text.strip(), at)
        if place < 0:
            return None
        places.append(place)
        at = place + len(word.text.strip())
    return places


def _by_overlap(segment: Segment, scenes: Sequence[SceneSpan], touched: range) -> list[Piece]:
    whole = Interval(segment.start_s, segment.end_s)
    shared = {n: whole.overlap_s(scenes[n].interval) for n in touched}
    most = max(shared, key=lambda n: shared[n])
    enough = min(_ENOUGH_S, whole.duration_s / 2)
    return [
        Piece(n, max(segment.start_s, scenes[n].start_s), min(segment.end_s, scenes[n].end_s), segment.text.strip())
        for n in touched
        if n == most or shared[n] >= enough
    ]
