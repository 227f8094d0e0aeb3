"""Library: the door to everything. The app, the command line and notebooks call nothing below it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from heimdex_core import admission
from heimdex_core.door import OnProgress
from heimdex_core.errors import (
    Cancelled,
    JobsUnavailable,
    LibraryNotFound,
    ProfileMismatch,
    ValidationError,
)
from heimdex_core.ingest.ending import settle_video
from heimdex_core.ingest.work import read_progress
from heimdex_core.library_models import ModelDoor, SetModels
from heimdex_core.library_reels import ReelDoor
from heimdex_core.models.profiles import is_as_asked
from heimdex_core.models.registry import ModelChoice, Models, Purpose, choose_profile
from heimdex_core.search.results import SearchResult
from heimdex_core.settings import Settings, default_weights, get_settings
from heimdex_core.store.locks import video_lock
from heimdex_core.store.store import Store
from heimdex_core.types import (
    Query,
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


class Library(ReelDoor, ModelDoor):
    """A folder of videos and what is known about them, as one person sees it."""

    def __init__(self, store: Store, loaded: SetModels, settings: Settings, user_id: str) -> None:
        super().__init__(store, settings, user_id)
        self.loaded = loaded
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
        purpose: Purpose = "ingest",
    ) -> Library:
        """Open the library folder at `path` (default: HEIMDEX_LIBRARY, else data/library).

        A new one is made there unless `create` is false (then LibraryNotFound). The profile, or that of the
        settings, is chosen once, when the library is made; asking for another one later raises
        ProfileMismatch (`move_to` changes it). A setting that says otherwise by then is told by `doctor`.
        With `purpose` "query" models load only what searching needs.
        """
        settings = settings or get_settings()
        root = Path(path if path is not None else settings.library).expanduser().resolve()
        asked = profile or settings.profile
        if not (root / "library.json").exists():
            if not create:
                raise LibraryNotFound(path=str(root))
            choice = choose_profile(asked, settings)
            spaces = Models(choice, settings).spaces
            store = Store.create(root, profile=choice.name, models=choice.to_dict(), spaces=spaces)
        else:
            store = Store.open(root)
            pinned = ModelChoice.from_dict(store.active_set().choice)
            if profile is not None and not is_as_asked(pinned, profile, settings):
                raise ProfileMismatch(pinned=pinned.name, asked=profile)
        return cls(store, SetModels(store, settings, purpose), settings, user_id or settings.user_id)

    def _whole(self) -> Library:
        return self

    def as_user(self, user_id: str) -> Library:
        """The same library as another person sees it: it shares the store and the models."""
        return self if user_id == self.user_id else Library(self.store, self.loaded, self.settings, user_id)

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
            is_cancelled=marker.exists,
            on_progress=progress,
        )

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
        """Work on a failed video again, or on one that could not be indexed anew; finished stages are kept."""
        video = self.video(video_id)
        is_anew = video.state == VideoState.INDEXED
        self.store.set_state(video_id, VideoState.PROCESSING if is_anew else VideoState.VALIDATING)
        return self._start(video, queue=queue, progress=progress)

    def cancel(self, video_id: str) -> None:
        """Ask running work on a video to stop; it ends as failed with CANCELLED and can be retried.

        One that was being indexed again stays as it was.
        """
        video = self.video(video_id)
        marker = self._cancel_marker(video_id)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if video.job_id and self.queue is not None:
            self.queue.cancel(video.job_id)
        settle_video(self.store, self.user_id, video_id, Cancelled())

    # --- search -----------------------------------------------------------------------------------

    def search(
        self,
        text: str,
        *,
        weights: Mapping[str, float] | None = None,
        fusion: str | None = None,
        videos: Iterable[str] | None = None,
        spaces: Iterable[str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> SearchResult:
        """The scenes that fit `text`, best first, each with its reasons.

        `weights` by channel (transcript, vision, lexical) override the person's saved ones. `spaces` names
        spaces to search instead of their kind's first one, as in ["bge-m3"]; two of a kind are compared side
        by side, each a channel under its own name.
        Raises InvalidQuery, InvalidWeights, UnknownName, SearchFailed.
        """
        chosen = weights if weights is not None else self.preferences().get("weights")
        query = Query(
            text=text,
            weights=chosen or default_weights(self.settings),
            fusion=fusion or self.settings.fusion,
            video_ids=tuple(videos) if videos is not None else None,
            spaces=tuple(spaces),
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
                self._searcher = Searcher(self.reader, self.models_of, self.settings, log=self.store.log_search)
            return self._searcher

    def warm(self) -> None:
        """Load what a first search needs, in the background."""
        self.models_of(self.reader.view().set_id).warm(("text", "vision"))

    def sql(self, query: str, params: Sequence[Any] = ()) -> pd.DataFrame:
        """Read the library with SQL (tables: videos, scenes, words, exports, reels, searches)."""
        self.reader.refresh()
        return self.reader.sql(query, params, user_id=self.user_id)

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
