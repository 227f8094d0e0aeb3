"""The clip of the reel that is opened to be trimmed: its video around it, with pictures, sound and words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from heimdex_core.library import Library
from heimdex_core.types import ReelClip, Scene, Segment, Video
from ui import media

LEAST_MARGIN_S, MOST_MARGIN_S = 3.0, 20.0
"""How much of the video is shown before and behind the scene and the clip: half of their length, within these."""
_MOST_WORDS = 600


def opened(library: Library, clip: ReelClip, video: Video) -> dict[str, Any]:
    """What the editor shows of one clip. Times are seconds of the video.

    Returns {"id", "from", "to": what the filmstrip shows, "duration": of the video, "fps", "pieces": the scenes on the
    filmstrip, each with its sprite and its waveform, "words"}.
    """
    duration_s = video.info.duration_s if video.info else max(clip.end_s, clip.scene_end_s)
    start_s, end_s = shown_part(clip, duration_s)
    generation = video.generation or 0
    return {
        "id": clip.clip_id,
        "from": start_s,
        "to": end_s,
        "duration": duration_s,
        "fps": video.info.fps if video.info else None,
        "pieces": [_piece(library, scene) for scene in _scenes(library, video.video_id, generation, start_s, end_s)],
        "words": words_between(_segments(library, video.video_id, generation), start_s, end_s),
    }


def shown_part(clip: ReelClip, duration_s: float) -> tuple[float, float]:
    """The part of the video that the filmstrip of a clip shows, (start, end) in seconds."""
    first, last = min(clip.start_s, clip.scene_start_s), max(clip.end_s, clip.scene_end_s)
    margin_s = min(max((last - first) / 2, LEAST_MARGIN_S), MOST_MARGIN_S)
    return max(0.0, first - margin_s), max(min(duration_s, last + margin_s), last)


def words_between(segments: Sequence[Segment], start_s: float, end_s: float) -> list[dict[str, Any]]:
    """The words that begin within [start_s, end_s), {"start", "end", "text"}; a line without word times is one."""
    found = [
        {"start": one.start_s, "end": one.end_s, "text": one.text.strip()}
        for segment in segments
        for one in (segment.words or (segment,))
        if start_s <= one.start_s < end_s and one.text.strip()
    ]
    return found[:_MOST_WORDS]


def _piece(library: Library, scene: Scene) -> dict[str, Any]:
    sprite = media.sprite(library, scene)
    return {
        "start": scene.start_s,
        "end": scene.end_s,
        "sprite": sprite["url"],
        "count": sprite["count"],
        "sound": media.sound_url(library, scene),
    }


def _scenes(library: Library, video_id: str, generation: int, start_s: float, end_s: float) -> list[Scene]:
    scenes = _all_scenes(library, video_id, generation)
    return [scene for scene in scenes if scene.start_s < end_s and scene.end_s > start_s]


@lru_cache(maxsize=64)
def _all_scenes(library: Library, video_id: str, generation: int) -> list[Scene]:
    # read once per generation, which never changes
    return library.scenes(video_id)


@lru_cache(maxsize=16)
def _segments(library: Library, video_id: str, generation: int) -> list[Segment]:
    return library.words(video_id)
