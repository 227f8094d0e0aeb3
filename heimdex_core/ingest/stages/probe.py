"""Stage `probe`: what the file holds, measured and not only claimed."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.params import IngestParams
from heimdex_core.media.probe import check_file, probe
from heimdex_core.types import MediaInfo, WorkContext, to_json


def examine(source: Path, *, filename: str, params: IngestParams) -> MediaInfo:
    """The file's MediaInfo. Raises a ValidationError for what cannot be used; messages say `filename`."""
    check_file(source, max_bytes=params.max_file_bytes)
    return probe(
        source, max_bytes=params.max_file_bytes, max_duration_s=params.max_duration_s, filename=filename, measure=True
    )


def run(context: StageContext, work: WorkContext) -> StageOutput:
    return StageOutput(to_json(examine(context.source, filename=context.filename, params=context.params)))


SPEC = StageSpec(
    name="probe",
    version=1,
    branch="start",
    run=run,
    parse=MediaInfo.from_json,
    label={"en": "Checking the file", "ko": "파일 확인"},
    inputs=lambda context: {"source": context.sha256},
    params=("max_file_bytes", "max_duration_s"),
)
