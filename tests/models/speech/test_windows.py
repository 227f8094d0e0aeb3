from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.models.speech.windows import (
    CLIP_S,
    RATE_HZ,
    Clip,
    Span,
    Window,
    clips_of,
    cut_at,
    open_wav,
    padded,
    speech_in,
    windows,
)
from tests.models.speech.recordings import speech_at_16k, write_wav


def windows_of(path: Path, window_s: float) -> list[Window]:
    with open_wav(path) as wav:
        return list(windows(wav, window_s=window_s))


def spans_of(found: list[Window]) -> list[Span]:
    """The stretches that are recognised, in seconds from the start of the file."""
    return [(w.start_s + a, w.start_s + b) for w in found for clip in w.clips for a, b in clip.spans]


def covered(spans: list[tuple[float, float]], total_s: float) -> np.ndarray:
    """How often each hundredth of a second is covered."""
    marks = np.zeros(round(total_s * 100) + 1, int)
    for start_s, end_s in spans:
        marks[round(start_s * 100) : round(end_s * 100)] += 1
    return marks


def test_a_window_ends_before_speech_that_may_continue() -> None:
    assert cut_at([(3.0, 9.0), (14.0, 20.0)], 20.0) == 14.0
    assert cut_at([(3.0, 9.0)], 20.0) == 19.0, "the last second is heard again"
    assert cut_at([(3.0, 18.7)], 20.0) == 19.0
    assert cut_at([(0.2, 20.0)], 20.0) == 20.0, "one span alone is taken as it is"
    assert cut_at([], 20.0) == 19.0


def test_clips_are_joined_over_short_silence_up_to_thirty_seconds() -> None:
    speech: list[Span] = [(0, 5), (6, 11), (20, 25), (25.5, 49), (49, 55)]
    assert [clip.spans for clip in clips_of(speech)] == [((0, 5), (6, 11)), ((20, 25), (25.5, 49)), ((49, 55),)]
    assert [clip.length_s for clip in clips_of(speech)] == [10, 28.5, 6]
    assert clips_of([]) == ()
    assert clips_of([(2, 2)]) == ()


def test_pauses_do_not_count_in_the_length_of_a_clip() -> None:
    (clip,) = clips_of([(0, 10), (14, 24), (28, 38)])
    assert (clip.length_s, clip.end_s) == (30, 38)
    assert len(clips_of([(0, 10), (14, 24), (28, 38.5)])) == 2


def test_times_in_a_clip_are_times_in_the_window() -> None:
    clip = Clip(((2.0, 5.0), (9.0, 10.0), (12.0, 15.0)))
    assert [clip.window_s(at) for at in (0.0, 2.5, 3.0, 3.5, 4.0, 6.9)] == [2.0, 4.5, 9.0, 9.5, 12.0, 14.9]
    assert [clip.window_s(at, is_end=True) for at in (2.5, 3.0, 3.5, 4.0, 7.0)] == [4.5, 5.0, 9.5, 10.0, 15.0]


def test_the_sound_of_a_clip_is_its_stretches_one_after_the_other() -> None:
    seconds = np.repeat(np.arange(6, dtype=np.float32), RATE_HZ)  # each sample says which second it is of
    sound = Clip(((1.0, 2.0), (4.0, 5.5))).of(seconds)
    assert sound.size == 2.5 * RATE_HZ
    assert [sound[round(at * RATE_HZ)] for at in (0.0, 0.99, 1.0, 1.99, 2.0)] == [1, 1, 4, 4, 5]


def test_a_part_of_a_clip() -> None:
    clip = Clip(((2.0, 5.0), (9.0, 10.0)))
    assert clip.part(3.0, 10.0).spans == ((3.0, 5.0), (9.0, 10.0))
    assert clip.part(5.0, 10.0).spans == clip.part(7.0, 99.0).spans == ((9.0, 10.0),)
    assert clip.part(0.0, 9.5).spans == ((2.0, 5.0), (9.0, 9.5))


def test_speech_gets_a_little_silence_around_it() -> None:
    assert padded([(1.0, 2.0), (5.0, 6.0)], 10.0) == [(0.6, 2.4), (4.6, 6.4)]
    narrow = padded([(0.25, 2.0), (2.5, 6.0)], 6.25)
    assert narrow == [(0.0, 2.25), (2.25, 6.25)], "no more than there is, and half of what is shared"
    assert padded([], 10.0) == []


def test_detected_speech_begins_where_it_is_spoken(tmp_path: Path) -> None:
    (found,) = windows_of(speech_at_16k(tmp_path / "one.wav", "the quick brown fox jumps", start_s=2.0), 60.0)
    assert found.speech[0][0] == pytest.approx(2.0, abs=0.2)
    assert found.clips[0].spans[0][0] == pytest.approx(found.speech[0][0] - 0.4)


def test_no_speech_is_lost_or_doubled_where_windows_meet(tmp_path: Path) -> None:
    sentence = "The quick brown fox jumps over the lazy dog, and then it rests for a while. "
    path = speech_at_16k(tmp_path / "long.wav", sentence * 12)
    whole = windows_of(path, 3600.0)
    assert len(whole) == 1
    total_s = whole[0].done_s
    assert total_s > 40
    parts = windows_of(path, 12.0)
    assert len(parts) > 3
    assert max(window.samples.size for window in parts) <= 12 * RATE_HZ, "no more than a window is held"
    assert [window.done_s for window in parts] == sorted(window.done_s for window in parts)
    assert parts[-1].done_s == pytest.approx(total_s)
    assert max(clip.length_s for window in parts for clip in window.clips) <= CLIP_S
    clips = spans_of(parts)
    marks = covered(clips, total_s)
    assert marks.max() == 1
    expected = covered(spans_of(whole), total_s) > 0
    assert (marks[expected] == 1).mean() > 0.97


def test_speech_without_a_pause_continues_in_the_next_window(tmp_path: Path) -> None:
    path = speech_at_16k(tmp_path / "on.wav", "and on " * 90)
    clips = spans_of(windows_of(path, 8.0))
    gaps = [later[0] - earlier[1] for earlier, later in zip(clips, clips[1:], strict=False)]
    assert len(clips) > 2
    assert max(gaps) < 1.0


def test_silence_has_windows_without_clips(tmp_path: Path) -> None:
    found = windows_of(write_wav(tmp_path / "silence.wav", np.zeros(RATE_HZ * 50)), 20.0)
    assert [window.clips for window in found] == [(), (), ()]
    assert [window.done_s for window in found] == [19.0, 38.0, 50.0]


def test_an_empty_file_has_no_window(tmp_path: Path) -> None:
    assert windows_of(write_wav(tmp_path / "empty.wav", np.zeros(0)), 20.0) == []


def test_music_is_not_speech() -> None:
    t = np.arange(RATE_HZ * 20) / RATE_HZ
    chord = 0.2 * np.sum([np.sin(2 * np.pi * hz * t) for hz in (261.6, 329.6, 392.0)], axis=0)
    assert speech_in(chord.astype(np.float32)) == []
