"""What Whisper recognises of one file: clip by clip, again where it has missed speech, and only what it is sure of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.models.device import Batches
from heimdex_core.models.speech.lines import BESIDE_S, lines, within_speech
from heimdex_core.models.speech.segment_filter import NO_SPEECH_LIMIT, filter_segments, is_stock_phrase
from heimdex_core.models.speech.windows import PAD_S, RATE_HZ, Clip, Span, Window, overlap_s
from heimdex_core.types import Segment, Transcript, Word, WorkContext

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline

BEAM = 5
LANGUAGE_SURE = 0.5
"""A language detected with a lower probability is detected again in the next speech."""
LANGUAGE_CLIPS = 4
MISSED_S = 1.0
"""Speech of at least this length before, between or after the words of a clip is decoded again."""
ROUNDS = 3
"""Most decodings of the same speech; each is of what the one before has missed."""
SURE = 0.36
"""Least sureness of a clip by an English-only model: the mean probability of its words x that there is speech.

Measured for tiny.en: English .43 to .86 (clear, noisy, synthetic; 60 clips), seven other languages .10 to .33. By the
words alone they overlap: English .64 to .95, others .26 to .62.
"""
SURE_OF_STOCK_PHRASE = 0.6
"""The same for a clip that is only a stock phrase, which is what other languages are most often taken for."""
NOTED_S = 2.0
"""Dropped speech of at least this length is noted; a murmur in an English film is only counted."""


class Recognition:
    """What has been recognised of one file so far.

    `language` is None where it is to be detected. `total_s` is the length of the file.
    """

    def __init__(
        self, pipeline: BatchedInferencePipeline, name: str, batches: Batches, language: str | None, total_s: float
    ) -> None:
        self._pipeline = pipeline
        self._name = name
        self._batches = batches
        self._asked = self._language = language
        self._total_s = total_s
        self._done_s = 0.0
        self._spoken_s: Counter[str] = Counter()
        self._clips: list[Segment] = []
        self._unsure_clips = 0
        self._unsure_s = 0.0
        self._speech: list[Span] = []
        self._unsure: tuple[str, float] | None = None
        self._knows_english_only = not pipeline.model.model.is_multilingual

    def add(self, window: Window, context: WorkContext) -> None:
        """Recognise the speech in one window, batch by batch.

        A clip is decoded without timestamps, and the decoder may end it at a pause though more is said, or begin late.
        What it left out becomes a clip of the next round.
        """
        self._speech += [(window.start_s + a, window.start_s + b) for a, b in window.speech]
        clips = window.clips
        for _ in range(ROUNDS):
            missed: list[Clip] = []
            for batch, found in self._batches.run(clips, lambda clips: (clips, self._recognised(window, clips))):
                for clip, heard in found.items():
                    left = _missed(window, clip, heard)
                    missed += left.values()
                    speech_s = _speech_s(window, clip) - sum(_speech_s(window, one) for one in left.values())
                    self._keep(heard, speech_s, split_at=left)
                self._report(window.start_s + batch[-1].end_s, context)
            clips = tuple(missed)
            if not clips:
                return

    def _keep(self, heard: Segment, speech_s: float, *, split_at: Collection[int]) -> None:
        """Keep what was heard in `speech_s` seconds of speech, if it is sure; divided before these words."""
        least = SURE_OF_STOCK_PHRASE if is_stock_phrase(heard.text) else SURE
        if self._knows_english_only and _sureness(heard) < least:
            self._unsure_clips += 1
            self._unsure_s += speech_s
        else:
            self._clips += _split(heard, split_at)

    def _report(self, done_s: float, context: WorkContext) -> None:
        """Progress never goes back, though speech that was missed is decoded later."""
        self._done_s = max(self._done_s, min(done_s, self._total_s))
        context.report(self._done_s, self._total_s)
        context.check()

    def _recognised(self, window: Window, clips: Sequence[Clip]) -> dict[Clip, Segment]:
        """One segment for each clip with text: words with their leading spaces, times from the start of the file."""
        sounds = [clip.of(window.samples) for clip in clips]
        ends_s = np.cumsum([sound.size for sound in sounds]) / RATE_HZ
        starts_s = [0.0, *ends_s[:-1]]
        found, info = self._pipeline.transcribe(
            np.concatenate(sounds),
            language=self._language,
            language_detection_segments=LANGUAGE_CLIPS,
            language_detection_threshold=LANGUAGE_SURE,
            clip_timestamps=[{"start": a, "end": b} for a, b in zip(starts_s, ends_s, strict=True)],
            batch_size=len(clips),
            beam_size=BEAM,
            word_timestamps=True,
        )
        parts = list(found)
        if self._language is None:
            self._note_language(info.language, info.language_probability)
        self._spoken_s[info.language] += sum(part.end - part.start for part in parts)
        by_clip: dict[int, list[Any]] = {}
        for part in parts:  # `seek` is the start of its clip, rounded down to 10 ms
            by_clip.setdefault(int(np.searchsorted(starts_s, part.seek / 100 + 0.02)) - 1, []).append(part)
        return {
            clips[n]: _segment(own, starts_s[n], clips[n], window, self._total_s)
            for n, own in by_clip.items()
            if any(part.text.strip() for part in own)
        }

    def _note_language(self, language: str, probability: float) -> None:
        if probability >= LANGUAGE_SURE:
            self._language, self._unsure = language, None
        elif self._unsure is None or probability > self._unsure[1]:
            self._unsure = (language, probability)

    def transcript(self, no_speech_limit: float) -> Transcript:
        """The lines that are left after filtering, and how many were dropped for which reason."""
        # a loop fills a whole clip and a stock phrase is one line of it, so both are filtered
        self._clips.sort(key=lambda clip: clip.start_s)
        limit, speech = no_speech_limit, self._speech
        clips, dropped_clips = filter_segments(self._clips, no_speech_limit=limit, speech=speech)
        found: list[Segment] = []
        for clip in clips:
            found += lines(
                clip.words or (Word(clip.text, clip.start_s, clip.end_s),),
                no_speech=clip.no_speech,
                after_s=found[-1].end_s if found else 0.0,
                total_s=self._total_s,
            )
        kept, dropped_lines = filter_segments(found, no_speech_limit=limit, speech=speech)
        notes = [] if self._unsure is None else [f"language_unsure:{self._unsure[0]}:{self._unsure[1]:.2f}"]
        notes += [f"speech_uncertain:{round(self._unsure_s)}"] if self._unsure_s >= NOTED_S else []
        notes += self._batches.notes
        detected = self._spoken_s.most_common(1)[0][0] if self._spoken_s else None
        if self._unsure_clips and not kept:
            detected = None  # it is some other language
        dropped = dict(Counter(dropped_clips) + Counter(dropped_lines) + Counter(uncertain=self._unsure_clips))
        return Transcript(kept, "recognised", self._asked or detected, self._name, dropped=dropped, notes=tuple(notes))


def _missed(window: Window, clip: Clip, heard: Segment) -> dict[int, Clip]:
    """The parts of `clip` without words that are speech by the detector, by the number of the next word."""
    words = [(word.start_s - window.start_s, word.end_s - window.start_s) for word in heard.words]
    if not words or (heard.no_speech or 0.0) > NO_SPEECH_LIMIT:
        return {}
    ends = [clip.spans[0][0], *(end_s for _, end_s in words)]
    starts = [*(start_s for start_s, _ in words), clip.end_s]
    found = {}
    for n, (from_s, to_s) in enumerate(zip(ends, starts, strict=True)):
        speech = [(max(a, from_s), min(b, to_s)) for a, b in window.speech]
        speech = [(a, b) for a, b in speech if b - a >= 2 * BESIDE_S]  # less is the end of the word beside it
        if sum(b - a for a, b in speech) >= MISSED_S:
            found[n] = clip.part(max(from_s, speech[0][0] - PAD_S), min(to_s, speech[-1][1] + PAD_S))
    return found


def _split(heard: Segment, at: Collection[int]) -> list[Segment]:
    """The segment, divided before the words of these numbers: what is missing there comes between."""
    edges = [0, *(n for n in sorted(at) if 0 < n < len(heard.words)), len(heard.words)]
    if len(edges) == 2:
        return [heard]
    return [
        replace(heard, start_s=words[0].start_s, end_s=words[-1].end_s, text=text, words=words)
        for words in (heard.words[a:b] for a, b in pairwise(edges))
        for text in ["".join(word.text for word in words).strip()]
    ]


def _speech_s(window: Window, clip: Clip) -> float:
    return sum(overlap_s(span, window.speech) for span in clip.spans)


def _sureness(heard: Segment) -> float:
    """The mean probability of the words x the probability that there is speech, 0 to 1; 1 where neither is known."""
    known = [word.confidence for word in heard.words if word.confidence is not None]
    return (sum(known) / len(known) if known else 1.0) * (1.0 - (heard.no_speech or 0.0))


def _segment(parts: Sequence[Any], start_s: float, clip: Clip, window: Window, total_s: float) -> Segment:
    """`parts` are faster-whisper's, of a clip that begins at `start_s` in the sound that it was given."""

    def file_s(at_s: float, *, is_end: bool = False) -> float:
        return window.start_s + clip.window_s(float(at_s) - start_s, is_end=is_end)

    words = within_speech(
        [
            Word(word.word, file_s(word.start), file_s(word.end, is_end=True), round(float(word.probability), 4))
            for part in parts
            for word in part.words or ()
        ],
        [(window.start_s + a, window.start_s + b) for a, b in window.speech],
    )
    begin_s = min(max(0.0, file_s(parts[0].start)), total_s)
    end_s = min(max(begin_s, file_s(parts[-1].end, is_end=True)), total_s)
    text = "".join(part.text for part in parts).strip()
    return Segment(begin_s, end_s, text, no_speech=round(float(parts[0].no_speech_prob), 4), words=words)
