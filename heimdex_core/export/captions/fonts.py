"""The fonts of captions: those that come with the app, and others of this machine for what these lack."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

BUNDLED = ("NanumSquareB.ttf", "DejaVuSans-Bold.ttf")
"""Latin and the Korean syllables in use; then Arabic, Hebrew, Cyrillic, Greek, symbols and faces."""
_FOLDER = Path(__file__).parent / "fonts"
# libass draws outlines only
_COLOURED = ("CBDT", "sbix", "COLR", "SVG ")
_EMOJI_PARTS = re.compile("[\ufe0e\ufe0f\u200d\U0001f3fb-\U0001f3ff]")
_WORDS = re.compile(r"\s+|\S+")
_FULL_NAME, _FAMILY = 4, 1
_HANGUL = ord("가")


@dataclass(frozen=True, eq=False)
class Face:
    """One font, as libass finds and sizes it."""

    path: Path
    index: int
    """In a collection of fonts (TTC); else 0."""
    family: str
    weight: int
    """100 to 900."""
    height: float
    """From the lowest to the highest line that the font declares, in em: ASS gives sizes in it."""
    characters: frozenset[int] = field(repr=False)

    def width_px(self, text: str, em_px: float) -> float:
        """The advance of `text` at a size of `em_px` pixels."""
        return _measured(self).getlength(text) * em_px / _MEASURED_PX


_MEASURED_PX = 100
Run = tuple[Face, str]


class Fonts:
    """Chooses the font of each character; remembers which fonts were used and what none could draw."""

    def __init__(self, texts: Iterable[str] = (), folder: Path = _FOLDER) -> None:
        """`texts` are what will be drawn: a font that has all their letters comes first."""
        faces = [face for name in BUNDLED if (face := read_face(folder / name)) is not None]
        self.font_missing = len(faces) < len(BUNDLED)
        letters = {ord(c) for text in texts for c in unicodedata.normalize("NFC", text) if c.isalpha()}
        self._faces = sorted(faces, key=lambda face: not letters <= face.characters)
        self.used: dict[Face, None] = {}
        self.left_out: dict[str, None] = {}

    def runs(self, text: str) -> list[Run]:
        """`text` in parts of one font each, without what no font can draw."""
        found: list[Run] = []
        for word in _WORDS.findall(unicodedata.normalize("NFC", text)):
            letters = {ord(c) for c in word if c.isalpha()}
            whole = next((face for face in self._faces if letters and letters <= face.characters), None)
            for cluster in clusters(word):
                drawn, face = self._face_of(cluster, whole or (found[-1][0] if found else None))
                if face is None:
                    continue
                self.used[face] = None
                if found and found[-1][0] is face:
                    found[-1] = (face, found[-1][1] + drawn)
                else:
                    found.append((face, drawn))
        return found

    def drawable(self, text: str) -> str:
        """`text` without what no font can draw."""
        return "".join(part for _, part in self.runs(text)).strip()

    def width_px(self, text: str, em_px: float) -> float:
        """The width of `text` in one line at a size of `em_px` pixels."""
        return sum(face.width_px(part, em_px) for face, part in self.runs(text))

    def write(self, folder: Path) -> None:
        """Copy the fonts that were used into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for face in self.used:
            shutil.copyfile(face.path, folder / face.path.name)

    def _face_of(self, cluster: str, current: Face | None) -> tuple[str, Face | None]:
        """What of a cluster is drawn, and with which font; None if none has it.

        A word is drawn with one font where one has its letters; what stands beside it stays in that font, which also
        keeps Arabic in one run.
        """
        first = [current] if current else []
        # without the parts that only colour an emoji or join several
        for wanted in dict.fromkeys((cluster, _EMOJI_PARTS.sub("", cluster), cluster[0])):
            for face in [*first, *self._faces]:
                if wanted and all(ord(c) in face.characters for c in wanted):
                    return wanted, face
        if cluster.isspace():
            return (" ", current or self._faces[0]) if self._faces else ("", None)
        base = _EMOJI_PARTS.sub("", cluster) or cluster
        installed = _installed_face(base[0])
        if installed is not None:
            self._faces.append(installed)
            return base[0], installed
        if unicodedata.category(cluster[0]) != "Cf":
            self.left_out[cluster] = None
        return "", None


def clusters(text: str) -> list[str]:
    """Characters with the marks, joiners and modifiers that belong to them (roughly UAX #29)."""
    found: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        code = ord(character)
        joins = found and (
            unicodedata.category(character) in ("Mn", "Me", "Mc")
            or bool(_EMOJI_PARTS.match(character))
            or found[-1].endswith("\u200d")
            or (0x1F1E6 <= code <= 0x1F1FF and len(found[-1]) == 1 and 0x1F1E6 <= ord(found[-1]) <= 0x1F1FF)
        )
        if joins:
            found[-1] += character
        else:
            found.append(character)
    return found


@lru_cache(maxsize=64)
def read_face(path: Path, index: int = 0) -> Face | None:
    """A font file with outlines; None if it is missing, damaged or coloured."""
    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            if any(table in font for table in _COLOURED):
                return None
            return _face(font, path, index)
    except (OSError, TTLibError, KeyError, ValueError, AttributeError):
        return None


def _face(font: Any, path: Path, index: int) -> Face:
    metrics, units = font["OS/2"], font["head"].unitsPerEm
    # as libass does, after GDI
    height = metrics.usWinAscent + metrics.usWinDescent or font["hhea"].ascent - font["hhea"].descent
    family = font["name"].getDebugName(_FAMILY) or font["name"].getDebugName(_FULL_NAME)
    characters = frozenset(font.getBestCmap()) - _blank(font)
    if _HANGUL in characters:  # Korean fonts have a won sign in place of the backslash
        characters -= {ord("\\")}
    return Face(path, index, str(family), int(metrics.usWeightClass), height / units, characters)


def _blank(font: Any) -> set[int]:
    """Letters, digits, signs and symbols that the font names but has no outline for, as NanumSquare does with Han."""
    if "loca" not in font:
        return set()
    ends, number = font["loca"].locations, font.getReverseGlyphMap()
    return {
        code
        for code, name in font.getBestCmap().items()
        if ends[number[name]] == ends[number[name] + 1] and unicodedata.category(chr(code))[0] in "LNPS"
    }


@lru_cache(maxsize=64)
def _measured(face: Face) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(face.path), _MEASURED_PX, index=face.index)


@lru_cache(maxsize=512)
def _installed_face(character: str) -> Face | None:
    """The first font of this machine that has an outline of the character."""
    return next((face for face in _installed() if ord(character) in face.characters), None)


def _installed() -> Iterable[Face]:
    from matplotlib.font_manager import findSystemFonts

    for path in sorted(findSystemFonts()):
        face = read_face(Path(path))
        if face is not None:
            yield face
