"""The mode "fast" of reels: frames are copied from the sources where that can be done, and the rest is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.copying import Segment, Stretch, find_stretches, join_segments
from heimdex_core.media.graph import RenderFormat, clip_frames
from heimdex_core.media.render import LimitedRun, RenderClip, encode_parts, fitting_groups
from heimdex_core.types import ReelOptions, frame_size

NOTE_EXACT = "rendered_exactly"
"""Nothing was copied, although that was asked for; behind it stands why."""
NOTE_COPIED = "frames_copied"
"""Behind it stands how many of how many frames."""
_WHOLE_FPS = 0.005


def why_exact(options: ReelOptions, clips: Sequence[RenderClip] = ()) -> str | None:
    """Why nothing can be copied with these options and clips: "crossfade", "drawing" or "framing"."""
    if options.crossfade_s:
        return "crossfade"
    if options.title_card or options.lower_thirds or options.captions:
        return "drawing"
    is_framed = options.strategy is not None or any(clip.strategy is not None for clip in clips)
    return "framing" if is_framed else None


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


class NotCopied(Exception):
    """Nothing can be copied; says why in a word."""


class CopiedPicture:
    """Makes the picture of a reel, as `render_reel` wants it."""

    def __init__(self) -> None:
        self.copied = 0
        """How many frames were copied."""

    def __call__(self, reel: Arrangement, target: RenderFormat, folder: Path, run: LimitedRun) -> Path:
        """Write the picture into `folder`. Raises NotCopied, and as `find_stretches` and `join_segments` do."""
        stretches = find_stretches(reel.clips, target, run.context)
        self.copied = sum(s.count for s in stretches if isinstance(s, Stretch))
        if not self.copied:
            raise NotCopied(next((s for s in stretches if isinstance(s, str)), ""))
        segments: list[Segment | RenderClip] = []
        for clip, stretch, frames in zip(reel.clips, stretches, reel.lengths, strict=True):
            if isinstance(stretch, str):
                segments.append(clip)
                continue
            if stretch.first:
                segments.append(_part(clip, stretch.head_s, stretch.first, target.fps))
            segments.append(Segment(clip.path, clip.info.video_stream_index, stretch.count, stretch.pts))
            if stretch.end < frames:
                segments.append(_part(clip, stretch.tail_s, frames - stretch.end, target.fps))
        out = folder / "picture.mp4"
        join_segments(self._encoded(segments, reel, target, folder, run), out, target.fps, run.context)
        return out

    def _encoded(
        self,
        segments: Sequence[Segment | RenderClip],
        reel: Arrangement,
        target: RenderFormat,
        folder: Path,
        run: LimitedRun,
    ) -> list[Segment]:
        """The segments, with what is not copied encoded; in few runs, since each takes longer than a few frames."""
        found: list[Segment] = []
        done = self.copied
        for n, group in enumerate(fitting_groups([s for s in segments if isinstance(s, RenderClip)])):
            if not group:
                break
            part, before_s = folder / f"{n}.mov", float(done / target.fps)
            firsts = encode_parts(group, part, target, run, before_s=before_s, total_s=reel.duration_s)
            lengths = [clip_frames(clip.duration_s, target.fps) for clip in group]
            ticks = 512 * target.fps.denominator
            found += [Segment(part, 0, length, first * ticks) for first, length in zip(firsts, lengths, strict=True)]
            done += sum(lengths)
        encoded = iter(found)
        return [next(encoded) if isinstance(s, RenderClip) else s for s in segments]


def _part(clip: RenderClip, start_s: float, frames: int, fps: Fraction) -> RenderClip:
    return replace(clip, start_s=start_s, end_s=start_s + float(frames / fps), audio_track=None, sound_file=None)
