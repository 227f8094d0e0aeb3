"""Correcting the transcript and the tags of a video by hand."""

from __future__ import annotations

import builtins
import unicodedata

from heimdex_core.errors import InvalidValue
from heimdex_core.library.arguments import Names, checked
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.work import LibraryWork
from heimdex_core.store.edits import MAX_LINE_CHARS, MAX_TAG_CHARS, MAX_TAGS, Journal
from heimdex_core.types import Correction, Video


class Corrections:
    """The corrections of one person's videos.

    After each the video is indexed again, here or with `queue` by the worker; it stays searchable meanwhile. Only what
    rests on the words or the tags is made again. Corrections are kept with the video and hold when it is indexed again
    with other models, for whatever is then found at the same time. All that change something raise ScenesNotEditable
    while the video is not indexed or is being indexed, EditsDamaged, VideoNotFound, JobsUnavailable, and return the
    video.
    """

    def __init__(self, context: LibraryContext, work: LibraryWork) -> None:
        self._context = context
        self._store = context.store
        self._work = work

    @checked
    def transcript(
        self,
        video_id: str,
        start_s: float,
        end_s: float,
        text: str,
        *,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Video:
        """Say what is really said in a stretch of a video, usually in one line of its transcript.

        Args:
            video_id: of the video.
            start_s: where the stretch begins, in seconds; 0 or more.
            end_s: where it ends, in seconds; behind `start_s`.
            text: what is said, up to 4000 characters; "" where nothing is.

        Raises InvalidValue.
        """
        self._require_stretch(start_s, end_s)
        text = " ".join(unicodedata.normalize("NFC", text).split())
        if len(text) > MAX_LINE_CHARS:
            raise InvalidValue(name="text", value=text[:80], reason=f"at most {MAX_LINE_CHARS} characters are allowed")

        def change(journal: Journal) -> Journal:
            return journal.with_line(start_s, end_s, text)

        self._require_queue(queue)
        video = self._store.scene_edits.correct(self._context.user_id, video_id, change, end_s=end_s)
        return self._work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def tags(
        self,
        scene_id: str,
        *,
        add: Names = (),
        remove: Names = (),
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Video:
        """Add tags to a scene and remove tags from it.

        Args:
            scene_id: of the scene.
            add: tags of 1 to 60 characters, at most 50; they come before those that were found.
            remove: tags as they are written, without regard to case.

        Raises InvalidValue, also where nothing is added or removed; SceneNotFound.
        """
        added, removed = _tags("add", add), _tags("remove", remove)
        if not added and not removed:
            raise InvalidValue(name="tags", value="", reason="there is nothing to add or to remove")
        scene = self._store.reader().view().scene(self._context.user_id, scene_id)

        def change(journal: Journal) -> Journal:
            return journal.with_tags(scene.start_s, scene.end_s, added, removed)

        self._require_queue(queue)
        video = self._store.scene_edits.correct(self._context.user_id, scene.video_id, change, end_s=scene.end_s)
        return self._work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def undo(self, video_id: str, edit_id: str, *, queue: bool = False, progress: OnProgress | None = None) -> Video:
        """Take back a correction. Raises EditNotFound."""
        self._require_queue(queue)
        video = self._store.scene_edits.undo(self._context.user_id, video_id, edit_id)
        return self._work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def list(self, video_id: str) -> builtins.list[Correction]:
        """The corrections of a video, oldest first, and whether each is applied. Raises VideoNotFound, EditsDamaged."""
        return self._store.scene_edits.corrections(self._context.user_id, video_id)

    @staticmethod
    def _require_stretch(start_s: float, end_s: float) -> None:
        if not 0 <= round(start_s, 3) < round(end_s, 3):
            raise InvalidValue(name="start_s", value=start_s, reason=f"0 <= start_s < end_s ({end_s}) is needed")

    def _require_queue(self, queue: bool) -> None:
        """Refuse before anything is written what could not be handed to a worker."""
        if queue:
            self._context.require_queue()


def _tags(name: str, given: Names) -> tuple[str, ...]:
    """The tags in NFC with single spaces, each once. Raises InvalidValue."""
    found: dict[str, str] = {}
    for tag in given:
        clean = " ".join(unicodedata.normalize("NFC", tag).replace(",", " ").split())
        if not 1 <= len(clean) <= MAX_TAG_CHARS:
            raise InvalidValue(name=name, value=tag[:80], reason=f"a tag has 1 to {MAX_TAG_CHARS} characters")
        found.setdefault(clean.casefold(), clean)
    if len(found) > MAX_TAGS:
        raise InvalidValue(name=name, value=len(found), reason=f"at most {MAX_TAGS} tags are allowed at once")
    return tuple(found.values())
