"""The content words of a query, and what the lexical channel makes of those that a scene has."""

from __future__ import annotations

import pytest

from heimdex_core.search import coverage
from heimdex_core.search.coverage import content_words
from heimdex_core.store.morphemes import Morpheme


@pytest.fixture(autouse=True)
def without_kiwi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Korean words are divided by syllables, whether Kiwi is installed or not."""
    monkeypatch.setattr(coverage, "morphemes", lambda text: iter(()))


@pytest.mark.parametrize(
    ("lookup", "words"),
    [
        ("lost my wallet in a taxi", ["lost", "wallet", "taxi"]),
        ("a video of people talking about boats", ["boat"]),
        ("boat boats a boat", ["boat"]),
        ("people talking", ["peopl", "talk"]),  # there are no others
        ("in 1984", ["1984"]),
        ("the of and", []),
        ("우산을 두고 내린 이야기", ["우산", "두고", "내린"]),
        ("BTS 공연 영상", ["bts", "공연"]),
    ],
)
def test_words_that_say_what_is_looked_for(lookup: str, words: list[str]) -> None:
    assert content_words(lookup) == tuple(((word,),) for word in words)


def test_a_quoted_phrase_is_one_word() -> None:
    assert content_words('red "on the bridge"') == ((("on", "the", "bridg"),), (("red",),))


def test_morphemes_take_the_place_of_syllables_and_match_an_older_index_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Morpheme("잠수함/", 0, 3), Morpheme("물/", 5, 6), Morpheme("이야기/", 8, 11)]
    monkeypatch.setattr(coverage, "morphemes", lambda text: iter(found))
    assert content_words("잠수함과 물의 이야기") == ((("잠수함/",), ("잠수", "수함")), (("물/",),))
