"""Writing what was found about a video as one generation, and making it visible."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from heimdex_core.files import atomic_path, disk_errors, link_or_copy
from heimdex_core.ingest.cache import keep_records
from heimdex_core.ingest.stage_times import stage_times
from heimdex_core.ingest.stages.commit import IngestResult
from heimdex_core.ingest.work_folder import WorkFolder
from heimdex_core.store import Store, sidecar
from heimdex_core.store.commit import CommitTarget
from heimdex_core.store.screen_text import write_screen_text
from heimdex_core.types import Json, Scene, Video, make_scene_id, utc_now


def write_generation(
    store: Store,
    video: Video,
    result: IngestResult,
    *,
    provenance: Json,
    work: WorkFolder,
    records: Sequence[str],
    target: CommitTarget,
) -> int:
    """Write a new generation and make it the video's in the target's model set; returns its number.

    Raises SpaceMismatch before anything is written, ModelsChanged where the set has stopped being the active one.

    Args:
        provenance: how the result was made, kept beside it.
        records: names of the stage records in `work` that go with it.
    """
    store.sets.check_spaces(result.vectors, target.set_id)
    n = store.next_generation(video.video_id)
    notes = _all_notes(store, video, result.notes)
    staged = store.new_staging(video.video_id)
    try:
        _write(staged, video.video_id, result, {**provenance, "notes": list(result.notes)})
        keep_records(work, records, staged)
        if result.preview is not None or target.must_be_active:
            _place_preview(result.preview, store.paths.preview(video.video_id))
        store.commit_generation(
            video.video_id,
            staged,
            n=n,
            target=target,
            spaces=result.vectors,
            info=result.info,
            transcript_source=result.transcript.source,
            transcript_rough=result.transcript.rough,
            notes=notes,
            has_preview=result.preview is not None,
            stage_times=stage_times(work.log_entries()),
        )
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # it is renamed by then, unless something failed
    return n


def provenance_of(store: Store, video_id: str, generation: int | None) -> Json:
    """How a generation was made; empty without one, or if it cannot be read."""
    return {} if generation is None else sidecar.read_provenance(store.paths.generation(video_id, generation))


def _write(folder: Path, video_id: str, result: IngestResult, provenance: Json) -> None:
    scenes = scenes_of(video_id, result)
    with disk_errors("a generation", folder):
        sidecar.write_scenes(folder, scenes)
        sidecar.write_words(folder, result.transcript, scenes)
        scene_ids = [scene.scene_id for scene in scenes]
        for space, (looks, vectors) in result.vectors.items():
            sidecar.write_vectors(folder, space, looks.named(scene_ids, vectors, result.pooling))
        if result.screen_text is not None:
            write_screen_text(
                folder, {scene_id: one.frames for scene_id, one in zip(scene_ids, result.screen_text, strict=True)}
            )
        (folder / "frames").mkdir()
        for frames in result.frames:
            for name in (*(keyframe.file for keyframe in frames.keyframes), frames.thumbnail):
                if name is not None:
                    link_or_copy(result.frames_folder / name, folder / "frames" / name)
        sidecar.write_provenance(folder, provenance)


def _place_preview(made: Path | None, place: Path) -> None:
    if made is None:
        place.unlink(missing_ok=True)
        return
    with atomic_path(place, needed_bytes=made.stat().st_size) as temporary:
        link_or_copy(made, temporary)


def _all_notes(store: Store, video: Video, notes: Sequence[str]) -> list[str]:
    """What the intake noted, and this run; what an earlier run noted is gone."""
    earlier = set(provenance_of(store, video.video_id, video.generation).get("notes", ()))
    return list(dict.fromkeys([*(n for n in video.notes if n not in earlier), *notes]))


def scenes_of(video_id: str, result: IngestResult) -> list[Scene]:
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
            transcript=result.words.texts[n],
            language=result.transcript.language if result.words.texts[n] else None,
            tags=tuple(result.tags[n]),
            caption=result.captions[n] if result.captions is not None else "",
            on_screen_text=result.screen_text[n].text if result.screen_text is not None else "",
            keyframes=result.frames[n].keyframes,
            thumbnail=result.frames[n].thumbnail,
            speech_ratio=result.words.speech_ratios[n],
            motion=result.frames[n].motion,
            brightness=result.frames[n].brightness,
            dominant_colours=result.frames[n].dominant_colours,
            created_at=now,
        )
        for n, span in enumerate(result.spans)
    ]
