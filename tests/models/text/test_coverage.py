from __future__ import annotations

import pytest

from heimdex_core.models.text.coverage import latin_share


@pytest.mark.parametrize("text", ["hello", "café naïve", "Straße", "ＦＵＬＬ"])
def test_latin_letters(text: str) -> None:
    assert latin_share(text) == 1


@pytest.mark.parametrize("text", ["안녕하세요", "こんにちは", "привет", "γειά"])
def test_other_scripts(text: str) -> None:
    assert latin_share(text) == 0


@pytest.mark.parametrize("text", ["", "123", "?! 🙂"])
def test_no_letters(text: str) -> None:
    assert latin_share(text) is None


def test_a_syllable_weighs_two_and_a_half_letters() -> None:
    assert latin_share("abcde가나") == pytest.approx(5 / 10)
