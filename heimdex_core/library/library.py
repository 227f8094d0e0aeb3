"""Library: everything the app, the command line, the worker and notebooks do with a library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import InvalidValue, SceneNotFound, VideoNotFound
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.progress import read_progress
from heimdex_core.library import importing
from heimdex_core.library.arguments import AnyPath, Count, Names, OnePath, checked
from heimdex_core.library.bulk import BulkOperations
from heimdex_core.library.context import LibraryContext, OnProgress, WorkQueue, open_context, require_usable_path
from heimdex_core.library.diagnostics import examine
from heimdex_core.library.exports import Exports
from heimdex_core.library.maintenance import clean_up
from heimdex_core.library.model_sets import LibraryModelSets
from heimdex_core.library.scene_edits import SceneEdits
from heimdex_core.library.sprites import Sprites
from heimdex_core.library.tray import TrayEdits
from heimdex_core.library.watching import WatchedFolders
from heimdex_core.library.work import LibraryWork
from heimdex_core.models.registry import Models, Purpose
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings, get_settings
from heimdex_core.store import Store
from heimdex_core.store.published import PublishedState, read_published_state
from heimdex_core.store.view import View
from heimdex_core.types import (
    Export,
    Query,
    ReelClip,
    Scene,
    SearchResult,
    Segment,
    Space,
    StageProgress,
    Tray,
    Video,
    VideoState,
    VisibleVideo,
    WorkContext,
    to_json,
)

if TYPE_CHECKING:
    import pandas as pd


class Library:
    """A folder of videos and what is known about them, as one person sees it.

    Attributes:
        bulk: operations on several videos.
        exports: what was rendered (`reel` makes one).
        model_sets: the models that the library is indexed with, and moving to others.
        scene_edits: splits and merges of scenes by hand.
        sprites: frames of scenes for pages that show them one by one, made when they are asked for.
        tray_edits: changes of the tray, with undo and redo.
        watched: folders whose new videos the worker adds.
        work: what the queue and the worker need.
    """

    def __init__(self, context: LibraryContext) -> None:
        """Use `open` or `as_user`."""
        self.settings = context.settings
        self.user_id = context.user_id
        self.bulk = BulkOperations(context)
        self.exports = Exports(context)
        self.model_sets = LibraryModelSets(context)
        self.sprites = Sprites(context)
        self.tray_edits = TrayEdits(context)
        self.work = LibraryWork(context)
        self.scene_edits = SceneEdits(context, self.work)
        self.watched = WatchedFolders(context, self.work)
        self._context = context
        self._store = context.store
        self._searcher = Searcher(self._store.reader(), context.models.of, self.settings, log=self._store.log_search)

    @classmethod
    @checked
    def open(
        cls,
        path: AnyPath | None = None,
        *,
        user_id: str | None = None,
        profile: str | None = None,
        settings: Settings | None = None,
        create: bool = True,
        purpose: Purpose = "ingest",
    ) -> Library:
        """Open a library folder.

        Args:
            path: the folder; default HEIMDEX_LIBRARY, else data/library.
            user_id: whose videos are seen; default HEIMDEX_USER_ID, else "local".
            profile: the models of a new library ("auto", "offline", "laptop", "studio"). It is chosen once, when the
                library is made; `model_sets.move_to` changes it.
            settings: default the environment's.
            create: make the library where there is none; else LibraryNotFound is raised.
            purpose: with "query" models load only what searching needs.

        Raises LibraryNotFound, LibraryVersion for a newer format, LibraryDamaged, ProfileMismatch where the library
        uses another profile than the one given here.
        """
        settings = settings or get_settings()
        root = Path(path if path is not None else settings.library).expanduser().resolve()
        user_id = user_id or settings.user_id
        return cls(open_context(root, settings, user_id=user_id, profile=profile, create=create, purpose=purpose))

    @staticmethod
    @checked
    def repair(path: AnyPath | None = None, *, settings: Settings | None = None) -> dict[str, Any]:
        """Rebuild the catalog of a library, if it is lost or damaged, from the folders of its videos.

        Reels, exports, judgements, preferences and watched folders come from the copies in backup/, which are written
        after every change. Nothing is deleted: a damaged catalog is kept under another name. In a library whose catalog
        is sound, folders that it does not know are added to it.

        Args:
            path: the library folder; default as for `open`.

        Returns {catalog, moved_to, videos, restored, problems}. Raises LibraryNotFound, LibraryVersion, LibraryDamaged,
        LibraryBusy, DiskFull.
        """
        root = Path(path if path is not None else (settings or get_settings()).library).expanduser().resolve()
        require_usable_path(root)
        report: dict[str, Any] = to_json(Store.repair(root))
        return report

    @checked
    def as_user(self, user_id: str) -> Library:
        """The same library as another person sees it; it shares the store and the models."""
        if user_id == self.user_id:
            return self
        return Library(replace(self._context, user_id=user_id, queue=None))

    def close(self) -> None:
        """Let go of what is held open; the library can be used again afterwards."""
        self._store.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The library folder."""
        return self._store.paths.root

    def require(self) -> None:
        """Raise LibraryNotFound if the folder has been moved or removed since it was opened."""
        self._store.paths.require()

    @property
    def uploads_folder(self) -> Path:
        """Where uploads are written before `add_upload` takes them over; on the library's disk.

        Raises LibraryNotFound if the library has been moved or removed.
        """
        self.require()
        return self._store.paths.uploads

    @property
    def queue(self) -> WorkQueue | None:
        """Where work is handed to that the worker shall do; None where nobody has set one."""
        return self._context.queue

    @queue.setter
    def queue(self, queue: WorkQueue | None) -> None:
        self._context.queue = queue

    @property
    def models(self) -> Models:
        """The models in use, not loaded."""
        return self._context.models.active()

    # --- adding videos ----------------------------------------------------------------------------

    @checked
    def add(
        self,
        path: AnyPath,
        *,
        title: str | None = None,
        description: str = "",
        subtitles: AnyPath | None = None,
        language: str | None = None,
        audio_track: int | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Video:
        """Copy a video file into the library and index it. The same bytes give the video that is there already.

        Args:
            path: the file; it is only read.
            title: default the file's name without its extension; at most HEIMDEX_MAX_TITLE_CHARS are kept.
            subtitles: a subtitle file in any of the formats of docs/subtitles.md; default the one beside the video.
            language: of the speech, an ISO 639-1 code or "auto"; default HEIMDEX_LANGUAGE.
            audio_track: the number of the sound track to use, from 1; default chosen by flags, titles and loudness.
                Kept with the video; where the file does not have it, the video has a note.
            queue: leave the work to the worker and return at once.
            progress: called with StageProgress at most four times a second.

        Raises a ValidationError for a file that cannot be used, and then leaves nothing behind; DiskFull, Cancelled,
        JobsUnavailable, StageFailed.
        """
        given = Path(subtitles).expanduser() if subtitles is not None else None
        if audio_track is not None:
            IngestParams.from_settings(self.settings, audio_track=audio_track)  # refuses what cannot be
        incoming = importing.read_file(self._store, self.settings, Path(path).expanduser(), given, language)
        incoming = replace(incoming, title=title, description=description, language=language, audio_track=audio_track)
        return self.work.import_file(incoming, queue=queue, progress=progress)

    @checked
    def add_upload(
        self,
        part: OnePath,
        filename: str,
        *,
        title: str | None = None,
        description: str = "",
        subtitles: Mapping[str, OnePath] | None = None,
        language: str | None = None,
        queue: bool = True,
        progress: OnProgress | None = None,
    ) -> Video:
        """Take over `part`, a complete file in `uploads_folder`; it is moved or removed. Otherwise as `add`.

        `subtitles` are files by the names that people know them by; the one that fits best is used.
        """
        try:
            incoming = importing.read_upload(self.settings, part, filename, subtitles, language)
            incoming = replace(incoming, title=title, description=description, language=language)
            return self.work.import_file(incoming, queue=queue, progress=progress)
        finally:
            if not part.is_dir():
                part.unlink(missing_ok=True)

    @checked
    def add_known(self, sha256: str) -> Video | None:
        """Add a file by the SHA-256 of its bytes, if the person's library has it and nothing has to be done with it.

        A deleted video is restored. None means that the file itself is needed.
        """
        return importing.find_known(self._store, self.user_id, sha256)

    @checked
    def may_have_file(self, filename: str, size_bytes: int) -> bool:
        """Whether the person has, or had, a video of a file of this name and size."""
        return importing.may_have_file(self.videos(include_deleted=True), filename, size_bytes)

    @checked
    def adopt(self, folder: AnyPath) -> Video:
        """Take a folder videos/<video_id> copied from another library into this one.

        Everything in the folder is checked first. Raises InvalidFolder, SpaceMismatch where it was indexed with other
        models, FileTooLarge, DiskFull.
        """
        limits = {"max_file_bytes": self.settings.max_file_bytes, "max_title_chars": self.settings.max_title_chars}
        return self._store.adopt(Path(folder).expanduser(), self.user_id, **limits)

    # --- videos and scenes ------------------------------------------------------------------------

    @checked
    def videos(self, *, include_deleted: bool = False, limit: Count | None = None, offset: Count = 0) -> list[Video]:
        """The person's videos, newest first."""
        return self._store.videos(self.user_id, include_deleted=include_deleted, limit=limit, offset=offset)

    @checked
    def video(self, video_id: str) -> Video:
        """One video; VideoNotFound if it is not this person's."""
        return self._store.video(self.user_id, video_id)

    @checked
    def count_unfinished(self, *, timeout_s: float | None = None) -> int:
        """How many of the person's videos have never been indexed and are being worked on, or wait for it.

        `timeout_s` is how long another process that uses the catalog is awaited; None is HEIMDEX_LOCK_TIMEOUT_S.
        Raises LibraryBusy.
        """
        return self._store.count_never_indexed(self.user_id, timeout_s)

    def searchable_videos(self) -> list[VisibleVideo]:
        """The person's indexed videos, newest first, as a search sees them; asks no writer."""
        return self._view().visible_videos(self.user_id)

    @checked
    def scenes(self, video_id: str) -> list[Scene]:
        """The scenes of an indexed video in order; empty while it is not indexed. Raises VideoNotFound."""
        self.video(video_id)
        return self._view().scenes(self.user_id, video_id)

    @checked
    def scene(self, scene_id: str) -> Scene:
        """A scene by its id; after a re-index the one that overlaps it most (IoU at least .5). Raises SceneNotFound."""
        return self._view().scene(self.user_id, scene_id)

    @checked
    def words(self, video_id: str) -> list[Segment]:
        """What is said in an indexed video, line by line, with word times where known. Raises VideoNotFound."""
        return self._store.reader().ask(lambda view: view.words(self.user_id, video_id))

    @checked
    def frame_path(self, scene: Scene, name: str | None = None) -> Path | None:
        """The file of a keyframe (Keyframe.file), or of the thumbnail when no name is given.

        Raises SceneNotFound for a scene of another person, InvalidValue for a name with a folder.
        """
        view = self._view()
        if not view.snapshot.of_user(self.user_id, (scene.video_id,)):
            raise SceneNotFound(scene_id=scene.scene_id)
        wanted = name or scene.thumbnail
        return view.frame_path(scene, wanted) if wanted else None

    @checked
    def playable_path(self, video: Video) -> Path | None:
        """The file that a browser can play of a video: its preview, else the source; None when it has gone.

        Raises VideoNotFound for a video of another person.
        """
        if video.user_id != self.user_id:
            raise VideoNotFound(video_id=video.video_id)
        paths = self._store.paths
        return paths.preview(video.video_id) if video.has_preview else paths.source(video.video_id, missing_ok=True)

    @checked
    def progress(self, video_id: str) -> StageProgress | None:
        """Where the work on a video stands; None while nobody has begun. Raises VideoNotFound."""
        self._store.check_owner(self.user_id, video_id)
        return read_progress(self._store.paths.work(video_id) / "progress.json")

    @checked
    def delete(self, video_id: str) -> Video:
        """Hide a video everywhere; `restore` brings it back until it is cleaned up."""
        return self.bulk.delete([video_id])[0]

    @checked
    def restore(self, video_id: str) -> Video:
        """Undo `delete`."""
        return self.bulk.restore([video_id])[0]

    @checked
    def rename(self, video_id: str, title: str) -> Video:
        """Give a video another title, which is found by searches from then on.

        Args:
            video_id: of one of the person's videos.
            title: 1 to HEIMDEX_MAX_TITLE_CHARS characters; spaces around it are dropped.

        Raises VideoNotFound, InvalidValue, LibraryBusy.
        """
        title, limit = title.strip(), self.settings.max_title_chars
        if not 1 <= len(title) <= limit:
            raise InvalidValue(name="title", value=title[:80], reason=f"1 to {limit} characters are needed")
        return self._store.rename_video(self.user_id, video_id, title)

    @checked
    def retry(self, video_id: str, *, queue: bool = False, progress: OnProgress | None = None) -> Video:
        """Index a failed video again, or an indexed one whose last re-index failed; finished stages are kept."""
        video = self.video(video_id)
        is_indexed = video.state == VideoState.INDEXED
        self._store.set_state(video_id, VideoState.PROCESSING if is_indexed else VideoState.VALIDATING)
        if video.state in (VideoState.INDEXED, VideoState.FAILED):
            self.work.forget_progress(video_id)
        return self.work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def cancel(self, video_id: str) -> None:
        """Stop the work on a video; it becomes failed with CANCELLED and can be retried.

        One that was being indexed again stays as it was.
        """
        self.bulk.cancel([video_id])

    @checked
    def reindex_video(
        self,
        video_id: str,
        *,
        language: str | None = None,
        params: Mapping[str, Any] | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Video:
        """Index one video again; it stays searchable meanwhile.

        Only stages whose inputs changed are run, and those that an earlier version of the software did differently.

        Args:
            language: of its speech, an ISO 639-1 code, or "auto" to detect it. Kept with the video.
            params: by the names of IngestParams, for example {"min_scene_s": 2.0}; None as a value takes the
                general setting again. Kept with the video.
            queue: leave the work to the worker.

        Raises VideoNotFound, UnknownName, InvalidValue.
        """
        return self.work.reindex(video_id, language=language, params=params, queue=queue, progress=progress)

    # --- search -----------------------------------------------------------------------------------

    @checked
    def search(
        self,
        text: str,
        *,
        weights: Mapping[str, Any] | None = None,
        fusion: str | None = None,
        videos: Names | None = None,
        spaces: Names = (),
        limit: Count | None = None,
        offset: Count = 0,
    ) -> SearchResult:
        """The scenes that fit `text`, best first, each with its reasons. Never waits for a writer.

        Args:
            text: 1 to HEIMDEX_MAX_QUERY_CHARS characters, English or Korean; "quoted phrases" must occur.
            weights: by channel (transcript, vision, lexical), 0 to 1 each; default the person's saved ones.
            fusion: "minmax", "rrf", "weighted_rrf" or "zscore"; default HEIMDEX_FUSION.
            videos: ids of the only videos to search.
            spaces: names of spaces to search instead of their kind's first one, as in ["bge-m3"]; two of a kind
                are compared side by side, each a channel under its own name.
            limit: hits at most; default HEIMDEX_RESULT_LIMIT.
            offset: hits to leave out at the beginning.

        Raises InvalidQuery, InvalidWeights, InvalidValue, UnknownName; SearchFailed where no channel could answer.
        """
        query = Query(
            text=text,
            weights=weights if weights is not None else self.preferences().get("weights") or None,
            fusion=fusion,
            video_ids=tuple(videos) if videos is not None else None,
            spaces=tuple(spaces),
            limit=self.settings.result_limit if limit is None else limit,
            offset=offset,
        )
        return self._searcher.search(query, user_id=self.user_id)

    def spaces(self) -> dict[str, Space]:
        """The vector spaces that a search can use now, by role ("text", "vision", ...; extra ones by their name)."""
        return dict(self._view().spaces)

    def warm(self) -> threading.Thread:
        """Load what a first search needs, in a background thread, which is returned."""
        thread = threading.Thread(target=self._searcher.warm, args=(self.user_id,), name="warm-models", daemon=True)
        thread.start()
        return thread

    @checked
    def sql(self, query: str, params: Sequence[Any] = ()) -> pd.DataFrame:
        """One reading statement over copies of the person's rows; `show tables` lists the tables. Raises InvalidSql."""
        return self._store.reader().ask(lambda view: view.sql(query, params, user_id=self.user_id))

    def _view(self) -> View:
        return self._store.reader().view()

    # --- reels ------------------------------------------------------------------------------------

    @checked
    def reel(
        self,
        clips: Sequence[ReelClip | str],
        *,
        title: str = "",
        out: AnyPath | None = None,
        skip_failed: bool = False,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Export:
        """Render one MP4 of clips or scene ids, in their order.

        Args:
            clips: 1 to HEIMDEX_MAX_REEL_SCENES; a clip is cut to its scene as it is now.
            title: at most HEIMDEX_MAX_TITLE_CHARS characters.
            out: also copy the file there.
            skip_failed: leave out clips that cannot be rendered; `left_out` of the export names them.
            queue: leave the rendering to the worker.

        Raises ClipsFailed, which names the clips that cannot be rendered; InvalidReel, SceneNotFound, RenderFailed,
        RenderCheckFailed, RenderTimeout, DiskFull.
        """
        return self.exports.make_reel(
            clips, title=title, out=out, skip_failed=skip_failed, queue=queue, progress=progress
        )

    def tray(self) -> Tray:
        """The scenes picked so far; they survive searches, pages and restarts. `tray_edits` changes them."""
        return self._store.reels.tray(self.user_id)

    @checked
    def save_tray(self, clips: Sequence[ReelClip], *, title: str = "") -> Tray:
        """Replace the tray; a clip of the same scene is kept once."""
        unique = {clip.scene_id: clip for clip in reversed(clips)}
        ordered = [clip for clip in clips if unique.get(clip.scene_id) is clip]
        return self.tray_edits.replace(ordered, title)

    def published_state(self) -> PublishedState:
        """What other programs and open pages may have changed; equal until they do. Never waits for a writer."""
        return read_published_state(self._store.paths, self.user_id)

    # --- preferences and maintenance --------------------------------------------------------------

    def preferences(self) -> dict[str, Any]:
        """The person's preferences by key. Never waits for a writer."""
        return self._store.preferences(self.user_id)

    @checked
    def set_preference(self, key: str, value: Any) -> None:
        """Set one preference to a JSON value; None removes it."""
        self._store.set_preference(self.user_id, key, value)

    @checked
    def reindex(self, *, progress: Callable[[float, float], None] | None = None) -> dict[str, Any]:
        """Make all indexes again from the videos' own files: {videos, scenes, vectors, problems}.

        `progress` is called with (done, total) in indexes. Searches go on meanwhile.
        """
        return self._store.maintenance.rebuild_indexes(WorkContext(report=progress) if progress else None)

    def clean_up(self) -> dict[str, int]:
        """Remove what is past its time: abandoned uploads, failed videos, expired exports, old work; counts by kind."""
        return clean_up(self._store, self.settings)

    def stats(self) -> dict[str, Any]:
        """Numbers for the app: videos, scenes, duration_s, and disk (bytes by part)."""
        videos = self.videos()
        return {
            "videos": len(videos),
            "scenes": sum(video.scene_count for video in videos),
            "duration_s": sum(video.info.duration_s for video in videos if video.info),
            "disk": self._store.maintenance.disk_usage(),
        }

    def doctor(self) -> dict[str, Any]:
        """What is here, what was chosen and why, and what is wrong, as plain JSON values."""
        return examine(self._context)
