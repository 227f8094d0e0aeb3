"""Stage `commit`: everything found about a video, handed over to be stored as one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.ingest import corrections
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import (
    audio,
    captions,
    extra_embedding,
    keyframes,
    picture,
    preview,
    probe,
    scenes,
    screen_text,
    tags,
    text_embedding,
    vision_embedding,
)
from heimdex_core.ingest.stages.keyframes import SceneFrames
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.ingest.stages.screen_text import SceneTexts
from heimdex_core.ingest.stages.text_embedding import SceneWords
from heimdex_core.ingest.stages.vision_embedding import SceneLooks
from heimdex_core.models.base import Vectors
from heimdex_core.store.keyframe_vectors import Pooling
from heimdex_core.types import MediaInfo, Space, Transcript, WorkContext


@dataclass(frozen=True)
class IngestResult:
    """What the stages found; paths are in the work folder."""

    info: MediaInfo
    transcript: Transcript
    spans: Sequence[SceneSpan]
    frames: Sequence[SceneFrames]
    words: SceneWords
    tags: Sequence[Sequence[str]]
    captions: Sequence[str] | None
    """None where nothing describes pictures."""
    screen_text: Sequence[SceneTexts] | None
    """None where nothing reads pictures."""
    vectors: Mapping[Space, tuple[SceneLooks, Vectors]]
    """By space: (what the rows belong to, (n, d) vectors)."""
    pooling: Pooling
    """How the vectors of keyframes become one of the scene."""
    frames_folder: Path
    preview: Path | None
    notes: Sequence[str]
    """Machine codes of what is odd but workable, each once."""


def collect(context: StageContext) -> IngestResult:
    """The results of all stages together."""
    info, words = context.result(probe.SPEC), context.result(text_embedding.SPEC)
    said, spans = text_embedding.transcript_of(context), context.result(scenes.SPEC)
    looks, found_preview = context.result(vision_embedding.SPEC), context.result(preview.SPEC)
    sound, found_picture = context.result(audio.SPEC), context.result(picture.SPEC)
    frames = context.result(keyframes.SPEC)
    notes = [*info.notes, *sound.notes, *said.notes, *found_picture.notes, *words.notes, *looks.notes]
    without_picture = sum(not one.keyframes for one in frames)
    notes += [f"scenes_without_picture:{without_picture}"] if without_picture else []
    notes += [*scenes.notes_of(context), *found_preview.notes]
    spaces = context.models.spaces
    vectors: dict[Space, tuple[SceneLooks, Vectors]] = {
        spaces["text"]: (SceneLooks(words.rows), context.vectors(text_embedding.FILE)),
        spaces["vision"]: (looks, context.vectors(vision_embedding.FILE)),
    }
    for role, space in context.extra_spaces.items():
        rows = context.result(extra_embedding.space_spec(context, role))
        vectors[space] = (rows, context.vectors(extra_embedding.file_name(space)))
    has_captions, is_read = context.models.captioner() is not None, context.models.reader() is not None
    return IngestResult(
        info=info,
        transcript=said,
        spans=spans,
        frames=frames,
        words=words,
        tags=corrections.corrected_tags(context.result(tags.SPEC), spans, context.edits.tag_edits),
        captions=context.result(captions.SPEC) if has_captions else None,
        screen_text=context.result(screen_text.SPEC) if is_read else None,
        vectors=vectors,
        pooling=context.params.vision_pooling,
        frames_folder=context.work.path / keyframes.FOLDER,
        preview=context.work.file(found_preview.file) if found_preview.file else None,
        notes=list(dict.fromkeys(notes)),
    )


def run(context: StageContext, work: WorkContext) -> StageOutput:
    return StageOutput({"generation": context.commit(collect(context))})


SPEC: StageSpec[int] = StageSpec(
    name="commit",
    version=2,
    branch="end",
    run=run,
    parse=lambda data: int(data["generation"]),
    label={"en": "Storing", "ko": "저장"},
    needs_all=True,
    own_params=lambda context: corrections.tag_inputs(context.edits),
    reads_files_of=(
        keyframes.SPEC,
        vision_embedding.SPEC,
        preview.SPEC,
        text_embedding.SPEC,
        extra_embedding.SPEC,
    ),
    unit="items",
)
