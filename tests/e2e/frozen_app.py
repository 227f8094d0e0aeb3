"""One running app over the frozen library for the modules that need nothing else: its start takes ten seconds of CPU.

Such a module imports `address` and `app_log`, and its `library` is what `FrozenApp.begin` returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from heimdex_core.library import Library
from heimdex_core.types import ReelClip, VideoState
from tests.support.frozen import SPOKEN, SUBTITLED

SMALL = {
    "HEIMDEX_REEL_HEIGHT_PX": "360",
    "HEIMDEX_RENDER_PRESET": "ultrafast",
    "HEIMDEX_SHORT_PRESET": "ultrafast",
}


@dataclass(frozen=True)
class FrozenApp:
    """The app with two videos of two scenes each: red and yellow (SUBTITLED), blue and green (SPOKEN)."""

    library: Path
    log: Path
    address: str

    def begin(self, scenes: Sequence[tuple[str, float]] = (), *, title: str = "") -> Path:
        """Make these scenes of a second the tray and undo what other modules left, but for the exports."""
        with Library.open(self.library, purpose="query") as found:
            for video_id in (SUBTITLED, SPOKEN):
                if found.video(video_id).state is VideoState.DELETED:
                    found.restore(video_id)
            for reel in found.reels.list():
                found.reels.delete(reel.reel_id)
            found.save_tray([ReelClip(video, at, at + 1, at, at + 1) for video, at in scenes], title=title)
            found.set_preference("language", "en")
        return self.library


@pytest.fixture(scope="module")
def address(library: Path, frozen_app: FrozenApp) -> str:
    return frozen_app.address


@pytest.fixture(scope="module")
def app_log(frozen_app: FrozenApp) -> Path:
    return frozen_app.log
