"""What the tests of rendering share."""

from pathlib import Path

from heimdex_core.media.graph import choose_audio, wide_size
from heimdex_core.media.render import RenderClip, RenderMeasure, measure, render_reel
from heimdex_core.types import WorkContext
from tests.support import media
from tests.support.decoding import info_of

RED, GREEN, BLUE, BLACK = media.RGB["red"], media.RGB["green"], media.RGB["blue"], media.RGB["black"]
YELLOW, ORANGE, WHITE = media.RGB["yellow"], media.RGB["orange"], media.RGB["white"]
LOUD, SILENT = 0.02, 1e-4


def clip(path: Path, start_s: float, end_s: float) -> RenderClip:
    info = info_of(path)
    return RenderClip(path, info, start_s, end_s, choose_audio(info))


def reel(clips: list[RenderClip], out: Path, *, fps: float = 30.0, height: int = 180) -> RenderMeasure:
    width, height = wide_size(height)
    render_reel(
        clips,
        out,
        width=width,
        height=height,
        fps=fps,
        crf=20,
        preset="ultrafast",
        timeout_s=120,
        context=WorkContext(),
    )
    return measure(out)
