"""Writing the lexical index, under index.lock."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import tantivy

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_folder, remove_tree
from heimdex_core.store import analysis, lexical_files
from heimdex_core.store.lexical_files import COLUMNS, WITH_COLUMNS, WRITABLE, columns_of, key_name, read_manifest
from heimdex_core.store.permissions import let_group_read
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Scene

HEAP_BYTES = 32_000_000
"""Memory of tantivy's writer."""
FEW_GENERATIONS = 20
"""An index of an older format with so few is rebuilt by the next write, which takes a second or two."""

Load = Callable[[Key], "tuple[str, list[Scene]] | None"]
"""Returns the title and the scenes of a generation; None if it cannot be read."""


def sync(folder: Path, wanted: Collection[Key], load: Load, *, redo: Collection[Key] = ()) -> bool:
    """Make the index contain exactly the `wanted` generations; False if it did already. The caller holds index.lock.

    The manifest names beforehand what is about to be written, so that after a crash the next call knows which
    documents to replace. A damaged index, or one of an older format that is not written any more, is rebuilt beside
    the old one, which is searched until it is replaced.

    Args:
        folder: the index's folder; created if it is missing.
        wanted: the generations.
        load: reads a generation that is not in the index yet; one that it cannot read is left out.
        redo: generations to read again even if the index contains them.

    Raises DiskFull, and what `load` raises.
    """
    try:
        manifest = read_manifest(folder)
        have, unsure = (manifest.complete, manifest.pending) if manifest else (frozenset(), frozenset())
        keep = (have & set(wanted)) - set(redo) - unsure
        if manifest is None:
            remove_tree(folder)  # without a manifest its content is unknown
        elif _is_outdated(manifest.format, len(keep)):
            return _rebuild(folder, wanted, load)
        with disk_errors("the lexical index", folder):
            files.make_folder(folder, levels=2)
            index = lexical_files.open_index(folder) if manifest else tantivy.Index(lexical_files.schema(), str(folder))
    except (LibraryDamaged, ValueError):
        return _rebuild(folder, wanted, load)
    missing = sorted(set(wanted) - keep)
    stale = (have | unsure) - keep
    if manifest is not None and not missing and not stale:
        return False
    index_format = manifest.format if manifest else lexical_files.FORMAT
    loaded = {key: content for key in missing if (content := load(key)) is not None}
    with disk_errors("the lexical index", folder):
        lexical_files.write_manifest(folder, index_format, keep, stale | set(missing))
        files.crash_point("lexical-announced")
        _write(index, stale | set(missing), loaded, index_format)
        let_group_read(folder)
        files.crash_point("lexical-committed")
        lexical_files.write_manifest(folder, index_format, keep | set(loaded), ())
    return True


def _is_outdated(index_format: int, kept: int) -> bool:
    """Whether an index of which so many generations are kept is better made anew."""
    return index_format not in WRITABLE or (index_format != lexical_files.FORMAT and kept <= FEW_GENERATIONS)


def _rebuild(folder: Path, wanted: Collection[Key], load: Load) -> bool:
    fresh = folder.with_name(f"{TEMPORARY_PREFIX}{folder.name}-{uuid.uuid4().hex}")
    try:
        sync(fresh, wanted, load)
        with disk_errors("the lexical index", folder.parent):
            remove_tree(folder)  # os.replace onto a folder that is not empty fails
            os.replace(fresh, folder)
            fsync_folder(folder.parent)
    finally:
        remove_tree(fresh)
    return True


def _write(
    index: tantivy.Index, remove: Collection[Key], add: Mapping[Key, tuple[str, list[Scene]]], index_format: int
) -> None:
    writer = index.writer(HEAP_BYTES, 1)
    try:
        for key in remove:
            writer.delete_documents_by_term("generation", key_name(key))
        for key, (title, scenes) in add.items():
            terms_of_title = analysis.for_index(title)
            for scene in scenes:
                document = _document(scene, key, terms_of_title)
                if index_format >= WITH_COLUMNS:
                    _add_columns(document, scene)
                writer.add_document(document)
        writer.commit()
    except BaseException:
        writer.rollback()
        raise
    finally:
        writer.wait_merging_threads()  # releases tantivy's own writer lock


def _document(scene: Scene, key: Key, title: str) -> tantivy.Document:
    texts = {
        "transcript": analysis.for_index(scene.transcript),
        "title": title,
        "tags": analysis.for_index(" ".join(scene.tags)),
        "caption": analysis.for_index(scene.caption),
        "on_screen_text": analysis.for_index(scene.on_screen_text),
    }
    document = tantivy.Document()
    document.add_text("scene", scene.scene_id)
    document.add_text("generation", key_name(key))
    for name in lexical_files.FIELDS:
        document.add_text(name, texts[name])
    return document


def _add_columns(document: tantivy.Document, scene: Scene) -> None:
    """What documents of format 3 lack."""
    if scene.language:
        document.add_text("language", scene.language.lower())
    columns = columns_of(scene.scene_id)
    if columns is not None:
        for name, value in zip(COLUMNS, columns, strict=True):
            document.add_unsigned(name, value)
