"""The words of a model set in a table of LanceDB: BM25 over the terms that our own analysis has made (analysis.py).

LanceDB divides a column at white space and changes nothing, so terms, positions and phrases are those of tantivy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.store import analysis
from heimdex_core.store.edit_distance import distance
from heimdex_core.store.hits import Hits
from heimdex_core.store.lance_tables import ListedScenes, OpenedTable, load_lancedb, one_of
from heimdex_core.store.lexical_files import FIELDS
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.search_index import EXCLUDING_FIELDS, LexicalResult
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Filters, Scene

SCHEMA = pa.schema(
    [
        pa.field("scene_id", pa.string(), nullable=False),
        pa.field("generation", pa.int64(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in FIELDS),
        pa.field("language", pa.string()),
    ]
)
MAX_EXPANSIONS = 1000
"""Of a word into the similar ones of the index."""


def rows_of_generation(number: int, title: str, scenes: Sequence[Scene]) -> pa.RecordBatch:
    """The rows of a generation in the table."""
    terms_of_title = analysis.for_index(title)
    rows = [
        {
            "scene_id": scene.scene_id,
            "generation": number,
            "transcript": analysis.for_index(scene.transcript),
            "title": terms_of_title,
            "tags": analysis.for_index(" ".join(scene.tags)),
            "caption": analysis.for_index(scene.caption),
            "on_screen_text": analysis.for_index(scene.on_screen_text),
            "language": scene.language.lower() if scene.language else None,
        }
        for scene in scenes
    ]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def text_index() -> Any:
    """How LanceDB indexes each of FIELDS: terms as they are."""
    return load_lancedb().index.FTS(
        base_tokenizer="whitespace",
        stem=False,
        remove_stop_words=False,
        lower_case=False,
        ascii_folding=False,
        max_token_length=None,
        with_position=True,
    )


class LanceWords:
    """See WordSearch."""

    def __init__(self, opened: OpenedTable) -> None:
        self._opened = opened

    def search(
        self,
        text: str,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: SceneSet | None = None,
        filters: Sequence[Filters] = (),
        table: SceneTable | None = None,
    ) -> LexicalResult:
        """See WordSearch."""
        asked = analysis.parse_query(text)
        if not asked.terms:
            return LexicalResult(Hits([], []), asked.terms)
        queries = [("MUST", _phrase(phrase)) for phrase in asked.phrases]
        if asked.words:
            queries.append(("SHOULD" if queries else "MUST", _any_of(asked.words)))
        members = [] if scene_ids is None else [scene_ids]
        found = self._best(_combined(queries), k, allowed, members, None if scene_ids is None else _passing(filters))
        hits = Hits([scene_id for scene_id, _ in found], [score for _, score in found]).of_table(table)
        return LexicalResult(hits.take(hits.best_first()), asked.terms)

    def coverage(
        self,
        words: Sequence[Sequence[tuple[str, ...]]],
        *,
        scene_ids: Collection[str],
        allowed: frozenset[Key],
        least: float = 0.0,
    ) -> dict[str, float]:
        """See WordSearch. The texts of the scenes are read: a search would not tell which words a scene has."""
        if not words or not scene_ids:
            return {}
        videos: dict[str, list[Key]] = {}
        for key in allowed:
            videos.setdefault(key[0], []).append(key)
        scenes = [(scene_id, key) for scene_id in scene_ids for key in videos.get(scene_id.rsplit("_", 2)[0], ())]
        shares: dict[str, float] = {}
        for scene_id, row in self._opened.rows_of(scenes, list(FIELDS)).items():
            # with a space before and after it, a sequence of terms is found as a part of the text
            texts = [f" {row[name]} " for name in FIELDS]
            count = sum(any(f" {' '.join(way)} " in text for way in word for text in texts) for word in words)
            if count and count / len(words) >= least:
                shares[scene_id] = count / len(words)
        return shares

    def with_phrase(self, text: str, *, allowed: frozenset[Key], fields: Sequence[str] = EXCLUDING_FIELDS) -> list[str]:
        """See WordSearch."""
        terms = tuple(analysis.terms(text))
        if not terms:
            return []
        ways = [terms]
        if analysis.is_korean(text) and (morphemes := analysis.morpheme_terms(text)):
            ways.append(tuple(morphemes))
        query = _combined([("SHOULD", _phrase(way, fields)) for way in ways])
        return [scene_id for scene_id, _ in self._best(query, self._opened.entry.rows, allowed)]

    def has_word(self, word: str, *, allowed: frozenset[Key]) -> bool:
        """See WordSearch."""
        terms = tuple(analysis.terms(word))
        return bool(terms) and bool(self._best(_phrase(terms), 1, allowed))

    def with_similar_word(self, word: str, *, edits: int, k: int, allowed: frozenset[Key]) -> list[str]:
        """See WordSearch.

        For LanceDB a swap of two letters is two edits, so words with two letters swapped are looked up too. It does
        not look for similar words in rows that its index has not taken in yet: these are read.
        """
        terms = analysis.terms(word)
        if len(terms) != 1 or k <= 0:
            return []
        queries = [("SHOULD", _similar(name, terms[0], edits)) for name in FIELDS]
        swapped = " ".join(_swapped(terms[0]))
        if edits and swapped:
            queries += [("SHOULD", _similar(name, swapped, edits - 1)) for name in FIELDS]
        found = [scene_id for scene_id, _ in self._best(_combined(queries), k, allowed)]
        return list(dict.fromkeys([*found, *self._similar_in_new_rows(terms[0], edits, allowed)]))[:k]

    def _similar_in_new_rows(self, term: str, edits: int, allowed: frozenset[Key]) -> Iterable[str]:
        entry = self._opened.entry
        new = [n for key, n in entry.numbers.items() if n >= entry.indexed_below and key in allowed]
        if not new:
            return
        query = self._opened.table.search().where(one_of("generation", new)).select(["scene_id", *FIELDS]).limit(None)
        with self._opened.errors():
            rows = query.to_arrow().to_pylist()
        near: dict[str, bool] = {}
        for row in rows:
            for name in FIELDS:
                for other in row[name].split():
                    if other not in near:
                        near[other] = abs(len(other) - len(term)) <= edits and distance(term, other) <= edits
                if any(near[other] for other in row[name].split()):
                    yield row["scene_id"]
                    break

    def _best(
        self,
        query: Any,
        k: int,
        allowed: frozenset[Key],
        members: Sequence[SceneSet | ListedScenes] = (),
        condition: str | None = None,
    ) -> list[tuple[str, float]]:
        """The `k` best scenes with their scores, best first."""

        def run(count: int, where: str | None, part: float) -> pa.Table:
            asked = self._opened.table.search(query, query_type="fts").limit(count)
            asked = asked.select(["scene_id", "generation", "_score"])
            found = (asked if where is None else asked.where(where)).to_arrow()
            return found.take(pc.sort_indices(found, [("_score", "descending"), ("scene_id", "ascending")]))

        found = self._opened.best(run, k, allowed, members, condition)
        if found is None:
            return []
        return list(zip(found.column("scene_id").to_pylist(), found.column("_score").to_pylist(), strict=True))


# --- parts of queries -------------------------------------------------------------------------------


def _kinds() -> Any:
    """The module of LanceDB's queries, whose types say that every argument is needed."""
    return load_lancedb().query


