"""Cues from word times, and their correction."""

import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.export.captions import correct_cue, cues_to_srt, make_cues, spoken_words
from heimdex_core.export.captions.cues import MAX_CUE_S, MIN_CUE_S
from heimdex_core.export.captions.words import ends_sentence, join_words, shared_times
from heimdex_core.types import Cue, CueWord, Segment, Word, to_json


def spoken(text: str, start_s: float = 0.0, each_s: float = 0.3) -> list[Word]:
    """Words one directly after the other, each as long as the others."""
    return [Word(t, start_s + n * each_s, start_s + (n + 1) * each_s) for n, t in enumerate(text.split())]


def texts(words: list[Word], end_s: float = 60.0, language: str | None = "en") -> list[str]:
    return [cue.text for cue in make_cues(words, start_s=0, end_s=end_s, language=language)]


def test_a_cue_never_reaches_into_the_next_sentence() -> None:
    assert texts(spoken("We go home now. You may stay here for ever.")) == [
        "We go home now.",
        "You may stay here for ever.",
    ]


def test_a_long_sentence_is_parted_at_its_clauses() -> None:
    words = spoken("When the scene comes to an end, the picture fades to black and the music stops.")
    assert texts(words) == ["When the scene comes to an end,", "the picture fades to black", "and the music stops."]


def test_korean_is_parted_between_eojeols() -> None:
    words = spoken("장면이 끝나면 문장 한가운데서 말하는 사람을 자르지 않고, 다음 문장으로 넘어갑니다.", each_s=0.4)
    cues = make_cues(words, start_s=0, end_s=60, language="ko")
    assert len(cues) > 1
    assert " ".join(cue.text for cue in cues).split() == [word.text for word in words]


def test_cues_are_long_enough_to_be_read_and_do_not_overlap() -> None:
    # "No." lasts 0.2 s, then nothing is said for 2 s; 4 + 31 characters at 16 a second are 1.9 s
    words = [Word("No.", 0.0, 0.2), *spoken("This is said faster than read", 2.2, 0.1)]
    first, second = make_cues(words, start_s=0, end_s=10, language="en")
    assert (first.start_s, first.end_s) == (0.0, MIN_CUE_S)
    assert (second.start_s, second.end_s) == (2.2, pytest.approx(2.2 + 29 / 16))


def test_a_short_gap_is_closed_and_a_long_cue_is_cut() -> None:
    words = [Word("One.", 0.0, 1.0), Word("Two.", 1.2, 2.2), Word("Looong.", 4.0, 20.0)]
    cues = make_cues(words, start_s=0, end_s=30, language="en")
    assert [(cue.start_s, cue.end_s) for cue in cues] == [(0.0, 1.2), (1.2, 2.2), (4.0, 4.0 + MAX_CUE_S)]


def test_only_the_part_that_is_shown_has_cues() -> None:
    words = spoken("zero one two three four", each_s=1.0)
    (cue,) = make_cues(words, start_s=0.8, end_s=3.4, language="en")
    # the middle of "zero" lies before the part, that of "three" behind it
    assert (cue.text, cue.start_s, cue.end_s) == ("one two", 1.0, 3.0)
    assert make_cues([], start_s=0, end_s=1, language=None) == ()


def test_words_in_disorder_make_cues_in_order() -> None:
    words = [Word("b", 0.5, 0.4), Word("c", 0.5, 9.0), Word("a", 0.0, 3.0), Word(" ", 1.0, 2.0)]
    cues = make_cues(words, start_s=0, end_s=4, language="en")
    assert [word.text for cue in cues for word in cue.words][0] == "a"
    for cue in cues:
        assert 0 <= cue.start_s < cue.end_s <= 4
        assert all(word.end_s <= cue.end_s for word in cue.words)


@pytest.mark.parametrize(
    ("text", "following", "ends"),
    [
        ("end.", "The", True),
        ('end."', "The", True),
        ("Dr.", "Kim", False),
        ("J.", "Smith", False),
        ("3.", "percent", False),
        ("입니다.", "그래서", True),
        ("word", "Next", False),
        ("what?!", "he", False),
    ],
)
def test_ends_of_sentences(text: str, following: str, ends: bool) -> None:
    assert ends_sentence(Word(text, 0, 1), Word(following, 1, 2)) is ends


def test_korean_without_full_stops_ends_at_a_pause() -> None:
    assert ends_sentence(Word("합니다", 0, 1), Word("그래서", 1.5, 2))
    assert not ends_sentence(Word("합니다", 0, 1), Word("그래서", 1.1, 2))


def test_lines_without_word_times_share_their_time() -> None:
    line = Segment(2.0, 4.0, "ab abcdef")
    # 3 and 7 of 10 characters, each word with a space
    assert spoken_words([line], 0, 10) == (Word("ab", 2.0, 2.6), Word("abcdef", 2.6, 4.0))
    assert [word.text for word in spoken_words([line], 2.6, 10)] == ["abcdef"]
    assert shared_times([], 0, 1) == ()


def test_chinese_and_japanese_are_joined_without_spaces() -> None:
    assert join_words(["你", "好", "world", "한국어", "문장"]) == "你好 world 한국어 문장"


CUE = Cue(1.0, 3.0, "we se the picture", tuple(CueWord(1 + n / 2, 1.5 + n / 2, t) for n, t in enumerate(
    ["we", "se", "the", "picture"]
)))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We see the picture.", [("We", 1.0, 1.5), ("see", 1.5, 2.0), ("the", 2.0, 2.5), ("picture.", 2.5, 3.0)]),
        ("we the picture", [("we", 1.0, 1.5), ("the", 2.0, 2.5), ("picture", 2.5, 3.0)]),
        # "se" is now two words of 4 and 6 characters with their spaces
        ("we saw seven the picture", [("we", 1.0, 1.5), ("saw", 1.5, 1.7), ("seven", 1.7, 2.0), ("the", 2.0, 2.5),
                                      ("picture", 2.5, 3.0)]),
        ("so we se the picture", [("so", 1.0, 1.25), ("we", 1.25, 1.5), ("se", 1.5, 2.0), ("the", 2.0, 2.5),
                                  ("picture", 2.5, 3.0)]),
        ("", []),
    ],
)  # fmt: skip
def test_a_correction_keeps_the_times(text: str, expected: list[tuple[str, float, float]]) -> None:
    fixed = correct_cue(CUE, text)
    assert (fixed.start_s, fixed.end_s, fixed.text) == (1.0, 3.0, text)
    assert [(w.text, pytest.approx(w.start_s), pytest.approx(w.end_s)) for w in fixed.words] == expected


def test_cues_as_json_and_srt() -> None:
    assert Cue.from_json(to_json(CUE)) == CUE
    assert CUE.moved(-1).words[0] == CueWord(0.0, 0.5, "we")
    assert cues_to_srt([CUE, Cue(4, 5, "")], offset_s=0.5) == "1\n00:00:00,500 --> 00:00:02,500\nwe se the picture\n"
    for data in ({}, {"start_s": 2, "end_s": 1, "text": "", "words": []}):
        with pytest.raises(InvalidValue):
            Cue.from_json(data)
