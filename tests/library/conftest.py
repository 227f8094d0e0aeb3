from __future__ import annotations

from types import SimpleNamespace

import pytest

from heimdex_core.library import folder_watch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still between looks."""
    made = SimpleNamespace(now=0.0)
    stands = SimpleNamespace(monotonic=lambda: made.now, thread_time=lambda: 0.0)
    monkeypatch.setattr(folder_watch, "time", stands)
    return made
