"""What a reader keeps in memory: the visible videos and their scenes, at one moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import sidecar, visible
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.scene_segments import SceneIndex
from heimdex_core.store.scene_set import Part
from heimdex_core.store.shares import NOTHING_SHARED, Sharing
from heimdex_core.store.vector_segment import Key
from heimdex_core.store.visible import Published
from heimdex_core.types import ModelSet, Scene, VisibleVideo

log = logging.getLogger(__name__)

ATTEMPTS = 20
"""How often a reader starts again because the library has changed while it was reading."""


@dataclass(frozen=True, eq=False)
class LoadedVideo:
    """The scenes of one generation: some rows of a table; converted to Scene on first use."""

    video_id: str
    generation: int
    columns: SceneColumns
    rows: range
    """Those of `columns` that are this generation's."""

    @cached_property
    def key(self) -> Key:
        """The generation, as indexes name it."""
        return self.video_id, self.generation

    @cached_property
    def part(self) -> Part:
        """The rows, as a scene table has them."""
        return Part(self.columns, self.rows)

    @property
    def table(self) -> pa.Table:
        """The rows of the generation."""
        return self.columns.table.slice(self.rows.start, len(self.rows))

    @cached_property
    def scenes(self) -> dict[str, Scene]:
        """The scenes by scene_id, in order."""
        return {scene.scene_id: scene for scene in sidecar.scenes_of(self.table)}

    def scenes_behind(self, scene_id: str | None, limit: int) -> list[Scene]:
        """At most `limit` of the scenes, those behind a scene, or behind its place where it has gone; None: the first.

        The others are not converted. Raises SceneNotFound for what is no scene_id.
        """
        start = self.rows.start if scene_id is None else self.columns.behind(scene_id, self.rows)
        return sidecar.scenes_of(self.columns.table.slice(start, max(0, min(limit, self.rows.stop - start))))

    @property
    def scene_ids(self) -> list[str]:
        """The ids of the scenes, in order."""
        column = self.columns.table.column("scene_id").slice(self.rows.start, len(self.rows))
        ids: list[str] = column.to_pylist()
        return ids

    def row(self, scene_id: str) -> int | None:
        """The row of a scene in `columns`; None if the video has no such scene."""
        return self.columns.find(scene_id, self.rows)

    @property
    def has_transcript(self) -> bool:
        """Whether any scene has a transcript that is not blank."""
        return bool(self.columns.has_speech[self.rows.start : self.rows.stop].any())


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
    published: Published | None = None
    """What visible.parquet has; None for another set than the active one."""
    sharing: Sharing = NOTHING_SHARED
    """What users share, of the same moment or a little later."""
    _with_shared: dict[str, list[VisibleVideo]] = field(default_factory=dict, compare=False)
    """The videos by user_id, of users with whom something is shared."""

    def share(self, sharing: Sharing) -> Snapshot:
        """The same videos, shared otherwise."""
        return replace(self, sharing=sharing, _with_shared={})

    def sees(self, user_id: str, video: VisibleVideo) -> bool:
        """Whether a visible video is the user's, or shared with them."""
        return video.user_id == user_id or video.video_id in self.sharing.videos_of(user_id)

    def _seen_by(self, user_id: str) -> list[VisibleVideo]:
        if not self.sharing.videos_of(user_id):
            return self.owners.get(user_id, [])
        found = self._with_shared.get(user_id)
        if found is None:
            found = [one for one in self.visible.values() if one.video_id in self.loaded and self.sees(user_id, one)]
            self._with_shared[user_id] = found
        return found

    def of_user(self, user_id: str, video_ids: Iterable[str] | None = None) -> list[VisibleVideo]:
        """The user's visible videos and those shared with them, newest first; of `video_ids`, if they are given."""
        seen = self._seen_by(user_id)
        if video_ids is None:
            return seen
        chosen = frozenset(video_ids)
        return [video for video in seen if video.video_id in chosen]


OpenScenes = Callable[[], SceneIndex | None]
"""Opens the present revision of the scene table. Raises LibraryDamaged."""


def take(paths: LibraryPaths, open_scenes: OpenScenes, before: Snapshot | None) -> Snapshot:
    """Read the present state.

    The scenes of a generation that the scene table lacks are read from its sidecar, unless `before` has them. The
    number of a generation may be used again after its model set was dropped, so only generations of the same set are
    compared. A generation may be replaced and removed while it is being read: then visible.parquet names another one,
    and reading starts again. Raises LibraryDamaged if visible.parquet cannot be read.
    """
    for _ in range(ATTEMPTS):
        revision, published, model_set = visible.read(paths.visible, before.published if before is not None else None)
        shown = {video_id: video for video_id, video in published.items() if not video.deleted}
        known = before.loaded if before is not None and before.model_set.set_id == model_set.set_id else {}
        loaded, problems = _load(paths, open_scenes, shown, known)
        if not problems or visible.read_revision(paths.visible) == revision:
            break
    return replace(_snapshot(revision, shown, loaded, problems, model_set), published=published)


def of_set(
    paths: LibraryPaths,
    open_scenes: OpenScenes,
    present: Snapshot,
    model_set: ModelSet,
    generations: Mapping[str, int],
) -> Snapshot:
    """The videos of `present` in another model set; those without a generation there are left out.

    Args:
        paths: of the library.
        open_scenes: opens the scene table.
        present: what is visible.
        model_set: a set that is not the active one.
        generations: by video_id, those of the set.
    """
    shown = {
        video_id: replace(video, generation=generations[video_id])
        for video_id, video in present.visible.items()
        if video_id in generations
    }
    loaded, problems = _load(paths, open_scenes, shown, {})
    return _snapshot(present.revision, shown, loaded, problems, model_set).share(present.sharing)


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
    paths: LibraryPaths, open_scenes: OpenScenes, shown: dict[str, VisibleVideo], known: dict[str, LoadedVideo]
) -> tuple[dict[str, LoadedVideo], list[str]]:
    index = _opened(open_scenes)
    loaded: dict[str, LoadedVideo] = {}
    folders: dict[str, Path] = {}
    for video_id, video in shown.items():
        key = video_id, video.generation
        segment = index.homes.get(key) if index is not None else None
        held = known.get(video_id)
        is_held = held is not None and held.generation == video.generation
        if held is not None and is_held and (segment is None or held.columns is segment.columns):
            loaded[video_id] = held
        elif segment is not None:
            loaded[video_id] = LoadedVideo(*key, segment.columns, segment.rows[key])
        else:
            folders[video_id] = paths.generation(*key)
    tables, errors = sidecar.read_scenes_tables(folders)
    for video_id, table in tables.items():
        columns = SceneColumns.of(table)
        loaded[video_id] = LoadedVideo(video_id, shown[video_id].generation, columns, range(len(table)))
    return loaded, [f"video {video_id}: {error}" for video_id, error in errors.items()]


def _opened(open_scenes: OpenScenes) -> SceneIndex | None:
    try:
        return open_scenes()
    except LibraryDamaged as error:
        log.warning("the scenes are read from the videos' folders, which takes longer: %s", error)
        return None
