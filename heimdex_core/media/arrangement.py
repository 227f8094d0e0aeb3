"""Where the clips of a reel are in it, in whole frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from heimdex_core.media.graph import SAMPLE_RATE_HZ, RenderClip, clip_frames

_CONTINUOUS_S = 0.0005


@dataclass(frozen=True)
class Arrangement:
    """Clips one after the other, each fading into the next one for `crossfade` frames, behind a title."""

    clips: tuple[RenderClip, ...]
    fps: Fraction
    crossfade: int = 0
    """In frames; the title fades into the first clip as well."""
    title: int = 0
    """How many frames the title lasts; 0 for none."""

    @staticmethod
    def of(
        clips: Sequence[RenderClip], fps: Fraction, *, crossfade_s: float = 0.0, title_s: float = 0.0
    ) -> Arrangement:
        """Clips that follow each other in their source become one, so that nothing is heard or seen where they meet.

        A crossfade is cut to half of the shortest clip, so that no clip fades in and out at once.
        """
        crossfade = round(Fraction(crossfade_s) * fps)
        joined = clips if crossfade else _joined(clips)
        title = round(Fraction(title_s) * fps)
        lengths = [clip_frames(clip.duration_s, fps) for clip in joined] + ([title] if title else [])
        return Arrangement(tuple(joined), fps, min([crossfade, *(length // 2 for length in lengths)]), title)

    @property
    def lengths(self) -> list[int]:
        """How many frames each clip has."""
        return [clip_frames(clip.duration_s, self.fps) for clip in self.clips]

    @property
    def starts(self) -> list[int]:
        """The frame of the reel with which each clip begins."""
        found = [self.title - self.crossfade if self.title else 0]
        for length in self.lengths[:-1]:
            found.append(found[-1] + length - self.crossfade)
        return found

    @property
    def frames(self) -> int:
        """How many frames the reel has."""
        return self.starts[-1] + self.lengths[-1]

    @property
    def duration_s(self) -> float:
        """How long the reel is, in seconds."""
        return float(self.frames / self.fps)

    def samples(self, frame: int) -> int:
        """The sample of the sound at which a frame begins; rounded from the start, so that no errors add up."""
        return round(frame * SAMPLE_RATE_HZ / self.fps)


def _joined(clips: Sequence[RenderClip]) -> list[RenderClip]:
    found: list[RenderClip] = []
    for clip in clips:
        last = found[-1] if found else None
        if last is not None and _continues(last, clip):
            found[-1] = replace(last, end_s=clip.end_s, cues=last.cues + clip.cues)
        else:
            found.append(clip)
    return found


def _continues(last: RenderClip, clip: RenderClip) -> bool:
    same = (last.path, last.audio_track, last.framing) == (clip.path, clip.audio_track, clip.framing)
    return same and clip.sound_file is None and abs(last.end_s - clip.start_s) <= _CONTINUOUS_S
