"""The library folder: catalog, generations, indexes, and the view that readers have of them.

`Store` and `Reader` are loaded on first use, so that importing a small part, such as the layout, does not load the
databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heimdex_core.store.reader import Reader as Reader
    from heimdex_core.store.store import Store as Store

__all__ = ["Reader", "Store"]


def __getattr__(name: str) -> Any:
    if name == "Store":
        from heimdex_core.store.store import Store

        return Store
    if name == "Reader":
        from heimdex_core.store.reader import Reader

        return Reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
