"""Library: the door to everything. The app, the command line and notebooks call nothing below it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from heimdex_core import admission, intake
from heimdex_core.errors import (
    Cancelled,
    HeimdexError,
    JobsUnavailable,
    LibraryNotFound,
    ProfileMismatch,
    ValidationError,
)
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.work import read_progress
from heimdex_core.models.registry import ModelChoice, Models, choose_profile
from heimdex_core.search.results import SearchResult
from heimdex_core.settings import Settings, default_weights, get_settings
from heimdex_core.store.locks import video_lock
from heimdex_core.store.store import Store
from heimdex_core.types import (
    Export,
    ExportState,
    Query,
    Reel,
    ReelClip,
    Scene,
    StageProgress,
    Video,
    VideoState,
    WorkContext,
)

if TYPE_CHECKING:
    import pandas as pd

    from heimdex_core.ingest.pipeline import IngestRun
    from heimdex_core.search.searcher import Searcher
    from heimdex_core.store.layout import LibraryPaths
    from heimdex_core.store.reader import Reader

OnProgress = Callable[[StageProgress], None]


class WorkQueue(Protocol):
    """Where lasting work is handed to; jobs.client.JobQueue is one."""

    def enqueue_ingest(self, video_id: str) -> str: ...
    def enqueue_reel(self, export_id: str) -> str: ...
    def enqueue_reindex(self) -> str: ...
    def cancel(self, job_id: str) -> None: ...


class Library:
    """A folder of videos and what is known about them, as one person sees it."""

    def __init__(self, store: Store, models: Models, settings: Settings, user_id: str) -> None:
        self.store = store
        self.models = models
        self.settings = settings
        self.user_id = user_id
        self.queue: WorkQueue | None = None
        self._searcher: Searcher | None = None
        self._lock = threading.Lock()

    # --- opening ----------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        user_id: str | None = None,
        profile: str | None = None,
        settings: Settings | None = None,
        create: bool = True,
    ) -> Library:
        """Open the library folder at `path` (default: HEIMDEX_LIBRARY, else data/library).

        A new one is made there unless `create` is false (then LibraryNotFound). The profile is chosen
        once, when the library is made; asking for another one later raises ProfileMismatch.
        """
        settings = settings or get_settings()
        root = Path(path if path is not None else settings.library).expanduser().resolve()
        asked = profile or settings.profile
        if not (root / "library.json").exists():
            if not create:
                raise LibraryNotFound(path=str(root))
            choice = choose_profile(asked, settings)
            models = Models(choice, settings)
            store = Store.create(root, profile=choice.name, models=choice.to_dict(), spaces=models.spaces)
        else:
            store = Store.open(root)
            pinned = store.manifest.profile
            if asked not in ("auto", pinned):
                raise ProfileMismatch(pinned=pinned, asked=asked)
            models = Models(ModelChoice.from_dict(store.manifest.choice), settings)
            for kind, space in store.manifest.spaces.items():
                space.check(models.spaces[kind])
        return cls(store, models, settings, user_id or settings.user_id)

    def close(self) -> None:
        """Let go of what is held open; the library can be opened again."""
        self.store.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        return self.store.paths.root

    @property
    def paths(self) -> LibraryPaths:
        return self.store.paths

    @property
    def reader(self) -> Reader:
        return self.store.reader()

    # --- bringing videos in -----------------------------------------------------------------------

    def add(
        self,
        path: str | Path,
        *,
        title: str | None = None,
        description: str = "",
        subtitles: str | Path | None = None,
        language: str | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Video:
        """Bring a video file in and index it; the file itself is only read.

        The same bytes give the video that is there already. Subtitles beside the file (same name,
        .srt or .vtt) are used unless others are given. With `queue` the work is left to the worker.
        Raises a ValidationError for a file that cannot be used, and then leaves nothing behind.
        """
        source = Path(path).expanduser()
        given = Path(subtitles).expanduser() if subtitles is not None else None
        newcomer = admission.from_file(self.store, self.settings, source, given)
        newcomer = replace(newcomer, title=title, description=description, language=language)
        return self._admit(newcomer, queue=queue, progress=progress)

    def add_upload(
        self,
        part: Path,
        filename: str,
        *,
        title: str | None = None,
        description: str = "",
        subtitles: Path | None = None,
        language: str | None = None,
        queue: bool = True,
        progress: OnProgress | None = None,
    ) -> Video:
        """Take over `part`, a complete upload in the library's uploads folder; it is moved or removed."""
        try:
            newcomer = admission.from_upload(self.store, self.settings, part, filename, subtitles)
            newcomer = replace(newcomer, title=title, description=description, language=language)
            return self._admit(newcomer, queue=queue, progress=progress)
        finally:
            part.unlink(missing_ok=True)

    def _admit(self, newcomer: admission.Newcomer, *, queue: bool, progress: OnProgress | None) -> Video:
        """Register the newcomer, and see to its indexing unless there is nothing to do."""
        video, created, work_to_do = admission.admit(self.store, self.settings, self.user_id, newcomer)
        if not work_to_do:
            return video
        try:
            return self._start(video, queue=queue, progress=progress)
        except (ValidationError, JobsUnavailable):
            if created:
                # A file that cannot be used leaves no trace; other failures stay, to be retried.
                self.store.purge_video(video.video_id)
            raise

    def _start(self, video: Video, *, queue: bool, progress: OnProgress | None) -> Video:
        self._cancel_marker(video.video_id).unlink(missing_ok=True)
        if queue:
            job_id = self._queue().enqueue_ingest(video.video_id)
            return self.store.set_job(video.video_id, job_id)
        self.store.set_job(video.video_id, None)
        return self.process(video.video_id, progress=progress)

    def process(self, video_id: str, *, progress: OnProgress | None = None) -> Video:
        """Run a video's stages in this process; finished ones are skipped. Raises what stopped it.

        A second process that is asked for the same video waits, and then finds it done.
        """
        with video_lock(self.store.paths.work_root / f".{video_id}.lock").hold():
            return self.ingest_run(video_id, progress=progress).run()

    def ingest_run(self, video_id: str, *, progress: OnProgress | None = None) -> IngestRun:
        """The stages of one video, to be run together (`run`) or one by one (`run_stage`)."""
        from heimdex_core.ingest.pipeline import IngestRun

        marker = self._cancel_marker(video_id)
        return IngestRun(
            self.store,
            self.models,
            self.settings,
            self.store.video(self.user_id, video_id),
            params=IngestParams.from_settings(self.settings),
            is_cancelled=marker.exists,
            on_progress=progress,
        )

    def _queue(self) -> WorkQueue:
        if self.queue is None:
            raise JobsUnavailable(reason="this library was opened without one")
        return self.queue

    def _cancel_marker(self, video_id: str) -> Path:
        # Beside the work folder, not in it: a run must find it before it has made the folder.
        return self.store.paths.cancel_marker(video_id)

    # --- the videos -------------------------------------------------------------------------------

    def videos(self, *, include_deleted: bool = False, limit: int | None = None, offset: int = 0) -> list[Video]:
        """The person's videos, newest first."""
        return self.store.videos(self.user_id, include_deleted=include_deleted, limit=limit, offset=offset)

    def video(self, video_id: str) -> Video:
        """One video; VideoNotFound if it is not this person's."""
        return self.store.video(self.user_id, video_id)

    def scenes(self, video_id: str) -> list[Scene]:
        """The scenes of an indexed video in order; empty while it is not indexed."""
        self.video(video_id)
        self.reader.refresh()
        return self.reader.scenes(self.user_id, video_id)

    def scene(self, scene_id: str) -> Scene:
        """A scene by its name; after a re-index the one that overlaps it most (IoU at least .5)."""
        self.reader.refresh()
        return self.reader.scene(self.user_id, scene_id)

    def frame_path(self, scene: Scene, name: str | None = None) -> Path | None:
        """The file of a keyframe, or of the thumbnail when no name is given."""
        wanted = name or scene.thumbnail
        return self.reader.frame_path(scene, wanted) if wanted else None

    def progress(self, video_id: str) -> StageProgress | None:
        """Where the work on a video stands; None when nobody has begun."""
        return read_progress(self.store.paths, video_id)

    def delete(self, video_id: str) -> Video:
        """Hide a video everywhere; `restore` brings it back until it is cleaned up."""
        video = self.video(video_id)
        if video.state in (VideoState.VALIDATING, VideoState.PROCESSING):
            self.cancel(video_id)
        return self.store.delete_video(self.user_id, video_id)

    def restore(self, video_id: str) -> Video:
        """Undo `delete`."""
        return self.store.restore_video(self.user_id, video_id)

    def retry(self, video_id: str, *, queue: bool = False, progress: OnProgress | None = None) -> Video:
        """Work on a failed video again; finished stages are kept."""
        video = self.video(video_id)
        self.store.set_state(video_id, VideoState.VALIDATING)
        return self._start(video, queue=queue, progress=progress)

    def cancel(self, video_id: str) -> None:
        """Ask running work on a video to stop; it ends as failed with CANCELLED and can be retried."""
        video = self.video(video_id)
        marker = self._cancel_marker(video_id)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if video.job_id and self.queue is not None:
            self.queue.cancel(video.job_id)
        if video.state in (VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING):
            self.store.set_state(video_id, VideoState.FAILED, error=Cancelled().to_dict())

    # --- search -----------------------------------------------------------------------------------

    def search(
        self,
        text: str,
        *,
        weights: Mapping[str, float] | None = None,
        fusion: str | None = None,
        videos: Iterable[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> SearchResult:
        """The scenes that fit `text`, best first, each with its reasons.

        `weights` by channel (transcript, vision, lexical) override the person's saved ones.
        Raises InvalidQuery, InvalidWeights, UnknownName, SearchFailed.
        """
        chosen = weights if weights is not None else self.preferences().get("weights")
        query = Query(
            text=text,
            weights=chosen or default_weights(self.settings),
            fusion=fusion or self.settings.fusion,
            video_ids=tuple(videos) if videos is not None else None,
            limit=self.settings.result_limit if limit is None else limit,
            offset=offset,
        )
        return self.searcher.search(query, user_id=self.user_id)

    @property
    def searcher(self) -> Searcher:
        """The search engine over this library, made on first use; it keeps the raw scores of recent queries."""
        from heimdex_core.search.searcher import Searcher

        with self._lock:
            if self._searcher is None:
                self._searcher = Searcher(self.reader, self.models, self.settings, log=self.store.log_search)
            return self._searcher

    def warm(self) -> None:
        """Load what a first search needs."""
        self.models.warm(("text", "vision"))

    def sql(self, query: str, params: Sequence[Any] = ()) -> pd.DataFrame:
        """Read the library with SQL (tables: videos, scenes, words, exports, reels, searches)."""
        self.reader.refresh()
        return self.reader.sql(query, params, user_id=self.user_id)

    # --- reels ------------------------------------------------------------------------------------

    def reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        title: str = "",
        out: str | Path | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Export:
        """Make one MP4 of clips or scene ids, in their order; `out` also gets a copy of the file.

        Raises InvalidReel, SceneNotFound, RenderFailed, RenderCheckFailed, RenderTimeout, DiskFull.
        """
        from heimdex_core.export.plan import new_export, plan_reel

        self.reader.refresh()
        plan = plan_reel(self.reader, self.user_id, clips, title=title, settings=self.settings)
        export = self.store.create_export(new_export(plan, self.user_id, self.settings))
        if queue:
            try:
                job_id = self._queue().enqueue_reel(export.export_id)
            except HeimdexError as error:
                # Nobody would ever render it: it must not wait as pending.
                self.store.update_export(export.export_id, state=ExportState.FAILED, error=error.to_dict())
                raise
            return self.store.update_export(export.export_id, job_id=job_id)
        export = self.render_export(export.export_id, progress=progress)
        if out is not None:
            self._copy_out(export, Path(out).expanduser())
        return export

    def render_export(
        self, export_id: str, *, progress: OnProgress | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> Export:
        """Render a pending export in this process."""
        from heimdex_core.export.progress import export_context
        from heimdex_core.export.reel import render

        export = self.store.export(self.user_id, export_id)
        marker = self._cancel_marker(export_id)
        context = export_context(self.store.paths, export, progress, is_cancelled or marker.exists)
        return render(self.store, export, settings=self.settings, context=context)

    def _copy_out(self, export: Export, out: Path) -> None:
        path = self.export_path(export)
        copied = intake.copy_in(path, out.parent, what=out.name)
        copied.path.replace(out)

    def export(self, export_id: str) -> Export:
        return self.store.export(self.user_id, export_id)

    def exports(self, limit: int | None = None) -> list[Export]:
        """The person's exports, newest first, those too whose file is gone."""
        return self.store.exports(self.user_id, limit=limit)

    def export_path(self, export: Export) -> Path:
        """The rendered file; ExportNotFound when it has expired."""
        return self.store.export_path(export)

    def export_progress(self, export_id: str) -> StageProgress | None:
        from heimdex_core.export.progress import read_export_progress

        return read_export_progress(self.store.paths, export_id)

    def cancel_export(self, export_id: str) -> None:
        """Ask a render to stop."""
        export = self.export(export_id)
        marker = self._cancel_marker(export_id)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if export.job_id and self.queue is not None:
            self.queue.cancel(export.job_id)

    def tray(self) -> Reel:
        """The scenes picked so far; they survive searches, pages and restarts."""
        return self.store.tray(self.user_id)

    def save_tray(self, clips: Sequence[ReelClip], *, title: str = "") -> Reel:
        """Keep the tray as it is now; a clip of the same scene is kept once."""
        unique = {clip.scene_id: clip for clip in reversed(clips)}
        ordered = [clip for clip in clips if unique.get(clip.scene_id) is clip]
        return self.store.save_tray(self.user_id, title, ordered)

    # --- people and upkeep ------------------------------------------------------------------------

    def preferences(self) -> dict[str, Any]:
        return self.store.preferences(self.user_id)

    def set_preference(self, key: str, value: Any) -> None:
        self.store.set_preference(self.user_id, key, value)

    def reindex(self, *, progress: Callable[[float, float], None] | None = None) -> dict[str, Any]:
        """Make the indexes again from the videos' own files."""
        return self.store.reindex(context=WorkContext(report=progress) if progress else WorkContext())

    def adopt(self, folder: str | Path) -> Video:
        """Take a video folder copied from another library into this one."""
        return self.store.adopt(Path(folder).expanduser(), self.user_id)

    def clean_up(self) -> dict[str, int]:
        """Remove what is past its time: abandoned uploads, failed videos, expired exports, old work."""
        from heimdex_core.upkeep import clean_up

        return clean_up(self.store, self.settings)

    def stats(self) -> dict[str, Any]:
        """Numbers for the app: videos, scenes, hours, bytes on disk."""
        videos = self.videos()
        return {
            "videos": len(videos),
            "scenes": sum(video.scene_count for video in videos),
            "duration_s": sum(video.info.duration_s for video in videos if video.info),
            "disk": self.store.disk_usage(),
        }

    def doctor(self) -> dict[str, Any]:
        """What is here, what was chosen and why, and what is wrong."""
        from heimdex_core.doctor import examine

        return examine(self)
