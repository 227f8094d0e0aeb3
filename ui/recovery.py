"""A page that shows an error of the library is drawn again as soon as the library can be used again."""

from __future__ import annotations

import time

from heimdex_core.errors import HeimdexError, StorageError
from ui import resources, state

PATIENCE_S = 0.2
AGAIN_AFTER_S = 10.0
"""A page that fails again at once, though the library can be used, is left alone for this long."""


def note(error: HeimdexError) -> None:
    """Remember that a part of the page shows this error. Only errors of the library and its disk pass by themselves."""
    if isinstance(error, StorageError):
        state.set_failed_page(True)


def is_over() -> bool:
    """Whether the page shows an error whose cause has gone, so that it has to be drawn again. True once."""
    if not state.has_failed_page() or time.monotonic() - state.recovered_at() < AGAIN_AFTER_S:
        return False
    try:
        library = resources.process_library()
        library.require()
        library.work.count_videos(timeout_s=PATIENCE_S)
    except HeimdexError:
        return False
    state.set_failed_page(False)
    state.set_recovered_at(time.monotonic())
    return True
