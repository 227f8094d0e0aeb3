"""The lexical index: BM25 by tantivy over transcript, title, tags, descriptions and on-screen text.

Text is turned into terms before it is indexed (analysis.py), so a white-space tokenizer is enough and positions are
consecutive. Each document names its generation as 'video_id#n'; a search is restricted to the visible ones.
"""

from __future__ import annotations

import json
import os
import struct
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_folder, read_json, remove_tree, write_json
from heimdex_core.store import analysis
from heimdex_core.store.permissions import let_group_read
from heimdex_core.store.scene_set import SceneSet
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Scene

FIELDS: Mapping[str, float] = {"transcript": 3.0, "title": 2.0, "tags": 4.0, "caption": 2.0, "on_screen_text": 2.0}
"""The searched fields and their weights: the BM25 score of a match is multiplied by it."""

EXCLUDING_FIELDS = ("transcript", "title", "tags")
"""Where a scene must not have a word that is excluded: what is described or read off the screen is guessed."""

MAX_LISTED_SCENES = 2000
"""Up to so many ids a set of scenes is a condition of the query."""

FORMAT = 3
READABLE = (1, 2, 3)
"""Format 1 had no captions, and 2 no morphemes. Both are searched as they are, and rebuilt by the next write."""
_SEGMENT_PARTS = ("idx", "pos", "term", "store", "fast", "fieldnorm")
HEAP_BYTES = 32_000_000
"""Memory of tantivy's writer."""

Load = Callable[[Key], "tuple[str, list[Scene]] | None"]
"""Returns the title and the scenes of a generation; None if it cannot be read."""


@dataclass(frozen=True)
class LexicalResult:
    """What a search found."""

    hits: list[tuple[str, float]]
    """(scene_id, BM25 score), best first."""
    terms: tuple[str, ...] = ()
    """The index terms of the query, each once."""


