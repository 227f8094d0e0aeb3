"""What the tests of rendering share."""

from functools import cache
from pathlib import Path

from heimdex_core.files import file_signature
from heimdex_core.media.render import RenderClip, RenderMeasure, choose_audio, measure, render_reel, wide_size
from heimdex_core.types import MediaInfo, WorkContext
from tests.support import media
from tests.support.decoding import info_of

RED, GREEN, BLUE, BLACK = media.RGB["red"], media.RGB["green"], media.RGB["blue"], media.RGB["black"]
YELLOW, ORANGE, WHITE = media.RGB["yellow"], media.RGB["orange"], media.RGB["white"]
LOUD, SILENT = 0.02, 1e-4


@cache
def _info(path: Path, signature: tuple[int, int, int] | None) -> MediaInfo:
    return info_of(path)


def clip(path: Path, start_s: float, end_s: float) -> RenderClip:
    info = _info(path, file_signature(path))
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
