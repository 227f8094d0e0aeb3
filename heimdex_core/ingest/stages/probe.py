"""Stage `probe`: what the file holds, measured and not only claimed."""

from __future__ import annotations

from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.media.probe import probe
from heimdex_core.types import MediaInfo, WorkContext, to_json


@in_child
def run(context: StageContext, work: WorkContext) -> StageOutput:
    """The file's MediaInfo. Raises a ValidationError for what cannot be used."""
    params = context.params
    info = probe(
        context.source,
        max_bytes=params.max_file_bytes,
        max_duration_s=params.max_duration_s,
        filename=context.filename,
        audio_track=params.audio_track,
        context=work,
    )
    return StageOutput(to_json(info))


_EARLIER = StageSpec(
    name="probe",
    version=1,
    branch="start",
    run=run,
    parse=MediaInfo.from_json,
    label={},
    inputs=lambda context: {"source": context.sha256},
    params=("max_file_bytes", "max_duration_s"),
)

SPEC = StageSpec(
    name="probe",
    version=2,
    branch="start",
    run=run,
    parse=MediaInfo.from_json,
    label={"en": "Checking the file", "ko": "파일 확인"},
    inputs=lambda context: {"source": context.sha256},
    params=("max_file_bytes", "max_duration_s", "audio_track"),
    # before tracks were chosen and sound was measured here
    earlier=_EARLIER,
)
