"""What a store does with the records and files of videos."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from heimdex_core.errors import HeimdexError, VideoNotFound
from heimdex_core.files import read_json_object, remove_tree
from heimdex_core.store import commit, renaming, videos
from heimdex_core.store.bulk import BulkChanges
from heimdex_core.store.catalog import Catalog, StoreContext
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.store.people import PeopleRecords
from heimdex_core.store.reader import Reader
from heimdex_core.store.shares import Sharing
from heimdex_core.store.video_json import write_video_json
from heimdex_core.types import Json, MediaInfo, Video, VideoState

UNFINISHED_VIDEO = videos.UNFINISHED


class VideoRecords:
    """Part of Store, which sets the attributes."""

    paths: LibraryPaths
    catalog: Catalog
    context: StoreContext
    bulk: BulkChanges
    people: PeopleRecords
    _reader: Reader

    def sharing(self) -> Sharing:
        """What users share now. Never waits for a writer."""
        return self._reader.view().snapshot.sharing

    def register_video(
        self,
        user_id: str,
        sha256: str,
        title: str,
        filename: str,
        description: str = "",
        language: str = "auto",
        notes: Sequence[str] = (),
    ) -> tuple[Video, bool]:
        """Register a video, unless the user has one of the same bytes, in whatever state.

        Args:
            user_id: the owner.
            sha256: SHA-256 of the source's bytes, 64 lower-case hexadecimal digits.
            title: as shown to users.
            filename: the name of the file that was given.
            description: free text.
            language: an ISO 639-1 code, or "auto" to detect it.
            notes: codes of what was noticed about the file.

        Returns (the video, whether it was registered now); a new one is in state uploading. Raises InvalidValue,
        DiskFull.
        """
        with self.catalog.transaction() as transaction:
            video, created = videos.register(
                transaction,
                user_id,
                sha256,
                title=title,
                filename=filename,
                description=description,
                language=language,
                notes=notes,
            )
        if created:
            try:
                write_video_json(self.paths, video)
            except BaseException:
                with self.catalog.transaction() as transaction:
                    videos.remove(transaction, video.video_id)
                remove_tree(self.paths.video(video.video_id))
                raise
        return video, created

    def video(self, user_id: str, video_id: str, needed: videos.Need = "read") -> Video:
        """One video of a user, or one that others share with them. Raises VideoNotFound, NotAllowed."""
        check_uuid(video_id)
        with self.catalog.transaction() as transaction:
            return videos.get(transaction, video_id, user_id, needed)

    def check_access(self, user_id: str, video_id: str) -> None:
        """Raise VideoNotFound unless the user sees the video. Asks published files first, which needs no lock."""
        about = read_json_object(self.paths.video_json(video_id)) or {}
        if about.get("user_id") != user_id and video_id not in self.sharing().videos_of(user_id):
            self.video(user_id, video_id)

    def find_video(self, user_id: str, sha256: str) -> Video | None:
        """The user's video of these bytes, in whatever state; None if there is none."""
        with self.catalog.transaction() as transaction:
            return videos.find_by_content(transaction, user_id, sha256)

    def count_unfinished_videos(self) -> int:
        """How many videos of all users are being worked on, or wait for it."""
        with self.catalog.transaction() as transaction:
            return videos.count_unfinished(transaction)

    def count_never_indexed(self, user_id: str, timeout_s: float | None = None) -> int:
        """How many of the user's videos have no generation and are being worked on, or wait for it."""
        with self.catalog.transaction(timeout_s) as transaction:
            return videos.count_never_indexed(transaction, user_id)

    def count_videos(self, timeout_s: float | None = None) -> int:
        """How many videos of all users there are. Raises LibraryBusy after `timeout_s` (None: the usual limit)."""
        with self.catalog.transaction(timeout_s) as transaction:
            return int(transaction.rows("select count(*) as n from videos")[0]["n"])

    def videos(
        self,
        user_id: str,
        *,
        include_deleted: bool = False,
        limit: int | None = None,
        offset: int = 0,
        shared: bool = False,
        state: VideoState | None = None,
        after: tuple[datetime, str] | None = None,
    ) -> list[Video]:
        """A user's videos, newest first; `limit` None returns all after `offset`. See videos.of_user."""
        with self.catalog.transaction() as transaction:
            return videos.of_user(
                transaction,
                user_id,
                include_deleted=include_deleted,
                limit=limit,
                offset=offset,
                shared=shared,
                state=state,
                after=after,
            )

    def share_files(self, video_id: str) -> None:
        """Bring a video's file and subtitles to the other machines, before one of them begins to work on it.

        Nothing is to be done in a library that is a folder. Raises what the object storage raises.
        """
        for place in sorted(self.paths.video(video_id).glob("source.*")):
            self.catalog.upload(place)  # before the transaction, which others wait for
        self.catalog.share(f"videos/{check_uuid(video_id)}/")

    def set_state(self, video_id: str, state: VideoState, **changes: Any) -> Video:
        """Change a video's state, and with it fields of Video by name (error, job_id, info, notes, language).

        Setting the present state again is allowed. Raises VideoNotFound, InvalidTransition.
        """
        with self.catalog.transaction() as transaction:
            return videos.set_state(transaction, video_id, VideoState(state), changes)

    def begin_work(self, video_id: str) -> Video:
        """A stage of a video begins: it is being worked on. Raises Cancelled if that was cancelled, VideoNotFound."""
        with self.catalog.transaction() as transaction:
            return videos.begin_work(transaction, video_id)

    def end_validation(self, video_id: str, info: MediaInfo) -> Video:
        """Let a video be processed if it is being validated. Raises VideoNotFound."""
        with self.catalog.transaction() as transaction:
            return videos.end_validation(transaction, video_id, info)

    def replace_job(self, video_id: str, old: str | None, new: str) -> bool:
        """Name another job of an unfinished video; False if that is finished, gone, or names another job than `old`."""
        with self.catalog.transaction() as transaction:
            return videos.replace_job(transaction, video_id, old, new)

    def unfinished_jobs(self) -> list[Json]:
        """user_id, video_id and job_id of the videos whose job has not ended, oldest first."""
        with self.catalog.transaction() as transaction:
            return videos.unfinished_jobs(transaction)

    def mark_video_failed(self, user_id: str, video_id: str, error: HeimdexError) -> bool:
        """End unfinished work on a video with `error`, as videos.end_work says.

        Returns False if there was no unfinished work, or no such video of this user.
        """
        try:
            # One transaction: otherwise a video that is deleted in between would be restored.
            with self.catalog.transaction() as transaction:
                # for everybody who sees the video
                return videos.end_work(transaction, user_id, video_id, error.for_members().to_dict())
        except VideoNotFound:
            return False

    def unfinished_videos(self, unchanged_for_s: float) -> list[tuple[str, str]]:
        """(user_id, video_id) of videos that are being validated or processed, unchanged for so many seconds."""
        with self.catalog.transaction() as transaction:
            return videos.unfinished(transaction, unchanged_for_s)

    def set_job(self, video_id: str, job_id: str | None) -> Video:
        """Record the id of the job that works on a video; None for no job. Raises VideoNotFound."""
        with self.catalog.transaction() as transaction:
            return videos.change(transaction, video_id, {"job_id": job_id})

    def rename_video(self, user_id: str, video_id: str, title: str) -> Video:
        """Give a video another title, in the indexes too. Raises VideoNotFound, LibraryBusy, DiskFull."""
        return renaming.rename(self.context, user_id, check_uuid(video_id), title)

    def delete_video(self, user_id: str, video_id: str) -> Video:
        """Hide a video from everybody; until it is purged, `restore_video` undoes this. Raises VideoNotFound."""
        return self.bulk.delete(user_id, [video_id])[0]

    def restore_video(self, user_id: str, video_id: str) -> Video:
        """Undo a deletion; see videos.restore for the state that the video gets. Raises VideoNotFound."""
        return self.bulk.restore(user_id, [video_id])[0]

    def purge_video(self, *video_ids: str) -> None:
        """Remove videos for good: their rows in the indexes, folders and records. May be repeated after a crash."""
        commit.purge(self.context, *(check_uuid(video_id) for video_id in video_ids))
        self.people.faces.forget(*video_ids)

    def abandoned(self, older_than_s: float) -> list[Video]:
        """Videos that may be purged: deleted, or never indexed and failed or uploading; unchanged for that long."""
        with self.catalog.transaction() as transaction:
            return videos.abandoned(transaction, older_than_s)

    def busy_ids(self) -> set[str]:
        """Ids of the videos and exports that are being worked on, or wait for it."""
        with self.catalog.transaction() as transaction:
            return videos.busy_ids(transaction)

    def set_params(self, video_id: str, *, params: Json | None = None, language: str | None = None) -> Video:
        """Change the parameters or the language that a video is indexed with the next time. Raises VideoNotFound."""
        given = {"params": params, "language": language}
        with self.catalog.transaction() as transaction:
            return videos.change(transaction, check_uuid(video_id), {k: v for k, v in given.items() if v is not None})
