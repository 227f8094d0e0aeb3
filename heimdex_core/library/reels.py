"""Named reels: kept beside the tray, as many as wanted, each with its own history."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from heimdex_core.errors import InvalidReel, InvalidValue
from heimdex_core.export.plan import check_strategies, clip_of, distinct, too_many
from heimdex_core.library.arguments import checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.tray import TrayEdits
from heimdex_core.types import Reel, ReelClip, Tray, utc_now


class Reels:
    """The named reels of one person. Safe to share between threads.

    A reel is a Tray: it has a revision and the changes that can be undone.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._records = context.store.reels

    def list(self) -> list[Reel]:
        """The reels, last changed first, without the tray."""
        return self._records.of_user(self._context.user_id)

    @checked
    def get(self, reel_id: str) -> Tray:
        """One reel. Raises ReelNotFound."""
        return self._records.edited(self._context.user_id, reel_id)

    @checked
    def find(self, name: str) -> Tray:
        """The reel with this id or title. Raises ReelNotFound, InvalidValue where several have the title."""
        named = [reel.reel_id for reel in self.list() if name in (reel.reel_id, reel.title)]
        if len(named) > 1:
            raise InvalidValue(name="reel", value=name, reason="several reels have this title; use the id of one")
        return self.get(named[0] if named else name)

    @checked
    def create(self, title: str, clips: Sequence[ReelClip | str] = ()) -> Tray:
        """Keep a new reel of clips or whole scenes. Clips of the same scene become copies.

        Raises InvalidReel for too many clips or a title that is empty or too long, SceneNotFound,
        UnknownName for the strategy of a clip.
        """
        view = self._context.store.reader().view()
        user_id = self._context.user_id
        found = [clip_of(view.scene(user_id, clip)) if isinstance(clip, str) else clip for clip in clips]
        reel = Reel(str(uuid.uuid4()), user_id, self._title(title), distinct(found), utc_now())
        self._check_length(reel.clips)
        check_strategies(reel.clips)
        self._records.save(reel)
        return self.get(reel.reel_id)

    @checked
    def save(self, reel: Reel) -> Tray:
        """Make a reel equal to this one, as one change that can be undone. Raises ReelNotFound, InvalidReel."""
        self._check_length(reel.clips)
        return self.edits(reel.reel_id).replace(distinct(reel.clips), self._title(reel.title))

    @checked
    def rename(self, reel_id: str, title: str) -> Tray:
        """Give a reel another title. Raises ReelNotFound, InvalidReel."""
        return self.edits(reel_id).rename(self._title(title))

    @checked
    def duplicate(self, reel_id: str, title: str | None = None) -> Tray:
        """Keep a second reel of the same clips, under the same title if no other is given. Raises ReelNotFound."""
        reel = self.get(reel_id)
        return self.create(reel.title if title is None else title, reel.clips)

    @checked
    def delete(self, reel_id: str) -> None:
        """Remove a reel. What was rendered of it stays. Raises ReelNotFound."""
        self.get(reel_id)
        self._records.delete(self._context.user_id, reel_id)

    @checked
    def edits(self, reel_id: str) -> TrayEdits:
        """The operations on the clips of a reel, with undo and redo. Raises ReelNotFound."""
        return TrayEdits(self._context, self.get(reel_id).reel_id)

    @checked
    def open(self, reel_id: str, *, keep_as: str = "") -> Tray:
        """Put the clips and the title of a reel into the tray; this can be undone there.

        The reel stays as it is. What was in the tray is kept as a reel of its own unless there is one like it: under
        its title, or else `keep_as`, or else the date. Raises ReelNotFound.
        """
        reel = self.get(reel_id)
        tray = self._records.tray(self._context.user_id)
        if tray.clips and all(tray.clips != one.clips for one in self.list()):
            self.create(tray.title or keep_as or f"{tray.updated_at:%Y-%m-%d %H:%M}", tray.clips)
        return TrayEdits(self._context).replace(reel.clips, reel.title)

    def _title(self, title: str) -> str:
        title = title.strip()
        if not title:
            raise self._invalid("it has no title")
        if len(title) > self._context.settings.max_title_chars:
            raise self._invalid(f"its title has {len(title)} characters")
        if any(ord(character) < 32 for character in title):
            raise self._invalid("its title has a line break or another control character")
        return title

    def _check_length(self, clips: Sequence[ReelClip]) -> None:
        if (reason := too_many(clips, self._context.settings)) is not None:
            raise self._invalid(reason)

    def _invalid(self, reason: str) -> InvalidReel:
        settings = self._context.settings
        return InvalidReel(reason=reason, max_scenes=settings.max_reel_scenes, max_title=settings.max_title_chars)
