"""Frame rates and timecodes.

Drop-frame timecode (SMPTE ST 12-1) leaves out numbers, not frames: at 29.97 frames a second ;00 and ;01 of every
minute that is not a multiple of ten, at 59.94 ;00 to ;03.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_NTSC = Fraction(1000, 1001)
RATES = (24 * _NTSC, Fraction(24), Fraction(25), 30 * _NTSC, Fraction(30), Fraction(48), Fraction(50), 60 * _NTSC,
         Fraction(60))  # fmt: skip
"""The rates that a timeline may have, in frames per second: those that editing programs share."""
DROP_FRAME_RATES = (30 * _NTSC, 60 * _NTSC)
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_TOLERANCE = 0.002


def exact_rate(fps: float) -> Fraction:
    """The fraction that a rounded frame rate stands for: 29.97 is 30000/1001, 12.5 is 25/2."""
    whole = round(fps * 1.001)
    if whole and abs(fps - float(whole * _NTSC)) < _TOLERANCE < abs(fps - round(fps)):
        return whole * _NTSC
    return Fraction(fps).limit_denominator(1000)


def nearest_rate(rate: Fraction) -> Fraction:
    """The one of RATES that is nearest."""
    return min(RATES, key=lambda usual: abs(usual - rate))


def timeline_rate(rate: Fraction) -> Fraction:
    """The one of RATES that fits a source best: its own, else a multiple, else a whole part, else the nearest one.

    So 12.5 gives 25, 15 gives 30 and 119.88 gives 59.94.
    """
    multiples = [usual for usual in RATES if (usual / rate).denominator == 1]
    parts = [usual for usual in reversed(RATES) if (rate / usual).denominator == 1]
    return next(iter([*multiples, *parts]), nearest_rate(rate))


def nominal(rate: Fraction) -> int:
    """How many frames a second of timecode counts: 30 at 29.97, 13 at 12.5."""
    return math.ceil(rate)


def format_timecode(frame: int, rate: Fraction, *, is_drop_frame: bool = False) -> str:
    """The timecode of a frame, hh:mm:ss:ff or, in drop frame, hh:mm:ss;ff. It begins again after 24 hours.

    Args:
        frame: number of frames since 00:00:00:00.
        rate: frames per second.
        is_drop_frame: only for DROP_FRAME_RATES.
    """
    per_second = nominal(rate)
    if is_drop_frame:
        dropped = per_second // 15
        per_minute = 60 * per_second - dropped
        tens, rest = divmod(frame, 10 * per_minute + dropped)
        frame += dropped * (9 * tens + max(0, rest - dropped) // per_minute)
    seconds, frames = divmod(frame, per_second)
    hours, minutes = seconds // 3600 % 24, seconds // 60 % 60
    return f"{hours:02}:{minutes:02}:{seconds % 60:02}{';' if is_drop_frame else ':'}{frames:02}"


def parse_timecode(text: str, rate: Fraction) -> tuple[int, bool] | None:
    """(number of frames since 00:00:00:00, whether it is drop frame) of a timecode; None if it is none at this rate."""
    found = _TIMECODE.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds, frames = (int(found[n]) for n in (1, 2, 3, 5))
    per_second = nominal(rate)
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= per_second:
        return None
    number = (3600 * hours + 60 * minutes + seconds) * per_second + frames
    is_drop_frame = found[4] != ":" and rate in DROP_FRAME_RATES
    if is_drop_frame:
        passed = 60 * hours + minutes
        number -= per_second // 15 * (passed - passed // 10)
    return number, is_drop_frame
