"""Where a library is, and what Library does with videos: adds them, finds them, and keeps them indexed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import HeimdexError, InvalidValue, SceneNotFound, VideoNotFound
from heimdex_core.export.source import require_source
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.progress import read_progress
from heimdex_core.library import importing
from heimdex_core.library.accounts import require_admin_of_shared
from heimdex_core.library.arguments import MAX_COUNT, After, AnyPath, Count, OnePath, checked
from heimdex_core.library.bulk import BulkOperations
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.relinking import Relinking
from heimdex_core.library.work import LibraryWork
from heimdex_core.store.object_parts import MAX_LINK_S
from heimdex_core.store.view import View
from heimdex_core.types import (
    RelinkReport,
    Scene,
    Segment,
    StageProgress,
    Video,
    VideoState,
    VisibleVideo,
)

if TYPE_CHECKING:
    from heimdex_core.store.object_storage import ObjectStorage


class LibraryVideos:
    """Part of Library."""

    def __init__(self, context: LibraryContext) -> None:
        self.settings = context.settings
        self.user_id = context.user_id
        self.bulk = BulkOperations(context)
        self.work = LibraryWork(context)
        self._context = context
        self._relinking = Relinking(context)
        self._store = context.store

    # --- where it is ------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The library folder."""
        return self._store.paths.root

    @property
    def address(self) -> str | None:
        """s3://bucket/prefix of a library in object storage, whose working folder `path` is; None for a folder."""
        return self._store.manifest.storage

    @property
    def storage(self) -> ObjectStorage | None:
        """The object storage of the library; None for a folder."""
        mirror = self._store.catalog.mirror
        return None if mirror is None else mirror.storage

    @checked
    def link(self, file: AnyPath, *, filename: str, content_type: str, inline: bool = False) -> str | None:
        """A signed link with which a browser reads one of the library's files straight from the object storage.

        Args:
            file: inside of `path`; it need not be on this machine.
            filename: the name under which the browser saves it.
            content_type: a media type.
            inline: whether the browser is to show it.

        None for a folder, and where the storage does not have the file. It is valid for twice `link_ttl_s` of the
        settings, as the app's own links. Whose file it is, is not asked: those are signed for one person.
        """
        mirror = self._store.catalog.mirror
        if mirror is None:
            return None
        valid_s = min(2 * self.settings.link_ttl_s, MAX_LINK_S)
        return mirror.link(Path(file), filename=filename, content_type=content_type, expires_s=valid_s, inline=inline)

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
        bulk: bool = False,
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
            bulk: with `queue`, let the worker take videos first that somebody waits for.
            progress: called with StageProgress at most four times a second.

        Raises a ValidationError for a file that cannot be used, and then leaves nothing behind; DiskFull, Cancelled,
        JobsUnavailable, StageFailed.
        """
        given = Path(subtitles).expanduser() if subtitles is not None else None
        if audio_track is not None:
            IngestParams.from_settings(self.settings, audio_track=audio_track)  # refuses what cannot be
        incoming = importing.read_file(self._store, self.settings, Path(path).expanduser(), given, language)
        incoming = replace(incoming, title=title, description=description, language=language, audio_track=audio_track)
        return self.work.import_file(incoming, queue=queue, progress=progress, is_awaited=not bulk)

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
            if os.path.lexists(part) and not part.is_dir():  # lexists: a name that is too long is no file
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
        return importing.may_have_file(self._store.videos(self.user_id, include_deleted=True), filename, size_bytes)

    @checked
    def adopt(self, folder: AnyPath) -> Video:
        """Take a folder videos/<video_id> copied from another library into this one.

        Everything in the folder is checked first. Raises InvalidFolder, SpaceMismatch where it was indexed with other
        models, FileTooLarge, DiskFull.
        """
        return self._store.adopt(Path(folder).expanduser(), self.user_id, **self._limits)

    @checked
    def adopt_all(self, folders: Sequence[AnyPath]) -> list[Video | HeimdexError]:
        """Take many such folders, which costs much less than one after the other.

        Returns the video of each, or the error that `adopt` would have raised; the others are adopted all the same.
        """
        paths = [Path(folder).expanduser() for folder in folders]
        return self._store.adopt_all(paths, self.user_id, **self._limits)

    @property
    def _limits(self) -> dict[str, int]:
        """Of a file that comes with an adopted folder."""
        return {"max_file_bytes": self.settings.max_file_bytes, "max_title_chars": self.settings.max_title_chars}

    # --- videos and scenes ------------------------------------------------------------------------

    @checked
    def require_video(self, video_id: str) -> None:
        """Raise VideoNotFound for a video that this person does not see. Waits for no writer where they do."""
        self._store.check_access(self.user_id, video_id)

    @checked
    def videos(
        self,
        *,
        include_deleted: bool = False,
        state: VideoState | None = None,
        limit: Count | None = None,
        offset: Count = 0,
        after: After | None = None,
    ) -> list[Video]:
        """The person's videos and those that others share with them, newest first; of deleted ones only their own.

        Args:
            include_deleted: also those that are deleted and can be restored.
            state: only those in this state.
            limit, offset: so many, without the first ones.
            after: (created_at, video_id) of the one that they come behind: a page costs the same wherever it is.
        """
        return self._store.videos(
            self.user_id,
            include_deleted=include_deleted,
            limit=limit,
            offset=offset,
            shared=True,
            state=state,
            after=after,
        )

    @checked
    def video(self, video_id: str) -> Video:
        """One video; VideoNotFound if it is neither this person's nor shared with them."""
        return self._store.video(self.user_id, video_id)

    @checked
    def count_unfinished(self, *, timeout_s: float | None = None) -> int:
        """How many of the person's videos have never been indexed and are being worked on, or wait for it.

        `timeout_s` is how long another process that uses the catalog is awaited; None is HEIMDEX_LOCK_TIMEOUT_S.
        Raises LibraryBusy.
        """
        return self._store.count_never_indexed(self.user_id, timeout_s)

    def searchable_videos(self) -> list[VisibleVideo]:
        """The indexed videos that the person sees, newest first, as a search sees them; asks no writer."""
        return self._view().visible_videos(self.user_id)

    @checked
    def scenes(self, video_id: str, *, limit: Count | None = None, after: str | None = None) -> list[Scene]:
        """The scenes of an indexed video in order; empty while it is not indexed.

        Args:
            video_id: of a video that the person sees.
            limit: so many; the others are not read.
            after: the scene_id of the one that they come behind; where that has gone, its place in the video counts.

        Raises VideoNotFound; SceneNotFound where `after` is no scene_id.
        """
        self.video(video_id)
        if limit is None and after is None:
            return self._view().scenes(self.user_id, video_id)
        return self._view().scenes_behind(self.user_id, video_id, after, MAX_COUNT if limit is None else limit)

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
    def playable_path(self, video: Video, *, fetch: bool = True) -> Path | None:
        """The file that a browser can play of a video: its preview, else the source; None when it has gone.

        Without `fetch` the file of a library in object storage need not be on this machine. Raises VideoNotFound for a
        video of another person.
        """
        self._require_access(video)
        path = self._store.paths.playable(video.video_id, has_preview=video.has_preview)
        return self._store.paths.fetched(path) if fetch and path is not None else path

    @checked
    def progress(self, video_id: str) -> StageProgress | None:
        """Where the work on a video stands; None while nobody has begun. Raises VideoNotFound."""
        self._store.check_access(self.user_id, video_id)
        return read_progress(self._store.progress(self._store.paths.work(video_id) / "progress.json"))

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
        video = self._store.video(self.user_id, video_id, "write")
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

    @checked
    def relink(
        self,
        video_id: str | None = None,
        *,
        path: AnyPath | None = None,
        folder: AnyPath | None = None,
        below: Sequence[Path] | None = None,
    ) -> RelinkReport:
        """Find the file of a video again, where it is missing or has changed, and put it back; see docs/shorts.md.

        It is looked for where it was and in a folder, by its size and then by its content. Nothing is indexed again,
        and a video that has its file is left as it is.

        Args:
            video_id: the video; None for all whose file is missing or has changed.
            path: the file, where its place is known, or a folder. Needs `video_id`, and no `folder`.
            folder: where to look, subfolders included; default the watched folders.
            below: the only folders in which `path` or `folder` may lie; None allows every place.

        Raises VideoNotFound, InvalidValue, RelinkRefused (a file of another content, a place that cannot be used),
        FileUnreadable, DiskFull; NotAllowed for a path or a folder of the server in a shared library, unless to admins.
        """
        if path is not None and (video_id is None or folder is not None):
            raise InvalidValue(name="path", value=str(path)[:80], reason="it goes with a video_id, and no folder")
        one = self._store.video(self.user_id, video_id, "write") if video_id is not None else None
        if path is not None or folder is not None:
            require_admin_of_shared(self._context)
        if path is not None and one is not None:
            return self._relinking.relink_to(one, Path(path).expanduser(), below)
        videos = self._relinking.lost() if one is None else [one]
        return self._relinking.relink_in(videos, Path(folder).expanduser() if folder is not None else None, below)

    @checked
    def require_source(self, video: Video, *, compare: bool = True) -> None:
        """Raise SourceMissing or SourceChanged unless the file of a video is there and the one that was added.

        With `compare`, a file that was written after the video was added is read, once per process; without, only its
        size is looked at. Raises VideoNotFound for a video of another person, FileUnreadable.
        """
        self._require_access(video)
        require_source(self._store.paths, video, compare=compare)

    def _require_access(self, video: Video) -> None:
        """Raise VideoNotFound for a video that this person does not see; asks no writer."""
        if video.user_id != self.user_id and video.video_id not in self._store.sharing().videos_of(self.user_id):
            raise VideoNotFound(video_id=video.video_id)

    def _view(self) -> View:
        return self._store.reader().view()
