"""Stage `text_embedding`: what each scene's words mean, as vectors. A scene without words has none.

Where the models have a second text encoder, for other languages, its vectors are made by `extra_embedding`, of all
scenes. Here then only those scenes get a vector whose language the first encoder was trained for: search takes a vector
in the first space as the sign that this space answers for the scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from heimdex_core.ingest import corrections, scene_text
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages import audio, scenes, transcript
from heimdex_core.ingest.stages.audio import Sound
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.models.base import TextEncoder, Vectors
from heimdex_core.types import MULTILINGUAL, Interval, Json, Space, Transcript, WorkContext, to_json

VERSION = 2
PARAMS = ("context_below_chars", "context_within_s", "context_weight")
FILE = "text.npy"
_BATCH, _BATCH_CHARS = 64, 200_000
Known = Mapping[tuple[str, str], Vectors]
"""(d,) vectors by (what is said in a scene, the same with what is said around it)."""


@dataclass(frozen=True)
class SceneWords:
    """What is said in each scene. `rows` are the scenes (by index) that the rows of the vectors belong to."""

    texts: tuple[str, ...]
    speech_ratios: tuple[float, ...]
    rows: tuple[int, ...]
    not_understood: int = 0
    model_notes: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: Json) -> SceneWords:
        lists = {key: tuple(data.get(key, ())) for key in ("texts", "speech_ratios", "rows", "model_notes")}
        return SceneWords(**{**data, **lists})

    @property
    def notes(self) -> tuple[str, ...]:
        notes = (f"text_not_understood:{self.not_understood}",) if self.not_understood else ()
        return (*notes, *self.model_notes)


def embed_words(
    spans: Sequence[SceneSpan],
    said: Transcript,
    sound: Sound,
    model: TextEncoder,
    params: IngestParams,
    context: WorkContext,
    second: TextEncoder | None = None,
    known: Known | None = None,
) -> tuple[SceneWords, Vectors]:
    """The scenes' words and the (n, d) vectors of those that have any the model can read.

    With a `second` encoder, those of a transcript in another language are left to it. What is in `known` is not
    embedded again.
    """
    texts, wanted = _texts(spans, said, params)
    own = [""] * len(texts) if second is not None and not _is_trained_for(model, said.language) else texts
    rows, vectors = embed_texts(own, wanted, model, params.context_weight, context, known)
    unread = [texts[n] for n in sorted({n for n, text in enumerate(texts) if text} - set(rows))]
    words = SceneWords(
        texts=tuple(texts),
        speech_ratios=tuple(scene_text.speech_ratios(spans, _speech(sound, said))),
        rows=rows,
        not_understood=sum(second is None or not second.understands(text) for text in unread),
        model_notes=tuple(getattr(model, "notes", ())),
    )
    return words, vectors


def _texts(spans: Sequence[SceneSpan], said: Transcript, params: IngestParams) -> tuple[list[str], list[str]]:
    """(what is said in each scene, the same with what is said around it where that is little)."""
    found = scene_text.pieces(said, spans)
    texts = scene_text.scene_texts(found, len(spans))
    wanted = scene_text.with_context(
        found, spans, texts, below_chars=params.context_below_chars, within_s=params.context_within_s
    )
    return texts, wanted


def transcript_of(context: StageContext) -> Transcript:
    """What is said, with the corrections by hand."""
    return corrections.corrected(context.result(transcript.SPEC), context.edits.transcript_edits)


def known_vectors(context: StageContext, spec: StageSpec[Any], space: Space) -> Known:
    """The vectors of an earlier generation that differs in its scenes only."""
    earlier = context.cache.earlier(spec, scenes.SPEC)
    if earlier is None:
        return {}
    texts, wanted = _texts(scenes.SPEC.parse(earlier.other), transcript_of(context), context.params)
    return {(texts[n], wanted[n]): vector for n, vector in earlier.vectors(space).items()}


def embed_texts(
    own: Sequence[str],
    wanted: Sequence[str],
    model: TextEncoder,
    context_weight: float,
    context: WorkContext,
    known: Known | None = None,
) -> tuple[tuple[int, ...], Vectors]:
    """(the texts by index that the model can read, their (n, d) unit vectors).

    `wanted` are the same texts with what is said around them, which counts by `context_weight` (0 to 1).
    """
    # neighbours' words must not speak for a scene whose own words the model cannot read
    asked = [n for n, text in enumerate(own) if text and model.understands(text)]
    known = known or {}
    vectors = np.zeros((len(asked), model.space.dim), dtype=np.float32)
    new = [row for row, n in enumerate(asked) if (own[n], wanted[n]) not in known]
    for row, n in enumerate(asked):
        vectors[row] = known.get((own[n], wanted[n]), 0.0)
    to_encode = [asked[row] for row in new]
    vectors[new] = _encode(model, [own[n] for n in to_encode], [wanted[n] for n in to_encode], context_weight, context)
    # a model may also give zeros for what it cannot read: such a text has no vector, so no query is near to it
    readable = [row for row in range(len(asked)) if np.linalg.norm(vectors[row]) > 0.5]
    return tuple(asked[row] for row in readable), vectors[readable]


def _encode(
    model: TextEncoder, own: Sequence[str], wanted: Sequence[str], context_weight: float, context: WorkContext
) -> Vectors:
    """(n, d): each scene's own words, drawn towards what is said around it by `context_weight`.

    The two are mixed as vectors. Embedded as one text, the neighbours' many words drown a short scene's
    few: on nine queries over the sample that gave an MRR of .81, shares of 0 to .5 all gave 1.0.
    """
    vectors = np.zeros((len(own), model.space.dim), dtype=np.float32)
    for batch in _batches(own):
        context.check()
        alone = model.encode_passages(own[batch])
        around = model.encode_passages(wanted[batch]) if list(own[batch]) != list(wanted[batch]) else alone
        mixed = (1 - context_weight) * alone + context_weight * around
        norms = np.linalg.norm(mixed, axis=1, keepdims=True)
        vectors[batch] = np.divide(mixed, norms, out=np.zeros_like(mixed), where=norms > 0)
        context.report(batch.stop, len(own))
    return vectors


def _batches(texts: Sequence[str]) -> Iterator[slice]:
    """All texts in order, _BATCH at once; fewer where they are long, so that cancelling never waits for minutes."""
    start = 0
    while start < len(texts):
        end, chars = start, 0
        while end < min(len(texts), start + _BATCH) and (end == start or chars + len(texts[end]) <= _BATCH_CHARS):
            chars += len(texts[end])
            end += 1
        yield slice(start, end)
        start = end


def _is_trained_for(model: TextEncoder, language: str | None) -> bool:
    """Whether a model is meant for a language; one that says nothing about languages is, and so is an unknown one."""
    languages = getattr(model, "languages", None)
    return languages is None or language is None or language.partition("-")[0].lower() in languages


def _speech(sound: Sound, said: Transcript) -> list[Interval]:
    """When somebody speaks: heard, or by the subtitles where there is no sound."""
    if sound.wav is not None:
        return list(sound.speech)
    return [Interval(s.start_s, s.end_s) for s in said.segments]


def run(context: StageContext, work: WorkContext) -> StageOutput:
    spans, said, sound = context.result(scenes.SPEC), transcript_of(context), context.result(audio.SPEC)
    models = context.models
    second = cast(TextEncoder, models.encoder(MULTILINGUAL)) if MULTILINGUAL in models.spaces else None
    known = known_vectors(context, SPEC, models.spaces["text"])
    found, vectors = embed_words(spans, said, sound, models.text(), context.params, work, second, known)
    context.work.save_vectors(FILE, vectors)
    return StageOutput(to_json(found), (FILE,))


SPEC: StageSpec[SceneWords] = StageSpec(
    name="text_embedding",
    version=VERSION,
    branch="end",
    run=run,
    parse=SceneWords.from_json,
    label={"en": "Analysing what is said", "ko": "말 분석"},
    needs=(audio.SPEC, transcript.SPEC, scenes.SPEC),
    params=PARAMS,
    # nothing for sets with one text model: their results of before hold
    own_params=lambda context: {
        **({"second": True} if MULTILINGUAL in context.models.spaces else {}),
        **corrections.transcript_inputs(context.edits),
    },
    model=lambda context: context.space_model("text"),
    vector_files=lambda context: {FILE: context.models.spaces["text"]},
    unit="items",
    weight=2.0,
)
