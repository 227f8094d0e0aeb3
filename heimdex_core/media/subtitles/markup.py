"""Text without its markup. Only what is a tag in some subtitle format goes: `vector<int>` and `a <b and c> d` stay."""

from __future__ import annotations

import html
import re

_ATTRIBUTE = r"""\s+[A-Za-z_:][\w:.-]{0,40}\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s<>"']+)"""
_TAG = re.compile(
    rf"<(?:\s?/\s?)?(?:i|b|u|s|em|strong|font|span|c|v|lang|ruby|rb|rt|rp)(?:{_ATTRIBUTE}){{0,12}}\s?/?\s?>",
    re.IGNORECASE,
)
# Machine translation puts spaces into tags. Without the closing tag `a < b > c` is meant.
_SPACED_TAG = re.compile(r"<\s([ibus])\s?>(?=.{0,80}<\s?/\s?\1\s?>)", re.IGNORECASE)
_OVERRIDE = re.compile(r"\{\s*\\[^{}]*\}")
_BLOCK = re.compile(r"(\{[^{}]*\})")
_DRAWING_MODE = re.compile(r"\\p(\d+)")
# Without a semicolon only what Korean .smi files write that way: "&notes" is not an entity.
_ENTITY = re.compile(r"&(?:#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z]\w{1,30};|nbsp\b)")
# Direction marks, word joiners, byte order marks. The joiners U+200C and U+200D belong to words and emoji.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]")

LINE_BREAK = re.compile(r"< ?br ?/? ?>", re.IGNORECASE)


def plain(line: str) -> str:
    """A line without tags and ASS overrides, with entities resolved and spaces collapsed."""
    # runs of spaces go first: searching for tags among them would take quadratic time
    text = _OVERRIDE.sub("", " ".join(line.split()))
    if "< " in text:
        text = _SPACED_TAG.sub("", text)
    text = _TAG.sub("", text)
    return " ".join(_INVISIBLE.sub("", unescape(text)).replace(r"\h", " ").split())


def unescape(text: str) -> str:
    """`text` with its HTML entities resolved; an ampersand that begins none stays."""
    if "&" not in text:
        return text
    return _ENTITY.sub(lambda match: html.unescape(match[0].rstrip(";") + ";"), text)


def without_drawings(text: str) -> str:
    """An ASS text without its vector drawings, which are what stands between {\\p1} and {\\p0}."""
    if r"\p" not in text:
        return text
    kept, drawing = [], False
    for part in _BLOCK.split(text):
        if part.startswith("{") and part.endswith("}"):
            scales = _DRAWING_MODE.findall(part)
            drawing = int(scales[-1][:9]) > 0 if scales else drawing
            kept.append(part)
        elif not drawing:
            kept.append(part)
    return "".join(kept)


def is_drawing(text: str) -> bool:
    """Whether an ASS text shows something, but only drawings."""
    return bool(plain(text)) and not plain(without_drawings(text))
