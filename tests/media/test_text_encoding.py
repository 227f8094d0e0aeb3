"""Text in an unknown encoding is decoded as it was meant."""

from __future__ import annotations

import pytest

from heimdex_core.media.text_encoding import decode_text, language_of

TEXTS = {
    "korean": "1\n00:00:01,000 --> 00:00:02,000\n빨간 자동차가 다리를 건넌다\n",
    "one syllable": "1\n00:00:01,000 --> 00:00:02,000\n네\n",
    "japanese": "1\n00:00:01,000 --> 00:00:02,000\nこんにちは、世界。カメラを見て\n",
    "chinese": "1\n00:00:01,000 --> 00:00:02,000\n你好，世界。红色的汽车在桥上行驶，我们今天去公园看电影吧\n",
    "french": "1\n00:00:01,000 --> 00:00:02,000\nÇa c’est l’été à la française — déjà vu, où êtes-vous ?\n",
    "german": "1\n00:00:01,000 --> 00:00:02,000\nGrüße aus Köln, schöne Straße\n",
    "russian": "1\n00:00:01,000 --> 00:00:02,000\nПривет, как дела? Красная машина на мосту\n",
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("korean", "utf-8"),
        ("korean", "cp949"),
        ("korean", "utf-16-le"),
        ("korean", "utf-16-be"),
        ("one syllable", "cp949"),
        ("one syllable", "utf-16-le"),
        ("japanese", "cp932"),
        ("japanese", "euc_jp"),
        ("chinese", "gb18030"),
        ("french", "cp1252"),
        ("german", "cp1252"),
        ("russian", "cp1251"),
        ("russian", "koi8_r"),
    ],
)
def test_without_a_byte_order_mark(text: str, encoding: str) -> None:
    assert decode_text(TEXTS[text].encode(encoding)) == (TEXTS[text], encoding)


@pytest.mark.parametrize(("encoding", "name"), [("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-32", "utf-32")])
def test_with_a_byte_order_mark(encoding: str, name: str) -> None:
    assert decode_text(TEXTS["korean"].encode(encoding)) == (TEXTS["korean"], name)


def test_binary_data_does_not_raise() -> None:
    text, _ = decode_text(bytes(range(256)) * 4)
    assert isinstance(text, str)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("안녕하세요 everyone", "ko"),
        ("これはペンです", "ja"),
        ("我们今天去公园", "zh"),
        ("the end of the story is in the book", "en"),
        ("Привет, как дела", None),
        ("Guten Tag", None),
        ("123 --- ♪", None),
        ("", None),
    ],
)
def test_language_by_script(text: str, language: str | None) -> None:
    assert language_of(text) == language
