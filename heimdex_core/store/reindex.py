"""Making the indexes again from the sidecars, and looking whether they agree."""

from __future__ import annotations

from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.store import indexing, lexical, sidecar, vectors
from heimdex_core.store.commit import Shelf
from heimdex_core.types import WorkContext

ReindexReport = dict[str, Any]
"""videos, scenes, vectors (by space), problems (list of words)."""


def reindex(shelf: Shelf, context: WorkContext, index_type: str | None = None) -> ReindexReport:
    """Read every living generation anew into new index revisions; readers keep the old ones until then.

    Progress is counted in indexes. Raises Cancelled between two of them, DiskFull.
    """
    with shelf.index_lock.hold():
        problems = indexing.sync(shelf, redo_all=True, context=context, index_type=index_type)
        there = indexing.living(shelf)
        counts = {}
        for space in there.spaces():
            manifest = vectors.read_manifest(shelf.paths.vector_index(space))
            counts[space.name] = int(manifest["count"]) if manifest else 0
    scenes = 0
    visible = next(there.keys[one.set_id] for one in there.sets if one.is_active)
    for key in visible:
        try:
            scenes += len(sidecar.read_scenes_table(shelf.paths.generation(*key)))
        except (HeimdexError, OSError):
            continue  # told in `problems` already
    return {"videos": len(visible), "scenes": scenes, "vectors": counts, "problems": problems}


def check(shelf: Shelf) -> list[str]:
    """What is missing or broken, in words; empty when every living generation is in its indexes."""
    with shelf.index_lock.hold():
        there = indexing.living(shelf)
        problems = []
        for space in there.spaces():
            known = there.space_keys(space)
            try:
                index = vectors.open_index(shelf.paths.vector_index(space), space)
                missing = known - (index.key_set if index else frozenset())
            except HeimdexError as error:
                problems.append(error.message)
                continue
            if missing:
                problems.append(f"The index of {space.name} lacks {len(missing)} of {len(known)} videos.")
        for one in there.sets:
            known = there.keys[one.set_id]
            try:
                missing = known - lexical.generations(shelf.paths.lexical_of(one.set_id))
                if missing:
                    problems.append(f"The word index lacks {len(missing)} of {len(known)} videos.")
            except HeimdexError as error:
                problems.append(error.message)
        for key in sorted(frozenset().union(*there.keys.values())):
            try:
                sidecar.read_scenes_table(shelf.paths.generation(*key))
            except (HeimdexError, OSError) as error:
                problems.append(f"Generation {key[1]} of video {key[0]} cannot be read: {error}")
    return problems
