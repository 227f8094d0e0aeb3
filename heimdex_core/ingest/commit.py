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

import numpy as np

from heimdex_core.errors import HeimdexError
from heimdex_core.ingest.files import guard_disk
from heimdex_core.ingest.keyframes import SceneFrames
from heimdex_core.ingest.scenes import SceneSpan
from heimdex_core.ingest.text_embedding import SceneWords
from heimdex_core.models.base import Vectors
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Json, MediaInfo, Scene, Space, Transcript, Video, make_scene_id, utc_now

VERSION = 1


@dataclass(frozen=True)
class Found:
    """What the stages found. `vectors` are by space: (scene indexes, (n, d) vectors); paths are in the work folder."""

    info: MediaInfo
    transcript: Transcript
    spans: Sequence[SceneSpan]
    frames: Sequence[SceneFrames]
    words: SceneWords
    tags: Sequence[Sequence[str]]
    vectors: Mapping[Space, tuple[Sequence[int], Vectors]]
    frames_folder: Path
    preview: Path | None
    notes: Sequence[str]


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


def commit(store: Store, video: Video, found: Found, provenance: Json) -> Video:
    """Write a new generation and make it the visible one. Raises SpaceMismatch before anything is written."""
    store.check_spaces(list(found.vectors))
    n = store.next_generation(video.video_id)
    notes = _all_notes(store, video, found.notes)
    staged = store.new_staging(video.video_id)
    try:
        _write(staged, video.video_id, found, {**provenance, "notes": list(found.notes)})
        _place_preview(found.preview, store.paths.preview(video.video_id))
        return store.commit_generation(
            video.video_id,
            staged,
            n=n,
            spaces=list(found.vectors),
            info=found.info,
            transcript_source=found.transcript.source,
            transcript_rough=found.transcript.rough,
            notes=notes,
            has_preview=found.preview is not None,
        )
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # it is renamed by then, unless something failed


def visible_provenance(store: Store, video: Video) -> Json:
    """How the generation that readers see was made; empty without one, or if it cannot be read."""
    if video.generation is None:
        return {}
    try:
        return sidecar.read_provenance(store.paths.generation(video.video_id, video.generation))
    except (OSError, HeimdexError):
        return {}


def _write(folder: Path, video_id: str, found: Found, provenance: Json) -> None:
    scenes = scenes_of(video_id, found)
    with guard_disk(folder, 0):
        sidecar.write_scenes(folder, scenes)
        sidecar.write_words(folder, found.transcript, scenes)
        for space, (rows, vectors) in found.vectors.items():
            sidecar.write_vectors(folder, space, [scenes[n].scene_id for n in rows], vectors)
        shutil.copytree(found.frames_folder, folder / "frames", copy_function=_link_or_copy)
        sidecar.write_provenance(folder, provenance)


def _link_or_copy(source: str, target: str) -> str:
    """The work folder lies on the library's disk, so a second name costs nothing; neither file is changed later."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _place_preview(made: Path | None, place: Path) -> None:
    if made is None:
        place.unlink(missing_ok=True)
        return
    staged = place.with_name(f".{place.name}.part")
    with guard_disk(place, made.stat().st_size):
        try:
            staged.unlink(missing_ok=True)
            _link_or_copy(str(made), str(staged))
            os.replace(staged, place)
        finally:
            # renaming one name of a file onto another name of it leaves both
            with contextlib.suppress(FileNotFoundError):
                staged.unlink()


def _all_notes(store: Store, video: Video, notes: Sequence[str]) -> list[str]:
    """What the intake noted, and this run; what an earlier run noted is gone."""
    earlier = set(visible_provenance(store, video).get("notes", ()))
    return list(dict.fromkeys([*(n for n in video.notes if n not in earlier), *notes]))


def load_vectors(path: Path) -> Vectors:
    """(n, d) float32 as a stage saved them."""
    return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
