"""The part of the store that looks after a library: indexes, damage, adopting folders, disk use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heimdex_core.files import append_json_line, free_bytes, tree_bytes
from heimdex_core.store import adopt as adopting
from heimdex_core.store import damage, indexing
from heimdex_core.store import repair as repairing
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.damage import Damage
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.model_sets import ModelSets
from heimdex_core.types import ModelSet, Video, WorkContext


class Maintenance:
    """Methods of Store that are about the library as a whole."""

    paths: LibraryPaths
    context: StoreContext
    sets: ModelSets

    def rebuild_indexes(self, work: WorkContext | None = None, index_type: str | None = None) -> indexing.RebuildReport:
        """Rebuild all indexes from the sidecars; meanwhile searches use the old ones.

        Args:
            work: progress is counted in indexes; cancellation is checked before each.
            index_type: a FAISS type of vectors.INDEX_TYPES for all vector indexes; None keeps each as it is.

        Raises Cancelled, DiskFull, UnknownName for an unknown index_type.
        """
        return indexing.rebuild(self.context, work or WorkContext(), index_type)

    def damage(self) -> list[Damage]:
        """What is missing or damaged in the folders of videos and the copies of the catalog's tables; see damage.py."""
        return damage.of_library(self.context)

    def describe_again(self, video: Video) -> None:
        """Write the video's video.json if it is missing or cannot be used. Raises DiskFull."""
        repairing.describe_again(self.paths, video)

    def is_intact(self, video: Video, model_set: ModelSet | None = None) -> bool:
        """Whether all files that indexing a video makes for a set (None: the active one) are there and can be read."""
        model_set = model_set or self.sets.active()
        n = self.sets.generation_of(video.video_id, model_set.set_id)
        if n is None or (model_set.is_active and damage.preview_is_missing(self.paths, video)):
            return False
        return not damage.generation_faults(self.paths.generation(video.video_id, n), set(model_set.spaces.values()))

    def check_indexes(self) -> list[str]:
        """What is missing or damaged in the indexes, as messages; empty if nothing is."""
        return indexing.check(self.context)

    def adopt(self, folder: Path, user_id: str, **limits: int) -> Video:
        """Copy a complete video folder of another library into this one; see adopt.adopt, also for `limits`.

        Raises InvalidFolder, SpaceMismatch, FileTooLarge, DiskFull.
        """
        return adopting.adopt(self.context, folder, user_id, **limits)

    def disk_usage(self) -> dict[str, int]:
        """Bytes by part: videos (with their generations), index, exports, work, other; total; free on the disk."""
        paths = self.paths
        parts = {
            "videos": tree_bytes(paths.videos),
            "index": tree_bytes(paths.indexes),
            "exports": tree_bytes(paths.exports),
            "work": tree_bytes(paths.work_root) + tree_bytes(paths.uploads),
        }
        total = tree_bytes(paths.root)
        return {**parts, "other": max(0, total - sum(parts.values())), "total": total, "free": free_bytes(paths.root)}

    def log_search(self, entry: Mapping[str, Any]) -> None:
        """Append a line to the query log. Raises DiskFull."""
        append_json_line(self.paths.searches, entry)
