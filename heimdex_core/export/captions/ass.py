"""Laid out cues as an ASS file (Advanced SubStation Alpha 4+), the format that libass draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from heimdex_core.export.captions.fonts import Face, Fonts
from heimdex_core.export.captions.layout import MARGIN_SHARE, LaidCue, TextArea, lay_out
from heimdex_core.export.captions.styles import CaptionPosition, CaptionStyle, caption_position, caption_style
from heimdex_core.export.captions.words import join_words
from heimdex_core.media.burning import CaptionLayer
from heimdex_core.types import Cue, CueWord

_HELD_S = 0.3
# a word joiner is not drawn, and keeps a backslash from beginning a command
_ESCAPES = {"\\": "\\\u2060", "{": "\\{", "}": "\\}"}
_SCRIPT_INFO = """[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 2
ScaledBorderAndShadow: yes
YCbCr Matrix: None

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
"""
NOTE_LETTERS_LEFT_OUT = "caption_letters_left_out"
"""Behind it stand the characters."""
NOTE_FONT_MISSING = "caption_font_missing"

_EVENTS = """
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def write_captions(
    cues: Sequence[Cue],
    out: Path,
    *,
    width: int,
    height: int,
    style: str,
    position: str | CaptionPosition,
    offset_s: float = 0.0,
) -> CaptionLayer:
    """Write the captions of a video as an ASS file, and its fonts into a folder beside it.

    Args:
        cues: in order, none overlapping.
        out: the file to write; the folder is called as it is, with ".fonts" at the end.
        width, height: of the video, in pixels.
        style: a name in STYLES.
        position: a place, or its name in POSITIONS.
        offset_s: the time of the cues, in seconds, at which the video begins; what is before it is cut off.

    Raises UnknownName.
    """
    look, fonts = caption_style(style), Fonts(cue.text for cue in cues)
    place = caption_position(position) if isinstance(position, str) else position
    area = TextArea.of(width, height, look.beyond_em)
    lines: list[str] = []
    for cue in cues:
        if cue.end_s > offset_s:
            for laid in lay_out(cue, fonts, area):
                lines += _events(laid, look, fonts, area, offset_s)
    head = _SCRIPT_INFO.format(width=width, height=height) + _style_line(look, place, area, fonts, width, height)
    out.write_text(head + _EVENTS + "".join(lines), encoding="utf-8")
    folder = out.with_name(f"{out.name}.fonts")
    fonts.write(folder)
    return CaptionLayer(out, folder, "".join(fonts.left_out), fonts.font_missing)


def caption_notes(layer: CaptionLayer) -> list[str]:
    """Codes of what is to be known of the captions."""
    notes = [f"{NOTE_LETTERS_LEFT_OUT}:{layer.left_out}"] if layer.left_out else []
    return notes + ([NOTE_FONT_MISSING] if layer.font_missing else [])


def _style_line(
    look: CaptionStyle, place: CaptionPosition, area: TextArea, fonts: Fonts, width: int, height: int
) -> str:
    beyond_px = look.beyond_em * area.em_px
    side = round(width * MARGIN_SHARE + beyond_px)
    below = round(height * place.bottom_share(width, height) + beyond_px)
    colours = [_colour(look.text), _colour(look.text)]
    if look.box_em:
        # one box behind all lines, as far beyond them as the shadow is wide
        box = _colour(look.outline, look.box_alpha)
        colours, border = [*colours, box, box], ["4", "0", f"{look.box_em * area.em_px:.1f}"]
    else:
        colours += [_colour(look.outline), _colour(look.outline, 128)]
        border = ["1", f"{look.outline_em * area.em_px:.1f}", f"{look.shadow_em * area.em_px:.1f}"]
    alignment = "2" if place.vertical == "bottom" else "5"
    # encoding -1: the base direction is that of the text
    family = next((face.family for face in fonts.used), "sans-serif")
    fields = ["Caption", family, f"{area.em_px:.1f}", *colours, "-1,0,0,0,100,100,0,0", *border]
    return "Style: " + ",".join([*fields, alignment, str(side), str(side), str(below), "-1"]) + "\n"


def _events(laid: LaidCue, look: CaptionStyle, fonts: Fonts, area: TextArea, offset_s: float) -> Iterator[str]:
    for start_s, end_s, spoken in _moments(laid) if look.spoken else [(laid.start_s, laid.end_s, None)]:
        start, end = _time(start_s - offset_s), _time(end_s - offset_s)
        if start < end:
            text = _text(laid, look, fonts, area.em_px * laid.scale, spoken)
            yield f"Dialogue: 0,{start},{end},Caption,,0,0,0,,{text}\n"


def _moments(laid: LaidCue) -> Iterator[tuple[float, float, CueWord | None]]:
    """The parts of a cue's time, each with the word that is being said; a word is held over short pauses."""
    words = [word for line in laid.lines for word in line]
    at = laid.start_s
    for n, word in enumerate(words):
        start_s = min(max(word.start_s, at), laid.end_s)
        following_s = words[n + 1].start_s if n + 1 < len(words) else laid.end_s
        end_s = following_s if following_s - word.end_s <= _HELD_S else word.end_s
        end_s = min(max(end_s, start_s), laid.end_s)
        if at < start_s:
            yield at, start_s, None
        if start_s < end_s:
            yield start_s, end_s, word
        at = end_s
    if at < laid.end_s:
        yield at, laid.end_s, None


def _text(laid: LaidCue, look: CaptionStyle, fonts: Fonts, em_px: float, spoken: CueWord | None) -> str:
    parts: list[str] = []
    face: Face | None = None
    for number, line in enumerate(laid.lines):
        parts.append("\\N" if number else "")
        # the words of a line, each with what stands before it
        texts = [join_words(word.text for word in line[: n + 1]) for n in range(len(line))]
        for n, word in enumerate(line):
            colour = look.spoken if word is spoken and look.spoken else None
            text = texts[n][len(texts[n - 1]) :] if n else texts[n]
            parts.append(_recoloured(colour) if colour else "")
            for chosen, run in fonts.runs(text):
                if chosen is not face:
                    face = chosen
                    parts.append(f"{{\\fn{face.family}\\b{face.weight}\\fs{face.height * em_px:.1f}}}")
                parts.append("".join(_ESCAPES.get(c, c) for c in run))
            parts.append(_recoloured(look.text) if colour else "")
    return "".join(parts)


def _colour(rgb: str, alpha: int = 0) -> str:
    return f"&H{alpha:02X}{rgb[4:6]}{rgb[2:4]}{rgb[0:2]}"


def _recoloured(rgb: str) -> str:
    return f"{{\\c&H{rgb[4:6]}{rgb[2:4]}{rgb[0:2]}&}}"


def _time(seconds: float) -> str:
    hundredths = max(0, round(seconds * 100))
    return f"{hundredths // 360_000}:{hundredths // 6000 % 60:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"