def key_name(key: Key) -> str:
    """How documents name their generation."""
    return f"{key[0]}#{key[1]}"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("scene", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("generation", tokenizer_name="raw", index_option="basic")
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    return builder.build()


# --- reading --------------------------------------------------------------------------------------


class LexicalIndex:
    """An opened lexical index, fixed at one commit: writes after that do not change its answers."""

    def __init__(self, index: tantivy.Index, keys: frozenset[Key], fields: Collection[str]) -> None:
        self.keys = keys
        self._fields = {name: weight for name, weight in FIELDS.items() if name in fields}
        self._schema = index.schema
        self._searcher = index.searcher()

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex | None:
        """Open the current commit; None if there is no index. Raises LibraryDamaged."""
        while True:
            manifest = _read_manifest(folder)
            if manifest is None:
                return None
            try:
                index = tantivy.Index.open(str(folder))
                # Pending generations count as indexed: a visible one that is pending is being written again, which
                # replaces its documents in one commit.
                opened = cls(index, manifest.complete | manifest.pending, manifest.fields)
            except (ValueError, OSError) as error:
                if _read_manifest(folder) == manifest:
                    raise LibraryDamaged(what="the lexical index", reason=str(error)[:200]) from error
                continue
            if _read_manifest(folder) == manifest:
                return opened

    def search(self, text: str, *, k: int, allowed: Iterable[Key], scene_ids: SceneSet | None = None) -> LexicalResult:
        """The best scenes of the `allowed` generations, `k` at most. Quoted phrases must occur, other words may.

        If `scene_ids` are given only these scenes are found.
        """
        query = analysis.parse_query(text)
        names = [key_name(key) for key in allowed]
        if k <= 0 or not names or not query.terms:
            return LexicalResult([], query.terms)
        must, should = tantivy.Occur.Must, tantivy.Occur.Should
        clauses = [(must, self._anywhere(phrase)) for phrase in query.phrases]
        words = [(should, self._anywhere((word,))) for word in query.words]
        if words:
            clauses.append((should if clauses else must, tantivy.Query.boolean_query(words)))
        clauses.append(self._within("generation", names))
        if scene_ids is not None and len(scene_ids) <= MAX_LISTED_SCENES:
            clauses.append(self._within("scene", list(scene_ids)))
            scene_ids = None
        hits = self._best(tantivy.Query.boolean_query(clauses), k, scene_ids)
        return LexicalResult(sorted(hits, key=lambda hit: (-hit[1], hit[0])), query.terms)

    def coverage(
        self,
        words: Sequence[Sequence[tuple[str, ...]]],
        *,
        k: int,
        allowed: Iterable[Key],
        scene_ids: SceneSet | None = None,
    ) -> dict[str, float]:
        """Which share of `words` each scene of the `allowed` generations has, above 0 to 1; the `k` best of them.

        Args:
            words: each as the term sequences of which at least one must be in one field of the scene.
            k: the number of results at most.
            allowed: the generations to search in.
            scene_ids: if given, only these scenes.
        """
        names = [key_name(key) for key in allowed]
        if not words or not names:
            return {}
        should = tantivy.Occur.Should
        written = [tantivy.Query.boolean_query([(should, self._anywhere(s)) for s in word]) for word in words]
        counted = [(should, tantivy.Query.const_score_query(query, 1.0)) for query in written]
        clauses = [(tantivy.Occur.Must, tantivy.Query.boolean_query(counted)), self._within("generation", names)]
        if scene_ids is not None and len(scene_ids) <= MAX_LISTED_SCENES:
            clauses.append(self._within("scene", list(scene_ids)))
            scene_ids = None
        best = self._best(tantivy.Query.boolean_query(clauses), k, scene_ids)
        return {scene_id: count / len(words) for scene_id, count in best}

    def with_phrase(self, text: str, *, allowed: Iterable[Key]) -> list[str]:
        """Ids of the scenes of the `allowed` generations with the phrase `text` in one of EXCLUDING_FIELDS.

        A Korean phrase is one of syllables or of morphemes, whatever particles stand between them.
        """
        terms = tuple(analysis.terms(text))
        names = [key_name(key) for key in allowed]
        if not terms or not names:
            return []
        ways = [terms]
        if analysis.is_korean(text) and (morphemes := analysis.morpheme_terms(text)):
            ways.append(tuple(morphemes))
        any_way = [(tantivy.Occur.Should, self._anywhere(way, EXCLUDING_FIELDS)) for way in ways]
        clauses = [(tantivy.Occur.Must, tantivy.Query.boolean_query(any_way)), self._within("generation", names)]
        count = max(self._searcher.num_docs, 1)
        return [scene_id for scene_id, _ in self._best(tantivy.Query.boolean_query(clauses), count, None)]

    def with_similar_word(self, word: str, *, edits: int, k: int, allowed: Iterable[Key]) -> list[str]:
        """Ids of up to `k` scenes with a term that is at most `edits` (0 to 2) edits away.

        An edit inserts, removes or replaces a letter, or swaps two. A Levenshtein automaton searches the dictionary.
        """
        terms = analysis.terms(word)
        names = [key_name(key) for key in allowed]
        if len(terms) != 1 or not names:
            return []
        in_fields = [
            (tantivy.Occur.Should, tantivy.Query.fuzzy_term_query(self._schema, name, terms[0], distance=edits))
            for name in self._fields
        ]
        clauses = [(tantivy.Occur.Must, tantivy.Query.boolean_query(in_fields)), self._within("generation", names)]
        return [scene_id for scene_id, _ in self._best(tantivy.Query.boolean_query(clauses), k, None)]

    def _within(self, field: str, values: list[str]) -> tuple[tantivy.Occur, tantivy.Query]:
        """The condition that a document has one of the values, which adds nothing to its score."""
        query = tantivy.Query.term_set_query(self._schema, field, values)
        return tantivy.Occur.Must, tantivy.Query.const_score_query(query, 0.0)

    def _best(self, query: tantivy.Query, k: int, scene_ids: SceneSet | None) -> list[tuple[str, float]]:
        """The `k` best scenes, of `scene_ids` if given, with their scores.

        A large set is no condition of the query, which would have to look up each id: as many more scenes are asked
        for as the set is a part of all, and more while those that are in it do not suffice.
        """
        wanted = k if scene_ids is None else int(k / max(scene_ids.share, 0.01)) + 1
        while True:
            found = self._searcher.search(query, wanted, count=False).hits
            hits = [(str(self._searcher.doc(address)["scene"][0]), float(score)) for score, address in found]
            if scene_ids is not None:
                hits = [hit for hit in hits if hit[0] in scene_ids]
            if len(hits) >= k or len(found) < wanted:
                return hits[:k]
            wanted *= 4

    def _anywhere(self, terms: tuple[str, ...], only: Collection[str] = tuple(FIELDS)) -> tantivy.Query:
        """A query for a term, or for terms in sequence, in any field (of `only`) with the field's weight."""
        in_fields = []
        for name, weight in self._fields.items():
            if name not in only:
                continue
            if len(terms) == 1:
                query = tantivy.Query.term_query(self._schema, name, terms[0])
            else:
                query = tantivy.Query.phrase_query(self._schema, name, list(terms))
            in_fields.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, weight)))
        return tantivy.Query.boolean_query(in_fields)


@dataclass(frozen=True)
class _Manifest:
    """What manifest.json says about the index."""

    format: int
    fields: tuple[str, ...]
    complete: frozenset[Key]
    """The generations in the index."""
    pending: frozenset[Key]
    """Generations that were about to be written or removed: they may be in the index."""


