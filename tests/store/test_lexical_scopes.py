"""However few documents a search of the lexical index looks at, it finds what one finds that looks at all of them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tantivy

from heimdex_core.store import analysis, lexical, lexical_files, lexical_writing, sidecar
from heimdex_core.store.lexical import LexicalIndex
from heimdex_core.store.lexical_files import FIELDS, columns_of, key_name
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.scene_set import Part, SceneSet, SceneTable
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Filters, Scene, VisibleVideo, make_scene_id
from tests.store.making import make_scenes

WORDS = ("bread", "wolf", "moon", "ferry", "harbour", "red", "car")
VIDEOS = [str(uuid.UUID(int=n << 70 | n)) for n in range(1, 12)] + ["no-uuid"]
KEYS: list[Key] = [(video_id, 1) for video_id in VIDEOS] + [(VIDEOS[0], 2)]
TEXTS = ("bread", "wolf moon", '"red car"', '"bread" ferry harbour', "bread wolf moon ferry harbour red car", "absent")


def scenes_of(key: Key) -> list[Scene]:
    """Eight scenes, with words that depend on the generation; every second one has the tag Half, one the tag Rare."""
    rng = np.random.default_rng([KEYS.index(key)])
    texts = [" ".join(rng.choice(WORDS, 5)) for _ in range(8)]
    made = make_scenes(key[0], texts)
    return [
        replace(
            scene,
            tags=("Half",) * (n % 2 == 0) + ("Rare one",) * (n == 6),
            caption=str(rng.choice(WORDS)),
            language=("en", "KO", None)[n % 3],
        )
        for n, scene in enumerate(made)
    ]


CONTENT = {key: (f"{WORDS[n % 3]} {n}", scenes_of(key)) for n, key in enumerate(KEYS)}


@pytest.fixture(scope="module", params=[3, 4])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of each format that is written, made by three commits."""
    found: Path = tmp_path_factory.mktemp("indexes") / f"lexical-{request.param}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical_files, "FORMAT", request.param)
        patch.setattr(lexical_files, "COLUMNS", lexical_files.COLUMNS if request.param == 4 else ())
        for count in (4, 9, len(KEYS)):
            lexical_writing.sync(found, KEYS[:count], CONTENT.get)
    return found


def opened(folder: Path) -> LexicalIndex:
    index = LexicalIndex.open(folder)
    assert index is not None
    return index


@lru_cache
def plain_index(folder: Path) -> tuple[Any, Any]:
    index = tantivy.Index.open(str(folder))
    return index, index.searcher()


def plain(folder: Path, text: str, k: int, allowed: Collection[Key], chosen: Collection[str] | None) -> Any:
    """The search as it was before: every generation is listed, all documents are read."""
    index, searcher = plain_index(folder)
    query, make = analysis.parse_query(text), tantivy.Query
    must, should = tantivy.Occur.Must, tantivy.Occur.Should

    def anywhere(terms: tuple[str, ...]) -> tantivy.Query:
        def in_field(name: str) -> tantivy.Query:
            if len(terms) == 1:
                return make.term_query(index.schema, name, terms[0])
            return make.phrase_query(index.schema, name, list(terms))

        return make.boolean_query([(should, make.boost_query(in_field(name), FIELDS[name])) for name in FIELDS])

    clauses = [(must, anywhere(phrase)) for phrase in query.phrases]
    if query.words:
        words = make.boolean_query([(should, anywhere((word,))) for word in query.words])
        clauses.append((should if clauses else must, words))
    names = make.term_set_query(index.schema, "generation", [key_name(key) for key in allowed])
    clauses.append((must, make.const_score_query(names, 0.0)))
    found = searcher.search(make.boolean_query(clauses), searcher.num_docs).hits
    hits = [(searcher.doc(address)["scene"][0], score) for score, address in found]
    best = [hit for hit in hits if chosen is None or hit[0] in chosen][:k]
    return sorted(best, key=lambda hit: (-hit[1], hit[0]))


SCOPES: dict[str, list[Key]] = {
    "everything but an older generation": KEYS[1:],
    "everything but a newer generation": KEYS[:-1],
    "one": KEYS[5:6],
    "most": KEYS[3:],
    "some": KEYS[1:4],
    "one of two generations": [KEYS[-1], KEYS[1], KEYS[11]],
    "some that are not indexed": [*KEYS[2:8], ("absent", 1)],
}
FEW, MANY = 1, 1000


