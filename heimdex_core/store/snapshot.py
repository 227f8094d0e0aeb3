"""What a reader keeps in memory: the visible videos and their scenes, at one moment."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.store import sidecar, visible
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import ModelSet, Scene, VisibleVideo

log = logging.getLogger(__name__)

ATTEMPTS = 20
"""How often a reader starts again because the library has changed while it was reading."""


@dataclass(frozen=True)
class LoadedVideo:
    """The scenes of one generation, as Arrow; converted to Scene on first use."""

    video_id: str
    generation: int
    table: pa.Table
    _made: dict[str, Scene] = field(default_factory=dict, compare=False, repr=False)
    """Scenes that were asked for one by one."""

    @cached_property
    def scenes(self) -> dict[str, Scene]:
        """The scenes by scene_id, in order."""
        return {scene.scene_id: scene for scene in sidecar.scenes_of(self.table)}

    @cached_property
    def scene_ids(self) -> list[str]:
        """The ids of the scenes, in order."""
        ids: list[str] = self.table.column("scene_id").to_pylist()
        return ids

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {scene_id: row for row, scene_id in enumerate(self.scene_ids)}

    def scene(self, scene_id: str) -> Scene | None:
        """One scene. Of a long video it takes a hundredth of the time of `scenes`."""
        if scene_id not in self._made and scene_id in self._rows:
            self._made[scene_id] = sidecar.scenes_of(self.table.slice(self._rows[scene_id], 1))[0]
        return self._made.get(scene_id)

    @cached_property
    def has_transcript(self) -> bool:
        """Whether any scene has a transcript that is not blank."""
        # lengths, because a Python string given to Arrow would import pandas
        lengths = pc.utf8_length(pc.utf8_trim_whitespace(self.table.column("transcript")))
        return bool(pc.max(lengths).as_py())


@dataclass(frozen=True)
class Snapshot:
    """The visible videos of all users. Immutable, so threads can share it."""

    revision: int
    """The catalog's revision that visible.parquet was written from."""
    visible: dict[str, VisibleVideo]
    """By video_id; without deleted videos."""
    loaded: dict[str, LoadedVideo]
    """By video_id; without videos whose files cannot be read."""
    problems: tuple[str, ...]
    """Messages about videos whose files cannot be read."""
    owners: dict[str, list[VisibleVideo]]
    """The loaded videos by user_id, newest first."""
    model_set: ModelSet
    """The set of the visible generations."""

    def of_user(self, user_id: str, video_ids: Iterable[str] | None = None) -> list[VisibleVideo]:
        """The user's visible videos, newest first; if `video_ids` are given, only those among them."""
        owned = self.owners.get(user_id, [])
        if video_ids is None:
            return owned
        chosen = frozenset(video_ids)
        return [video for video in owned if video.video_id in chosen]


def take(paths: LibraryPaths, before: Snapshot | None) -> Snapshot:
    """Read the present state; videos whose generation is the same as in `before` are not read again.

    The number of a generation may be used again after its model set was dropped, so only generations of the same set
    are compared. A generation may be replaced and removed while it is being read: then visible.parquet names another
    one, and reading starts again. Raises LibraryDamaged if visible.parquet cannot be read.
    """
    for _ in range(ATTEMPTS):
        revision, published, model_set = visible.read(paths.visible)
        shown = {video_id: video for video_id, video in published.items() if not video.deleted}
        known = before.loaded if before is not None and before.model_set.set_id == model_set.set_id else {}
        loaded, problems = _load(paths, shown, known)
        if not problems or visible.read_revision(paths.visible) == revision:
            break
    return _snapshot(revision, shown, loaded, problems, model_set)


def of_set(paths: LibraryPaths, present: Snapshot, model_set: ModelSet, generations: Mapping[str, int]) -> Snapshot:
    """The videos of `present` in another model set; those without a generation there are left out.

    Args:
        paths: of the library.
        present: what is visible.
        model_set: a set that is not the active one.
        generations: by video_id, those of the set.
    """
    shown = {
        video_id: replace(video, generation=generations[video_id])
        for video_id, video in present.visible.items()
        if video_id in generations
    }
    loaded, problems = _load(paths, shown, {})
    return _snapshot(present.revision, shown, loaded, problems, model_set)


def _snapshot(
    revision: int,
    shown: dict[str, VisibleVideo],
    loaded: dict[str, LoadedVideo],
    problems: list[str],
    model_set: ModelSet,
) -> Snapshot:
    for problem in problems:
        log.warning("a video is left out: %s", problem)
    owners: dict[str, list[VisibleVideo]] = {}
    for video in shown.values():
        if video.video_id in loaded:
            owners.setdefault(video.user_id, []).append(video)
    return Snapshot(revision, shown, loaded, tuple(problems), owners, model_set)


def _load(
    paths: LibraryPaths, shown: dict[str, VisibleVideo], known: dict[str, LoadedVideo]
) -> tuple[dict[str, LoadedVideo], list[str]]:
    unchanged = {
        video_id
        for video_id, video in shown.items()
        if video_id in known and known[video_id].generation == video.generation
    }
    folders = {
        video_id: paths.generation(video_id, video.generation)
        for video_id, video in shown.items()
        if video_id not in unchanged
    }
    tables, errors = sidecar.read_scenes_tables(folders)
    loaded: dict[str, LoadedVideo] = {}
    for video_id, video in shown.items():
        if video_id in unchanged:
            loaded[video_id] = known[video_id]
        elif video_id in tables:
            loaded[video_id] = LoadedVideo(video_id, video.generation, tables[video_id])
    return loaded, [f"video {video_id}: {error}" for video_id, error in errors.items()]
