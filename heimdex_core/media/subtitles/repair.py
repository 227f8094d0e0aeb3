"""From cues to a transcript: each line once, in order, not overlapping, with word times where there are any."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

from heimdex_core.media.subtitles.cues import WORD_TIME, Cue, Reading, watched
from heimdex_core.media.subtitles.markup import plain
from heimdex_core.media.text_encoding import language_of
from heimdex_core.types import Segment, Transcript, TranscriptSource, Word, WorkContext

# A line without an end, or whose times are reversed or equal, lasts about as long as it takes to read.
_READ_MIN_S, _READ_PER_CHAR_S = 1.0, 0.06
_MAX_S = 3.6e6  # times behind a thousand hours are not meant
_SAME_START_S = 0.001
_ROLL_UP_GAP_S = 0.1
# Captions roll if this share of the cues, and at least two, show that they do.
_ROLL_UP_SHARE = 0.2
_FLASH_S = 0.05
# The text of a line; a line that is shown over many scenes belongs to each of them. Nobody reads as much at once.
_MAX_LINE_CHARS = 10_000
# Each word is stored with the text of its line: the characters of all words with theirs, and some for the rest of the
# row. A day of speech takes a third of this.
_MAX_WORD_CHARS, _ROW_CHARS = 100_000_000, 100
_MIN_REPEATED_WORDS = 3


def transcript_of(
    reading: Reading, source: TranscriptSource, *, notes: Sequence[str] = (), language: str | None = None
) -> Transcript:
    """The repaired transcript of what was read.

    Args:
        notes: put before those of the repairs and of the lines that were left out.
        language: ISO 639-1 code, used where neither the text nor the file's header shows it.
    """
    ordered = sorted(_within_reach(reading), key=lambda c: (c.start_s, c.end_s or c.start_s))
    once = list(dict.fromkeys(ordered))
    rolled = _without_roll_up(once, reading.context)
    reading.dropped["repeated"] += len(ordered) - len(rolled)
    all_notes = list(notes)
    ended = watched(_with_ends(rolled), reading.context)
    segments = [s for s in (_segment(cue, all_notes) for cue in ended) if s is not None]
    repaired = _without_overlaps(segments)
    if repaired != segments:
        all_notes.append("subtitles_overlap_mended")
    reading.dropped["shortened"] = sum(len(segment.text) > _MAX_LINE_CHARS for segment in repaired)
    repaired = list(_with_words_that_fit([_shortened(segment) for segment in repaired], reading))
    all_notes += reading.notes()
    shown = language_of("\n".join(segment.text for segment in repaired))
    return Transcript(
        tuple(repaired),
        source=source,
        language=shown or reading.language or language,
        dropped={reason: count for reason, count in reading.dropped.items() if count},
        notes=tuple(dict.fromkeys(all_notes)),
    )


def _within_reach(reading: Reading) -> list[Cue]:
    """The cues with text, starting at 0 at the earliest; what ends before it or has an absurd time is counted."""
    found = []
    for cue in watched(reading.cues, reading.context):
        if not any(_plain(line) for line in cue.lines):
            continue
        if cue.start_s > _MAX_S:
            reading.dropped["unreadable"] += 1
            continue
        if cue.end_s is not None and cue.end_s > _MAX_S:
            cue = dataclasses.replace(cue, end_s=None)
        if cue.start_s < 0:
            if cue.end_s is None or cue.end_s <= 0:
                reading.dropped["before_start"] += 1
                continue
            cue = dataclasses.replace(cue, start_s=0.0)
        found.append(cue)
    return found


# --- captions that roll ---------------------------------------------------------------------------

_Units = Callable[[Cue], tuple[str, ...]]


def _without_roll_up(cues: list[Cue], context: WorkContext) -> list[Cue]:
    """Drop the repetitions of live captions, which show each line again, alone and above the next one.

    Word times are a sure sign of them. Otherwise the repetitions must be those of rolling captions: people do say
    "No! No!". Some programs write both lines of a cue as one; then words are compared instead of lines.
    """
    if any(WORD_TIME.search(line) for cue in cues for line in cue.lines):
        return _unrolled(cues, _lines_of, 1, context)[0]
    for units, at_least in ((_lines_of, 1), (_words_of, _MIN_REPEATED_WORDS)):
        found, rolls, flashes = _unrolled(cues, units, at_least, context)
        if rolls and rolls + flashes >= max(2.0, _ROLL_UP_SHARE * len(cues)):
            return found
    return cues


def _lines_of(cue: Cue) -> tuple[str, ...]:
    return tuple(line for line in cue.lines if _plain(line))


def _words_of(cue: Cue) -> tuple[str, ...]:
    return tuple(" ".join(_plain(line) for line in cue.lines).split())


def _unrolled(cues: list[Cue], units: _Units, at_least: int, context: WorkContext) -> tuple[list[Cue], int, int]:
    """(the cues without what the one before showed already, how many go on with it, how many only flash it again)."""
    found: list[Cue] = []
    shown: tuple[str, ...] = ()
    shown_until_s, rolls, flashes = 0.0, 0, 0
    for cue in watched(cues, context):
        parts = units(cue)
        plain_parts = tuple(_plain(part) for part in parts)
        touches = cue.start_s - shown_until_s <= _ROLL_UP_GAP_S
        repeated = _repeated(shown, plain_parts, at_least) if touches else 0
        rest = parts[repeated:]
        end_s = cue.end_s if cue.end_s is not None else cue.start_s
        if repeated and rest:
            rolls += 1
        elif repeated and end_s - cue.start_s <= _FLASH_S:
            flashes += 1
        if rest:
            joined = rest if units is _lines_of else (" ".join(rest),)
            found.append(dataclasses.replace(cue, lines=joined if repeated else cue.lines))
        if plain_parts:
            shown, shown_until_s = plain_parts, end_s
    return found, rolls, flashes


def _repeated(shown: tuple[str, ...], now: tuple[str, ...], at_least: int) -> int:
    """How many parts at the beginning of `now` were shown at the end of what came before."""
    for count in range(min(len(now), len(shown), 60), 0, -1):
        if now[:count] == shown[-count:]:
            return count if count >= at_least or count in (len(now), len(shown)) else 0
    return 0


# --- lines ----------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def _plain(line: str) -> str:
    return plain(WORD_TIME.sub("", line))


def _with_ends(cues: Sequence[Cue]) -> list[Cue]:
    """The cues; those without an end get the time that they take to read, up to the next one."""
    found = []
    for n, cue in enumerate(cues):
        if cue.end_s is None:
            end_s = cue.start_s + _reading_time_s(" ".join(_plain(line) for line in cue.lines))
            if n + 1 < len(cues) and cues[n + 1].start_s > cue.start_s:
                end_s = min(end_s, cues[n + 1].start_s)
            cue = dataclasses.replace(cue, end_s=end_s)
        found.append(cue)
    return found


def _reading_time_s(text: str) -> float:
    return max(_READ_MIN_S, _READ_PER_CHAR_S * len(text))


def _segment(cue: Cue, notes: list[str]) -> Segment | None:
    text = " ".join(part for part in (_plain(line) for line in cue.lines) if part)
    end_s = cue.end_s
    if not text or end_s is None:
        return None
    if end_s <= cue.start_s:
        end_s = cue.start_s + _reading_time_s(text)
        notes.append("subtitles_times_mended")
    return Segment(cue.start_s, end_s, text, words=_words(cue, end_s))


def _words(cue: Cue, end_s: float) -> tuple[Word, ...]:
    """Words with times; () where the cue has no word timestamps.

    Several words between two timestamps divide the time between them by their length.
    """
    raw = "\n".join(cue.lines)
    if not WORD_TIME.search(raw):
        return ()
    parts = WORD_TIME.split(raw)
    starts = [cue.start_s] + [int(ms) / 1000 for ms in parts[1::2]]
    pieces = [(at, plain(piece)) for at, piece in zip(starts, parts[::2], strict=True)]
    timed = [(at, piece) for at, piece in pieces if piece]
    words: list[Word] = []
    spoken_until_s = cue.start_s
    for n, (at, piece) in enumerate(timed):
        # times that go back are wrong: words follow one another
        start_s = min(max(at, spoken_until_s), end_s)
        spoken_until_s = min(max(timed[n + 1][0] if n + 1 < len(timed) else end_s, start_s), end_s)
        words += _divided(piece.split(), start_s, spoken_until_s)
    return tuple(words)


def _divided(words: list[str], start_s: float, end_s: float) -> list[Word]:
    total = sum(len(word) for word in words)
    found, before = [], 0
    for word in words:
        from_s = start_s + (end_s - start_s) * before / total
        before += len(word)
        until_s = end_s if before == total else start_s + (end_s - start_s) * before / total
        found.append(Word(word, from_s, until_s))
    return found


def _without_overlaps(segments: Sequence[Segment]) -> list[Segment]:
    """End each line where the next one begins; join lines that begin at the same time."""
    found: list[Segment] = []
    for together in _by_start(segments):
        segment = _joined(together)
        if found and segment.start_s < found[-1].end_s:
            found[-1] = _cut(found[-1], segment.start_s)
        found.append(segment)
    return found


def _by_start(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """The lines that begin at the same time as the first of them, group by group."""
    group: list[Segment] = []
    for segment in segments:
        if group and segment.start_s - group[0].start_s > _SAME_START_S:
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _joined(group: list[Segment]) -> Segment:
    """One line of all, put together once: there may be tens of thousands."""
    if len(group) == 1:
        return group[0]
    parts, length = [group[0].text], len(group[0].text)
    for segment in group[1:]:
        # a line that says once more what stands there already
        if len(segment.text) != length or segment.text != " ".join(parts):
            parts.append(segment.text)
            length += 1 + len(segment.text)
    words = [word for segment in group for word in segment.words] if all(s.words for s in group) else []
    return Segment(group[0].start_s, max(s.end_s for s in group), " ".join(parts), words=tuple(words))


def _shortened(segment: Segment) -> Segment:
    """The line with at most _MAX_LINE_CHARS characters, and the words that are left of it."""
    if len(segment.text) <= _MAX_LINE_CHARS:
        return segment
    whole = segment.text[: _MAX_LINE_CHARS + 1].rpartition(" ")[0]
    words = segment.words[: whole.count(" ") + 1] if whole else ()
    return dataclasses.replace(segment, text=whole or segment.text[:_MAX_LINE_CHARS], words=words)


def _with_words_that_fit(segments: Iterable[Segment], reading: Reading) -> Iterator[Segment]:
    """The lines; once the words of all before take too much room, without the times of their words."""
    left = _MAX_WORD_CHARS
    for segment in segments:
        needed = len(segment.words) * (len(segment.text) + _ROW_CHARS)
        if needed > left:
            reading.dropped["untimed"] += 1
            segment = dataclasses.replace(segment, words=())
        else:
            left -= needed
        yield segment


def _cut(segment: Segment, end_s: float) -> Segment:
    words = tuple(
        dataclasses.replace(w, end_s=min(w.end_s, end_s), start_s=min(w.start_s, end_s)) for w in segment.words
    )
    return dataclasses.replace(segment, end_s=end_s, words=words)
