"""Enormous and hostile subtitles: work grows in step with the file, what does not fit is said, and it can be stopped.

Work is counted, in lines of code executed and in characters put together, never timed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled
from heimdex_core.media.subtitles import cues, read_subtitles, repair
from heimdex_core.types import Segment, Transcript, WorkContext
from tests.support import media
from tests.support.counting import lines_run

_END_S = 600.0


def stamp(time_s: float) -> str:
    return media.srt_time(time_s).replace(",", ".")


def vtt(*cues: tuple[float, float, str]) -> str:
    return "WEBVTT\n\n" + "".join(f"{stamp(a)} --> {stamp(b)}\n{text}\n\n" for a, b, text in cues)


def word_times(n: int, time_s: Callable[[int], float]) -> str:
    return vtt((0.0, _END_S, " ".join(f"<{stamp(time_s(k))}>w{k % 10}" for k in range(n))))


def sung(k: int) -> str:
    return f"a <00:00:02.000>b <00:00:03.000>c{k}"


SHAPES: dict[str, Callable[[int], str]] = {
    "one start, with word times": lambda n: vtt(*((1.0, 9.0, sung(k)) for k in range(n))),
    "one start": lambda n: vtt(*((1.0, 9.0, f"line {k}") for k in range(n))),
    "nested": lambda n: vtt(*((300 * k / n, _END_S - 300 * k / n, f"line {k}") for k in range(n))),
    "all to the end": lambda n: vtt(*((_END_S * k / n, _END_S, f"line {k}") for k in range(n))),
    "backwards": lambda n: vtt(*((k * 0.04, k * 0.04 + 0.04, f"line {k}") for k in range(n, 0, -1))),
    "rolling": lambda n: vtt(*((k * 0.1, k * 0.1 + 0.1, f"word {k}\nword {k + 1}") for k in range(n))),
    "short words": lambda n: vtt(*((k * 0.1, k * 0.1 + 0.1, "a b c d e f g h") for k in range(n))),
    "one cue": lambda n: word_times(n, lambda k: _END_S * k / n),
    "word times that go back": lambda n: word_times(n, lambda k: 500 - 400 * (k % 2)),
}


def read(path: Path, text: str, context: WorkContext | None = None) -> Transcript:
    path.write_text(text, encoding="utf-8")
    return read_subtitles(path, context=context)


@pytest.mark.parametrize("shape", SHAPES)
def test_four_times_the_lines_are_four_times_the_work(
    tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quadratic work would be sixteen times as much; sorting adds a little to four."""
    put_together = [0]

    def counted(start_s: float, end_s: float, text: str, words: tuple[object, ...] = ()) -> Segment:
        put_together[0] += len(text) + len(words)
        return Segment(start_s, end_s, text, words=words)  # type: ignore[arg-type]

    monkeypatch.setattr(repair, "Segment", counted)
    monkeypatch.setattr(repair, "_plain", repair._plain.__wrapped__)  # its cache holds other shares of either
    monkeypatch.setattr(repair, "_MAX_LINE_CHARS", 10**9)

    def work(n: int) -> tuple[int, int]:
        put_together[0] = 0
        lines = lines_run(lambda: read(tmp_path / "a.vtt", SHAPES[shape](n)))
        return lines, put_together[0]

    few, many = work(100), work(400)
    assert many[0] < 5 * few[0]
    assert many[1] < 5 * few[1]


def test_lines_that_begin_together_are_one_with_all_their_words(tmp_path: Path) -> None:
    (segment,) = read(tmp_path / "a.vtt", SHAPES["one start, with word times"](3)).segments
    assert (segment.start_s, segment.end_s, segment.text) == (1.0, 9.0, "a b c0 a b c1 a b c2")
    assert [word.text for word in segment.words] == segment.text.split()


def test_a_line_that_says_again_what_stands_there_is_not_repeated(tmp_path: Path) -> None:
    lines = (1.0, 2.0, "yes"), (1.0, 3.0, "no"), (1.0, 4.0, "yes no"), (1.0, 5.0, "maybe")
    (segment,) = read(tmp_path / "a.vtt", vtt(*lines)).segments
    assert (segment.end_s, segment.text) == (5.0, "yes no maybe")


def test_words_follow_one_another_where_their_times_go_back(tmp_path: Path) -> None:
    text = vtt((1.0, 9.0, "one <00:00:05.000>two <00:00:03.000>three <00:00:07.000>four"))
    (segment,) = read(tmp_path / "a.vtt", text).segments
    assert [(w.text, w.start_s, w.end_s) for w in segment.words] == [
        ("one", 1.0, 5.0),
        ("two", 5.0, 5.0),
        ("three", 5.0, 7.0),
        ("four", 7.0, 9.0),
    ]


