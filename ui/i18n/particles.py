"""Korean particles: which form of 을/를, 이/가, 은/는, 과/와, 으로/로 and the like follows a text.

The form depends on the last sound of the word before: one form after a final consonant, another after a vowel, and
으로/로 treats ㄹ like a vowel. A text names the particle as a pair, the form after a consonant first: "{title}을/를".
Quotation marks and punctuation before the pair are skipped, and so are brackets with their content, since a particle
agrees with the word before the bracket.

Hangul shows its final consonant in its code point (The Unicode Standard, 3.12, "Conjoining Jamo Behavior"). Digits are
read as Sino-Korean numbers. Latin words follow the rules for English loanwords of the National Institute of Korean
Language (외래어 표기법, chapter 3, section 1), with exceptions for common words whose usual reading differs.
Abbreviations are read letter by letter.

docs/decisions/korean-particles.md says which packages were tried.
"""

from __future__ import annotations

import re
import unicodedata

PAIRS = ("을/를", "이/가", "은/는", "과/와", "으로/로", "이나/나", "이에요/예요", "이라/라", "이며/며")
"""The particles that texts may name: the form after a consonant, then the form after a vowel."""

_PAIR = re.compile("|".join(PAIRS))
_FINALS = (
    "", "ㄱ", "ㄲ", "ㄳ", "ㄴ", "ㄵ", "ㄶ", "ㄷ", "ㄹ", "ㄺ", "ㄻ", "ㄼ", "ㄽ", "ㄾ",
    "ㄿ", "ㅀ", "ㅁ", "ㅂ", "ㅄ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ", "ㅎ",
)  # fmt: skip

_BRACKETED = re.compile(r"(?<=\S)\s*(?:\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|（[^（）]*）|【[^【】]*】)\W*$")
_SOUNDED = "%+℃"
"""Signs at the end that are read aloud: 퍼센트, 플러스, 도 (씨). All of them end in a vowel."""

_DIGITS = dict(zip("0123456789", ("ㅇ", "ㄹ", "", "ㅁ", "", "", "ㄱ", "ㄹ", "ㄹ", ""), strict=True))
_ENGLISH_DIGITS = dict(zip("0123456789", ("", "ㄴ", "", "", "", "", "", "ㄴ", "", "ㄴ"), strict=True))
"""제로, 원, 투, 쓰리, ...: how a digit after one or two letters is read (MP3, v3, M1)."""
_POWERS = ((12, ""), (8, "ㄱ"), (4, "ㄴ"), (3, "ㄴ"), (2, "ㄱ"), (1, "ㅂ"))
"""조, 억, 만, 천, 백, 십: the last sound of a number with at least so many zeros at its end."""

_SONORANTS = {"l": "ㄹ", "m": "ㅁ", "n": "ㄴ"}
_LETTERS = {**_SONORANTS, "r": "ㄹ"}
"""엘, 엠, 엔, 알. The names of the other letters end in a vowel."""
_EXCEPTIONS = {
    "anime": "", "bag": "ㄱ", "big": "ㄱ", "bit": "", "clip": "ㅂ", "club": "ㅂ", "deep": "ㅂ", "dot": "", "foot": "ㅅ",
    "good": "ㅅ", "group": "ㅂ", "hit": "", "job": "ㅂ", "keep": "ㅂ", "lab": "ㅂ", "look": "ㄱ", "book": "ㄱ",
    "cook": "ㄱ", "facebook": "ㄱ", "macbook": "ㄱ", "notebook": "ㄱ", "px": "ㄹ", "set": "", "sleep": "ㅂ",
    "tab": "ㅂ", "web": "ㅂ",
}  # fmt: skip


def resolve(text: str, before: str = "") -> str:
    """Replace the pairs in `text`; `before` is what stands in front of it."""
    done = before
    position = 0
    for match in _PAIR.finditer(text):
        done += text[position : match.start()]
        done += choose(done, match.group())
        position = match.end()
    return done[len(before) :] + text[position:]


