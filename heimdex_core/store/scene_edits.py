"""Writing and listing the edits of a video's scenes, transcript and tags (edits.py has the file).

A journal is written inside a catalog transaction that also sends the video back to the stages: of two edits at once the
second one finds the video being indexed, and is refused. After a crash between the two the journal is newer than the
generation: `outdated` finds such videos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

from heimdex_core import files
from heimdex_core.errors import (
    EditsDamaged,
    InvalidValue,
    LibraryDamaged,
    ScenesNotEditable,
    ScenesNotNeighbours,
    SplitOutside,
    SplitTooShort,
    VideoNotFound,
)
from heimdex_core.files import read_json_object
from heimdex_core.store import edits, sidecar, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.edits import Journal
from heimdex_core.types import Correction, EditState, Interval, SceneEdit, Video, VideoState

_SAME_S = 0.0015
"""Times that name one boundary: scenes carry milliseconds."""

Change = Callable[[Journal, Sequence[Interval]], Journal]
"""Makes the new journal from the present one and the present scenes, in order."""


class SceneEditRecords:
    """The edits of one library's videos."""

    def __init__(self, context: StoreContext) -> None:
        self._paths = context.paths
        self._catalog = context.catalog

    def split(self, user_id: str, video_id: str, at_s: float, *, minimum_s: float) -> Video:
        """Note a split of the scene that has `at_s` in it; the video is being indexed from then on.

        `minimum_s` is the length of the shortest scene allowed. Raises VideoNotFound, ScenesNotEditable, SplitOutside,
        SplitTooShort, EditsDamaged, DiskFull.
        """
        at_s = round(at_s, 3)

        def change(journal: Journal, scenes: Sequence[Interval]) -> Journal:
            inside = next((scene for scene in scenes if scene.start_s <= at_s < scene.end_s), None)
            if inside is None or at_s <= 0:
                raise SplitOutside(at_s=at_s, end_s=scenes[-1].end_s if scenes else 0.0)
            shorter_s = round(min(at_s - inside.start_s, inside.end_s - at_s), 3)
            if shorter_s < minimum_s - 0.0005:
                raise SplitTooShort(at_s=at_s, length_s=shorter_s, minimum_s=minimum_s)
            return journal.with_edit("split", at_s)

        return self._change(user_id, video_id, change)

    def merge(self, user_id: str, video_id: str, at_s: float) -> Video:
        """Note that the two scenes that meet at `at_s` are one; the video is being indexed from then on.

        Raises VideoNotFound, ScenesNotEditable, ScenesNotNeighbours where no two scenes meet there, EditsDamaged,
        DiskFull.
        """

        def change(journal: Journal, scenes: Sequence[Interval]) -> Journal:
            if not any(abs(scene.start_s - at_s) < _SAME_S for scene in scenes[1:]):
                raise ScenesNotNeighbours()
            return journal.with_edit("merge", at_s)

        return self._change(user_id, video_id, change)

    def correct(self, user_id: str, video_id: str, change: Callable[[Journal], Journal], *, end_s: float) -> Video:
        """Note a correction that reaches to `end_s`; the video is being indexed from then on.

        Raises VideoNotFound, ScenesNotEditable, InvalidValue beyond the end of the video, EditsDamaged, DiskFull.
        """

        def checked(journal: Journal, scenes: Sequence[Interval]) -> Journal:
            last_s = scenes[-1].end_s if scenes else 0.0
            if end_s > last_s + _SAME_S:
                raise InvalidValue(name="end_s", value=end_s, reason=f"the video ends at {last_s} s")
            return change(journal)

        return self._change(user_id, video_id, checked)

    def undo(self, user_id: str, video_id: str, edit_id: str | None) -> Video:
        """Take an edit out of the journal (None: the last one of scenes); the video is being indexed from then on.

        Raises VideoNotFound, ScenesNotEditable, EditNotFound, EditsDamaged, DiskFull.
        """
        return self._change(user_id, video_id, lambda journal, _: journal.without_edit(edit_id))

    def _change(self, user_id: str, video_id: str, change: Change) -> Video:
        with self._catalog.transaction() as transaction:
            video = videos.get(transaction, video_id, user_id, "write")
            if video.state != VideoState.INDEXED or video.generation is None:
                raise ScenesNotEditable(state=str(video.state))
            folder = self._paths.video(video_id)
            journal = change(edits.read_journal(folder), self._scenes(video_id, video.generation))
            edits.write_journal(folder, journal)
            transaction.changed_files.add(f"videos/{video_id}/")
            files.crash_point("edits-written")
            return videos.set_state(transaction, video_id, VideoState.PROCESSING, {})

    def _scenes(self, video_id: str, generation: int) -> list[Interval]:
        try:
            table = sidecar.read_scenes_table(self._paths.generation(video_id, generation))
        except FileNotFoundError as error:
            what = f"videos/{video_id}/gen/{generation}/scenes.parquet"
            raise LibraryDamaged(what=what, reason="the file is missing") from error
        times = zip(table.column("start_s").to_pylist(), table.column("end_s").to_pylist(), strict=True)
        return [Interval(start_s, end_s) for start_s, end_s in times]

    def of_video(self, user_id: str, video_id: str) -> list[SceneEdit]:
        """The edits of a video, oldest first, with what became of them. Raises VideoNotFound, EditsDamaged."""
        with self._catalog.transaction() as transaction:
            video = videos.get(transaction, video_id, user_id, "read")
        found = edits.read_journal(self._paths.video(video_id)).scene_edits
        if not found or video.generation is None:
            return list(found)
        generation = self._paths.generation(video_id, video.generation)
        record = read_json_object(generation / "stages" / "scenes.json") or {}
        result = record.get("result")
        states = result.get("edits") if isinstance(result, dict) else None
        return [replace(edit, state=_state(states, edit.edit_id)) for edit in found]

    def corrections(self, user_id: str, video_id: str) -> list[Correction]:
        """The corrections of a video, oldest first; they wait until a generation has been made with all edits.

        Raises VideoNotFound, EditsDamaged.
        """
        with self._catalog.transaction() as transaction:
            video = videos.get(transaction, video_id, user_id, "read")
        journal = edits.read_journal(self._paths.video(video_id))
        if not journal.corrections or video.generation is None:
            return list(journal.corrections)
        made = sidecar.read_provenance(self._paths.generation(video_id, video.generation)).get("edits")
        state: EditState = "applied" if made == journal.digest else "waiting"
        return [replace(correction, state=state) for correction in journal.corrections]

    def outdated(self) -> list[tuple[str, str]]:
        """(user_id, video_id) of indexed videos whose scenes are not those of their journal, though nothing failed."""
        folders = [path.parent for path in self._paths.videos.glob(f"*/{edits.FILE}")]
        if not folders:
            return []
        found: list[tuple[str, str]] = []
        with self._catalog.transaction() as transaction:
            known = [videos.find(transaction, folder.name) for folder in folders]
        for video in known:
            if video is None or video.state != VideoState.INDEXED or video.error is not None:
                continue
            if video.generation is not None and self._is_outdated(video, video.generation):
                found.append((video.user_id, video.video_id))
        return found

    def _is_outdated(self, video: Video, generation: int) -> bool:
        try:
            wanted = edits.read_journal(self._paths.video(video.video_id)).digest
        except EditsDamaged:
            return False  # doctor reports it
        provenance = sidecar.read_provenance(self._paths.generation(video.video_id, generation))
        return bool(provenance.get("edits") != wanted)

    def begin_again(self, user_id: str, video_id: str) -> bool:
        """Send a video that `outdated` found back to the stages; False where somebody else did or it is gone."""
        try:
            with self._catalog.transaction() as transaction:
                if videos.get(transaction, video_id, user_id).state != VideoState.INDEXED:
                    return False
                videos.set_state(transaction, video_id, VideoState.PROCESSING, {})
        except VideoNotFound:
            return False
        return True


def _state(states: object, edit_id: str) -> EditState:
    state = states.get(edit_id) if isinstance(states, dict) else None
    known: dict[str, EditState] = {name: name for name in get_args(EditState)}
    return known.get(str(state), "waiting")
