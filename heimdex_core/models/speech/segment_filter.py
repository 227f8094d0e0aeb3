"""Drops what a recogniser hallucinated: lines over silence, loops, music marks, stock phrases.

A pure function of segments that every recogniser uses. Everything that is dropped is counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from heimdex_core.models.speech.windows import Span, overlap_s
from heimdex_core.types import Segment

NO_SPEECH_LIMIT = 0.8
REPEATED_LINES = 3
"""Of at least this many equal lines in a row only the first is kept."""
LOOP_TIMES = 5
"""A line that repeats one phrase at least this often, and says little else, is a loop."""
LOOP_WORDS = 6
"""Longest phrase of a loop."""
LOOP_COVER = 0.8
"""Least share of the line's words that the loop makes up."""
SPOKEN_SHARE = 0.5
"""Least share of a stock phrase's time that must be speech; otherwise nobody has said it."""
SPOKEN_S = 0.3
"""Least time of speech for a stock phrase: Whisper puts what it invents into the last moment of a clip."""

_MARKS = re.compile(r"[♩♪♫♬♭♯🎵🎶]")
_SOUNDS = re.compile(r"[\[(（【<*][^\])）】>*]*[\])）】>*]")

FILLERS: frozenset[str] = frozenset(
    {
        # what recognisers trained on subtitles invent over silence; compared without case and punctuation
        "thanks for watching",
        "thank you for watching",
        "thank you very much for watching",
        "thank you so much for watching",
        "thanks for watching and see you next time",
        "please subscribe",
        "please subscribe to my channel",
        "please like and subscribe",
        "like and subscribe",
        "dont forget to like and subscribe",
        "see you in the next video",
        "subtitles by the amaraorg community",
        "subtitles by amaraorg",
        "transcribed by otterai",
        "시청해 주셔서 감사합니다",
        "시청해주셔서 감사합니다",
        "영상 시청해주셔서 감사합니다",
        "끝까지 시청해주셔서 감사합니다",
        "구독과 좋아요 부탁드립니다",
        "구독과 좋아요 부탁드려요",
        "구독 좋아요 부탁드립니다",
        "좋아요와 구독 부탁드립니다",
        "다음 영상에서 만나요",
        "한글자막 by 한효정",
        "자막 제공 배달의민족",
        "ご視聴ありがとうございました",
        "チャンネル登録お願いします",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "谢谢观看",
        "gracias por ver el video",
        "subtítulos realizados por la comunidad de amaraorg",
        "soustitres réalisés par la communauté damaraorg",
        "untertitel der amaraorgcommunity",
        "vielen dank fürs zuschauen",
    }
)
_THANKS = re.compile(r"(thanks|thank you)( (very|so) much)?( for watching)?")
_FILLER_PATTERNS = (re.compile(r"mbc 뉴스 \S{2,5}입니다"), re.compile(r"(한글)?자막 (제공|by) .{1,20}"))


def filter_segments(
    segments: Sequence[Segment], *, no_speech_limit: float = NO_SPEECH_LIMIT, speech: Sequence[Span] = ()
) -> tuple[tuple[Segment, ...], dict[str, int]]:
    """The segments that are speech, unchanged, and how many were dropped by reason: no_speech, music, filler, loop.

    Those with `no_speech` above the limit (0 to 1) are dropped. `speech` is where a voice activity detector hears
    speech, [start, end) in seconds as the segments' times: a stock phrase ("Thanks for watching") is kept there.
    """
    dropped: Counter[str] = Counter()
    kept: list[Segment] = []
    for segment in segments:
        reason = reason_to_drop(segment, no_speech_limit=no_speech_limit, speech=speech)
        if reason is None:
            kept.append(segment)
        else:
            dropped[reason] += 1
    single = tuple(_without_repeats(kept))
    if len(kept) > len(single):
        dropped["loop"] += len(kept) - len(single)
    return single, dict(dropped)


def reason_to_drop(
    segment: Segment, *, no_speech_limit: float = NO_SPEECH_LIMIT, speech: Sequence[Span] = ()
) -> str | None:
    """Why a segment by itself is not speech ("no_speech", "music", "filler", "loop"); None if it may be."""
    if segment.no_speech is not None and segment.no_speech > no_speech_limit:
        return "no_speech"
    if _MARKS.search(segment.text) or not plain(_SOUNDS.sub(" ", segment.text)):
        return "music"
    if _is_filler(plain(segment.text)) and not _is_spoken(segment, speech):
        return "filler"
    return "loop" if is_loop(plain(segment.text).split()) else None


def is_stock_phrase(text: str) -> bool:
    """Whether `text` is nothing but a phrase that recognisers invent, over silence or for an unknown language."""
    return _is_filler(plain(text)) or _THANKS.fullmatch(plain(text)) is not None


def _is_filler(text: str) -> bool:
    return text in FILLERS or any(pattern.fullmatch(text) for pattern in _FILLER_PATTERNS)


def _is_spoken(segment: Segment, speech: Sequence[Span]) -> bool:
    """Whether enough of the segment's time is speech for somebody to have said it."""
    length_s = segment.end_s - segment.start_s
    return overlap_s((segment.start_s, segment.end_s), speech) >= max(SPOKEN_S, SPOKEN_SHARE * length_s)


def plain(text: str) -> str:
    """Lower case, without punctuation, with single spaces: for comparisons."""
    text = unicodedata.normalize("NFC", text).casefold()
    return " ".join("".join(c for c in text if c.isalnum() or c.isspace()).split())


def is_loop(words: Sequence[str]) -> bool:
    """Whether a phrase of up to LOOP_WORDS words, at least LOOP_TIMES in a row, makes up nearly all of the line."""
    for size in range(1, LOOP_WORDS + 1):
        if len(words) < size * LOOP_TIMES:
            return False
        run = best = 0
        for n in range(size, len(words)):
            run = run + 1 if words[n] == words[n - size] else 0
            best = max(best, run)
        # `best` equal neighbours at this distance are a stretch of best + size words
        stretch = best + size
        if best and stretch >= size * LOOP_TIMES and stretch >= LOOP_COVER * len(words):
            return True
    return False


def _without_repeats(segments: Sequence[Segment]) -> Iterable[Segment]:
    """Keeps the first of REPEATED_LINES or more equal lines in a row."""
    start = 0
    while start < len(segments):
        end = start + 1
        while end < len(segments) and plain(segments[end].text) == plain(segments[start].text):
            end += 1
        yield from segments[start : start + 1] if end - start >= REPEATED_LINES else segments[start:end]
        start = end
