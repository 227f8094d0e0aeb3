"""Stage `commit`: everything found about a video, handed over to be stored as one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    tags,
    text_embedding,
    transcript,
    vision_embedding,
)
from heimdex_core.ingest.stages.keyframes import SceneFrames
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.ingest.stages.text_embedding import SceneWords
from heimdex_core.models.base import Vectors
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
    vectors: Mapping[Space, tuple[Sequence[int], Vectors]]
    """By space: (scene indexes, (n, d) vectors)."""
    frames_folder: Path
    preview: Path | None
    notes: Sequence[str]
    """Machine codes of what is odd but workable, each once."""


def collect(context: StageContext) -> IngestResult:
    """The results of all stages together."""
    info, said, words = context.result(probe.SPEC), context.result(transcript.SPEC), context.result(text_embedding.SPEC)
    looks, found_preview = context.result(vision_embedding.SPEC), context.result(preview.SPEC)
    sound, found_picture = context.result(audio.SPEC), context.result(picture.SPEC)
    frames = context.result(keyframes.SPEC)
    notes = [*info.notes, *sound.notes, *said.notes, *found_picture.notes, *words.notes, *looks.notes]
    without_picture = sum(not one.keyframes for one in frames)
    notes += [f"scenes_without_picture:{without_picture}"] if without_picture else []
    notes += [*scenes.notes_of(context), *found_preview.notes]
    spaces = context.models.spaces
    vectors: dict[Space, tuple[Sequence[int], Vectors]] = {
        spaces["text"]: (words.rows, context.vectors(text_embedding.FILE)),
        spaces["vision"]: (looks.rows, context.vectors(vision_embedding.FILE)),
    }
    for role, space in context.extra_spaces.items():
        rows = context.result(extra_embedding.space_spec(context, role))
        vectors[space] = (rows, context.vectors(extra_embedding.file_name(space)))
    has_captions = context.models.captioner() is not None
    return IngestResult(
        info=info,
        transcript=said,
        spans=context.result(scenes.SPEC),
        frames=frames,
        words=words,
        tags=context.result(tags.SPEC),
        captions=context.result(captions.SPEC) if has_captions else None,
        vectors=vectors,
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
    reads_files_of=(
        keyframes.SPEC,
        vision_embedding.SPEC,
        preview.SPEC,
        text_embedding.SPEC,
        extra_embedding.SPEC,
    ),
    unit="items",
)
