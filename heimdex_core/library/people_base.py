"""What the parts of People share: whether people are used here, and what the user sees."""

from __future__ import annotations

from heimdex_core.errors import ModelBroken, PeopleOff
from heimdex_core.library.accounts import Accounts
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.face_scan import is_current
from heimdex_core.library.search_defaults import LIBRARY_DEFAULTS
from heimdex_core.models.faces import finding
from heimdex_core.search.people import PeopleSearch, PeopleView
from heimdex_core.store.view import View
from heimdex_core.types import PeopleState, VisibleVideo

_PREFERENCE = "people"


class PeopleBase:
    """Part of People."""

    def __init__(self, context: LibraryContext, accounts: Accounts) -> None:
        self._context = context
        self._accounts = accounts
        self._store = context.store
        self._user_id = context.user_id
        self._records = context.store.people
        self.for_search = PeopleSearch(self._records, context.settings.face_threshold, lambda: self.is_on)

    @property
    def is_on(self) -> bool:
        """Whether people may be searched for: in a library of one user unless that was turned off, in a shared one only
        after an administrator has turned it on."""
        chosen = self._store.preferences(LIBRARY_DEFAULTS).get(_PREFERENCE)
        return chosen if isinstance(chosen, bool) else not self._accounts.is_shared()

    def turn_on(self) -> None:
        """Let faces be found and people be searched for, for all users. Raises NotAllowed: administrators only."""
        self._accounts.require_admin()
        self._store.set_preference(LIBRARY_DEFAULTS, _PREFERENCE, True)

    def turn_off(self) -> None:
        """End that, for all users. What is stored is kept; `remove` removes it. Raises NotAllowed."""
        self._accounts.require_admin()
        self._store.set_preference(LIBRARY_DEFAULTS, _PREFERENCE, False)

    @property
    def has_models(self) -> bool:
        """Whether the models of faces are on this machine; broken ones count as missing."""
        try:
            return finding.are_there(self._context.settings)
        except ModelBroken:
            return False

    def state(self) -> PeopleState:
        """What there is, and why faces are not looked for."""
        seen = self._view().visible_videos(self._user_id)
        tables = {video.video_id: self._records.faces.table(video.video_id) for video in seen}
        own = [video for video in seen if video.user_id == self._user_id]  # in others' their owners look for faces
        note = None
        if not self.is_on:
            note = "off_shared" if self._accounts.is_shared() else "off"
        elif not self.has_models:
            note = "no_models"
        return PeopleState(
            is_on=self.is_on,
            note=note,
            videos=len(own),
            scanned=sum(is_current(tables[video.video_id], video) for video in own),
            faces=sum(len(table.faces) for table in tables.values() if table is not None),
        )

    # --- parts ------------------------------------------------------------------------------------

    def _require_on(self) -> None:
        if not self.is_on:
            raise PeopleOff

    def _view(self) -> View:
        return self._store.reader().view()

    def _people(self) -> PeopleView:
        return self.for_search.view(self._view(), self._user_id)

    def _own_videos(self) -> list[VisibleVideo]:
        return [video for video in self._view().visible_videos(self._user_id) if video.user_id == self._user_id]
