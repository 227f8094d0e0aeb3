"""What an export kind is: how its file is encoded, written and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.media.render import RenderClip, RenderMeasure
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import Export, Json, WorkContext

WriteFile = Callable[[Sequence[RenderClip], Path, Json, float | None, WorkContext], RenderMeasure]
"""Given clips, the file to write, parameters, a time limit in seconds (None for none) and a context: writes the file,
checks it and returns what was measured in it. Raises RenderFailed, RenderCheckFailed, RenderTimeout, Cancelled."""


Prepare = Callable[[Store, Export, Settings, WorkContext], Export]
"""Works out what an export lacks and stores it; returns the new record. Raises errors of this package."""


@dataclass(frozen=True)
class ExportKind:
    """One kind of export, registered in export/__init__.py."""

    name: str
    """Stored with every export, so it must not change."""
    params: Callable[[Settings], Json]
    """The default parameters. They are stored with each export when it is planned."""
    write: WriteFile
    prepare: Prepare | None = None
    """Called before the file is written."""
    of_one_scene: bool = False
    """Whether it has one clip: what is wrong with it is then said of its video, not of a clip among others."""
