"""Timecodes, sizes and codes of languages as text, the same everywhere."""

from __future__ import annotations

import re

# ISO 639-2, which containers use, of the languages that have two codes there or that the app offers.
_TWO_LETTERS = {
    "eng": "en", "kor": "ko", "jpn": "ja", "zho": "zh", "chi": "zh", "spa": "es", "fra": "fr", "fre": "fr",
    "deu": "de", "ger": "de", "ita": "it", "por": "pt", "rus": "ru", "ara": "ar", "hin": "hi", "ind": "id",
    "nld": "nl", "dut": "nl", "pol": "pl", "swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi",
}  # fmt: skip


def clock(seconds: float) -> str:
    """Seconds as m:ss, or as h:mm:ss from one hour on. Rounded down, as players do; negative values count as 0."""
    whole = int(max(seconds, 0.0))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"


def precise(seconds: float) -> str:
    """Seconds as m:ss.t, rounded to tenths: 17.42 is "0:17.4"."""
    tenths = round(max(seconds, 0.0) * 10)
    return f"{clock(tenths // 10)}.{tenths % 10}"


def size(size_bytes: float) -> str:
    """Bytes in decimal units, as file managers show them: "1.3 MB"."""
    value = float(size_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit in ("B", "KB") or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def limit_size(size_bytes: float) -> str:
    """A limit in bytes: whole multiples of a MiB or GiB in binary units ("1 GiB"), others as `size`."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if size_bytes >= scale and size_bytes % scale == 0:
            return f"{int(size_bytes // scale)} {unit}"
    return size(size_bytes)


def two_letter_code(tag: str | None) -> str | None:
    """The first part of a language tag, with two letters where it has such a code: "kor" and "ko-KR" give "ko"."""
    if not tag:
        return None
    first = re.split(r"[-_]", tag.lower())[0]
    return _TWO_LETTERS.get(first, first)


def inert_cell(text: str) -> str:
    """A text for a table that no spreadsheet takes for a formula: with a quote before it where it begins like one."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
