from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import lexical, lexical_files, lexical_writing
from heimdex_core.store.lexical import LexicalIndex
from heimdex_core.store.lexical_files import FIELDS
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Scene
from tests.store.making import make_scenes

A, B, NEW_A = ("a", 1), ("b", 1), ("a", 2)


def scene(video: str, index: int, transcript: str = "", tags: tuple[str, ...] = (), screen: str = "") -> Scene:
    made = make_scenes(video, ["-"] * index + [transcript], tags=tags)[index]
    return Scene(**{**{n: getattr(made, n) for n in Scene.__dataclass_fields__}, "on_screen_text": screen})


CONTENT: dict[Key, tuple[str, list[Scene]]] = {
    A: ("Harbour", [scene("a", 0, "a red car on the bridge"), scene("a", 1, "the bridge and a car that is red")]),
    B: ("밤", [scene("b", 0, "어두운 밤에 비가"), scene("b", 1, "", ("car",)), scene("b", 2, "", (), "exit car")]),
    NEW_A: ("Harbour", [scene("a", 0, "a blue boat")]),
}


def build(folder: Path, keys: list[Key], redo: tuple[Key, ...] = ()) -> LexicalIndex:
    lexical_writing.sync(folder, keys, CONTENT.get, redo=redo)
    index = LexicalIndex.open(folder)
    assert index is not None
    return index


def ids(index: LexicalIndex, text: str, allowed: list[Key], k: int = 10) -> list[str]:
    return [scene_id for scene_id, _ in index.search(text, k=k, allowed=allowed).hits]


def test_phrase_needs_the_order(tmp_path: Path) -> None:
    index = build(tmp_path, [A, B])
    assert ids(index, '"red car"', [A, B]) == ["a_0_2000"]
    assert set(ids(index, "red car", [A])) == {"a_0_2000", "a_2000_4000"}
    assert ids(index, '"어두운 밤"', [A, B]) == []  # 밤에 is another word for pairs of syllables
    assert ids(index, '"어두운 밤에"', [A, B]) == ["b_0_2000"]


def test_words_beside_a_phrase_only_affect_the_ranking(tmp_path: Path) -> None:
    index = build(tmp_path, [A, B])
    assert ids(index, '"bridge" red', [A, B])[0] in ("a_0_2000", "a_2000_4000")
    assert len(ids(index, '"bridge" nonsense', [A, B])) == 2


def test_field_weights(tmp_path: Path) -> None:
    assert FIELDS == {"transcript": 3.0, "title": 2.0, "tags": 4.0, "caption": 2.0, "on_screen_text": 2.0}
    content = {
        ("t", 1): ("", [scene("t", 0, transcript="zebra")]),
        ("g", 1): ("", [scene("g", 0, tags=("zebra",))]),
        ("s", 1): ("", [scene("s", 0, screen="zebra")]),
    }
    lexical_writing.sync(tmp_path, list(content), content.get)
    index = LexicalIndex.open(tmp_path)
    assert index is not None
    hits = index.search("zebra", k=9, allowed=list(content)).hits
    # One document in three has the word in each field, once and alone: the same BM25, times the weights 4, 3, 2.
    assert [h[0] for h in hits] == ["g_0_2000", "t_0_2000", "s_0_2000"]
    scores = [score for _, score in hits]
    assert abs(scores[0] / scores[2] - 2.0) < 0.01
    assert abs(scores[1] / scores[2] - 1.5) < 0.01


def test_title_counts_for_all_its_scenes(tmp_path: Path) -> None:
    assert sorted(ids(build(tmp_path, [A, B]), "harbour", [A, B])) == ["a_0_2000", "a_2000_4000"]


def test_only_allowed_generations(tmp_path: Path) -> None:
    index = build(tmp_path, [A, B, NEW_A])
    assert ids(index, "boat", [A, B]) == []
    assert ids(index, "boat", [NEW_A]) == ["a_0_2000"]
    assert ids(index, "red", [NEW_A, B]) == []
    assert len(ids(index, "car", [A, B], k=1)) == 1


def test_stale_generations_are_removed_and_repeating_changes_nothing(tmp_path: Path) -> None:
    build(tmp_path, [A, B])
    index = build(tmp_path, [NEW_A, B], redo=(B,))
    assert index.keys == {NEW_A, B}
    assert ids(index, "red", [A]) == []
    assert ids(index, "어두운", [B]) == ["b_0_2000"]  # once, though it was added twice
    assert lexical_writing.sync(tmp_path, [NEW_A, B], CONTENT.get) is False


def test_an_opened_index_stays_as_it_was(tmp_path: Path) -> None:
    opened = build(tmp_path, [A])
    build(tmp_path, [B])
    assert ids(opened, "bridge", [A]) != []


def test_a_damaged_index_is_rebuilt_by_the_next_write(tmp_path: Path) -> None:
    build(tmp_path, [A])
    (tmp_path / "meta.json").write_text("rubbish")
    assert ids(build(tmp_path, [A]), '"red car"', [A]) == ["a_0_2000"]


