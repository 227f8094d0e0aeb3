"""Probing a file in a child process."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.probe import probe
from heimdex_core.types import Json, MediaInfo, WorkContext, to_json


def probe_in_child(
    path: Path, *, limits: ChildLimits, max_bytes: int, max_duration_s: float, filename: str, measure: bool
) -> MediaInfo:
    """As `media.probe.probe`, in a child process that ends at `limits`. Raises DecoderFailed, too."""
    asked = {
        "path": str(path.absolute()),
        "max_bytes": max_bytes,
        "max_duration_s": max_duration_s,
        "filename": filename,
        "measure": measure,
    }
    return MediaInfo.from_json(run_in_child(f"{__name__}:probe_asked", asked, filename=filename, limits=limits))


def probe_asked(asked: Json, work: WorkContext) -> Json:
    """In the child."""
    found: Json = to_json(probe(Path(asked.pop("path")), **asked, context=work))
    return found
