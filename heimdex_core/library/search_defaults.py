"""What a search uses that names no weights or fusion: what the person has set, else the library, else the environment.

    preferences of the person      "weights", "fusion", "keyframe_temperature"
    of the library                 the same, as preferences of LIBRARY_DEFAULTS

Both are read from published files, so no search waits for a writer. What was replaced is kept, to be undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from heimdex_core.errors import HeimdexError, InvalidValue
from heimdex_core.library.accounts import require_admin_of_shared
from heimdex_core.library.context import LibraryContext
from heimdex_core.search.fusion import fusion_method
from heimdex_core.search.plan import plan_of
from heimdex_core.settings import default_weights
from heimdex_core.store import users
from heimdex_core.types import SearchDefaults

LIBRARY_DEFAULTS = "defaults@library"
"""Stands for everybody where preferences are stored by user."""

Scope = Literal["me", "library"]

_KEYS = ("weights", "fusion", "keyframe_temperature")
_HISTORY = "defaults_before"
_KEPT = 20


class SearchDefaultsRecords:
    """The defaults of one person and of the library."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._store = context.store

    def read(self) -> SearchDefaults:
        """What a search of this person uses now. Values that fit no channel or fusion of today are passed over."""
        settings = self._context.settings
        mine, shared = (self._store.preferences(self._owner(scope)) for scope in ("me", "library"))
        spaces = self._store.reader().view().spaces
        found: dict[str, Any] = {}
        source: Literal["me", "library", "settings"] = "settings"
        for name, values in (("library", shared), ("me", mine)):
            usable = {key: values[key] for key in _KEYS if _fits(key, values.get(key), spaces)}
            found |= usable
            if "weights" in usable:
                source = "me" if name == "me" else "library"
        return SearchDefaults(
            weights=found.get("weights", default_weights(settings)),
            fusion=found.get("fusion", settings.fusion),
            source=source,
            temperature=found.get("keyframe_temperature"),
            can_undo_me=bool(mine.get(_HISTORY)),
            can_undo_library=bool(shared.get(_HISTORY)),
        )

    def make(self, values: Mapping[str, Any], scope: Scope) -> SearchDefaults:
        """Set weights, fusion and keyframe_temperature, those that are given; `undo` brings back what was there."""
        owner = self._changed_owner(scope)
        with self._store.catalog.transaction() as transaction:
            before = users.preferences(transaction, owner)
            kept = {key: before[key] for key in _KEYS if key in before}
            history = [*before.get(_HISTORY, []), kept][-_KEPT:]
            for key in _KEYS:
                if key in values:
                    users.set_preference(transaction, owner, key, values[key])
            users.set_preference(transaction, owner, _HISTORY, history)
        return self.read()

    def undo(self, scope: Scope) -> SearchDefaults:
        """Bring back what was there before the last `make`. Raises InvalidValue where nothing is to be undone."""
        owner = self._changed_owner(scope)
        with self._store.catalog.transaction() as transaction:
            history = users.preferences(transaction, owner).get(_HISTORY)
            if not history:
                raise InvalidValue(name="undo", value=scope, reason="no default was set that could be undone")
            for key in _KEYS:
                users.set_preference(transaction, owner, key, history[-1].get(key))
            users.set_preference(transaction, owner, _HISTORY, history[:-1] or None)
        return self.read()

    def _owner(self, scope: Scope) -> str:
        return self._context.user_id if scope == "me" else LIBRARY_DEFAULTS

    def _changed_owner(self, scope: Scope) -> str:
        """The same. Raises NotAllowed for the defaults of everybody in a shared library, unless by an admin."""
        if scope == "library":
            require_admin_of_shared(self._context)
        return self._owner(scope)


def _fits(key: str, value: Any, spaces: Mapping[str, Any]) -> bool:
    try:
        if key == "weights":
            plan_of(spaces).weights(value)
        elif key == "fusion":
            fusion_method(value, rrf_k=1)
        else:
            return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    except (HeimdexError, AttributeError, TypeError):
        return False
    return True
