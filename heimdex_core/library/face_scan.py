"""Looking for faces in the keyframes of videos; what is found lies in videos/<video_id>/faces/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from heimdex_core.errors import Cancelled, HeimdexError, VideoNotFound
from heimdex_core.ingest.execution import PASSES
from heimdex_core.library.context import LibraryContext
from heimdex_core.media.images import read_image
from heimdex_core.models.faces.finding import FaceModels, face_models
from heimdex_core.store.faces import FaceRow, FaceTable, new_row
from heimdex_core.types import FaceScan, Scene, VisibleVideo


def begin(context: LibraryContext, scan: FaceScan, videos: list[VisibleVideo]) -> tuple[FaceScan, list[VisibleVideo]]:
    """The scan as it begins, and which of the user's own videos it looks through.

    Without `again` those are skipped whose present keyframes were looked through by these models already. Raises
    FaceModelsMissing, ModelBroken.
    """
    made_by = face_models(context.settings).made_by
    wanted = [video for video in videos if scan.video_ids is None or video.video_id in scan.video_ids]
    found = [video for video in wanted if scan.again or not _is_scanned(context, video, made_by)]
    begun = replace(scan, state="running", total=len(wanted), skipped=len(wanted) - len(found))
    return replace(begun, videos=0, faces=0, problems={}), found


def look_at(context: LibraryContext, scan: FaceScan, video: VisibleVideo, check: Callable[[], None]) -> FaceScan:
    """The scan after it has looked through a video; one that cannot be looked through is noted and stops nothing.

    Raises FaceModelsMissing, ModelBroken, Cancelled, and what is over some time, such as LibraryBusy.
    """
    models = face_models(context.settings)
    try:
        faces = _scan(context, video, models, check)
    except (Cancelled, *PASSES):
        raise
    except HeimdexError as error:
        return replace(scan, problems={**scan.problems, video.video_id: error.to_dict()})
    return replace(scan, videos=scan.videos + 1, faces=scan.faces + faces)


def is_current(table: FaceTable | None, video: VisibleVideo) -> bool:
    """Whether the faces are those of the video's present keyframes."""
    return table is not None and table.generation == video.generation


def _is_scanned(context: LibraryContext, video: VisibleVideo, made_by: str) -> bool:
    table = context.store.people.faces.table(video.video_id)
    return table is not None and is_current(table, video) and table.made_by == made_by


def _scan(context: LibraryContext, video: VisibleVideo, models: FaceModels, check: Callable[[], None]) -> int:
    """Look through one video; how many faces it has."""
    store = context.store
    scenes = store.reader().view().scenes(video.user_id, video.video_id)
    generation = store.paths.whole_generation(video.video_id, video.generation)
    rows: list[FaceRow] = []
    for scene, keyframe, time_s in _keyframes(scenes):
        check()
        image = read_image(generation / "frames" / keyframe)
        found, vectors = models.find(image)
        rows += [
            new_row(
                video.video_id,
                time_s,
                (scene.start_s, scene.end_s),
                (face.x, face.y, face.width, face.height),
                keyframe=keyframe,
                score=face.score,
                landmarks=face.landmarks,
                vector=vector,
            )
            for face, vector in zip(found, vectors, strict=True)
        ]
    made = FaceTable(video.video_id, video.generation, models.made_by, tuple(rows))
    with store.catalog.transaction() as transaction:
        if not transaction.rows("select 1 from videos where video_id = ?", [video.video_id]):
            raise VideoNotFound(video_id=video.video_id)
        store.people.faces.replace(transaction, video.video_id, made.following)
    kept = store.people.faces.table(video.video_id)
    return len(kept.faces) if kept is not None else 0


def _keyframes(scenes: list[Scene]) -> Iterator[tuple[Scene, str, float]]:
    """(scene, file, time_s) of each keyframe, each file once."""
    seen: set[str] = set()
    for scene in scenes:
        for keyframe in scene.keyframes:
            if keyframe.file not in seen:
                seen.add(keyframe.file)
                yield scene, keyframe.file, keyframe.time_s
