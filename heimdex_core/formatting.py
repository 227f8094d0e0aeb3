"""Timecodes and sizes as text, the same in every language."""

from __future__ import annotations


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
