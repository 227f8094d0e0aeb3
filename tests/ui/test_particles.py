"""Korean particles: the form after every kind of ending, in every Korean text that names one."""

from __future__ import annotations

import re
import string

import pytest

from ui.i18n import fill_korean, texts, translate
from ui.i18n.particles import PAIRS, choose, final_consonant, resolve

KO = texts("ko")

ENDINGS = {
    "바다": "",
    "책": "ㄱ",
    "서울": "ㄹ",
    "laptop": "ㅂ",  # 랩톱
    "studio": "",  # 스튜디오
    "small": "ㄹ",  # 스몰
    "2": "",  # 이
    "3": "ㅁ",  # 삼
    "8": "ㄹ",  # 팔
}
"""A word for each kind of ending, with the last consonant of its usual reading."""
PAIR = re.compile("|".join(PAIRS))
FIXED = re.compile(r"\}[’”]?(을|를|이|가|은|는|과|와|으로|로|이나|나|예요|이에요)(?![가-힣/])")


def form(pair: str, final: str) -> str:
    """Worked out here once more: 을, 이, 은 after a consonant, 로 after a vowel and after ㄹ."""
    consonant, vowel = pair.split("/")
    if pair == "으로/로" and final == "ㄹ":
        return vowel
    return consonant if final else vowel


def pairs_after_fields(text: str) -> list[tuple[str, str, str]]:
    """(field, quotation mark or "", pair) for each pair that follows a field."""
    return re.findall(rf"\{{(\w+)\}}([’”]?)({'|'.join(PAIRS)})", text)


@pytest.mark.parametrize(("word", "final"), ENDINGS.items())
def test_every_korean_text_has_the_particle_that_fits(word: str, final: str) -> None:
    checked = 0
    for key, text in KO.items():
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        shown = fill_korean(text, dict.fromkeys(names, word))
        assert not PAIR.search(shown), key
        for field, quote, pair in pairs_after_fields(text):
            assert f"{word}{quote}{form(pair, final)}" in shown, (key, field)
            checked += 1
    assert checked >= 10, "the texts that name particles are found"


def test_no_korean_text_leaves_a_pair_or_fixes_a_particle_after_a_field() -> None:
    """A particle after a field that is written out is right for some values only, and "을(를)" for none."""
    assert [key for key, text in KO.items() if FIXED.search(text)] == []
    assert [key for key, text in KO.items() if re.search(r"\((를|가|는|와|으|이|로|나)\)", text)] == []
    assert [key for key, text in KO.items() if len(PAIR.findall(text)) != len(pairs_after_fields(text))] == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_value_is_never_read_as_a_pair(language: str) -> None:
    assert "이/가 을/를" in translate(language, "library.deleted", title="이/가 을/를")


@pytest.mark.parametrize(
    ("word", "final"),
    [
        # what is skipped at the end
        ("‘바다’", ""), ("“강”", "ㅇ"), ("모델.", "ㄹ"), ("모델(3개)", "ㄹ"), ("영상 (a.mp4)", "ㅇ"), ("(강)", "ㅇ"),
        ("목록 [1] (2)", "ㄱ"), ("책… ", "ㄱ"), ("책 🎬", "ㄱ"),
        # lists: the last item counts
        ("바다, 서울", "ㄹ"), ("서울, 바다", ""), ("laptop · studio", ""),
        # numbers: 십, 백, 천, 만, 억, 조; decimals digit by digit; a time is read with 초
        ("10", "ㅂ"), ("200", "ㄱ"), ("1,000", "ㄴ"), ("30,000", "ㄴ"), ("100000000", "ㄱ"), ("1000000000000", ""),
        ("0", "ㅇ"), ("1.5", ""), ("1.0", "ㅇ"), ("3:07", ""), ("5%", ""), ("12", ""), ("16", "ㄱ"), ("1.3 MB", ""),
        # abbreviations letter by letter, with English digits after one or two letters
        ("GPU", ""), ("URL", "ㄹ"), ("RAM", "ㅁ"), ("a.srt", ""), ("page.html", "ㄹ"), ("MiniLM", "ㅁ"), ("MP3", ""),
        ("Trip.mp4", ""), ("M1", "ㄴ"), ("large-v3", ""), ("H.264", ""), ("clip 3", "ㅁ"), ("clip7", "ㄹ"),
        # words
        ("offline", "ㄴ"), ("file", "ㄹ"), ("table", "ㄹ"), ("name", "ㅁ"), ("image", ""), ("the", ""), ("track", "ㄱ"),
        ("music", "ㄱ"), ("week", ""), ("bank", ""), ("robot", "ㅅ"), ("script", ""), ("night", ""), ("app", "ㅂ"),
        ("design", "ㄴ"), ("Whisper", ""), ("cloud", ""), ("living", "ㅇ"), ("thumb", "ㅁ"), ("web", "ㅂ"),
        ("café", ""), ("résumé", ""),
        # file names of macOS have decomposed Hangul; full-width letters and digits
        ("\u1100\u1161\u11bc", "ㅇ"), ("\uff13", "ㅁ"),
        # no reading known, or nothing to read
        ("中", ""), ("ラーメン", "ㄴ"), ("…", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_last_sound_of_a_text(word: str, final: str) -> None:
    assert final_consonant(word) == final


@pytest.mark.parametrize("pair", PAIRS)
def test_each_pair_has_its_form_after_a_consonant_first(pair: str) -> None:
    consonant, vowel = pair.split("/")
    assert (choose("책", pair), choose("바다", pair)) == (consonant, vowel)
    assert choose("서울", pair) == (vowel if pair == "으로/로" else consonant)


def test_a_pair_looks_back_over_what_is_filled_in_before_it() -> None:
    assert resolve("을/를 열고 ", "책") == "을 열고 "
    assert resolve("이/가 바다과/와", "책") == "이 바다와"
    assert fill_korean("{a}과/와 {b}이/가 {c}", {"a": "서울", "b": "부산", "c": "을/를"}) == "서울과 부산이 을/를"
    assert fill_korean("{missing}을/를 {{}}", {}) == "{missing}을 {}"