def _read_manifest(folder: Path) -> _Manifest | None:
    try:
        value = read_json(folder / "manifest.json")
        if value["format"] not in READABLE or value["analysis"] != analysis.VERSION:
            raise ValueError(f"it has the unknown version {value['format']}.{value['analysis']}")
        complete, pending = (frozenset((v, int(n)) for v, n in value[name]) for name in ("generations", "pending"))
        return _Manifest(value["format"], tuple(value["fields"]), complete, pending)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="the lexical index", reason=str(error)[:200]) from error


def generations(folder: Path) -> frozenset[Key]:
    """The generations in the index; empty if there is no index. Raises LibraryDamaged."""
    manifest = _read_manifest(folder)
    return manifest.complete if manifest else frozenset()


def check(folder: Path) -> frozenset[Key]:
    """The generations in the index, after every file was compared with its checksum; empty if there is no index.

    Raises LibraryDamaged.
    """
    if LexicalIndex.open(folder) is None:
        return frozenset()
    try:
        for segment in read_json(folder / "meta.json")["segments"]:
            for part in _SEGMENT_PARTS:
                path = folder / f"{str(segment['segment_id']).replace('-', '')}.{part}"
                if not _fits_its_checksum(path.read_bytes()):
                    raise ValueError(f"{path.name} is not what was written")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="the lexical index", reason=str(error)[:200]) from error
    return generations(folder)


def _fits_its_checksum(content: bytes) -> bool:
    """Whether a file of tantivy is as it was written: body, footer (JSON with the body's CRC-32), its length, 1337."""
    if len(content) < 8:
        return False
    length, magic = struct.unpack("<II", content[-8:])
    if magic != 1337 or length > len(content) - 8:
        return False
    footer = json.loads(content[-8 - length : -8])
    return bool(zlib.crc32(content[: -8 - length]) == footer["crc"])


# --- writing (under index.lock) -------------------------------------------------------------------


def sync(folder: Path, wanted: Collection[Key], load: Load, *, redo: Collection[Key] = ()) -> bool:
    """Make the index contain exactly the `wanted` generations; False if it did already. The caller holds index.lock.

    The manifest names beforehand what is about to be written, so that after a crash the next call knows which
    documents to replace. A damaged index, or one of an older format, is rebuilt beside the old one, which is searched
    until it is replaced.

    Args:
        folder: the index's folder; created if it is missing.
        wanted: the generations.
        load: reads a generation that is not in the index yet; one that it cannot read is left out.
        redo: generations to read again even if the index contains them.

    Raises DiskFull, and what `load` raises.
    """
    try:
        manifest = _read_manifest(folder)
        if manifest is None:
            remove_tree(folder)  # without a manifest its content is unknown
        elif manifest.format != FORMAT:
            return _rebuild(folder, wanted, load)
        with disk_errors("the lexical index", folder):
            files.make_folder(folder, levels=2)
            index = tantivy.Index(_schema(), path=str(folder))
    except (LibraryDamaged, ValueError):
        return _rebuild(folder, wanted, load)
    have, unsure = (manifest.complete, manifest.pending) if manifest else (frozenset(), frozenset())
    keep = (have & set(wanted)) - set(redo) - unsure
    missing = sorted(set(wanted) - keep)
    stale = (have | unsure) - keep
    if manifest is not None and not missing and not stale:
        return False
    loaded = {key: content for key in missing if (content := load(key)) is not None}
    with disk_errors("the lexical index", folder):
        _write_manifest(folder, keep, stale | set(missing))
        files.crash_point("lexical-announced")
        _write(index, stale | set(missing), loaded)
        let_group_read(folder)
        files.crash_point("lexical-committed")
        _write_manifest(folder, keep | set(loaded), ())
    return True


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


def _write_manifest(folder: Path, keys: Collection[Key], pending: Collection[Key]) -> None:
    value = {
        "format": FORMAT,
        "analysis": analysis.VERSION,
        "fields": dict(FIELDS),
        "generations": [list(key) for key in sorted(keys)],
        "pending": [list(key) for key in sorted(pending)],
    }
    write_json(folder / "manifest.json", value)


def _write(index: tantivy.Index, remove: Collection[Key], add: Mapping[Key, tuple[str, list[Scene]]]) -> None:
    writer = index.writer(HEAP_BYTES, 1)
    try:
        for key in remove:
            writer.delete_documents_by_term("generation", key_name(key))
        for key, (title, scenes) in add.items():
            terms_of_title = analysis.for_index(title)
            for scene in scenes:
                writer.add_document(_document(scene, key, terms_of_title))
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
    for name in FIELDS:
        document.add_text(name, texts[name])
    return document
