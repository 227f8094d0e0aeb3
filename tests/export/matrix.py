"""The matrix of exports: which sources go through which options, and how one is rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from heimdex_core.export import reel, short
from heimdex_core.export.crop.smart import plan_crop
from heimdex_core.export.fast import own_format
from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.graph import exact_fps
from heimdex_core.media.render import RenderMeasure
from heimdex_core.media.short import fps_of
from heimdex_core.settings import Settings
from heimdex_core.types import Cue, Json, WorkContext, frame_size, to_json
from tests.media.rendering import clip
from tests.support.flash_media import RATES, SIZES, FlashSource
from tests.support.pairwise import Row, pairwise

# The first value of each goes with every value of the others.
SOURCE = {
    "shape": tuple(SIZES),
    "rate": ("25", *(rate for rate in RATES if rate != "25")),
    "rotation": ("0", "90", "180", "270"),
    "sound": ("stereo", "none", "broken", "5.1", "short"),
    "coding": ("h264", "hevc", "hdr", "interlaced", "late", "odd"),
}
OUTPUT = {
    "strategy": ("center_crop", "letterbox", "blur_pad", "smart_crop"),
    "captions": ("none", "plain", "karaoke"),
    "mode": ("exact", "fast", "styled"),
    "frame": ("16:9", "1:1", "9:16", "9:16 center_crop", "9:16 blur_pad", "9:16 smart_crop"),
}
FACTORS = {**SOURCE, **OUTPUT}

START_S, END_S = 0.3, 2.1
"""What is rendered of every source."""
SHORTER_SIDE_PX = 180
CROSSFADE_S = 0.3
_SETTINGS = Settings(_env_file=None)


def is_possible(row: Row) -> bool:
    """Whether such files exist: interlaced ones have a constant rate of at most 30 frames a second."""
    return not (row.get("coding") == "interlaced" and row.get("rate") in ("variable", "60"))


ROWS = pairwise(FACTORS, is_possible)


def row_id(row: Row) -> str:
    """A row in a word, for reports."""
    return "-".join(value.replace(":", "x").replace(" ", "_") for value in row.values())


def source_of(row: Row) -> FlashSource:
    return FlashSource(**{name: row[name] for name in SOURCE})


@dataclass(frozen=True)
class Rendered:
    """A rendered file and what it should be like."""

    path: Path
    measured: RenderMeasure
    size: tuple[int, int]
    fps: Fraction
    duration_s: float
    clips: int
    flashes_s: tuple[float, ...]
    beeps_s: tuple[float, ...]


def render_short(row: Row, source: Path, out: Path) -> Rendered:
    """A short of a row."""
    part = clip(source, START_S, END_S)
    params: Json = {**short.params(_SETTINGS), "preset": "ultrafast", "strategy": row["strategy"], "scene_id": "s"}
    if row["captions"] != "none":
        params |= {"captions": row["captions"], "cues": [to_json(cue) for cue in _cues()]}
    if row["strategy"] == "smart_crop":
        path = plan_crop(source, part.info, START_S, END_S, width=short.WIDTH, height=short.HEIGHT)
        params["crop_path"] = to_json(path)
    measured = short.write([part], out, params, 120, WorkContext())
    fps = exact_fps(fps_of(part.info, float(params["max_fps"])))
    found = source_of(row)
    times = tuple(time_s - START_S for time_s in found.flashes_s)
    beeps = times if found.sound != "none" else ()
    return Rendered(out, measured, (1080, 1920), fps, END_S - START_S, 1, times, beeps)


def render_reel(row: Row, source: Path, plain: Path, out: Path) -> Rendered:
    """A reel of a row: its source, and a plain one behind it; in the mode "fast" its source twice."""
    aspect, _, strategy = row["frame"].partition(" ")
    first = replace(clip(source, START_S, END_S), title="A title", cues=_cues())
    sources = [source_of(row), source_of(row) if row["mode"] == "fast" else FlashSource()]
    # that two clips of one source are not taken for one
    second = clip(source, 0.25, END_S) if row["mode"] == "fast" else clip(plain, START_S, END_S)
    clips = [first, second]
    params: Json = {
        **reel.params(_SETTINGS),
        **{"height_px": SHORTER_SIDE_PX, "preset": "ultrafast", "title": "A reel", "aspect": aspect},
        "strategy": strategy or None,
    }
    if row["mode"] == "fast":
        params |= {"mode": "fast", "own_format": True}
    if row["mode"] == "styled":
        params |= {"crossfade_s": CROSSFADE_S, "title_card": True, "lower_thirds": True}
        params["captions"] = None if row["captions"] == "none" else row["captions"]
    measured = reel.write(clips, out, params, 120, WorkContext())
    size, fps = frame_size(aspect, SHORTER_SIDE_PX), exact_fps(float(params["fps"]))
    if any(note.startswith("frames_copied") for note in measured.notes):
        own = own_format(clips, aspect)
        assert own is not None
        size, fps = own[:2], exact_fps(own[2])
    title_s = reel.TITLE_S if row["mode"] == "styled" else 0.0
    placed = Arrangement.of(clips, fps, crossfade_s=params["crossfade_s"], title_s=title_s)
    return _expected(out, measured, size, placed, sources)


def _expected(
    out: Path, measured: RenderMeasure, size: tuple[int, int], placed: Arrangement, sources: list[FlashSource]
) -> Rendered:
    flashes: list[float] = []
    beeps: list[float] = []
    for found, part, start in zip(sources, placed.clips, placed.starts, strict=True):
        times = [float(start / placed.fps) + time_s - part.start_s for time_s in found.flashes_s]
        flashes += times
        beeps += times if found.sound != "none" else []
    duration_s = sum(part.duration_s for part in placed.clips)
    joins = len(placed.clips) - (0 if placed.title else 1)
    duration_s += float((placed.title - joins * placed.crossfade) / placed.fps)
    return Rendered(out, measured, size, placed.fps, duration_s, len(placed.clips), tuple(flashes), tuple(beeps))


def _cues() -> tuple[Cue, ...]:
    return (Cue(0.4, 1.1, "These words are shown"), Cue(1.1, 1.9, "이 말이 보입니다"))


def part_of(**changes: Any) -> Row:
    """A row in which everything is plain but for `changes`."""
    return {name: str(changes.get(name, values[0])) for name, values in FACTORS.items()}
