"""Filler words and long silences, found from word times, and clips without them.

A filler that is also an ordinary word ("그", "저기", "뭐") counts only where it stands alone: with a silence of
ALONE_S on both sides. Where a transcript has no word times, words share the time of their line, so that only the
silences between lines are found reliably.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from heimdex_core.export.plan import MIN_CLIP_S
from heimdex_core.types import Pause, ReelClip, Word

MIN_SILENCE_S = 0.8
"""A longer silence can be cut."""
KEPT_SILENCE_S = 0.15
"""What is left of a silence beside each word."""
ALONE_S = 0.25
MIN_PIECE_S = 0.1
"""What would be left between two pauses and is shorter goes with them."""
_ROUNDING_S = 1e-6

_FILLERS = {
    "en": frozenset(["um", "umm", "uh", "uhh", "uhm", "er", "err", "erm", "hm", "hmm", "mm", "mmm"]),
    "ko": frozenset(["어", "어어", "음", "으음", "엄", "흠", "에"]),
}
_FILLERS_ALONE = {"ko": frozenset(["그", "저", "저기", "뭐", "이제", "막", "아"])}
_PUNCTUATION = " \t.,!?…~-–—\"'“”‘’"


def find_pauses(
    words: Sequence[Word],
    start_s: float,
    end_s: float,
    language: str | None,
    *,
    video_id: str,
    min_silence_s: float = MIN_SILENCE_S,
    kept_silence_s: float = KEPT_SILENCE_S,
) -> tuple[Pause, ...]:
    """The pauses in [start_s, end_s), in their order; they do not overlap. None where nobody speaks.

    Args:
        words: what is said there, in seconds of the video.
        start_s: where the clip begins.
        end_s: where it ends.
        language: of the speech, as "en" or "ko"; English where it is not known. Others have no list of fillers.
        video_id: of the words.
        min_silence_s: longer silences are pauses, 0 or more.
        kept_silence_s: what is left of a silence beside a word, 0 to half of `min_silence_s`.
    """
    spoken = sorted((w for w in words if w.end_s > start_s and w.start_s < end_s), key=lambda word: word.start_s)
    if not spoken:
        return ()
    fillers = [_is_filler(at, spoken, language) for at in range(len(spoken))]
    if all(fillers):
        return ()
    found = []
    ends = [start_s, *_latest_ends(spoken)]
    starts = [*(word.start_s for word in spoken), end_s]
    for at, (before_s, after_s) in enumerate(zip(ends, starts, strict=True)):
        if after_s - before_s > min_silence_s + _ROUNDING_S:
            is_first, is_last = at == 0, at == len(spoken)
            silence = (
                before_s + (0.0 if is_first else kept_silence_s),
                after_s - (0.0 if is_last else kept_silence_s),
            )
            found.append(Pause(video_id, *silence, "silence"))
    for at, word in enumerate(spoken):
        if not fillers[at]:
            continue
        # what is left of the silences beside it goes as well, so that the words around it are not far apart
        filler_start_s, filler_end_s = word.start_s, max(word.start_s, min(word.end_s, starts[at + 1]))
        gap_s = word.start_s - ends[at]
        if gap_s > min_silence_s + _ROUNDING_S:
            filler_start_s -= kept_silence_s
        elif at and gap_s > kept_silence_s and not fillers[at - 1]:
            filler_start_s = ends[at] + kept_silence_s
        gap_s = starts[at + 1] - word.end_s
        if gap_s > min_silence_s + _ROUNDING_S:
            filler_end_s += kept_silence_s
        elif at + 1 < len(spoken) and fillers[at + 1]:
            filler_end_s = max(filler_end_s, starts[at + 1])
        elif gap_s > kept_silence_s and at + 1 < len(spoken):
            filler_end_s = starts[at + 1] - kept_silence_s
        times = max(filler_start_s, start_s), min(filler_end_s, end_s)
        if times[0] < times[1]:
            found.append(Pause(video_id, *times, "filler", word.text.strip()))
    return tuple(sorted(found, key=lambda pause: pause.start_s))


def _latest_ends(words: Sequence[Word]) -> list[float]:
    """Where the speech up to each word ends: recognisers let words overlap."""
    ends: list[float] = []
    for word in words:
        ends.append(max(word.end_s, ends[-1] if ends else word.end_s))
    return ends


def _is_filler(at: int, words: Sequence[Word], language: str | None) -> bool:
    code = (language or "en").lower().partition("-")[0]
    word = words[at]
    text = word.text.strip(_PUNCTUATION).lower()
    if text in _FILLERS.get(code, ()):
        return True
    if text not in _FILLERS_ALONE.get(code, ()):
        return False
    before_s = word.start_s - words[at - 1].end_s if at else ALONE_S
    after_s = words[at + 1].start_s - word.end_s if at + 1 < len(words) else ALONE_S
    return min(before_s, after_s) >= ALONE_S - 1e-6


def without(clip: ReelClip, pauses: Iterable[Pause]) -> tuple[ReelClip, ...]:
    """What is left of a clip without these pauses, in order; the whole clip where nothing would be left.

    All pieces have the identity of the clip; `plan.distinct` numbers them.
    """
    cuts = sorted(
        (max(one.start_s, clip.start_s), min(one.end_s, clip.end_s))
        for one in pauses
        if one.video_id == clip.video_id and one.end_s > clip.start_s and one.start_s < clip.end_s
    )
    edges = [(clip.start_s, clip.start_s), *cuts, (clip.end_s, clip.end_s)]
    reached_s, pieces = clip.start_s, []
    for (_, before_s), (after_s, _) in pairwise(edges):
        reached_s = max(reached_s, before_s)
        if after_s - reached_s >= (MIN_PIECE_S if cuts else MIN_CLIP_S):
            pieces.append(replace(clip, start_s=reached_s, end_s=after_s))
    return tuple(pieces) or (clip,)
