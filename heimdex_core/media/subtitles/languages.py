"""Languages by the codes and names that file names, tracks and style sheets give them."""

from __future__ import annotations

import re

# ISO 639-1 code, then the ISO 639-2 codes and the names by which people call the language in file names.
_TABLE = """
ko kor korean 한국어 한글 한국
en eng english 영어 영문
ja jpn japanese 일본어 日本語 jp jap
zh zho chi chinese 중국어 中文 简体 繁體 繁体 chs cht mandarin cn
es spa spanish 스페인어 español castellano castilian latino
fr fra fre french 프랑스어 français
de deu ger german 독일어 deutsch
it ita italian italiano
pt por portuguese português brazilian pob
ru rus russian русский
ar ara arabic العربية
bg bul bulgarian
ca cat catalan català
cs ces cze czech čeština
da dan danish dansk
el ell gre greek ελληνικά
et est estonian
fa fas per persian farsi
fi fin finnish suomi
he heb hebrew iw עברית
hi hin hindi
hr hrv croatian hrvatski
hu hun hungarian magyar
id ind indonesian
is isl ice icelandic
lt lit lithuanian
lv lav latvian
ms msa may malay
nl nld dut dutch nederlands flemish
no nor norwegian norsk nb nob nn nno
pl pol polish polski
ro ron rum romanian română
sk slk slo slovak
sl slv slovenian
sr srp serbian
sv swe swedish svenska
ta tam tamil
te tel telugu
th tha thai ไทย
tl tgl tagalog fil filipino
tr tur turkish türkçe
uk ukr ukrainian українська
ur urd urdu
vi vie vietnamese 베트남어
bn ben bengali
eu eus baq basque
gl glg galician
ka kat geo georgian
mk mkd mac macedonian
sq sqi alb albanian
"""
_CODES = {name: row.split()[0] for row in _TABLE.strip().split("\n") for name in row.split()}
_TAG = re.compile(r"([^\W\d_]{2,})(?:[-_][A-Za-z0-9]{2,8})*")


def language_named(text: str) -> str | None:
    """ISO 639-1 code of a code or name: "en", "eng", "English", "en-US", "zh_Hans", "ko-KR". None if it is none."""
    name = text.strip().casefold()
    if name in _CODES:
        return _CODES[name]
    match = _TAG.fullmatch(name)
    return _CODES.get(match[1]) if match and len(match[1]) <= 3 else None
