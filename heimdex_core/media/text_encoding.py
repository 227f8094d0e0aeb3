"""Decoding text of unknown encoding, above all subtitles: Unicode first, then Korean, Japanese, Western, others."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HANGUL = re.compile("[\uac00-\ud7a3]")
_KANA = re.compile("[\u3041-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")
# What Western European text uses beyond ASCII: letters, quotation marks, dashes, currencies.
_WESTERN = re.compile("[À-ÖØ-öø-ÿŒœŠšŽžŸªº¡¿«»‘’‚“”„…–—•·°€£§©®™\xa0´]")
# charset-normalizer chooses among these; with more it guesses worse on short files.
_OTHERS = ["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "gb18030", "big5", "koi8_r", "cp874", "cp1255", "cp1256"]

_BEYOND_ASCII = re.compile("[^\x00-\x7f]")

_SAMPLE_CHARS = 200_000
"""What an encoding or a language is recognised by."""
_DAMAGED, _DAMAGED_SHARE = 3, 0.05
# Bytes of other encodings seldom form valid characters of UTF-8.
_VALID_TO_DAMAGED = 4
_UTF16_ZERO_SHARE = 0.15


def decode_text(data: bytes) -> tuple[str, str]:
    """(text, name of its encoding). Never raises: bytes that fit no encoding become replacement characters.

    A few damaged bytes do not change what the rest is read as. NUL bytes are left out.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            text = data.decode(name, "replace")
            if _is_plausible(text):
                return text.replace("\x00", ""), "utf-8" if name == "utf-8-sig" else name
            data = data[len(mark) :]  # the mark is wrong
            break
    order = _utf16_order(data)
    if order is not None:
        return data.decode(order, "replace"), order
    data = data.replace(b"\x00", b"")
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-8"), "utf-8"
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if len(_BEYOND_ASCII.findall(text)) - damaged >= _VALID_TO_DAMAGED * damaged:
        return text, "utf-8"
    return _by_candidates(data) or _guessed(data)


def _by_candidates(data: bytes) -> tuple[str, str] | None:
    for errors in ("strict", "replace"):
        for name, fits in _CANDIDATES:
            try:
                text = data.decode(name, errors)
            except UnicodeDecodeError:
                continue
            sample = text[:_SAMPLE_CHARS]
            if fits(sample) and sample.count("\ufffd") <= max(_DAMAGED, _DAMAGED_SHARE * len(_foreign(sample))):
                return text, name
    return None


def _is_plausible(text: str) -> bool:
    """Whether text behind a byte order mark is what the mark says: hardly damaged, and with spaces and digits."""
    beyond = len(_BEYOND_ASCII.findall(text))
    return text.count("\ufffd") <= _DAMAGED_SHARE * len(text) and len(text) - beyond >= 0.02 * len(text)


def _utf16_order(data: bytes) -> str | None:
    """ "utf-16-le" or "utf-16-be" for text in it, None for other data.

    Half of the bytes of its markup, digits and spaces are zero, all in even or all in odd places.
    """
    head = data[: 2 * _SAMPLE_CHARS]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < _UTF16_ZERO_SHARE * len(head) / 2 or min(even, odd) > 0.3 * max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _guessed(data: bytes) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_CHARS], cp_isolation=_OTHERS).best()
    name = best.encoding if best is not None else "cp1252"
    return data.decode(name, "replace"), name


def _foreign(text: str) -> str:
    """The letters beyond ASCII."""
    return "".join(c for c in text if c > "\x7f" and c.isalpha())


def _is_korean(text: str) -> bool:
    """Whether most letters are syllables of KS X 1001; text in another encoding, read as cp949, has few of them."""
    letters = _foreign(text)
    # the other syllables of cp949, which are rare, take more than two bytes in euc_kr
    common = [c for c in letters if _HANGUL.match(c) and len(c.encode("euc_kr", "ignore")) == 2]
    return len(common) >= 0.8 * len(letters) > 0


def _is_japanese(text: str) -> bool:
    letters = _foreign(text)
    known = len(_KANA.findall(letters)) + len(_HAN.findall(letters))
    return len(_KANA.findall(letters)) >= 0.2 * len(letters) > 0 and known >= 0.9 * len(letters)


def _is_western(text: str) -> bool:
    beyond = [c for c in text if c > "\x7f"]
    letters = sum(c.isalpha() for c in text)
    return len(_foreign(text)) <= 0.35 * max(letters, 1) and all(_WESTERN.match(c) for c in beyond)


_CANDIDATES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("cp949", _is_korean),
    ("cp932", _is_japanese),
    ("euc_jp", _is_japanese),
    ("cp1252", _is_western),
)

_ENGLISH = frozenset({
    "the", "and", "you", "that", "is", "it", "to", "of", "in", "a", "i", "was", "for", "not", "are", "this",
    "he", "she", "we", "they", "on", "with", "my", "what", "have", "be", "but",
})  # fmt: skip


def language_of(text: str) -> str | None:
    """ISO 639-1 code: ko, ja and zh by their scripts, en by its most frequent words; None for everything else."""
    text = text[:_SAMPLE_CHARS]
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return None
    joined = "".join(letters)
    if len(_HANGUL.findall(joined)) >= 0.3 * len(letters):
        return "ko"
    kana, han = len(_KANA.findall(joined)), len(_HAN.findall(joined))
    if kana >= 0.1 * len(letters):
        return "ja"
    if han >= 0.3 * len(letters):
        return "zh"
    words = re.findall(r"[a-z']+", text.lower())
    if words and sum(w in _ENGLISH for w in words) >= 0.15 * len(words) and len("".join(words)) > 0.8 * len(letters):
        return "en"
    return None