def test_operators_have_no_effect(tmp_path: Path) -> None:
    index = build(tmp_path, [A, B])
    for text in ("title:harbour AND (", "car^5 OR *", "-red", "\\", '"" ""', "~~~"):
        index.search(text, k=5, allowed=[A, B])
    assert index.search("", k=5, allowed=[A]).hits == []


def test_descriptions_are_found(tmp_path: Path) -> None:
    said = replace(make_scenes("c", ["nothing"])[0], caption="a green triangle above a red circle")
    lexical_writing.sync(tmp_path, [("c", 1)], {("c", 1): ("", [said])}.get)
    index = LexicalIndex.open(tmp_path)
    assert index is not None
    assert ids(index, "triangles", [("c", 1)]) == [said.scene_id]


def test_an_index_from_before_descriptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is searched as it is, also while the next writer builds a new one beside it."""
    folder = tmp_path / "lexical"
    described = replace(make_scenes("c", ["bread"])[0], caption="a green triangle")
    content = {("c", 1): ("", [described]), ("d", 1): ("", make_scenes("d", ["bread"]))}
    with monkeypatch.context() as older:
        older.setattr(lexical_files, "FORMAT", 1)
        older.setattr(lexical_files, "FIELDS", {name: FIELDS[name] for name in FIELDS if name != "caption"})
        lexical_writing.sync(folder, [("c", 1)], content.get)
    assert json.loads((folder / "manifest.json").read_text())["format"] == 1

    def found(text: str) -> list[str]:
        index = LexicalIndex.open(folder)
        assert index is not None
        return ids(index, text, [("c", 1)])

    meanwhile: list[list[str]] = []
    assert (found("bread"), found("triangle")) == ([described.scene_id], [])
    assert lexical_files.generations(folder) == {("c", 1)}
    with monkeypatch.context() as watched:
        watched.setattr(files, "crash_point", lambda step: meanwhile.append(found("bread")))
        lexical_writing.sync(folder, list(content), content.get)
    assert meanwhile == [[described.scene_id]] * 2
    assert (found("bread"), found("triangle")) == ([described.scene_id], [described.scene_id])
    assert lexical_files.generations(folder) == set(content)
    assert not lexical_writing.sync(folder, list(content), content.get)
    assert [path.name for path in tmp_path.iterdir()] == ["lexical"]


def test_an_index_of_a_later_format_is_refused_and_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lexical"
    build(folder, [A])
    with monkeypatch.context() as later:
        later.setattr(lexical_files, "FORMAT", 99)
        later.setattr(lexical_files, "READABLE", (99,))
        build(folder, [A])
    with pytest.raises(LibraryDamaged):
        LexicalIndex.open(folder)
    assert ids(build(folder, [A]), "red", [A]) != []


def test_coverage_is_the_share_of_words_that_a_scene_has_in_any_field(tmp_path: Path) -> None:
    index = build(tmp_path, [A, B])
    words = [(("red",),), (("car",),), (("exit",), ("blue", "boat")), (("harbour",),)]
    everything = [scene.scene_id for key in (A, B) for scene in CONTENT[key][1]]
    assert index.coverage(words, scene_ids=everything, allowed=[A, B]) == {
        "a_0_2000": 0.75,  # red, car, and the title
        "a_2000_4000": 0.75,
        "b_2000_4000": 0.25,  # the tag
        "b_4000_6000": 0.5,  # both on the screen
    }
    assert index.coverage(words, scene_ids=["a_0_2000", "b_4000_6000"], allowed=[B]) == {"b_4000_6000": 0.5}
    assert index.coverage([(("blue", "boat"), ("absent",))], scene_ids=everything, allowed=[A, B]) == {}
    assert index.coverage([], scene_ids=everything, allowed=[A]) == {}
    assert index.coverage(words, scene_ids=everything, allowed=[]) == {}
    assert index.coverage(words, scene_ids=[], allowed=[A]) == {}


@pytest.mark.parametrize("at_most", [2, 3, 200])
def test_scenes_with_too_few_of_the_words_are_left_out_however_many_have_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_most: int
) -> None:
    """Of all scenes two have three of the words, one two and one one: see above."""
    monkeypatch.setattr(lexical, "MAX_WITH_WORDS", at_most)
    index = build(tmp_path, [A, B])
    words = [(("red",),), (("car",),), (("exit",), ("blue", "boat")), (("harbour",),)]
    everything = [scene.scene_id for key in (A, B) for scene in CONTENT[key][1]]

    def found(least: float, scene_ids: list[str]) -> dict[str, float]:
        return index.coverage(words, scene_ids=scene_ids, allowed=[A, B], least=least)

    assert found(0.5, everything) == {"a_0_2000": 0.75, "a_2000_4000": 0.75, "b_4000_6000": 0.5}
    assert found(0.6, everything) == {"a_0_2000": 0.75, "a_2000_4000": 0.75}
    assert found(0.5, ["a_0_2000", "b_2000_4000"]) == {"a_0_2000": 0.75}
    assert found(1.0, everything) == {}
