"""Stage `subtitles`: the lines that came with the video. Supplied subtitles win, then those inside the file.

Read before everything that is slow: lines move scenes, and where there are any nobody has to listen.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass

from heimdex_core.errors import Cancelled, DecoderFailed, DiskFull, SubtitlesUnreadable
from heimdex_core.files import read_json_object, sha256_of
from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import audio, probe
from heimdex_core.media.subtitles import CHOICE_FILE, embedded_subtitles, read_subtitles, sync
from heimdex_core.types import Json, MediaInfo, Transcript, WorkContext, to_json

_log = logging.getLogger(__name__)

_PAST_END_S = 1.0
_SEVERAL_LANGUAGES = (".smi", ".sami", ".ttml", ".dfxp", ".itt")
"""Extensions of files that can hold the lines in several languages."""


@dataclass(frozen=True)
class Lines:
    """`found` is None where no lines came with the video; `notes` say what could not be used."""

    found: Transcript | None
    notes: tuple[str, ...] = ()
    crashed: bool = False
    """Whether the child process that reads them was given up."""

    @staticmethod
    def from_json(data: Json) -> Lines:
        found = Transcript.from_json(data["found"]) if data["found"] is not None else None
        return Lines(found, tuple(data["notes"]), data.get("crashed", False))


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """The lines that came with the video, if any."""
    if context.supplied_subtitles is None and not context.result(probe.SPEC).subtitle_tracks:
        return StageOutput(to_json(Lines(None, tuple(_choice(context)["notes"]))))
    try:
        return _read(context, work)
    except DecoderFailed as error:
        _log.warning("Subtitles are left out: %s", error)
        return StageOutput(to_json(Lines(None, (*_choice(context)["notes"], "subtitles_unreadable:damaged"), True)))


@in_child
def _read(context: StageContext, work: WorkContext) -> StageOutput:
    """The lines within [0, duration).

    Subtitles that cannot be read, or lie outside the video as a whole, do not stop it: the next source is used, and
    the notes say so.
    """
    notes: list[str] = _choice(context)["notes"]
    for read in (_supplied, _embedded):
        work.check()
        try:
            found, said = read(context, work)
        except (Cancelled, DiskFull):
            raise
        except SubtitlesUnreadable as error:
            notes.append(f"subtitles_unreadable:{error.details.get('why', error.details['reason'])}")
            continue
        except Exception as error:  # the video can do without them
            _log.warning("Subtitles of %s are left out", context.filename, exc_info=error)
            notes.append("subtitles_unreadable:damaged")
            continue
        notes += said
        if found is None:
            continue
        fitted = _fitted(found, context)
        if fitted.segments:
            return StageOutput(to_json(Lines(fitted, tuple(notes))))
        notes += [*fitted.notes, "subtitles_outside"]
    return StageOutput(to_json(Lines(None, tuple(notes))))


def _supplied(context: StageContext, work: WorkContext) -> tuple[Transcript | None, tuple[str, ...]]:
    if context.supplied_subtitles is None:
        return None, ()
    language = context.language if context.language != "auto" else _choice(context)["language"]
    fps = context.result(probe.SPEC).fps
    return read_subtitles(context.supplied_subtitles, language=language, fps=fps, context=work), ()


def _embedded(context: StageContext, work: WorkContext) -> tuple[Transcript | None, tuple[str, ...]]:
    language = context.language if context.language != "auto" else None
    return embedded_subtitles(context.source, context.result(probe.SPEC), language, work)


# --- do they fit ----------------------------------------------------------------------------------


def _fitted(found: Transcript, context: StageContext) -> Transcript:
    """The lines within the video. What does not fit is put right where that is sure, and said in any case."""
    info, speech = context.result(probe.SPEC), context.result(audio.SPEC).speech
    notes = list(found.notes)
    hours = sync.starting_hour(found.segments, info.duration_s)
    if hours:
        found = sync.moved(found, -hours * 3600.0)
        notes.append(f"subtitles_start_hour:{hours}")
    fit = sync.fit_to_speech(found.segments, speech, info.duration_s)
    off = sync.note(fit) if fit is not None else None
    past_end_s = sync.past_end_s(found.segments, info.duration_s)
    inside = limited(dataclasses.replace(found, notes=()), info)
    notes += inside.notes
    if off is not None:
        notes.append(off)
    elif past_end_s > _PAST_END_S and inside.segments:
        notes.append(f"subtitles_past_end:{past_end_s:.0f}")
    return dataclasses.replace(inside, notes=tuple(notes))


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


# --- what the stage depends on --------------------------------------------------------------------


def _choice(context: StageContext) -> Json:
    """What was found out when the file was chosen: notes, and the language in its name."""
    found = read_json_object(context.source.with_name(CHOICE_FILE)) or {}
    notes, language = found.get("notes"), found.get("language")
    return {
        "notes": [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else [],
        "language": language if isinstance(language, str) else None,
    }


def _inputs(context: StageContext) -> dict[str, str | None]:
    choice = context.source.with_name(CHOICE_FILE)
    return {"supplied": context.supplied_sha256, "choice": sha256_of(choice) if choice.is_file() else None}


def _own_params(context: StageContext) -> Json:
    """The language, where it decides between several: a change of it must not make scenes outdated for nothing."""
    if context.supplied_subtitles is not None:
        decides = context.supplied_subtitles.suffix.lower() in _SEVERAL_LANGUAGES
    else:
        found = context.cache.record(probe.SPEC)
        decides = found is not None and len(found.result.get("subtitle_tracks", ())) > 1
    return {"language": context.language} if decides else {}


_FIRST = StageSpec(
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
SPEC = dataclasses.replace(
    _FIRST,
    version=2,
    needs=(probe.SPEC, audio.SPEC),
    inputs=_inputs,
    own_params=_own_params,
    keeps=lambda lines: not lines.crashed,
    earlier=_FIRST,
)


def were_supplied(context: StageContext) -> bool | None:
    """Whether lines came with the video; None until this stage has run."""
    record = context.cache.record(SPEC)
    return None if record is None else record.result["found"] is not None
