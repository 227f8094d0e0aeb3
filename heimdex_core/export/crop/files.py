"""Crop paths as files: JSON or CSV, by the ending of the name."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from heimdex_core.errors import FileUnreadable, InvalidValue
from heimdex_core.files import atomic_write
from heimdex_core.types import Json
from heimdex_core.types.crop import CropKeyframe, CropPath

COLUMNS = ("time_s", "x", "y", "cut")
"""Of a CSV file, and the keys of a keyframe in JSON; y and cut may be left out."""
MAX_BYTES = 16 << 20


def crop_path_json(crop_path: CropPath) -> Json:
    """A path as JSON values: {"keyframes": [{"time_s", "x", "y", "cut"}, ...]}."""
    keyframes = [
        {"time_s": round(one.time_s, 4), "x": round(one.x, 5), "y": round(one.y, 5), "cut": one.cut}
        for one in crop_path.keyframes
    ]
    return {"keyframes": keyframes}


def crop_path_from_json(data: Any) -> CropPath:
    """What `crop_path_json` described, or only its list of keyframes. Raises InvalidValue."""
    rows = data.get("keyframes") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _invalid("it is no list of keyframes")
    return CropPath(tuple(_keyframe(row, number) for number, row in enumerate(rows, 1)))


def read_crop_path(path: Path) -> CropPath:
    """Read a path from a .json or .csv file. Raises FileUnreadable, InvalidValue."""
    is_csv = _is_csv(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileUnreadable(filename=path.name, reason=f"it is larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error
    if is_csv:
        return crop_path_from_json(list(csv.DictReader(io.StringIO(text))))
    try:
        return crop_path_from_json(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise _invalid(str(error)) from error


def write_crop_path(path: Path, crop_path: CropPath) -> None:
    """Write a path to a .json or .csv file; an existing one is replaced. Raises InvalidValue, DiskFull."""
    data = crop_path_json(crop_path)
    if _is_csv(path):
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "cut": int(row["cut"])} for row in data["keyframes"])
        text = table.getvalue()
    else:
        text = json.dumps(data, indent=1) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode())


def _is_csv(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise InvalidValue(name="crop path", value=path.name, reason="its name must end in .json or .csv")
    return suffix == ".csv"


def _keyframe(row: Json, number: int) -> CropKeyframe:
    try:
        time_s, x = float(row["time_s"]), float(row["x"])
        y = 0.5 if row.get("y") in (None, "") else float(row["y"])
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(f"keyframe {number} needs numbers for time_s and x") from error
    return CropKeyframe(time_s, x, y, str(row.get("cut") or "").strip().lower() in ("1", "true", "yes"))


def _invalid(reason: str) -> InvalidValue:
    return InvalidValue(name="crop path", value="the file", reason=reason)
