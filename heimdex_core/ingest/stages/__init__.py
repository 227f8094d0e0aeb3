"""The stages of an ingest, one file each, in the order in which they run within their branch.

Adding a stage: a file with its function and its SPEC, and a line here.
"""

from __future__ import annotations

from typing import Any

from heimdex_core.errors import UnknownName
from heimdex_core.ingest.context import Branch, IngestModels, StageSpec
from heimdex_core.ingest.stages import (
    audio,
    captions,
    commit,
    extra_embedding,
    keyframes,
    picture,
    preview,
    probe,
    scenes,
    screen_text,
    subtitles,
    tags,
    text_embedding,
    transcript,
    vision_embedding,
)

SPECS: tuple[StageSpec[Any], ...] = (
    probe.SPEC,
    audio.SPEC,
    subtitles.SPEC,
    transcript.SPEC,
    picture.SPEC,
    scenes.SPEC,
    keyframes.SPEC,
    vision_embedding.SPEC,
    tags.SPEC,
    captions.SPEC,
    screen_text.SPEC,
    preview.SPEC,  # last of its branch: nothing waits for it, and the recogniser is often still at work
    text_embedding.SPEC,
    extra_embedding.SPEC,
    commit.SPEC,
)


def find(name: str) -> StageSpec[Any]:
    """The stage of that name. Raises UnknownName."""
    for spec in SPECS:
        if spec.name == name:
            return spec
    raise UnknownName(kind="stage", name=name, known=", ".join(spec.name for spec in SPECS))


def names(branch: Branch) -> tuple[str, ...]:
    """The stages of a branch, in order."""
    return tuple(spec.name for spec in SPECS if spec.branch == branch)


def specs_for(models: IngestModels) -> tuple[StageSpec[Any], ...]:
    """The stages that a video goes through with these models, in order."""
    return tuple(spec for spec in SPECS if spec.applies(models))
