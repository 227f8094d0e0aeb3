"""Stage `transcript`: what is said. Lines that came with the video, else what the recogniser hears."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import audio, probe, subtitles
from heimdex_core.ingest.stages.subtitles import limited
from heimdex_core.types import Json, Transcript, WorkContext, to_json


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """The transcript, limited to [0, duration), with all notes; the language asked for where the source names none."""
    lines = context.result(subtitles.SPEC)
    found = lines.found
    if found is None:
        found = limited(_recognised(context, work), context.result(probe.SPEC))
    notes = [*lines.notes, *found.notes]
    asked = context.language if context.language != "auto" else None
    found = replace(found, language=found.language or asked, notes=tuple(dict.fromkeys(notes)))
    return StageOutput(to_json(found))


def _recognised(context: StageContext, work: WorkContext) -> Transcript:
    sound, language = context.result(audio.SPEC), context.language
    if sound.wav is None:
        return Transcript((), source="none")  # the audio stage has said why
    if not sound.speech:
        return Transcript((), source="none", notes=("transcript_no_speech",))
    model = context.models.speech()
    if model is None:
        return Transcript((), source="none", notes=("transcript_no_recogniser",))
    if language != "auto" and model.languages is not None and language not in model.languages:
        notes = (f"transcript_language:{language}",)
        if model.languages == {"en"}:
            notes = (f"transcript_english_only:{language}",)
        return Transcript((), source="none", notes=notes)
    return model.transcribe(context.work.file(sound.wav), language=language, context=work)


# Where lines came with the video nobody listens: neither the sound nor the recogniser plays a part.


def _needed_now(context: StageContext) -> tuple[StageSpec[Any], ...]:
    return (probe.SPEC, subtitles.SPEC) if subtitles.were_supplied(context) else SPEC.needs


def _own_params(context: StageContext) -> Json:
    language: Json = {"language": context.language}
    return language if subtitles.were_supplied(context) else {**language, "no_speech_limit": context.no_speech_limit}


def _model(context: StageContext) -> str | None:
    """The recogniser with its revision, and with the version of its decoding from the second one on."""
    speech = None if subtitles.were_supplied(context) else context.models.speech()
    if speech is None:
        return None
    version = f"+{speech.version}" if speech.version > 1 else ""
    return f"{context.models.choice.speech}@{speech.revision}{version}"


SPEC = StageSpec(
    name="transcript",
    version=2,
    branch="speech",
    run=run,
    parse=Transcript.from_json,
    label={"en": "Transcribing", "ko": "받아 적기"},
    needs=(probe.SPEC, audio.SPEC, subtitles.SPEC),
    needed_now=_needed_now,
    reads_files_of=(audio.SPEC,),
    own_params=_own_params,
    model=_model,
    weight=40.0,
)
