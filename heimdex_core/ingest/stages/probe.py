"""Stage `probe`: what the file holds, measured and not only claimed."""

from __future__ import annotations

import logging
from dataclasses import replace

from heimdex_core.errors import DecoderFailed
from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.media.probe import probe
from heimdex_core.types import MediaInfo, WorkContext, to_json

_log = logging.getLogger(__name__)


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """The file's MediaInfo. Raises a ValidationError for what cannot be used."""
    try:
        return _look(context, work)
    except DecoderFailed as error:
        # the sound may be what the decoder dies of: nearly everything that is decoded here is sound
        _log.warning("%s Trying without the sound.", error)
        info = MediaInfo.from_json(_look_at_the_picture(context, work).result)
        return StageOutput(to_json(replace(info, notes=(*info.notes, "sound_not_measured"))))


@in_child
def _look(context: StageContext, work: WorkContext) -> StageOutput:
    return _probed(context, work, sound=True)


@in_child
def _look_at_the_picture(context: StageContext, work: WorkContext) -> StageOutput:
    return _probed(context, work, sound=False)


def _probed(context: StageContext, work: WorkContext, *, sound: bool) -> StageOutput:
    params = context.params
    info = probe(
        context.source,
        max_bytes=params.max_file_bytes,
        max_duration_s=params.max_duration_s,
        filename=context.filename,
        audio_track=params.audio_track,
        sound=sound,
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
    keeps=lambda info: "sound_not_measured" not in info.notes,
    label={"en": "Checking the file", "ko": "파일 확인"},
    inputs=lambda context: {"source": context.sha256},
    params=("max_file_bytes", "max_duration_s", "audio_track"),
    # before tracks were chosen and sound was measured here
    earlier=_EARLIER,
)
