"""What the tests of whole runs share."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.progress import OPTIONAL, STAGES
from heimdex_core.store import Store
from heimdex_core.types import Scene, Video
from tests.support import media
from tests.support.ingest import USER, SmallModels, settings

PLAIN = tuple(stage for stage in STAGES if stage not in OPTIONAL)
"""What a video goes through with models that neither describe pictures nor have further spaces."""


def run_of(store: Store, video: Video, **options: object) -> IngestRun:
    return IngestRun(store, SmallModels(), settings(), video, **options)


def scenes_of(store: Store, video: Video) -> list[Scene]:
    reader = store.reader()
    reader.refresh()
    return reader.scenes(USER, video.video_id)


def three_colours(tmp_path: Path, **options: object) -> Path:
    return media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)], **options)


def ran_of(entries: list[dict]) -> list[str]:
    """The stages that were not skipped, in their order."""
    return [entry["stage"] for entry in entries if not entry["skipped"]]
