"""Looking for faces in the keyframes of videos; what is found lies in videos/<video_id>/faces/."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from heimdex_core.errors import Cancelled, HeimdexError, VideoNotFound
from heimdex_core.library.context import LibraryContext
from heimdex_core.media.images import read_image
from heimdex_core.models.faces.finding import FaceModels, face_models
from heimdex_core.store.faces import FaceRow, FaceTable, new_row
from heimdex_core.types import ScanReport, Scene, VisibleVideo, WorkContext


def find_faces(
    context: LibraryContext, videos: list[VisibleVideo], work: WorkContext, *, again: bool = False
) -> ScanReport:
    """Look through videos, except those whose present keyframes were looked through by these models already.

    `again` does that for these, too. A video that cannot be looked through does not stop the others. Raises
    FaceModelsMissing, ModelBroken, Cancelled.
    """
    models = face_models(context.settings)
    done = skipped = faces = 0
    problems: dict[str, str] = {}
    for number, video in enumerate(videos):
        work.check()
        work.report(number, len(videos))
        if not again and _is_scanned(context, video, models):
            skipped += 1
            continue
        try:
            faces += _scan(context, video, models, work.check)
            done += 1
        except Cancelled:
            raise
        except HeimdexError as error:
            problems[video.video_id] = error.message
    work.report(len(videos), len(videos))
    return ScanReport(done, faces, skipped, problems)


def is_current(table: FaceTable | None, video: VisibleVideo) -> bool:
    """Whether the faces are those of the video's present keyframes."""
    return table is not None and table.generation == video.generation


def _is_scanned(context: LibraryContext, video: VisibleVideo, models: FaceModels) -> bool:
    table = context.store.people.faces.table(video.video_id)
    return table is not None and is_current(table, video) and table.made_by == models.made_by


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
