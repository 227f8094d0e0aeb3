"""Looking after a library as a whole: its indexes, what is damaged, what it takes on the disk."""

from __future__ import annotations

from heimdex_core.files import free_bytes, tree_bytes
from heimdex_core.store import commit, damage, indexing
from heimdex_core.store import repair as repairing
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.damage import Damage
from heimdex_core.store.model_sets import ModelSets
from heimdex_core.types import ModelSet, Video, WorkContext


class Maintenance:
    """The indexes, the damage and the disk use of one library."""

    def __init__(self, context: StoreContext, sets: ModelSets) -> None:
        self._context = context
        self._paths = context.paths
        self._sets = sets

    def rebuild_indexes(self, work: WorkContext | None = None, index_type: str | None = None) -> indexing.RebuildReport:
        """Rebuild all indexes from the sidecars; meanwhile searches use the old ones.

        Args:
            work: progress is counted in indexes; cancellation is checked before each.
            index_type: a FAISS type of vectors.INDEX_TYPES for all vector indexes; None keeps each as it is.

        Raises Cancelled, DiskFull, UnknownName for an unknown index_type.
        """
        return indexing.rebuild(self._context, work or WorkContext(), index_type)

    def merge_indexes(self, work: WorkContext | None = None) -> int:
        """Merge segments of the vector indexes, where it is time; how many times. Nobody waits for it meanwhile.

        Raises Cancelled, DiskFull, LibraryDamaged; what was not merged then is searched as before.
        """
        return indexing.merge(self._context, work or WorkContext())

    def is_merge_due(self) -> bool:
        """Whether `merge_indexes` would do something."""
        return indexing.is_merge_due(self._context)

    def remove_left_generations(self) -> int:
        """Remove the generations that a crash left behind newer ones of their videos; of how many videos."""
        return commit.remove_left_generations(self._context)

    def clean_storage(self) -> dict[str, int]:
        """Remove what nothing needs any more from object storage and from this machine's copies; how many of each."""
        mirror = self._context.catalog.mirror
        return {} if mirror is None else mirror.clean_up(self._context.catalog.transaction)

    def damage(self) -> list[Damage]:
        """What is missing or damaged in the folders of videos and the copies of the catalog's tables; see damage.py."""
        return damage.of_library(self._context)

    def describe_again(self, video: Video) -> None:
        """Write the video's video.json if it is missing or cannot be used. Raises DiskFull."""
        repairing.describe_again(self._paths, video)

    def is_intact(self, video: Video, model_set: ModelSet | None = None) -> bool:
        """Whether all files that indexing a video makes for a set (None: the active one) are there and can be read."""
        model_set = model_set or self._sets.active()
        n = self._sets.generation_of(video.video_id, model_set.set_id)
        if n is None or (model_set.is_active and damage.preview_is_missing(self._paths, video)):
            return False
        folder = self._paths.whole_generation(video.video_id, n)
        return not damage.generation_faults(folder, set(model_set.spaces.values()))

    def check_indexes(self) -> list[str]:
        """What is missing or damaged in the indexes, as messages; empty if nothing is."""
        return indexing.check(self._context)

    def disk_usage(self) -> dict[str, int]:
        """Bytes by part: videos (with their generations), index, exports, work, other; total; free on the disk."""
        paths = self._paths
        parts = {
            "videos": tree_bytes(paths.videos),
            "index": tree_bytes(paths.indexes),
            "exports": tree_bytes(paths.exports),
            "work": tree_bytes(paths.work_root) + tree_bytes(paths.uploads),
        }
        total = tree_bytes(paths.root)
        return {**parts, "other": max(0, total - sum(parts.values())), "total": total, "free": free_bytes(paths.root)}
