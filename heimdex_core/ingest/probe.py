"""Stage: what the file holds, measured and not only claimed."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.ingest.params import IngestParams
from heimdex_core.media.probe import check_file, probe
from heimdex_core.types import MediaInfo

VERSION = 1
PARAMS = ("max_file_bytes", "max_duration_s")


def examine(source: Path, *, filename: str, params: IngestParams) -> MediaInfo:
    """The file's MediaInfo. Raises a ValidationError for what cannot be used; messages say `filename`."""
    check_file(source, max_bytes=params.max_file_bytes)
    return probe(
        source, max_bytes=params.max_file_bytes, max_duration_s=params.max_duration_s, filename=filename, measure=True
    )
