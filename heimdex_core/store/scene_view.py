"""The videos and scenes of a view (view.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from heimdex_core.errors import LibraryDamaged, SceneNotFound, VideoNotFound, ViewOutdated
from heimdex_core.files import file_signature
from heimdex_core.store import sidecar
from heimdex_core.store.hits import SceneRows, rows_in, table_of, taken
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.scene_set import SceneTable
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.sqlview import SqlViews
from heimdex_core.types import Interval, Scene, Segment, VisibleVideo, parse_scene_id

if TYPE_CHECKING:
    import pandas as pd

Ids = Sequence[str] | None

_KEPT_SCENES = 10_000

MIN_IOU = 0.5
"""After re-indexing, a scene of at least this overlap with an old one counts as the same scene."""


class SceneView:
    """What a view has without an index: the records of videos and scenes, and tables of them."""

    def __init__(self, paths: LibraryPaths, snapshot: Snapshot, signature: tuple[Any, ...], tables: SqlViews) -> None:
        """`signature` begins with that of the visible.parquet that the snapshot was read from."""
        self.paths = paths
        self.snapshot = snapshot
        self.signature = signature
        self._tables = tables
        self._scene_tables: dict[str, SceneTable] = {}
        """By user_id."""
        self._made: dict[str, Scene] = {}
        """Scenes that were asked for by their ids."""

    @property
    def is_current(self) -> bool:
        """Whether visible.parquet is still the file that this view was read from."""
        return file_signature(self.paths.visible) == self.signature[0]

    def visible_videos(self, user_id: str) -> list[VisibleVideo]:
        """The user's indexed videos and those shared with them, newest first."""
        return list(self.snapshot.of_user(user_id))

    def video_titles(self, user_id: str, video_ids: Iterable[str]) -> dict[str, str]:
        """By video_id: the titles of these videos, as far as they are the user's and indexed."""
        found = ((video_id, self.snapshot.visible.get(video_id)) for video_id in video_ids)
        return {
            video_id: video.title
            for video_id, video in found
            if video is not None and self.snapshot.sees(user_id, video) and video_id in self.snapshot.loaded
        }

    def scenes(self, user_id: str, video_id: str | None = None) -> list[Scene]:
        """The scenes of one video (none while it is not indexed), or of all the user's videos."""
        videos = self.snapshot.of_user(user_id, None if video_id is None else (video_id,))
        return [scene for video in videos for scene in self.snapshot.loaded[video.video_id].scenes.values()]

    def scenes_behind(self, user_id: str, video_id: str, scene_id: str | None, limit: int) -> list[Scene]:
        """At most `limit` scenes of one video, those behind a scene, or behind its place where it has gone.

        Raises SceneNotFound for what is no scene_id.
        """
        videos = self.snapshot.of_user(user_id, (video_id,))
        return self.snapshot.loaded[video_id].scenes_behind(scene_id, limit) if videos else []

    def scene(self, user_id: str, scene_id: str) -> Scene:
        """A scene by its id; if it does not exist any more, the one with the largest overlap of at least MIN_IOU.

        Raises SceneNotFound.
        """
        video_id, start_ms, end_ms = parse_scene_id(scene_id)
        if not self.snapshot.of_user(user_id, (video_id,)) or end_ms < start_ms:
            raise SceneNotFound(scene_id=scene_id)
        scenes = self.snapshot.loaded[video_id].scenes
        if scene_id in scenes:
            return scenes[scene_id]
        wanted = Interval(start_ms / 1000, end_ms / 1000)
        best = max(scenes.values(), key=lambda scene: scene.interval.iou(wanted), default=None)
        if best is None or best.interval.iou(wanted) < MIN_IOU:
            raise SceneNotFound(scene_id=scene_id)
        return best

    def scenes_by_id(self, scene_ids: Collection[str]) -> dict[str, Scene]:
        """The scenes of exactly these ids; those that are not visible are left out. Rows of `scene_table` are fast."""
        ids = list(dict.fromkeys(scene_ids))
        found = {scene_id: scene for scene_id in ids if (scene := self._made.get(scene_id)) is not None}
        new = [place for place, scene_id in enumerate(ids) if scene_id not in found]
        all_ids = scene_ids if isinstance(scene_ids, SceneRows) else ids
        rows = self._rows(taken(all_ids, np.array(new, dtype=np.int64)))
        if rows:
            # all rows at once and in one chunk: converting one takes almost as long as converting a page of them
            made = {scene.scene_id: scene for scene in sidecar.scenes_of(pa.concat_tables(rows).combine_chunks())}
            found.update(made)
            if len(self._made) > _KEPT_SCENES:
                self._made = {}
            self._made.update(made)
        return {scene_id: found[scene_id] for scene_id in ids if scene_id in found}

    def _rows(self, scene_ids: Sequence[str]) -> list[pa.Table]:
        """Those of these scenes that are visible, each as a table of one row."""
        table = table_of(scene_ids)
        if table is not None:
            return table.tables_at(rows_in(table, scene_ids))
        videos = [(self.snapshot.loaded.get(scene_id.rsplit("_", 2)[0]), scene_id) for scene_id in scene_ids]
        return [
            video.columns.table.slice(row, 1)
            for video, scene_id in videos
            if video is not None and (row := video.row(scene_id)) is not None
        ]

    def scene_ids(
        self, user_id: str, video_ids: Ids = None, where: str | None = None, params: Sequence[Any] = ()
    ) -> list[str]:
        """Ids of the user's scenes, video by video.

        Args:
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            where: an SQL condition over the table scenes of `sql`.
            params: values for its placeholders.

        Raises InvalidSql, ViewOutdated.
        """
        videos = self.snapshot.of_user(user_id, video_ids)
        scene_ids = [scene_id for video in videos for scene_id in self.snapshot.loaded[video.video_id].scene_ids]
        if where is None:
            return scene_ids
        query = f"select scene_id from scenes where {where}"  # noqa: S608 - read only, the user's own rows
        chosen = frozenset(self.sql(query, params, user_id=user_id)["scene_id"])
        return [scene_id for scene_id in scene_ids if scene_id in chosen]

    def scene_count(self, user_id: str, video_ids: Ids = None) -> int:
        """How many scenes the user has (in `video_ids`, if given)."""
        loaded = self.snapshot.loaded
        return sum(len(loaded[video.video_id].rows) for video in self.snapshot.of_user(user_id, video_ids))

    def scene_table(self, user_id: str) -> SceneTable:
        """The user's scenes as columns, made once."""
        found = self._scene_tables.get(user_id)
        if found is None:
            videos = self.snapshot.of_user(user_id)
            table = SceneTable(videos, [self.snapshot.loaded[video.video_id].part for video in videos])
            found = self._scene_tables.setdefault(user_id, table)
        return found

    def words(self, user_id: str, video_id: str) -> list[Segment]:
        """The transcript of a video: its segments, with word times where they are known.

        Raises VideoNotFound, ViewOutdated.
        """
        owned = self.snapshot.of_user(user_id, (video_id,))
        if not owned:
            raise VideoNotFound(video_id=video_id)
        folder = self.paths.generation(video_id, owned[0].generation)
        segments = sidecar.read_words(folder).segments
        if not folder.is_dir() and not self.is_current:
            raise ViewOutdated(what=f"the transcript of video {video_id}")
        return list(segments)

    def has_transcripts(self, user_id: str, video_ids: Ids = None) -> bool:
        """Whether any of the user's videos (of `video_ids`, if given) has a transcript."""
        videos = self.snapshot.of_user(user_id, video_ids)
        return any(self.snapshot.loaded[video.video_id].has_transcript for video in videos)

    def frame_path(self, scene: Scene, name: str) -> Path:
        """The file of a frame of the scene, by its name in the frames folder.

        Raises SceneNotFound if the scene's video is not visible, InvalidValue for a name with a folder.
        """
        return self.frame_file(scene, name)()

    def frame_file(self, scene: Scene, name: str) -> Callable[[], Path]:
        """What returns `frame_path` when it is called, which need not be while this view is in use."""
        video = self.snapshot.visible.get(scene.video_id)
        if video is None:
            raise SceneNotFound(scene_id=scene.scene_id)
        return partial(self.paths.frame, scene.video_id, video.generation, name)

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, user_id: str) -> pd.DataFrame:
        """The result of one SELECT over copies of the user's rows; sqlview.py lists the tables.

        Raises InvalidSql, ViewOutdated.
        """
        try:
            rows = self._tables.query(self.snapshot, user_id, query, params)
        except (OSError, LibraryDamaged) as error:  # a file was removed with its generation
            if self.is_current:
                raise
            raise ViewOutdated(what="the tables") from error
        if not self.is_current:
            # A missing words.parquet is read as an empty transcript.
            owned = self.snapshot.of_user(user_id)
            if not all(self.paths.generation(video.video_id, video.generation).is_dir() for video in owned):
                raise ViewOutdated(what="the tables")
        return rows
