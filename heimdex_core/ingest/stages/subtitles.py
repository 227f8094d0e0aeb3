"""Stage `subtitles`: the lines that came with the video. Supplied subtitles win, then those inside the file.

Read before everything that is slow: lines move scenes, and where there are any nobody has to listen.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from heimdex_core.errors import SubtitlesUnreadable
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import probe
from heimdex_core.media.subtitles import embedded_subtitles, read_subtitles
from heimdex_core.types import Json, MediaInfo, Transcript, WorkContext, to_json


@dataclass(frozen=True)
class Lines:
    """`found` is None where no lines came with the video; `notes` say what could not be used."""

    found: Transcript | None
    notes: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: Json) -> Lines:
        found = data["found"]
        return Lines(Transcript.from_json(found) if found is not None else None, tuple(data["notes"]))


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """The lines within [0, duration).

    Subtitles that cannot be read do not stop the video: the next source is used, and the notes say so.
    """
    info, supplied = context.result(probe.SPEC), context.supplied_subtitles
    notes: list[str] = []
    for read in (
        lambda: read_subtitles(supplied) if supplied else None,
        lambda: embedded_subtitles(context.source, info),
    ):
        work.check()
        try:
            found = read()
        except SubtitlesUnreadable as error:
            notes.append(f"subtitles_unreadable:{error.details.get('reason', '')}")
            continue
        if found is not None and found.segments:
            return StageOutput(to_json(Lines(limited(found, info), tuple(notes))))
        if found is not None:
            notes += [*found.notes, "subtitles_empty"]
    return StageOutput(to_json(Lines(None, tuple(notes))))


def limited(found: Transcript, info: MediaInfo) -> Transcript:
    """What of a transcript lies within [0, duration) and is not blank; the notes count the rest."""
    inside = tuple(
        dataclasses.replace(s, end_s=min(s.end_s, info.duration_s))
        for s in found.segments
        if s.start_s < info.duration_s and s.text.strip()
    )
    outside = len(found.segments) - len(inside)
    notes = (*found.notes, f"transcript_outside:{outside}") if outside else found.notes
    return dataclasses.replace(found, segments=inside, notes=tuple(notes))


SPEC = StageSpec(
    name="subtitles",
    version=1,
    branch="start",
    run=run,
    parse=Lines.from_json,
    label={"en": "Reading subtitles", "ko": "자막 읽기"},
    needs=(probe.SPEC,),
    inputs=lambda context: {"supplied": context.supplied_sha256},
    weight=0.2,
)


def were_supplied(context: StageContext) -> bool | None:
    """Whether lines came with the video; None until this stage has run."""
    record = context.cache.record(SPEC)
    return None if record is None else record.result["found"] is not None
