"""From what the decoder hears in clips to a transcript: what it missed is decoded again, what nobody said is dropped.

The decoder is a script of spoken words. The sound is a clock: each sample is the time in the window that it is from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from heimdex_core.models.device import Batches
from heimdex_core.models.speech.recognition import ROUNDS, Recognition
from heimdex_core.models.speech.windows import RATE_HZ, Clip, Span, Window
from heimdex_core.types import Segment, Word, WorkContext

TOTAL_S = 120.0
LENGTH_S = 40.0
"""Of a window."""


class Script:
    """Stands for the pipeline. `words` are (text, start_s in the window); `missed` ones are only heard the second time.

    `sure` is the probability of the words, `no_speech` that of there being none.
    """

    def __init__(
        self,
        words: Sequence[tuple[str, float]] = (),
        *,
        missed: Collection[str] = (),
        sure: float = 0.9,
        no_speech: float = 0.1,
        multilingual: bool = False,
    ) -> None:
        self.words = words
        self.missed = set(missed)
        self.sure, self.no_speech = sure, no_speech
        self.clips: list[tuple[Span, ...]] = []
        self.model = SimpleNamespace(model=SimpleNamespace(is_multilingual=multilingual))

    def transcribe(self, samples: Any, *, clip_timestamps: list[dict[str, float]], **options: Any) -> Any:
        parts = [self._part(samples, clip["start"], clip["end"]) for clip in clip_timestamps]
        return iter(parts), SimpleNamespace(language="en", language_probability=1.0)

    def _part(self, samples: Any, start_s: float, end_s: float) -> Any:
        clock = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        spans = np.split(clock, np.flatnonzero(np.diff(clock) > 0.01) + 1)
        self.clips.append(tuple((round(float(span[0]), 1), round(float(span[-1]), 1)) for span in spans))
        present = [(text, said_s) for text, said_s in self.words if np.abs(clock - said_s).min() < 0.001]
        heard = [
            SimpleNamespace(word=f" {text}", start=at_s, end=at_s + 0.4, probability=self.sure)
            for text, said_s in present
            if text not in self.missed
            for at_s in [start_s + int(np.searchsorted(clock, said_s)) / RATE_HZ]
        ]
        self.missed -= {text for text, _ in present}
        begin, end = (heard[0].start, heard[-1].end) if heard else (start_s, end_s)
        text = "".join(word.word for word in heard)
        return SimpleNamespace(
            seek=int(start_s * 100), start=begin, end=end, text=text, no_speech_prob=self.no_speech, words=heard
        )


def recognition_by(script: Script, *, batch: int = 4) -> Recognition:
    return Recognition(cast(Any, script), "script", Batches("script", batch), None, TOTAL_S)


def window(*speech: Span, clips: Sequence[tuple[Span, ...]], start_s: float = 0.0) -> Window:
    clock = (np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ).astype(np.float32)
    return Window(start_s, clock, tuple(Clip(spans) for spans in clips), start_s + LENGTH_S, speech)


def counted(first: int, last: int, start_s: float) -> list[tuple[str, float]]:
    """A word every half second."""
    return [(str(n), start_s + (n - first) / 2) for n in range(first, last + 1)]


def texts(found: Recognition) -> list[str]:
    return [segment.text for segment in found.transcript(0.8).segments]


# --- what was missed ------------------------------------------------------------------------------

WORDS = [*counted(1, 4, 1.0), *counted(5, 8, 6.0), *counted(9, 12, 11.0)]
SPEECH: list[Span] = [(1, 3), (6, 8), (11, 13)]
CLIP: tuple[Span, ...] = ((0.6, 3.4), (5.6, 8.4), (10.6, 13.4))


@pytest.mark.parametrize(
    ("missed", "again"),
    [
        ((), []),
        ((9, 10, 11, 12), [((10.6, 13.4),)]),
        ((5, 6, 7, 8, 9, 10, 11, 12), [((5.6, 8.4), (10.6, 13.4))]),
        ((1, 2, 3, 4), [((0.6, 3.4),)]),
        ((5, 6, 7, 8), [((5.6, 8.4),)]),
        ((1, 2, 3, 4, 9, 10, 11, 12), [((0.6, 3.4),), ((10.6, 13.4),)]),
    ],
    ids=["nothing", "the end", "more of the end", "the beginning", "the middle", "both ends"],
)
def test_speech_without_words_is_decoded_again(missed: tuple[int, ...], again: list[tuple[Span, ...]]) -> None:
    script = Script(WORDS, missed={str(n) for n in missed})
    found = recognition_by(script)
    found.add(window(*SPEECH, clips=[CLIP], start_s=20.0), WorkContext())
    assert script.clips == [CLIP, *again]
    said = found.transcript(0.8)
    assert [(segment.text, segment.start_s) for segment in said.segments] == [
        ("1 2 3 4", 21.0),
        ("5 6 7 8", 26.0),
        ("9 10 11 12", 31.0),
    ]
    assert said.dropped == {}


def test_a_breath_is_not_decoded_again() -> None:
    script = Script(counted(1, 4, 1.0))
    found = recognition_by(script)
    found.add(window((1, 3), (4, 4.8), clips=[((0.6, 3.4), (3.6, 5.2))]), WorkContext())
    assert script.clips == [((0.6, 3.4), (3.6, 5.2))]


def test_speech_of_another_clip_was_not_missed() -> None:
    script = Script([*counted(1, 4, 1.0), *counted(5, 8, 31.0)])
    found = recognition_by(script)
    found.add(window((1, 3), (31, 33), clips=[((0.6, 3.4),), ((30.6, 33.4),)]), WorkContext())
    assert script.clips == [((0.6, 3.4),), ((30.6, 33.4),)]
    assert texts(found) == ["1 2 3 4", "5 6 7 8"]


def test_what_stays_unheard_is_not_tried_for_ever() -> None:
    """A detector that takes laughter for speech: it is decoded once more, and then left."""
    script = Script(counted(1, 4, 1.0))
    found = recognition_by(script)
    found.add(window((1, 3), (5, 25), clips=[((0.6, 25.4),)]), WorkContext())
    assert len(script.clips) == 2
    assert texts(found) == ["1 2 3 4"]


def test_the_number_of_rounds_is_limited() -> None:
    class FirstWord(Script):
        def _part(self, samples: Any, start_s: float, end_s: float) -> Any:
            self.missed = set()
            part = super()._part(samples, start_s, end_s)
            part.words = part.words[:1]
            part.text = part.words[0].word if part.words else ""
            return part

    words = [(str(n), n * 3.0) for n in range(10)]
    script = FirstWord(words)
    found = recognition_by(script)
    spans = tuple((said_s, said_s + 1.4) for _, said_s in words)
    found.add(window(*spans, clips=[spans]), WorkContext())
    assert len(script.clips) == ROUNDS


def test_progress_does_not_go_back_where_speech_is_decoded_again() -> None:
    script = Script([*WORDS[:8], *counted(9, 12, 31.0)], missed={"5", "6", "7", "8"})
    seen: list[float] = []
    found = recognition_by(script, batch=1)
    found.add(
        window((1, 3), (6, 8), (31, 33), clips=[CLIP[:2], ((30.6, 33.4),)]),
        WorkContext(report=lambda done, total: seen.append(done)),
    )
    assert seen == [8.4, 33.4, 33.4]
    assert texts(found) == ["1 2 3 4", "5 6 7 8", "9 10 11 12"], "in the order of time"


# --- another language -----------------------------------------------------------------------------


def test_what_an_english_model_is_not_sure_of_is_dropped_counted_and_noted() -> None:
    found = recognition_by(Script(WORDS, sure=0.55, no_speech=0.5))
    found.add(window(*SPEECH, clips=[CLIP]), WorkContext())
    said = found.transcript(0.8)
    assert (said.segments, said.dropped, said.language) == ((), {"uncertain": 1}, None)
    assert said.notes == ("speech_uncertain:6",), "seconds of speech"


@pytest.mark.parametrize(("sure", "no_speech"), [(0.64, 0.33), (0.95, 0.31), (0.78, 0.5)])
def test_hard_english_is_kept(sure: float, no_speech: float) -> None:
    found = recognition_by(Script(WORDS, sure=sure, no_speech=no_speech))
    found.add(window(*SPEECH, clips=[CLIP]), WorkContext())
    said = found.transcript(0.8)
    assert len(said.segments) == 3
    assert (said.dropped, said.notes, said.language) == ({}, (), "en")


def test_each_piece_is_judged_by_itself() -> None:
    script = Script(WORDS, sure=0.9)
    found = recognition_by(script, batch=1)
    found.add(window(*SPEECH[:2], clips=[CLIP[:2]]), WorkContext())
    script.sure, script.no_speech = 0.5, 0.5
    found.add(window(SPEECH[2], clips=[CLIP[2:]]), WorkContext())
    said = found.transcript(0.8)
    assert [segment.text for segment in said.segments] == ["1 2 3 4", "5 6 7 8"]
    assert (said.dropped, said.notes, said.language) == ({"uncertain": 1}, ("speech_uncertain:2",), "en")


def test_a_murmur_is_counted_but_not_noted() -> None:
    found = recognition_by(Script([("hm", 1.0)], sure=0.3))
    found.add(window((1, 1.6), clips=[((0.6, 2.0),)]), WorkContext())
    said = found.transcript(0.8)
    assert (said.segments, said.dropped, said.notes) == ((), {"uncertain": 1}, ())


def test_a_multilingual_model_is_not_judged() -> None:
    """It knows the language, and hard words of it are no reason to drop them."""
    found = recognition_by(Script(WORDS, sure=0.5, no_speech=0.4, multilingual=True))
    found.add(window(*SPEECH, clips=[CLIP]), WorkContext())
    assert len(found.transcript(0.8).segments) == 3


# --- from clips to lines --------------------------------------------------------------------------


def with_clips(*clips: Segment, speech: Sequence[Span] = (), multilingual: bool = False) -> Recognition:
    found = recognition_by(Script([], multilingual=multilingual))
    found._clips, found._speech = list(clips), list(speech)
    return found


def clip(start_s: float, text: str, *, no_speech: float = 0.1, sure: float = 0.9) -> Segment:
    words = tuple(Word(f" {w}", start_s + n / 2, start_s + n / 2 + 0.4, sure) for n, w in enumerate(text.split()))
    return Segment(start_s, start_s + len(words) / 2, text, no_speech=no_speech, words=words)


def test_hallucinations_are_dropped_and_counted() -> None:
    found = with_clips(
        clip(0, "A red car on a bridge."),
        clip(5, "la la la la la la la la"),
        clip(15, "Nobody said this", no_speech=0.95),
        clip(20, "And then it rained all day. Thanks for watching!"),
        clip(30, "♪ ♪"),
        speech=[(0, 3), (5, 9), (15, 17), (20, 23), (30, 31)],
    ).transcript(0.8)
    assert [s.text for s in found.segments] == ["A red car on a bridge.", "And then it rained all day."]
    assert found.dropped == {"loop": 1, "no_speech": 1, "music": 1, "filler": 1}


def test_a_stock_phrase_that_is_spoken_is_kept() -> None:
    said = clip(20, "And then it rained all day. Thanks for watching!")
    found = with_clips(said, speech=[(20, 24.5)]).transcript(0.8)
    assert [s.text for s in found.segments] == ["And then it rained all day.", "Thanks for watching!"]
    assert found.dropped == {}


def test_a_language_is_kept_once_it_is_sure() -> None:
    found = recognition_by(Script([]))
    found._note_language("nn", 0.3)
    assert found.transcript(0.8).notes == ("language_unsure:nn:0.30",)
    found._note_language("ko", 0.9)
    assert found._language == "ko"
    assert found.transcript(0.8).notes == ()


def test_a_clip_without_word_times_is_one_line() -> None:
    found = with_clips(Segment(1.0, 3.0, "hello there", no_speech=0.1)).transcript(0.8)
    assert [(s.start_s, s.end_s, s.text) for s in found.segments] == [(1.0, 3.0, "hello there")]