def choose(word: str, pair: str) -> str:
    """The form of a particle after `word`.

    Args:
        word: the text before the particle; only its end matters. After a text without letters and digits, the form
            after a vowel is taken.
        pair: one of PAIRS.
    """
    after_consonant, after_vowel = pair.split("/")
    final = final_consonant(word)
    is_open = not final or (final == "ㄹ" and pair == "으로/로")
    return after_vowel if is_open else after_consonant


def final_consonant(text: str) -> str:
    """The consonant with which `text` ends when it is read aloud in Korean, such as "ㄹ"; empty after a vowel."""
    text = _read_part(unicodedata.normalize("NFKC", text[-200:]))
    if not text or text[-1] in _SOUNDED:
        return ""
    last = text[-1]
    if "가" <= last <= "힣":
        return _FINALS[(ord(last) - ord("가")) % len(_FINALS)]
    if "ㄱ" <= last <= "ㅎ":  # 기역, 니은, ..., 리을: the names of the letters end like the letters or in ㄱ
        return last
    if last.isdecimal() and last.isascii():
        return _of_number(text)
    return _of_word(text) or ("ㄴ" if last in "んン" else "")


def _read_part(text: str) -> str:
    """`text` without what is not read at its end: punctuation, quotation marks, brackets and their content."""
    while True:
        shorter = _BRACKETED.sub("", text)
        if shorter == text or not any(map(_is_read, shorter)):
            break
        text = shorter
    end = len(text)
    while end and not _is_read(text[end - 1]):
        end -= 1
    return text[:end]


def _is_read(character: str) -> bool:
    return character.isalnum() or character in _SOUNDED


def _of_number(text: str) -> str:
    if re.search(r"\d:\d\d$", text):  # a time of day or a duration: 3분 5초
        return ""
    if match := re.search(r"([A-Za-z]+)(\d)$", text):
        letters = match[1]
        if len(letters) <= 2 or letters.isupper():
            return _ENGLISH_DIGITS[match[2]]
    number = re.search(r"[\d,.]+$", text)
    digits = number[0] if number else text[-1]
    if "." in digits.rstrip("."):  # decimals are read digit by digit
        return _DIGITS[digits[-1]]
    digits = digits.replace(",", "").strip(".")
    zeros = len(digits) - len(digits.rstrip("0"))
    if zeros and zeros < len(digits):
        return next(final for power, final in _POWERS if zeros >= power)
    return _DIGITS[digits[-1]]


def _of_word(text: str) -> str:
    if not text[-1].isascii():  # é and the like are vowels; of other scripts we do not know the reading
        return ""
    word = re.split(r"[^A-Za-z]", text)[-1]
    lower = word.lower()
    if lower in _EXCEPTIONS:
        return _EXCEPTIONS[lower]
    spelled = (word.isupper() and len(word) <= 4) or not re.search("[aeiouy]", lower)
    if spelled or re.search("[a-z][A-Z]+$", word):  # GPU, srt, MiniLM
        return _LETTERS.get(lower[-1], "")
    return _of_latin(lower)


def _of_latin(word: str) -> str:
    """The final consonant of a Latin word in lower case, by the rules for English loanwords."""
    if re.search("[aeiouy].*le$|[aeiouy][mn]e$", word):  # table, file, name, offline: the e is silent
        return _SONORANTS[word[-2]]
    if word.endswith("ng"):
        return "ㅇ"
    if word.endswith("mb"):
        return "ㅁ"
    if word[-1] in _SONORANTS:
        return _SONORANTS[word[-1]]
    # [p], [t] and [k] are final consonants after a short vowel (section 1, paragraph 1), else 프, 트, 크
    if match := re.search("(?:^|[^aeiou])(?:qu)?[aeiouy](pp?|tt?|ck|k|c)$", word):
        return {"p": "ㅂ", "t": "ㅅ"}.get(match[1][0], "ㄱ")
    return ""
