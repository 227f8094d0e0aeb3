"""Applying what people corrected by hand in the transcript and in the tags.

Corrections name a stretch of the video by its times, so they are applied again to the lines and the scenes that other
models and parameters give. What lies in the stretch is decided by overlap:

    transcript   words whose middle is in it are replaced; a line without word times is, if at least half of the line
                 lies in the stretch, or half of the stretch in the line
    tags         of every scene of which at least half lies in it, or that has at least half of it

The words of a corrected line keep the times of the words that they stand for: both are aligned as sequences
(difflib, after Ratcliff and Obershelp), and words without a counterpart share the time between their neighbours by
their length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from heimdex_core.ingest.scene_edits import SceneSpan
from heimdex_core.store.edits import Journal, inputs_of
from heimdex_core.types import Interval, Json, Segment, TagEdit, Transcript, TranscriptEdit, Word


def corrected(said: Transcript, edits: Sequence[TranscriptEdit]) -> Transcript:
    """The transcript after all corrections in their order, its lines in order of time."""
    if not edits:
        return said
    lines = list(said.segments)
    for edit in edits:
        lines = _with_line(lines, edit)
    # lines that a person wrote are lines that came with the video
    source = "subtitles" if said.source == "none" and lines else said.source
    return replace(said, segments=tuple(sorted(lines, key=lambda line: line.start_s)), source=source)


def corrected_tags(
    tags: Sequence[Sequence[str]], spans: Sequence[SceneSpan], edits: Sequence[TagEdit]
) -> list[list[str]]:
    """The tags of each scene after all changes in their order; what was added comes first."""
    result = [list(of_scene) for of_scene in tags]
    for edit in edits:
        stretch = Interval(edit.start_s, edit.end_s)
        gone = {tag.casefold() for tag in (*edit.removed, *edit.added)}
        for n, span in enumerate(spans):
            if _belong_together(span.interval, stretch):
                result[n] = [*edit.added, *(tag for tag in result[n] if tag.casefold() not in gone)]
    return result


def transcript_inputs(journal: Journal) -> Json:
    """In the fingerprint of what rests on the words, only where there are any: other results hold."""
    edits = journal.transcript_edits
    return {"corrections": [inputs_of(edit) for edit in edits]} if edits else {}


def tag_inputs(journal: Journal) -> Json:
    """The same for what rests on the tags."""
    edits = journal.tag_edits
    return {"tag_edits": [inputs_of(edit) for edit in edits]} if edits else {}


def _belong_together(one: Interval, other: Interval) -> bool:
    shared_s = one.overlap_s(other)
    return shared_s > 0 and shared_s >= 0.5 * min(one.duration_s, other.duration_s)


def _with_line(lines: Sequence[Segment], edit: TranscriptEdit) -> list[Segment]:
    stretch = Interval(edit.start_s, edit.end_s)
    kept: list[Segment] = []
    replaced: list[Word] = []
    for line in lines:
        inside = [word for word in line.words if edit.start_s <= (word.start_s + word.end_s) / 2 < edit.end_s]
        if line.words and inside:
            replaced += inside
            kept += _outside(line, edit)
        elif line.words or not _belong_together(_interval(line), stretch):
            kept.append(line)
    if edit.text:
        words = _timed(edit.text.split(), sorted(replaced, key=lambda word: word.start_s), stretch)
        kept.append(Segment(edit.start_s, edit.end_s, edit.text, words=words))
    return kept


def _interval(line: Segment) -> Interval:
    return Interval(line.start_s, max(line.end_s, line.start_s + 0.001))


def _outside(line: Segment, edit: TranscriptEdit) -> list[Segment]:
    """What is left of a line before and after the stretch."""
    before = [word for word in line.words if (word.start_s + word.end_s) / 2 < edit.start_s]
    after = [word for word in line.words if (word.start_s + word.end_s) / 2 >= edit.end_s]
    return [
        replace(
            line,
            start_s=words[0].start_s,
            end_s=words[-1].end_s,
            text=" ".join(word.text.strip() for word in words),
            words=tuple(words),
        )
        for words in (before, after)
        if words
    ]


def _timed(texts: Sequence[str], heard: Sequence[Word], stretch: Interval) -> tuple[Word, ...]:
    """The words of a corrected line with times, by those that were heard; none where those had no times."""
    if not heard:
        return ()
    timed: list[Word] = []
    matcher = SequenceMatcher(None, [_bare(word.text) for word in heard], [_bare(text) for text in texts], False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            timed += [replace(word, text=text) for word, text in zip(heard[first:last], texts[start:end], strict=True)]
        else:
            timed += _spread(texts[start:end], *_place_of(heard, first, last, stretch))
    return tuple(timed)


def _place_of(heard: Sequence[Word], first: int, last: int, stretch: Interval) -> tuple[float, float]:
    """(start_s, end_s) of heard[first:last], or of the gap before heard[first] where that is empty."""
    if first < last:
        return heard[first].start_s, heard[last - 1].end_s
    from_s = heard[first - 1].end_s if first > 0 else stretch.start_s
    to_s = heard[first].start_s if first < len(heard) else stretch.end_s
    return from_s, max(from_s, to_s)


def _spread(texts: Sequence[str], from_s: float, to_s: float) -> list[Word]:
    """Words one after the other from `from_s` to `to_s`, each for a time that is proportional to its length."""
    total = sum(len(text) for text in texts)
    words, at = [], 0
    for text in texts:
        edges = [round(from_s + (to_s - from_s) * part / total, 3) for part in (at, at + len(text))]
        words.append(Word(text, *edges))
        at += len(text)
    return words


def _bare(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum()) or word.strip()