# --- caps that are said ---------------------------------------------------------------------------


def eight(line: Callable[[int], str]) -> str:
    return "".join(line(k) for k in range(8))


MANY = {
    "srt": media.srt([(k, k + 1.0, f"line {k}") for k in range(8)]),
    "vtt": vtt(*((k, k + 1.0, f"line {k}") for k in range(8))),
    "ass": "[Script Info]\n[Events]\n"
    + eight(lambda k: f"Dialogue: 0,0:00:0{k}.00,0:00:0{k + 1}.00,,,0,0,0,,line {k}\n"),
    "smi": "<SAMI><BODY>" + eight(lambda k: f"<SYNC Start={k * 1000}><P Class=ENCC>line {k}\n"),
    "ttml": "<tt><body><div>" + eight(lambda k: f'<p begin="{k}s" end="{k + 1}s">line {k}</p>') + "</div></body></tt>",
    "microdvd.sub": "{1}{1}25\n" + eight(lambda k: f"{{{25 * k}}}{{{25 * k + 25}}}line {k}\n"),
    "mpl2.sub": eight(lambda k: f"[{10 * k}][{10 * k + 10}]line {k}\n"),
    "subviewer.sub": eight(lambda k: f"00:00:0{k}.00,00:00:0{k + 1}.00\nline {k}\n\n"),
    "subviewer1.sub": eight(lambda k: f"[00:00:0{k}]\nline {k}\n"),
}


@pytest.mark.parametrize("kind", MANY)
def test_lines_beyond_the_limit_are_left_out_and_counted(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(read(tmp_path / f"a.{kind}", MANY[kind]).segments) == 8
    monkeypatch.setattr(cues, "MAX_CUES", 5)
    found = read(tmp_path / f"a.{kind}", MANY[kind])
    assert [segment.text for segment in found.segments] == [f"line {k}" for k in range(5)]
    assert "subtitles_too_many:3" in found.notes


@pytest.mark.parametrize("kind", MANY)
def test_reading_can_be_cancelled(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far it has come: at the first time it asks, at the second, and so on to the end."""
    monkeypatch.setattr(cues, "_CHECK_EVERY", 1)
    asked = [0]

    def wish_at(number: int) -> WorkContext:
        def is_cancelled() -> bool:
            asked[0] += 1
            return asked[0] >= number

        asked[0] = 0
        return WorkContext(is_cancelled=is_cancelled)

    read(tmp_path / f"a.{kind}", MANY[kind], wish_at(10**9))
    times = asked[0]
    assert times >= 3 * 8  # while lines are read, when repetitions are looked for, when they are put right
    for number in (1, times // 2, times):
        with pytest.raises(Cancelled):
            read(tmp_path / f"a.{kind}", MANY[kind], wish_at(number))


def test_an_endless_line_is_cut_at_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_MAX_LINE_CHARS", 12)
    text = vtt((1.0, 5.0, "one <00:00:02.000>two three four"), (6.0, 7.0, "x" * 30), (8.0, 9.0, "twelve chars"))
    found = read(tmp_path / "a.vtt", text)
    assert [segment.text for segment in found.segments] == ["one two", "x" * 12, "twelve chars"]
    assert [word.text for word in found.segments[0].words] == ["one", "two"]
    assert "subtitles_lines_shortened:2" in found.notes


def test_word_times_that_take_too_much_room_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word is stored with its line: "one 0" takes 2 x (5 + 100) characters."""
    monkeypatch.setattr(repair, "_MAX_WORD_CHARS", 2 * 105)
    found = read(tmp_path / "a.vtt", vtt(*((k, k + 1.0, f"one <00:00:0{k}.500>{k}") for k in range(3))))
    assert [segment.text for segment in found.segments] == ["one 0", "one 1", "one 2"]
    assert [len(segment.words) for segment in found.segments] == [2, 0, 0]
    assert "subtitles_word_times_left_out:2" in found.notes


# --- what one bad line may not do -----------------------------------------------------------------

OVERRIDES = [
    r"{\c&HFFFFFF&}",
    r"{\c&HZZ&}",
    r"{\c&H}",
    r"{\1c}",
    r"{\c&H" + "F" * 400 + "&}",
    r"{\alpha&HGG&\fs}",
    r"{\c",
]


@pytest.mark.parametrize("override", OVERRIDES)
def test_an_override_of_substation_alpha_in_subrip(tmp_path: Path, override: str) -> None:
    """Colours and sizes, whole and broken, in a format that has none."""
    text = media.srt([(1.0, 2.0, f"{override}red{{\\c}}"), (3.0, 4.0, "plain")])
    found = read(tmp_path / "a.srt", text)
    assert [segment.text for segment in found.segments][1] == "plain"
    assert found.segments[0].text.endswith("red")
