"""Stage: everything found about a video, written as one generation and made visible.

The only stage that sees the store, and the pipeline calls it so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import HeimdexError
from heimdex_core.ingest.files import guard_disk, link_or_copy
from heimdex_core.ingest.kept import keep
from heimdex_core.ingest.keyframes import SceneFrames
from heimdex_core.ingest.scenes import SceneSpan
from heimdex_core.ingest.text_embedding import SceneWords
from heimdex_core.ingest.work import WorkFolder
from heimdex_core.models.base import Vectors
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Json, MediaInfo, Scene, Space, Transcript, Video, make_scene_id, utc_now

VERSION = 2


@dataclass(frozen=True)
class Found:
    """What the stages found. `vectors` are by space: (scene indexes, (n, d) vectors); paths are in the work folder.

    `captions` is None where nothing describes pictures. `records` are the stage records to keep.
    """

    info: MediaInfo
    transcript: Transcript
    spans: Sequence[SceneSpan]
    frames: Sequence[SceneFrames]
    words: SceneWords
    tags: Sequence[Sequence[str]]
    captions: Sequence[str] | None
    vectors: Mapping[Space, tuple[Sequence[int], Vectors]]
    frames_folder: Path
    preview: Path | None
    notes: Sequence[str]
    records: Sequence[str] = ()


@dataclass(frozen=True)
class Target:
    """The set of models that the generation is made with, whether everybody sees that one, and store.inputs_of."""

    set_id: int
    is_active: bool
    inputs: str


def scenes_of(video_id: str, found: Found) -> list[Scene]:
    """The rows of scenes.parquet."""
    now = utc_now()
    return [
        Scene(
            scene_id=make_scene_id(video_id, span.start_s, span.end_s),
            video_id=video_id,
            index=n,
            start_s=span.start_s,
            end_s=span.end_s,
            divided=span.divided,
            transcript=found.words.texts[n],
            language=found.transcript.language if found.words.texts[n] else None,
            tags=tuple(found.tags[n]),
            caption=found.captions[n] if found.captions is not None else "",
            keyframes=found.frames[n].keyframes,
            thumbnail=found.frames[n].thumbnail,
            speech_ratio=found.words.speech_ratios[n],
            motion=found.frames[n].motion,
            brightness=found.frames[n].brightness,
            dominant_colours=found.frames[n].dominant_colours,
            created_at=now,
        )
        for n, span in enumerate(found.spans)
    ]


def commit(store: Store, video: Video, found: Found, provenance: Json, work: WorkFolder, target: Target) -> int:
    """Write a new generation and make it the video's in the target's set; its number.

    Raises SpaceMismatch before anything is written, ModelsChanged where the set has stopped being the active one.
    """
    store.check_spaces(list(found.vectors), target.set_id)
    n = store.next_generation(video.video_id)
    notes = _all_notes(store, video, found.notes)
    staged = store.new_staging(video.video_id)
    try:
        _write(staged, video.video_id, found, {**provenance, "notes": list(found.notes)}, work)
        if found.preview is not None or target.is_active:
            _place_preview(found.preview, store.paths.preview(video.video_id))
        store.commit_generation(
            video.video_id,
            staged,
            n=n,
            set_id=target.set_id,
            must_be_active=target.is_active,
            inputs=target.inputs,
            spaces=list(found.vectors),
            info=found.info,
            transcript_source=found.transcript.source,
            transcript_rough=found.transcript.rough,
            notes=notes,
            has_preview=found.preview is not None,
        )
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # it is renamed by then, unless something failed
    return n


def provenance_of(store: Store, video_id: str, generation: int | None) -> Json:
    """How a generation was made; empty without one, or if it cannot be read."""
    if generation is None:
        return {}
    try:
        return sidecar.read_provenance(store.paths.generation(video_id, generation))
    except (OSError, HeimdexError):
        return {}


def _write(folder: Path, video_id: str, found: Found, provenance: Json, work: WorkFolder) -> None:
    scenes = scenes_of(video_id, found)
    with guard_disk(folder, 0):
        sidecar.write_scenes(folder, scenes)
        sidecar.write_words(folder, found.transcript, scenes)
        for space, (rows, vectors) in found.vectors.items():
            sidecar.write_vectors(folder, space, [scenes[n].scene_id for n in rows], vectors)
        (folder / "frames").mkdir()
        for frames in found.frames:
            for name in (*(keyframe.file for keyframe in frames.keyframes), frames.thumbnail):
                if name is not None:
                    link_or_copy(str(found.frames_folder / name), str(folder / "frames" / name))
        keep(work, found.records, folder)
        sidecar.write_provenance(folder, provenance)


def _place_preview(made: Path | None, place: Path) -> None:
    if made is None:
        place.unlink(missing_ok=True)
        return
    staged = place.with_name(f".{place.name}.part")
    with guard_disk(place, made.stat().st_size):
        try:
            staged.unlink(missing_ok=True)
            link_or_copy(str(made), str(staged))
            os.replace(staged, place)
        finally:
            # renaming one name of a file onto another name of it leaves both
            with contextlib.suppress(FileNotFoundError):
                staged.unlink()


def _all_notes(store: Store, video: Video, notes: Sequence[str]) -> list[str]:
    """What the intake noted, and this run; what an earlier run noted is gone."""
    earlier = set(provenance_of(store, video.video_id, video.generation).get("notes", ()))
    return list(dict.fromkeys([*(n for n in video.notes if n not in earlier), *notes]))
