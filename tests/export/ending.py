"""Ends the rendering of exports in the middle of a stage: by kill -9, or as a person does who cancels.

    python -m tests.export.ending LIBRARY                    a worker
    python -m tests.export.ending LIBRARY short SCENE_ID     renders a short itself
    python -m tests.export.ending LIBRARY reel SCENE_ID      renders a reel of the scene, twice, itself

The variable ENDING says how and where: "kill:short.sound,short.encoding", or "hold:..." to go on there until somebody
cancels; LIBRARY/toy/<stage> says that a stage was reached, and each is ended once.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from heimdex_core.errors import HeimdexError
from heimdex_core.export import quality
from heimdex_core.jobs import worker
from heimdex_core.library import Library
from heimdex_core.library import exports as library_exports
from heimdex_core.store import Store
from heimdex_core.types import Cue, Export, WorkContext
from tests.jobs.waiting import until

STAGES = {
    "short.crop": "heimdex_core.export.short:plan_crop",
    "short.captions": "heimdex_core.export.short:write_captions",
    "short.sound": "heimdex_core.media.short:normalise",
    "short.encoding": "heimdex_core.media.short:_Run._encode",
    "short.second": "heimdex_core.media.short:_Run._fit",
    "short.measuring": "heimdex_core.export.short:measure",
    "short.publishing": "heimdex_core.export.render:fsync_folder",
    "reel.sound": "heimdex_core.media.render:make_sound",
    "reel.picture": "heimdex_core.media.render:_encode_picture",
    "reel.joining": "heimdex_core.media.render:LimitedRun.silently",
    "reel.measuring": "heimdex_core.export.reel:measure",
    "reel.publishing": "heimdex_core.export.render:fsync_folder",
}
"""What is called in each stage. "second" is the encoding in two passes; "publishing" is when the file lies in exports/
and its record does not say so yet."""
SHORTS, REELS = ([name for name in STAGES if name.startswith(kind)] for kind in ("short", "reel"))
AT_ONCE = ("captions", "measuring", "publishing", "reel.sound")
"""Nobody asks in them whether to go on, or another thread does, so they are ended where they begin."""
LOW_LIMIT = 400_000
"""Size of a short with which it is encoded in two passes."""

Act = Callable[[str, Export], None]
"""Ends the rendering of an export in a stage."""


class Now(threading.local):
    """The stage that a thread is in, and how often it has asked in it whether to go on: sound and picture of a reel are
    made side by side."""

    stage: str | None = None
    asked: int = 0


@dataclass
class Ending:
    """Ends renderings in these stages, each once."""

    stages: Sequence[str]
    act: Act
    reached: list[str] = field(default_factory=list)
    _now: Now = field(default_factory=lambda: Now())
    _export: Export | None = None
    _ended: Export | None = None

    def install(self, patch: Callable[[object, str, object], object]) -> None:
        """Watch the stages; `patch` replaces an attribute of an object."""
        for stage in self.stages:
            path, name = STAGES[stage].replace(":", ".").rsplit(".", 1)
            owner = pkgutil.resolve_name(path)
            patch(owner, name, self._watched(stage, getattr(owner, name)))
        context = library_exports.export_context

        def watched_context(store: Store, export: Export, progress: Any, asked: Any) -> WorkContext:
            self._export = export

            def is_cancelled() -> bool:
                self._ask()
                return bool(asked())

            return context(store, export, progress, is_cancelled)

        patch(library_exports, "export_context", watched_context)
        if "short.second" in self.stages:
            patch(quality, "QUALITIES", {"medium": replace(quality.quality("medium"), limit_bytes=LOW_LIMIT)})

    def _watched(self, stage: str, before: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            is_wanted = self._export is not None and stage.startswith(self._export.kind)
            if not is_wanted or stage in self.reached:
                return before(*args, **kwargs)
            now = self._now
            around, now.stage, now.asked = now.stage, stage, 0
            if stage.endswith(AT_ONCE):
                self._end()
            try:
                return before(*args, **kwargs)
            finally:
                now.stage = around

        return run

    def _ask(self) -> None:
        """A stage asks whether to go on: at its beginning, and from the second time on in its middle."""
        self._now.asked += 1
        if self._now.asked == 2:
            self._end()

    def _end(self) -> None:
        stage = self._now.stage
        if stage is not None and self._export not in (None, self._ended) and stage not in self.reached:
            self.reached.append(stage)
            self._ended = self._export
            self.act(stage, self._ended)


def ordered(library: Path) -> Ending:
    """What the variable ENDING asks for."""
    how, _, stages = os.environ["ENDING"].partition(":")
    folder = library / "toy"
    folder.mkdir(exist_ok=True)

    def act(stage: str, export: Export) -> None:
        (folder / stage).touch()
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        marker = library / "work" / f"{export.export_id}.cancel"
        until(marker.exists, "a wish to cancel")

    found = Ending(stages.split(",") if stages else [], act)
    found.reached = [stage for stage in found.stages if (folder / stage).exists()]
    return found


def one_by_one(clips: Sequence[Any], *args: Any, **options: Any) -> list[list[Any]]:
    """Stands in for media.render.fitting_groups: parts are rendered, and then joined."""
    return [[clip] for clip in clips]


def make_short(library: Library, scene_id: str, **options: Any) -> Export:
    """A short that goes through every stage."""
    cue = Cue(0.1, 0.9, "Hello there")
    return library.short(scene_id, strategy="smart_crop", trim=(0.0, 1.0), captions="plain", cues=[cue], **options)


def make_reel(library: Library, scene_id: str, **options: Any) -> Export:
    """A reel whose picture and sound are joined from parts."""
    return library.reel([scene_id, scene_id], height_px=360, **options)


MAKE: dict[str, Callable[..., Export]] = {"short": make_short, "reel": make_reel}


def main() -> int:
    library = Path(sys.argv[1])
    ordered(library).install(lambda owner, name, value: mock.patch.object(owner, name, value).start())
    mock.patch("heimdex_core.media.render.fitting_groups", one_by_one).start()
    if len(sys.argv) == 2:
        return worker.main([str(library)])
    with Library.open(library, create=False) as opened:
        try:
            MAKE[sys.argv[2]](opened, sys.argv[3])
        except HeimdexError as error:
            print(error.code)
            return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())
