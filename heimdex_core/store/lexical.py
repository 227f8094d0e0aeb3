"""The lexical index: BM25 by tantivy over transcript, title, tags, descriptions and on-screen text.

Text is turned into terms before it is indexed (analysis.py), so a white-space tokenizer is enough and positions are
consecutive. Each document names its generation as 'video_id#n'; a search is restricted to the visible ones.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
from cachetools import LRUCache

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import file_signature
from heimdex_core.store import analysis
from heimdex_core.store.hits import Hits, SceneRows, rows_in
from heimdex_core.store.lexical_files import (
    COLUMNS,
    FIELDS,
    WITH_COLUMNS,
    check_segments,
    generations,
    key_name,
    open_index,
    read_manifest,
    video_of,
)
from heimdex_core.store.ordering import Numbers
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.search_index import EXCLUDING_FIELDS, LexicalResult
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Filters

MAX_LISTED_SCENES = 2000
"""Up to so many ids a set of scenes is a condition of the query, which looks up each of them."""
MAX_LISTED_GENERATIONS = 500
"""The same for generations: each costs about 10 microseconds (100 scenes)."""
MAX_READ = 30_000
"""Rather than so many hits, of which few are in a set of scenes, the set is listed however large it is."""
MAX_WITH_WORDS = 200
"""Up to so many scenes are found by the words that they have; where more have enough, each scene is looked up."""
_CACHED_SCOPES = 8
_MARGIN = 1.2
"""So many times as many hits are read as have to be, if those that count are evenly spread among them."""

Clause = tuple[tantivy.Occur, tantivy.Query]


@dataclass(frozen=True)
class _Scope:
    """How documents of some generations are told from all others."""

    clauses: tuple[Clause, ...]
    """Conditions of the query."""
    videos: frozenset[str] | None
    """If given, hits must be scenes of these videos; the conditions leave no other generation of them."""
    share: float
    """About which part of the documents that meet the conditions are in `videos`, above 0 to 1."""


class _Documents:
    """Documents that were found, by what their columns say. Their scenes are their rows."""

    def __init__(self, video_ids: Sequence[str], starts_ms: Sequence[int], ends_ms: Sequence[int]) -> None:
        """The ids of the videos, and the times of the scenes in milliseconds."""
        self._video_ids = video_ids
        self._starts_ms = starts_ms
        self._ends_ms = ends_ms

    def ids_at(self, rows: Numbers) -> list[str]:
        """See RowSource."""
        return [f"{self._video_ids[n]}_{self._starts_ms[n]}_{self._ends_ms[n]}" for n in rows.tolist()]

    def rows_in(self, table: SceneTable, rows: Numbers) -> Numbers:
        """See RowSource."""
        return table.rows_at(self._video_ids, self._starts_ms, self._ends_ms)[rows]


class _VideoIds(dict[tuple[int, int], str]):
    """Ids of videos by the halves of their UUIDs, made when they are first needed: of thousands of hits in a row."""

    def __missing__(self, halves: tuple[int, int]) -> str:
        found = self[halves] = video_of(*halves)
        return found


class LexicalIndex:
    """An opened lexical index, fixed at one commit: writes after that do not change its answers.

    Safe to share between threads.
    """

    def __init__(self, index: tantivy.Index, keys: frozenset[Key], fields: Collection[str], index_format: int) -> None:
        self.keys = keys
        self._fields = {name: weight for name, weight in FIELDS.items() if name in fields}
        self._has_columns = index_format >= WITH_COLUMNS
        self._schema = index.schema
        self._searcher = index.searcher()
        self._lock = threading.Lock()
        self._scopes: LRUCache[frozenset[Key], _Scope | None] = LRUCache(_CACHED_SCOPES)
        self._covering: LRUCache[tuple[Any, frozenset[Key]], Hits] = LRUCache(_CACHED_SCOPES)
        self._video_ids = _VideoIds()

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex | None:
        """Open the current commit; None if there is no index. Raises LibraryDamaged."""
        while True:
            signature = file_signature(folder / "manifest.json")
            manifest = read_manifest(folder)
            if manifest is None:
                return None
            try:
                index = open_index(folder)
                # Pending generations count as indexed: a visible one that is pending is being written again, which
                # replaces its documents in one commit.
                opened = cls(index, manifest.complete | manifest.pending, manifest.fields, manifest.format)
            except (ValueError, OSError) as error:
                if file_signature(folder / "manifest.json") == signature:
                    raise LibraryDamaged(what="the lexical index", reason=str(error)[:200]) from error
                continue
            # Not only the content: every document must be of a generation that is named.
            if file_signature(folder / "manifest.json") == signature:
                return opened

    def search(
        self,
        text: str,
        *,
        k: int,
        allowed: Iterable[Key],
        scene_ids: SceneSet | None = None,
        filters: Sequence[Filters] = (),
        table: SceneTable | None = None,
    ) -> LexicalResult:
        """The best scenes of the `allowed` generations, `k` at most. Quoted phrases must occur, other words may.

        Args:
            text: words and quoted phrases.
            k: the number of results at most.
            allowed: the generations to search in; of a frozenset the conditions are kept.
            scene_ids: if given, only these scenes are found.
            filters: which all of `scene_ids` pass; with them fewer documents are looked at.
            table: if given, the hits are rows of it, and scenes that it does not have are left out.
        """
        query = analysis.parse_query(text)
        if not query.terms:
            return LexicalResult(Hits([], []), query.terms)
        must, should = tantivy.Occur.Must, tantivy.Occur.Should
        clauses = [(must, self._anywhere(phrase)) for phrase in query.phrases]
        words = [(should, self._anywhere((word,))) for word in query.words]
        if words:
            clauses.append((should if clauses else must, tantivy.Query.boolean_query(words)))
        hits = self._best(clauses, k, allowed, scene_ids, filters).of_table(table)
        return LexicalResult(hits.take(hits.best_first()), query.terms)

    def coverage(
        self,
        words: Sequence[Sequence[tuple[str, ...]]],
        *,
        scene_ids: Collection[str],
        allowed: Iterable[Key],
        least: float = 0.0,
    ) -> dict[str, float]:
        """Which share of `words` each of these scenes of the `allowed` generations has, above 0 to 1.

        Args:
            words: each as the term sequences of which at least one must be in one field of the scene.
            scene_ids: each is looked up, so they should not be many.
            allowed: the generations to search in; of a frozenset the conditions are kept.
            least: scenes with a smaller share are left out. Where few scenes of all have so much, none is looked up.
        """
        if not words or not scene_ids:
            return {}
        best = self._with_most(words, allowed) if least > 0 else Hits([], [])
        if not best or (len(best) == MAX_WITH_WORDS and best[-1][1] / len(words) >= least):
            clauses = [self._counted(words), self._within("scene", list(scene_ids))]
            best = self._best(clauses, len(scene_ids), allowed)
        shares = ((scene_id, count / len(words)) for scene_id, count in best)
        wanted = frozenset(scene_ids)
        return {scene_id: share for scene_id, share in shares if share >= least and scene_id in wanted}

    def _counted(self, words: Sequence[Sequence[tuple[str, ...]]]) -> Clause:
        """The condition that a document has some of `words` (see `coverage`), whose score is how many it has."""
        should = tantivy.Occur.Should
        written = [tantivy.Query.boolean_query([(should, self._anywhere(s)) for s in word]) for word in words]
        ones = [(should, tantivy.Query.const_score_query(query, 1.0)) for query in written]
        return tantivy.Occur.Must, tantivy.Query.boolean_query(ones)

    def _with_most(self, words: Sequence[Sequence[tuple[str, ...]]], allowed: Iterable[Key]) -> Hits:
        """The MAX_WITH_WORDS scenes that have most of `words`. A search asks for the same ones up to three times."""
        key = tuple(map(tuple, words)), frozenset(allowed)
        with self._lock:
            found = self._covering.get(key)
        if found is None:
            found = self._best([self._counted(words)], MAX_WITH_WORDS, key[1])
            with self._lock:
                self._covering[key] = found
        return found

    def with_phrase(self, text: str, *, allowed: Iterable[Key], fields: Sequence[str] = EXCLUDING_FIELDS) -> list[str]:
        """Ids of the scenes of the `allowed` generations with the phrase `text` in one of the fields.

        A Korean phrase is one of syllables or of morphemes, whatever particles stand between them.
        """
        terms = tuple(analysis.terms(text))
        if not terms:
            return []
        ways = [terms]
        if analysis.is_korean(text) and (morphemes := analysis.morpheme_terms(text)):
            ways.append(tuple(morphemes))
        any_way = tantivy.Query.boolean_query([(tantivy.Occur.Should, self._anywhere(way, fields)) for way in ways])
        # counted first: room for as many results as there are documents would be made
        counted: Any = self._searcher.search(any_way, 1)  # tantivy's type stub lacks the count
        return [scene_id for scene_id, _ in self._best([(tantivy.Occur.Must, any_way)], counted.count, allowed)]

    def has_word(self, word: str, *, allowed: Iterable[Key]) -> bool:
        """Whether any scene of the `allowed` generations has the word."""
        terms = tuple(analysis.terms(word))
        return bool(terms) and len(self._best([(tantivy.Occur.Must, self._anywhere(terms))], 1, allowed)) > 0

    def with_similar_word(self, word: str, *, edits: int, k: int, allowed: Iterable[Key]) -> list[str]:
        """Ids of up to `k` scenes with a term that is at most `edits` (0 to 2) edits away.

        An edit inserts, removes or replaces a letter, or swaps two. A Levenshtein automaton searches the dictionary.
        """
        terms = analysis.terms(word)
        if len(terms) != 1:
            return []
        in_fields = [
            (tantivy.Occur.Should, tantivy.Query.fuzzy_term_query(self._schema, name, terms[0], distance=edits))
            for name in self._fields
        ]
        clauses = [(tantivy.Occur.Must, tantivy.Query.boolean_query(in_fields))]
        return [scene_id for scene_id, _ in self._best(clauses, k, allowed)]

    # --- which documents --------------------------------------------------------------------------

    def _scope(self, allowed: Iterable[Key]) -> _Scope | None:
        """Kept for the last few sets of generations; None if none of them is in the index."""
        keys = frozenset(allowed)
        with self._lock:
            if keys not in self._scopes:
                self._scopes[keys] = self._make_scope(keys)
            return self._scopes[keys]

    def _make_scope(self, keys: frozenset[Key]) -> _Scope | None:
        """A condition with ten thousand generations takes 100 ms, so few are listed: the allowed ones, or the others.

        Where both are many, hits of other videos are left out afterwards. Other generations of the allowed videos
        have scenes of the same ids and are always excluded.
        """
        wanted = self.keys & keys
        if not wanted:
            return None
        if len(wanted) <= MAX_LISTED_GENERATIONS and len(wanted) < len(self.keys):
            return _Scope((self._within("generation", map(key_name, wanted)),), None, 1.0)
        others = self.keys - wanted
        videos = None
        if len(others) > MAX_LISTED_GENERATIONS:
            videos = frozenset(video_id for video_id, _ in wanted)
            others = frozenset(key for key in others if key[0] in videos)
        excluded = [self._term_set("generation", map(key_name, others))] if others else []
        clauses = tuple((tantivy.Occur.MustNot, query) for query in excluded)
        return _Scope(clauses, videos, len(wanted) / (len(self.keys) - len(others)))

    def _passing(self, filters: Sequence[Filters]) -> tuple[list[Clause], float]:
        """(conditions that every document that passes the filters meets, how many documents meet them at most).

        Tags are the same in any case, as terms are; of letters outside ASCII this is not so sure, unless they have no
        case.
        """
        clauses, count = [], self._searcher.num_docs
        for tag in (tag for one in filters for tag in one.tags):
            terms = tuple(analysis.terms(tag))
            if terms and (tag.isascii() or tag.lower() == tag.upper()):
                query = tantivy.Query.const_score_query(self._anywhere(terms, ("tags",)), 0.0)
                clauses.append((tantivy.Occur.Must, query))
                count = min(count, *(self._searcher.doc_freq("tags", term) for term in terms))
        for languages in (one.languages for one in filters if one.languages and self._has_columns):
            codes = {code.lower() for code in languages}
            clauses.append(self._within("language", codes))
            count = min(count, sum(self._searcher.doc_freq("language", code) for code in codes))
        return clauses, count

    def _best(
        self,
        clauses: Sequence[Clause],
        k: int,
        allowed: Iterable[Key],
        scene_ids: SceneSet | None = None,
        filters: Sequence[Filters] = (),
    ) -> Hits:
        """The `k` best scenes of the `allowed` generations, of `scene_ids` if given, with their scores.

        A large set is no condition of the query, which would have to look up each member: as many more scenes are
        asked for as the set is a part of all, and more while those that are in it do not suffice.
        """
        scope = self._scope(allowed)
        if k <= 0 or scope is None or (scene_ids is not None and not scene_ids):
            return Hits([], [])
        conditions, share, videos = [*clauses, *scope.clauses], scope.share, scope.videos
        if scene_ids is not None:
            passing, documents = self._passing(filters)
            share, videos = min(len(scene_ids) / max(documents, 1), 1.0), None
            if len(scene_ids) <= MAX_LISTED_SCENES or k / share > MAX_READ:
                conditions.append(self._within("scene", list(scene_ids)))
                share, scene_ids = 1.0, None
            else:
                conditions += passing
        query = tantivy.Query.boolean_query(conditions)
        wanted = int(k / share * _MARGIN) if share < 1 else k
        while True:
            found = self._searcher.search(query, wanted, count=False).hits
            scenes = self._scenes([address for _, address in found])
            if scene_ids is not None:
                rows = rows_in(scene_ids.table, scenes)
                inside = np.flatnonzero(scene_ids.has_rows(rows))
                scenes = SceneRows(scene_ids.table, rows)
            elif videos is not None:
                inside = np.flatnonzero([scene_id.rsplit("_", 2)[0] in videos for scene_id in scenes])
            else:
                inside = np.arange(len(found))
            hits = Hits(scenes, [score for score, _ in found]).take(inside[:k])
            if len(inside) >= k or len(found) < wanted:
                return hits
            more = wanted * max(2.0, _MARGIN * k / max(len(inside), 1))
            wanted = min(int(more), self._searcher.num_docs + 1)

    def _scenes(self, addresses: list[tantivy.DocAddress]) -> Sequence[str]:
        """The ids of the documents' scenes."""
        names = COLUMNS if self._has_columns else ()
        columns: list[list[Any]] = [self._searcher.fast_field_values(name, addresses) for name in names]
        if not columns or None in columns[0]:
            return [str(self._searcher.doc(address)["scene"][0]) for address in addresses]
        highs, lows, starts_ms, ends_ms = columns
        video_ids = list(map(self._video_ids.__getitem__, zip(highs, lows, strict=True)))
        return SceneRows(_Documents(video_ids, starts_ms, ends_ms), np.arange(len(addresses)))

    # --- parts of queries -------------------------------------------------------------------------

    def _within(self, field: str, values: Iterable[str]) -> Clause:
        """The condition that a document has one of the values, which adds nothing to its score."""
        return tantivy.Occur.Must, tantivy.Query.const_score_query(self._term_set(field, values), 0.0)

    def _term_set(self, field: str, values: Iterable[str]) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, field, list(values))

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


def check(folder: Path) -> frozenset[Key]:
    """The generations in the index, after every file was compared with its checksum; empty if there is no index.

    Raises LibraryDamaged.
    """
    if LexicalIndex.open(folder) is None:
        return frozenset()
    check_segments(folder)
    return generations(folder)
