"""What a reader holds in memory: the visible videos and their scenes, at one moment."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.errors import HeimdexError, LibraryDamaged
from heimdex_core.store import sidecar, visible
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.visible import ModelSet, VisibleVideo
from heimdex_core.types import Scene

log = logging.getLogger(__name__)

ATTEMPTS = 20


@dataclass(frozen=True)
class LoadedVideo:
    """One generation's scenes, as Arrow; made into values when somebody asks."""

    video_id: str
    generation: int
    table: pa.Table

    @cached_property
    def scenes(self) -> dict[str, Scene]:
        """By id, in order."""
        return {scene.scene_id: scene for scene in sidecar.scenes_of(self.table)}

    @cached_property
    def scene_ids(self) -> list[str]:
        ids: list[str] = self.table.column("scene_id").to_pylist()
        return ids

    @cached_property
    def has_transcript(self) -> bool:
        words = pc.utf8_trim_whitespace(pc.fill_null(self.table.column("transcript"), ""))
        return bool(pc.any(pc.not_equal(words, "")).as_py())


@dataclass(frozen=True)
class Snapshot:
    """Never changed after it is made, so that threads can share it."""

    revision: int
    visible: dict[str, VisibleVideo]
    loaded: dict[str, LoadedVideo]
    problems: tuple[str, ...] = ()
    owners: dict[str, list[VisibleVideo]] = field(default_factory=dict)
    model_set: ModelSet | None = None
    """None in what was published before there were sets of models."""

    @property
    def set_id(self) -> int:
        """The set of models of the visible generations; 1 is what a library was made with."""
        return 1 if self.model_set is None else self.model_set.set_id

    def of_user(self, user_id: str, video_ids: tuple[str, ...] | None = None) -> list[VisibleVideo]:
        """The person's visible videos, newest first; of `video_ids` only where those are given."""
        mine = self.owners.get(user_id, [])
        if video_ids is None:
            return mine
        chosen = frozenset(video_ids)
        return [video for video in mine if video.video_id in chosen]


def empty() -> Snapshot:
    return Snapshot(revision=-1, visible={}, loaded={})


def take(paths: LibraryPaths, before: Snapshot) -> Snapshot:
    """The present state; videos whose generation is the same as `before` are not read again.

    A generation's number may be given again after its set of models was dropped, so only those of the same
    set are the same.

    A generation may be replaced and removed while it is being read: then visible.parquet names
    another one, and reading starts again.
    """
    for _ in range(ATTEMPTS):
        revision, found, model_set = visible.read(paths.visible)
        shown = {video_id: video for video_id, video in found.items() if not video.deleted}
        now = 1 if model_set is None else model_set.set_id
        loaded, problems = _load(paths, shown, before.loaded if before.set_id == now else {})
        if not problems or visible.read_revision(paths.visible) == revision:
            break
    for problem in problems:
        log.warning("a video is left out: %s", problem)
    owners: dict[str, list[VisibleVideo]] = {}
    for video in shown.values():
        if video.video_id in loaded:
            owners.setdefault(video.user_id, []).append(video)
    return Snapshot(revision, shown, loaded, tuple(problems), owners, model_set)


def _load(
    paths: LibraryPaths, shown: dict[str, VisibleVideo], before: dict[str, LoadedVideo]
) -> tuple[dict[str, LoadedVideo], list[str]]:
    loaded: dict[str, LoadedVideo] = {}
    problems: list[str] = []
    for video_id, video in shown.items():
        known = before.get(video_id)
        if known is not None and known.generation == video.generation:
            loaded[video_id] = known
            continue
        try:
            table = sidecar.read_scenes_table(paths.generation(video_id, video.generation))
        except (OSError, LibraryDamaged, HeimdexError) as error:
            problems.append(f"video {video_id}: {error}")
            continue
        loaded[video_id] = LoadedVideo(video_id, video.generation, table)
    return loaded, problems
