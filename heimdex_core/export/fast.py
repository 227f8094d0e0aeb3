"""The mode "fast" of reels: frames are copied from the sources where that can be done, and the rest is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.copying import Segment, Stretch, find_stretch, join_segments
from heimdex_core.media.graph import RenderFormat
from heimdex_core.media.render import LimitedRun, RenderClip, encode_picture, fitting_groups
from heimdex_core.types import ReelOptions, WorkContext, frame_size

NOTE_EXACT = "rendered_exactly"
"""Nothing was copied, although that was asked for; behind it stands why."""
NOTE_COPIED = "frames_copied"
"""Behind it stands how many of how many frames."""
_WHOLE_FPS = 0.005


def why_exact(options: ReelOptions) -> str | None:
    """Why nothing can be copied with these options: "crossfade", "drawing" or "framing"."""
    if options.crossfade_s:
        return "crossfade"
    if options.title_card or options.lower_thirds or options.captions:
        return "drawing"
    return "framing" if options.strategy is not None else None


def own_format(clips: Sequence[RenderClip], aspect: str) -> tuple[int, int, float] | None:
    """(width, height, frames per second) that all sources share, if the size has this aspect."""
    found = {(clip.info.width, clip.info.height, _rate(clip)) for clip in clips}
    width, height, fps = found.pop()
    same = not found and frame_size(aspect, min(width, height)) == (width, height)
    return (width, height, fps) if same else None


def _rate(clip: RenderClip) -> float:
    """In frames per second; a whole number where what was measured is one but for the clock."""
    fps = clip.info.fps
    return float(round(fps)) if abs(fps - round(fps)) < _WHOLE_FPS else round(fps, 2)


@dataclass(frozen=True)
class CopiedPicture:
    """Makes the picture of a reel, as `render_reel` wants it."""

    stretches: tuple[Stretch | str, ...]
    """What is copied of each clip, or why nothing is."""
    context: WorkContext

    @staticmethod
    def of(reel: Arrangement, target: RenderFormat, context: WorkContext) -> CopiedPicture:
        """Find out what can be copied; raises as `find_stretch` does."""
        return CopiedPicture(tuple(find_stretch(clip, target, context) for clip in reel.clips), context)

    @property
    def copied(self) -> int:
        """How many frames are copied."""
        return sum(s.count for s in self.stretches if isinstance(s, Stretch))

    @property
    def reason(self) -> str:
        """Why nothing is copied of the first clip of which nothing is."""
        return next((s for s in self.stretches if isinstance(s, str)), "")

    def __call__(self, reel: Arrangement, target: RenderFormat, folder: Path, run: LimitedRun) -> Path:
        """Write the picture into `folder`."""
        segments: list[Segment] = []
        waiting: list[RenderClip] = []

        def encode() -> None:
            for group in fitting_groups(waiting) if waiting else []:
                part = folder / f"{len(segments)}.mov"
                before_s = float(sum(s.count for s in segments) / target.fps)
                count = encode_picture(group, part, target, run, before_s=before_s, total_s=reel.duration_s)
                segments.append(Segment(part, 0, count))
            waiting.clear()

        for clip, stretch, frames in zip(reel.clips, self.stretches, reel.lengths, strict=True):
            if isinstance(stretch, str):
                waiting.append(clip)
                continue
            if stretch.first:
                waiting.append(_part(clip, stretch.head_s, stretch.first, target.fps))
            encode()
            segments.append(Segment(clip.path, clip.info.video_stream_index, stretch.count, stretch.pts))
            if stretch.end < frames:
                waiting.append(_part(clip, stretch.tail_s, frames - stretch.end, target.fps))
        encode()
        out = folder / "picture.mp4"
        join_segments(segments, out, target.fps, self.context)
        return out


def _part(clip: RenderClip, start_s: float, frames: int, fps: Fraction) -> RenderClip:
    return replace(clip, start_s=start_s, end_s=start_s + float(frames / fps), audio_track=None, sound_file=None)
