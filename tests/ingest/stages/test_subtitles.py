"""The stage `subtitles`: which source is used, and what is said of lines that do not fit the video."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from heimdex_core.ingest.context import StageContext
from heimdex_core.ingest.stages import audio, probe, subtitles
from heimdex_core.ingest.stages.audio import Sound
from heimdex_core.ingest.stages.subtitles import Lines
from heimdex_core.media.subtitles import CHOICE_FILE
from heimdex_core.types import Interval, MediaInfo, WorkContext
from tests.media.conftest import Shared, shared  # noqa: F401
from tests.support import media
from tests.support.decoding import info_of

WORK = WorkContext()


@pytest.fixture
def info(shared: Shared) -> MediaInfo:  # noqa: F811
    return info_of(shared(media.no_audio, "a.mp4", 0.2))


def lines(
    tmp_path: Path,
    info: MediaInfo,
    text: str | None,
    *,
    name: str = "subtitles.srt",
    duration_s: float = 600.0,
    speech: Sequence[Interval] = (),
    language: str = "auto",
    choice: dict[str, Any] | None = None,
) -> Lines:
    """What the stage says of a video with these supplied subtitles and without any of its own."""
    supplied = None
    if text is not None:
        supplied = tmp_path / name
        supplied.write_text(text, encoding="utf-8")
    if choice is not None:
        (tmp_path / CHOICE_FILE).write_text(json.dumps(choice), encoding="utf-8")
    results = {
        "probe": dataclasses.replace(info, duration_s=duration_s, fps=25.0),
        "audio": Sound(None, speech=tuple(speech)),
    }
    context = SimpleNamespace(
        result=lambda spec: results[spec.name],
        source=tmp_path / "source.mp4",
        supplied_subtitles=supplied,
        language=language,
        child_limits=None,
    )
    return Lines.from_json(subtitles.run(cast(StageContext, context), WORK).result)


def starts(found: Lines) -> list[float]:
    assert found.found is not None
    return [segment.start_s for segment in found.found.segments]


def notes(found: Lines) -> tuple[str, ...]:
    return (*found.notes, *(found.found.notes if found.found is not None else ()))


def test_what_was_found_out_when_the_file_was_chosen_is_said(tmp_path: Path, info: MediaInfo) -> None:
    text = media.srt([(1.0, 2.0, "eins")])
    choice = {"filename": "a.de.srt", "language": "de", "notes": ["subtitles_from:a.de.srt"]}
    found = lines(tmp_path, info, text, choice=choice)
    assert found.found is not None
    assert (found.found.language, notes(found)) == ("de", ("subtitles_from:a.de.srt",))


def test_a_choice_without_a_file_is_said_too(tmp_path: Path, info: MediaInfo) -> None:
    choice = {"filename": "", "language": None, "notes": ["subtitles_partial_only:a.forced.srt"]}
    assert lines(tmp_path, info, None, choice=choice) == Lines(None, ("subtitles_partial_only:a.forced.srt",))


def test_a_choice_that_somebody_else_wrote_does_no_harm(tmp_path: Path, info: MediaInfo) -> None:
    text = media.srt([(1.0, 2.0, "one")])
    for choice in ({"notes": "abc"}, {"notes": [1, None]}, {"language": 5}, {}):
        assert starts(lines(tmp_path, info, text, choice=cast(Any, choice))) == [1.0]


def test_unreadable_subtitles_are_said(tmp_path: Path, info: MediaInfo) -> None:
    found = lines(tmp_path, info, "just prose")
    assert found.found is None
    assert found.notes == ("subtitles_unreadable:no_times",)


@pytest.mark.parametrize("hour", [1, 10])
def test_a_clock_that_begins_at_an_hour_is_put_right_and_said(tmp_path: Path, info: MediaInfo, hour: int) -> None:
    begin = hour * 3600.0
    found = lines(tmp_path, info, media.srt([(begin + 5.0, begin + 7.0, "one"), (begin + 590.0, begin + 599.0, "two")]))
    assert starts(found) == [5.0, 590.0]
    assert notes(found) == (f"subtitles_start_hour:{hour}",)


def test_word_times_move_with_their_lines(tmp_path: Path, info: MediaInfo) -> None:
    text = "WEBVTT\n\n01:00:01.000 --> 01:00:03.000\nthe<01:00:02.000> sea\n"
    found = lines(tmp_path, info, text, name="subtitles.vtt")
    assert found.found is not None
    assert [(w.start_s, w.end_s) for w in found.found.segments[0].words] == [(1.0, 2.0), (2.0, 3.0)]


def test_an_hour_is_not_taken_off_where_lines_belong_behind_it(tmp_path: Path, info: MediaInfo) -> None:
    """The second half of a film of two hours, with one line behind the end."""
    text = media.srt([(3600.0 + n * 60, 3602.0 + n * 60, f"line {n}") for n in range(61)])
    found = lines(tmp_path, info, text, duration_s=7200.0)
    assert starts(found)[:2] == [3600.0, 3660.0]
    assert notes(found) == ("transcript_outside:1", "subtitles_past_end:2")


def test_an_hour_is_taken_off_a_film_that_is_longer_than_it(tmp_path: Path, info: MediaInfo) -> None:
    text = media.srt([(3605.0 + n * 60, 3607.0 + n * 60, f"line {n}") for n in range(119)])
    found = lines(tmp_path, info, text, duration_s=7200.0)
    assert starts(found)[:2] == [5.0, 65.0]
    assert notes(found) == ("subtitles_start_hour:1",)


def test_lines_that_all_lie_outside_are_not_used(tmp_path: Path, info: MediaInfo) -> None:
    """The subtitles of another part: the next source is asked, here the recogniser."""
    found = lines(tmp_path, info, media.srt([(2000.0, 2001.0, "one"), (2600.0, 2601.0, "two")]))
    assert found == Lines(None, ("transcript_outside:2", "subtitles_outside"))


def test_lines_that_go_on_after_the_end_are_counted_and_said(tmp_path: Path, info: MediaInfo) -> None:
    """Lines for 23.976 frames per second beside a video of 25, which is 4.3 % shorter."""
    slow = [(n * 6.0 * 25 / 23.976, n * 6.0 * 25 / 23.976 + 2, f"line {n}") for n in range(100)]
    found = lines(tmp_path, info, media.srt(slow), duration_s=600.0)
    # line 96 begins at 600.6 s; line 99 ends at 621.4 s
    assert starts(found)[-1] == pytest.approx(95 * 6.0 * 25 / 23.976, abs=0.001)
    assert notes(found) == ("transcript_outside:4", "subtitles_past_end:21")


# --- against the speech ---------------------------------------------------------------------------

# Someone speaks for 2 to 5 s and pauses for 1 to 6 s, for 600 s; irregular, as people do.
_SPOKEN = [(2 + (7 * n) % 4, 1 + (5 * n * n + n) % 6) for n in range(100)]
SPEECH = []
_at = 4.0
for _length, _pause in _SPOKEN:
    if _at + _length > 596:
        break
    SPEECH.append(Interval(_at, _at + _length))
    _at += _length + _pause


def shown(factor: float = 1.0, shift_s: float = 0.0) -> str:
    return media.srt(
        [(s.start_s * factor + shift_s, s.end_s * factor + shift_s, f"line {n}") for n, s in enumerate(SPEECH)]
    )


def test_lines_that_follow_the_speech_are_fine(tmp_path: Path, info: MediaInfo) -> None:
    assert notes(lines(tmp_path, info, shown(shift_s=0.4), speech=SPEECH)) == ()


@pytest.mark.parametrize(
    ("factor", "rates"),
    [
        (23.976 / 25, "25/23.976"),  # made for 25 frames per second: too early for a video of 23.976
        (25 / 23.976, "23.976/25"),
    ],
)
def test_another_frame_rate_is_said(tmp_path: Path, info: MediaInfo, factor: float, rates: str) -> None:
    found = lines(tmp_path, info, shown(factor), speech=SPEECH)
    assert notes(found)[-1] == f"subtitles_other_frame_rate:{rates}"


@pytest.mark.parametrize(("shift_s", "note"), [(7.0, "subtitles_late:7.0"), (-3.5, "subtitles_early:3.5")])
def test_lines_that_are_off_as_a_whole_are_said(tmp_path: Path, info: MediaInfo, shift_s: float, note: str) -> None:
    assert notes(lines(tmp_path, info, shown(shift_s=shift_s), speech=SPEECH)) == (note,)


def test_little_speech_or_few_lines_say_nothing(tmp_path: Path, info: MediaInfo) -> None:
    assert notes(lines(tmp_path, info, shown(shift_s=7.0), speech=SPEECH[:5])) == ()
    few = media.srt([(s.start_s + 7, s.end_s + 7, "x") for s in SPEECH[:10]])
    assert notes(lines(tmp_path, info, few, speech=SPEECH)) == ()


def test_the_results_of_the_first_version_are_known(info: MediaInfo) -> None:
    """Its SPEC still describes what it depended on: the probe and the supplied file."""
    first = subtitles.SPEC.earlier
    assert first is not None
    assert (first.version, first.needs) == (1, (probe.SPEC,))
    assert (subtitles.SPEC.version, subtitles.SPEC.needs) == (2, (probe.SPEC, audio.SPEC))