@pytest.mark.parametrize("listed", [FEW, MANY])
@pytest.mark.parametrize("scope", SCOPES)
def test_only_the_allowed_generations_are_found(
    folder: Path, scope: str, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "MAX_LISTED_GENERATIONS", listed)
    index = opened(folder)
    for text in TEXTS:
        for k in (3, 40, 500):
            hits = index.search(text, k=k, allowed=frozenset(SCOPES[scope])).hits
            expected = plain(folder, text, k, SCOPES[scope], None)
            assert [scene_id for scene_id, _ in hits] == [scene_id for scene_id, _ in expected]
            assert [score for _, score in hits] == pytest.approx([score for _, score in expected], rel=1e-6)


def table_of(keys: list[Key]) -> SceneTable:
    parts = [Part(SceneColumns.of(sidecar.scenes_table(CONTENT[key][1])), range(len(CONTENT[key][1]))) for key in keys]
    return SceneTable([VisibleVideo(v, "me", n, "", deleted=False) for v, n in keys], parts)


def passes(scene: Scene, filters: Filters) -> bool:
    own = {tag.lower() for tag in scene.tags}
    languages = {code.lower() for code in filters.languages}
    return own.issuperset(tag.lower() for tag in filters.tags) and (
        not languages or (scene.language or "").lower() in languages
    )


@pytest.mark.parametrize("listed", [FEW, MANY])
@pytest.mark.parametrize(
    "filters",
    [
        [Filters(tags=("Half",))],
        [Filters(tags=("rare ONE",)), Filters(min_s=0.5)],
        [Filters(tags=("half", "rare one"))],
        [Filters(tags=("absent",))],
        [Filters(languages=("ko", "fr"))],
        [Filters(languages=("EN",), tags=("half",)), Filters(languages=("en", "ko"))],
        [],
    ],
)
@pytest.mark.parametrize("every", [1, 3])
def test_only_the_chosen_scenes_are_found(
    folder: Path, filters: list[Filters], every: int, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "MAX_LISTED_SCENES", listed)
    monkeypatch.setattr(lexical, "MAX_LISTED_GENERATIONS", listed)
    keys = KEYS[1:]
    table = table_of(keys)
    mask = np.arange(len(table)) % every == 0
    mask &= [all(passes(scene, one) for one in filters) for key in keys for scene in CONTENT[key][1]]
    scenes = SceneSet(table, mask)
    index = opened(folder)
    for text in TEXTS:
        hits = index.search(text, k=10, allowed=frozenset(keys), scene_ids=scenes, filters=filters).hits
        expected = plain(folder, text, 10, keys, frozenset(scenes))
        assert [scene_id for scene_id, _ in hits] == [scene_id for scene_id, _ in expected]
        assert [score for _, score in hits] == pytest.approx([score for _, score in expected], rel=1e-6)


def test_a_large_set_is_listed_where_too_many_hits_would_have_to_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "MAX_LISTED_SCENES", 1)
    monkeypatch.setattr(lexical, "MAX_READ", 20)
    table = table_of(KEYS[1:])
    scenes = SceneSet(table, np.arange(len(table)) % 4 == 0)
    hits = opened(folder).search("bread moon", k=10, allowed=KEYS[1:], scene_ids=scenes).hits
    assert hits == plain(folder, "bread moon", 10, KEYS[1:], frozenset(scenes))


def test_every_scene_with_an_excluded_word_is_found(folder: Path) -> None:
    expected = {s.scene_id for key in KEYS[1:] for s in CONTENT[key][1] if "wolf" in s.transcript}
    expected |= {s.scene_id for key in KEYS[1:] for s in CONTENT[key][1] if "wolf" in CONTENT[key][0]}
    found = opened(folder).with_phrase("wolf", allowed=KEYS[1:])
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_an_id_is_kept_in_columns_only_if_it_can_be_made_of_them() -> None:
    video_id = str(uuid.UUID(int=(5 << 64) + 7))
    assert columns_of(make_scene_id(video_id, 1.5, 2.0)) == (5, 7, 1500, 2000)
    assert columns_of("no-uuid_0_2000") is None
    assert columns_of(f"{video_id.upper()[:-1]}A_0_2000") is None
    assert columns_of(f"{video_id.replace('-', '')}_0_2000") is None
    assert columns_of("nothing") is None
