"""How much room a library takes."""

from __future__ import annotations

from heimdex_core.store.files import free_bytes, tree_bytes
from heimdex_core.store.layout import LibraryPaths


def disk_usage(paths: LibraryPaths) -> dict[str, int]:
    """Bytes by part: videos (with all that was derived), index, exports, work, other; total; free on the disk."""
    parts = {
        "videos": tree_bytes(paths.videos),
        "index": tree_bytes(paths.indexes),
        "exports": tree_bytes(paths.exports),
        "work": tree_bytes(paths.work_root) + tree_bytes(paths.uploads),
    }
    total = tree_bytes(paths.root)
    return {**parts, "other": max(0, total - sum(parts.values())), "total": total, "free": free_bytes(paths.root)}
