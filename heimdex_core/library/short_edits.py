"""Changes of a short before it is made: its range, and its captions as corrected by hand."""

from __future__ import annotations

from dataclasses import replace

from heimdex_core.export.captions import correct_cue
from heimdex_core.library.library import Library
from heimdex_core.types import Cue, Scene, ShortRequest


def range_of(request: ShortRequest, scene: Scene) -> tuple[float, float]:
    """[start, end) of a short in seconds of the video."""
    return request.trim or (scene.start_s, scene.end_s)


def cues_of(library: Library, request: ShortRequest, scene: Scene) -> tuple[Cue, ...]:
    """The captions of a short: the corrected ones, else those of the transcript."""
    if request.cues is not None:
        return request.cues
    return library.shorts.cues(scene.scene_id, *range_of(request, scene))


def trimmed(library: Library, request: ShortRequest, scene: Scene, start_s: float, end_s: float) -> ShortRequest:
    """The short with another range. Corrected captions stay; where it grows, the transcript gives the others."""
    if request.snap in ("word", "sentence"):
        start_s, end_s = library.snap(scene.video_id, start_s, end_s, request.snap)
    return replace(request, trim=(start_s, end_s), cues=_fitted(library, request, scene, start_s, end_s))


def _fitted(
    library: Library, request: ShortRequest, scene: Scene, start_s: float, end_s: float
) -> tuple[Cue, ...] | None:
    if request.cues is None:
        return None
    kept = [cue for cue in request.cues if start_s <= (cue.start_s + cue.end_s) / 2 < end_s]
    if not kept:
        return None
    before, after = kept[0].start_s, kept[-1].end_s
    found = [*kept]
    if start_s < before:
        found = [*library.shorts.cues(scene.scene_id, start_s, before), *found]
    if after < end_s:
        found += library.shorts.cues(scene.scene_id, after, end_s)
    return tuple(found)


def corrected(library: Library, request: ShortRequest, scene: Scene, at_s: float, text: str) -> ShortRequest:
    """The short with another text in the caption that begins at `at_s`."""
    cues = cues_of(library, request, scene)
    fixed = tuple(correct_cue(cue, text) if abs(cue.start_s - at_s) < 0.001 else cue for cue in cues)
    return request if fixed == cues else replace(request, cues=fixed)