def _combined(queries: Sequence[tuple[str, Any]]) -> Any:
    return _kinds().BooleanQuery([(_kinds().Occur(occur), query) for occur, query in queries])


def _any_of(terms: Iterable[str]) -> Any:
    """A query for any of the terms in any field, with the field's weight."""
    words = " ".join(terms)
    return _combined([("SHOULD", _kinds().MatchQuery(words, name, boost=weight)) for name, weight in FIELDS.items()])


def _phrase(terms: Sequence[str], only: Collection[str] = tuple(FIELDS)) -> Any:
    """A query for terms in sequence in any field of `only`, with the field's weight."""
    queries: list[tuple[str, Any]] = []
    for name, weight in FIELDS.items():
        if name in only and len(terms) == 1:
            queries.append(("SHOULD", _kinds().MatchQuery(terms[0], name, boost=weight)))
        elif name in only:
            # a phrase takes no weight, and the scores of clauses are added
            queries += [("SHOULD", _kinds().PhraseQuery(" ".join(terms), name))] * round(weight)
    return _combined(queries)


def _similar(field: str, words: str, edits: int) -> Any:
    return _kinds().MatchQuery(words, field, fuzziness=edits, max_expansions=MAX_EXPANSIONS)


def _swapped(term: str) -> list[str]:
    """The words with two neighbouring letters of the term swapped."""
    return [f"{term[:at]}{term[at + 1]}{term[at]}{term[at + 2 :]}" for at in range(len(term) - 1)]


def _passing(filters: Sequence[Filters]) -> str | None:
    """A condition that every row that passes the filters meets, which leaves fewer of the others; None for none."""
    listed = [sorted({code.lower() for code in one.languages}) for one in filters if one.languages]
    return " and ".join(one_of("language", codes) for codes in listed) or None
