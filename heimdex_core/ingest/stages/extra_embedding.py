"""Stage `extra_embedding`: vectors in the spaces besides the primary ones, of captions and of models to compare.

Each space has a record of its own, so that adding another space does not make the others again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from heimdex_core.ingest import corrections
from heimdex_core.ingest.context import PRIMARY_ROLES, StageContext, StageOutput, StageSpec, part_of
from heimdex_core.ingest.stages import audio, captions, keyframes, scenes, text_embedding, transcript, vision_embedding
from heimdex_core.ingest.stages.vision_embedding import SceneLooks
from heimdex_core.ingest.work_folder import StageRecord
from heimdex_core.models.base import ImageTextEncoder, TextEncoder
from heimdex_core.types import Json, Space, WorkContext, to_json

VERSION = 1


def record_name(space: Space) -> str:
    """How the space's record is called. Kinds have no hyphen, so no two spaces share a name."""
    return "space-" + space.name.replace("/", "-", 1)


def file_name(space: Space) -> str:
    """The file of its vectors in the work folder."""
    return f"{record_name(space)}.npy"


def space_spec(context: StageContext, role: str) -> StageSpec[SceneLooks]:
    """The record of one extra space, which never depends on the other extra spaces."""
    space = context.extra_spaces[role]
    needs: tuple[StageSpec[Any], ...] = (captions.SPEC,)
    own_params: Json = {}
    params: tuple[str, ...] = ()
    if role != "caption":
        like = vision_embedding if space.kind == "vision" else text_embedding
        needs, params, own_params = like.SPEC.needs, like.PARAMS, {"version": like.VERSION}
        if like is text_embedding:
            own_params |= corrections.transcript_inputs(context.edits)
    spec = StageSpec(
        name=record_name(space),
        recorded_as="extra_embedding",
        version=VERSION,
        branch="end",
        run=lambda context, work: _embed_space(context, role, work),
        parse=SceneLooks.from_json,
        label=SPEC.label,
        needs=needs,
        params=params,
        own_params=lambda context: own_params,
        model=lambda context: context.space_model(role),
        vector_files=lambda context: {file_name(space): space},
    )
    if space.kind != "vision":
        return spec
    before = replace(spec, own_params=lambda context: {"version": vision_embedding.BEFORE_KEYFRAMES})
    return replace(spec, earlier=before)


def _embed_space(context: StageContext, role: str, work: WorkContext) -> StageOutput:
    """Vectors as the stages of the primary spaces would make them."""
    space = context.extra_spaces[role]
    model = context.models.encoder(space.name)
    if role == "caption":
        lines = context.result(captions.SPEC)
        rows, vectors = text_embedding.embed_texts(lines, lines, cast(TextEncoder, model), 0.0, work)
        looks = SceneLooks(tuple(rows))
    elif space.kind == "vision":
        spec, encoder = space_spec(context, role), cast(ImageTextEncoder, model)
        looks, vectors = vision_embedding.embed_changed(context, spec, space, encoder, work)
    else:
        spans, sound = context.result(scenes.SPEC), context.result(audio.SPEC)
        said = text_embedding.transcript_of(context)
        known = text_embedding.known_vectors(context, space_spec(context, role), space)
        reader = cast(TextEncoder, model)
        words, vectors = text_embedding.embed_words(spans, said, sound, reader, context.params, work, known=known)
        looks = SceneLooks(words.rows)
    context.work.save_vectors(file_name(space), vectors)
    return StageOutput(to_json(looks), (file_name(space),))


def run(context: StageContext, work: WorkContext) -> StageOutput:
    roles = context.extra_spaces
    for done, role in enumerate(roles):
        spec = space_spec(context, role)
        if not _is_whole(context, spec):
            made = spec.run(context, part_of(work, done / len(roles), (done + 1) / len(roles), 100.0))
            context.work.write_record(StageRecord(spec.name, context.cache.fingerprint(spec), made.result, made.files))
    spaces = roles.values()
    return StageOutput({"spaces": [space.name for space in spaces]}, tuple(file_name(space) for space in spaces))


def _is_whole(context: StageContext, spec: StageSpec[Any]) -> bool:
    record = context.cache.record(spec)
    return record is not None and record.has_files


def _specs(context: StageContext) -> dict[str, StageSpec[SceneLooks]]:
    return {role: space_spec(context, role) for role in context.extra_spaces}


def _needed_now(context: StageContext) -> tuple[StageSpec[Any], ...]:
    return tuple(dict.fromkeys(need for spec in _specs(context).values() for need in spec.needs))


SPEC: StageSpec[list[str]] = StageSpec(
    name="extra_embedding",
    version=VERSION,
    branch="end",
    run=run,
    parse=lambda data: list(data["spaces"]),
    label={"en": "Analysing with additional models", "ko": "추가 모델 분석"},
    needs=(audio.SPEC, transcript.SPEC, scenes.SPEC, keyframes.SPEC, captions.SPEC),
    needed_now=_needed_now,
    reads_files_of=(keyframes.SPEC,),
    applies=lambda models: bool(set(models.spaces) - set(PRIMARY_ROLES)),
    own_params=lambda context: {
        "spaces": {role: context.cache.fingerprint(spec) for role, spec in _specs(context).items()}
    },
    # its result is those of its spaces: they have to be here too
    holds=lambda context: all(_is_whole(context, spec) for spec in _specs(context).values()),
    records=lambda context: tuple(spec.name for spec in _specs(context).values()),
    vector_files=lambda context: {file_name(space): space for space in context.extra_spaces.values()},
    unit="items",
    weight=4.0,
)
