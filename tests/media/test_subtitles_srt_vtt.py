"""SubRip and WebVTT as people and programs write them: loose times, numbers that are said, code, rolling captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core import errors
from heimdex_core.media.subtitles import read_subtitles
from heimdex_core.media.subtitles.cues import clock
from heimdex_core.types import Transcript

Line = tuple[float, float, str]


def read(tmp_path: Path, text: str, name: str = "a.srt") -> Transcript:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return read_subtitles(path)


def lines_of(transcript: Transcript) -> list[Line]:
    return [(s.start_s, s.end_s, s.text) for s in transcript.segments]


def texts(transcript: Transcript) -> list[str]:
    return [segment.text for segment in transcript.segments]


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("00:00:01,500", 1.5),
        ("00:00:01.500", 1.5),
        ("00:00:01:500", 1.5),
        ("00:00:01，500", 1.5),
        ("00：00：01，500", 1.5),
        ("00:00:01, 500", 1.5),
        ("00:00:01", 1.0),
        ("0:0:1,5", 1.5),
        ("00:00:01,25", 1.25),
        ("00:00:01,2499999", 1.2499999),
        ("00:00:01,249.0999999999999", 1.249),
        ("01:02.500", 62.5),
        ("1:02", 62.0),
        ("12.5", 12.5),
        ("-00:00:01,500", -1.5),
        ("100:00:00,000", 360_000.0),
        ("00:75:00,000", 4500.0),
        ("00:00:02:12", 2.48),  # 12 of 25 frames
        ("01:00:00;05", 3600.2),
    ],
)
def test_written_times(written: str, seconds: float) -> None:
    assert clock(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["", "5", "1984", "one", "00:00:xx,000", ":::", "1:2:3:4:5:6", "-", "0x10:00"])
def test_what_is_no_time(written: str) -> None:
    assert clock(written) is None


@pytest.mark.parametrize(
    "arrow",
    [
        "00:00:01,000-->00:00:02,000",
        "00:00:01,000 -> 00:00:02,000",
        "00:00:01,000 - -> 00:00:02,000",
        "00:00:01,000 –> 00:00:02,000",
        "00:00:01,000 → 00:00:02,000",
        "00:00:01,000 --&gt; 00:00:02,000",
        "00:00:01,000 --> 00:00:02,000 X1:100 X2:200 Y1:300 Y2:400",
        "00:00:01,000 --> 00:00:02,000 align:start position:0%",
        "   00:00:01,000\t-->\t00:00:02,000   ",
        "1 00:00:01,000 --> 00:00:02,000",
        "00:01.000 --> 00:00:02.000",
    ],
)
def test_lines_with_times(tmp_path: Path, arrow: str) -> None:
    found = read(tmp_path, f"1\n{arrow}\nGood evening\n\n2\n00:00:03,000 --> 00:00:04,000\nprofessor\n")
    assert lines_of(found) == [(1.0, 2.0, "Good evening"), (3.0, 4.0, "professor")]
    assert found.notes == ()


def test_text_behind_the_times_is_kept(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "00:00:01,000 --> 00:00:02,000 Good evening\nprofessor\n")) == [
        "Good evening professor"
    ]


@pytest.mark.parametrize(
    "times",
    [
        "00:00:xx,000 --> 00:00:06,000",
        "--:--:-- --> 00:00:06,000",
        " --> 00:00:06,000",
        "00:0a:05,000 --> 00:00:06,000",
        "00:00:??,?00 --> later",
    ],
)
def test_a_cue_without_a_readable_start_is_counted(tmp_path: Path, times: str) -> None:
    found = read(tmp_path, f"1\n00:00:01,000 --> 00:00:02,000\nfirst\n\n2\n{times}\nlost\n\n3\n0:0:7 --> 0:0:8\nlast\n")
    assert texts(found) == ["first", "last"]
    assert found.notes == ("subtitles_lines_unreadable:1",)
    assert dict(found.dropped) == {"unreadable": 1}


def test_a_cue_without_a_readable_end_lasts_as_long_as_reading_it(tmp_path: Path) -> None:
    found = read(tmp_path, "1\n00:00:01,000 --> oops\nshort\n\n2\n00:00:09,000 --> \nlast\n")
    assert lines_of(found) == [(1.0, 2.0, "short"), (9.0, 10.0, "last")]


def test_arrows_that_somebody_says_are_text(tmp_path: Path) -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\nwrite x --> y\nor 10:30 -> home\n\n2\n00:00:03,000 --> 00:00:04,000\nend\n"
    )
    assert texts(read(tmp_path, text)) == ["write x --> y or 10:30 -> home", "end"]


def test_absurd_times_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "0:0:1 --> 999999999:0:0\nfirst\n\n999999999:0:0 --> 999999999:0:5\nlost\n")
    assert lines_of(found) == [(1.0, 2.0, "first")]
    assert found.notes == ("subtitles_lines_unreadable:1",)


def test_lines_before_the_start_are_counted_and_those_across_it_begin_there(tmp_path: Path) -> None:
    text = "-00:00:05,000 --> -00:00:03,000\nearly\n\n-00:00:01,000 --> 00:00:02,000\nacross\n"
    found = read(tmp_path, text)
    assert lines_of(found) == [(0.0, 2.0, "across")]
    assert found.notes == ("subtitles_before_start:1",)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\r\r\n", "\r\r\r\n", "\u2028"])
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_line_ends(tmp_path: Path, name: str, line_end: str) -> None:
    head = "WEBVTT\n\n" if name.endswith("vtt") else "1\n"
    text = head + "00:00:01.000 --> 00:00:03.000\nGood\nevening\n\n2\n00:00:04.000 --> 00:00:06.000\nMy darling\n"
    found = read(tmp_path, text.replace("\n", line_end), name)
    assert lines_of(found) == [(1.0, 3.0, "Good evening"), (4.0, 6.0, "My darling")]


def test_mixed_line_ends_marks_and_nul_bytes(tmp_path: Path) -> None:
    text = "\ufeff1\r\n00:00:01,000 --> 00:00:02,000\ro\x00ne\n\n\ufeff2\r\n00:00:03,000 --> 00:00:04,000\r\ntwo\x1a"
    assert texts(read(tmp_path, text)) == ["one", "two"]


# --- numbers --------------------------------------------------------------------------------------

FIRST, SECOND = "00:00:01,000 --> 00:00:03,000\n", "00:00:04,000 --> 00:00:06,000\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.srt", f"1\n{FIRST}The harbour was built in\n1984\n\n2\n{SECOND}2024\n"),
        ("a.srt", f"{FIRST}The harbour was built in\n1984\n\n{SECOND}2024\n"),  # no counters
        ("a.srt", f"{FIRST}The harbour was built in\n1984\n{SECOND}2024\n"),  # neither counters nor blank lines
        ("a.srt", f"1\n{FIRST}The harbour was built in\n1984\n2\n{SECOND}2024\n"),  # counters, no blank lines
        ("a.srt", f"1\n\n{FIRST}\nThe harbour was built in\n\n1984\n\n2\n\n{SECOND}\n2024\n"),  # a blank line each
        ("a.srt", f"1\n{FIRST}The harbour was built in\n\n1984\n\n2\n{SECOND}2024\n\n"),
        ("a.srt", f"#1\n{FIRST}The harbour was built in\n1984\n\n#2\n{SECOND}2024\n"),
        ("a.srt", f"1\n{FIRST}The harbour was built in\n1984\n\n{SECOND}2024\n"),  # the second counter is missing
        ("a.vtt", f"WEBVTT\n\n{FIRST}The harbour was built in\n1984\n\n{SECOND}2024\n"),
        ("a.vtt", f"WEBVTT\n\na1\n{FIRST}The harbour was built in\n1984\n\na2\n{SECOND}2024\n"),
        ("a.vtt", f"WEBVTT\n\n1\n{FIRST}The harbour was built in\n1984\n\n2\n{SECOND}2024\n"),
    ],
)
def test_numbers_that_are_said_stay_and_counters_go(tmp_path: Path, name: str, text: str) -> None:
    found = read(tmp_path, text.replace(",", "."), name)
    assert lines_of(found) == [(1.0, 3.0, "The harbour was built in 1984"), (4.0, 6.0, "2024")]


def test_counters_that_start_anywhere_or_jump_go(tmp_path: Path) -> None:
    third = "00:00:07,000 --> 00:00:08,000\n"
    for counters in ((0, 1, 2), (41, 42, 43), (1, 1, 1), (7, 9, 3)):
        a, b, c = counters
        found = read(tmp_path, f"{a}\n{FIRST}one\n\n{b}\n{SECOND}two\n\n{c}\n{third}three\n")
        assert texts(found) == ["one", "two", "three"], counters


def test_a_cue_without_text_does_not_take_the_next_counter(tmp_path: Path) -> None:
    third = "00:00:07,000 --> 00:00:08,000\n"
    assert texts(read(tmp_path, f"1\n{FIRST}\n2\n{SECOND}\n\n3\n{third}three\n")) == ["three"]


# --- markup ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Use a vector<int> or a List<String> here", "Use a vector<int> or a List<String> here"),
        ("if a <b and c> d then stop", "if a <b and c> d then stop"),
        ("a < b > c, x <- y, <3", "a < b > c, x <- y, <3"),
        ("open a <div> and a <p>", "open a <div> and a <p>"),
        ("<노래> 봄이 온다 <생략>", "<노래> 봄이 온다 <생략>"),
        ("<i>one</i> <B>two</B> < i >three</ i > <i/>four", "one two three four"),
        ('<font color="#ff0000" size=20>red</font> <FONT face=Arial>sea</FONT>', "red sea"),
        ("<c.colorE5E5E5>grey</c> <c>sky</c>", "<c.colorE5E5E5>grey sky"),  # classes are WebVTT
        ("one<br>two<br/>three<BR />four", "one two three four"),
        (r"{\an8}{\i1}up{\i0} { \an2}down", "up down"),
        ("{pause} for {x: 1}", "{pause} for {x: 1}"),
        (r"{\p1}m 0 0 l 100 0{\p0}seen", "seen"),
        (r"C:\new\Network stays", r"C:\new\Network stays"),
        (r"{\an8}upper\Nlower", "upper lower"),
        ("Tom &amp; Jerry &lt;3 &#39;yes&#39; &#x2014; &nbsp;", "Tom & Jerry <3 'yes' —"),
        ("AT&T, R&notes, a&b;c", "AT&T, R&notes, a&b;c"),
        ("&lt;i&gt; is a tag", "<i> is a tag"),
        ("zero\u200bwidth \u202aleft\u202c \ufeffmark", "zerowidth left mark"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
    ],
)
def test_only_tags_go(tmp_path: Path, written: str, plain: str) -> None:
    assert texts(read(tmp_path, f"1\n{FIRST}{written}\n")) == [plain]


def test_the_tags_of_webvtt(tmp_path: Path) -> None:
    body = "<v.loud Mary Ann>Hello <c.yellow.bg_blue>there</c></v>\n<lang en-GB>mate</lang> <b.x>x</b> vector<int>"
    assert texts(read(tmp_path, f"WEBVTT\n\n{FIRST}{body}\n".replace(",", "."), "a.vtt")) == [
        "Hello there mate x vector<int>"
    ]


def test_drawings_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, rf"1{chr(10)}{FIRST}{{\p1}}m 0 0 l 9 9{chr(10)}{chr(10)}2{chr(10)}{SECOND}said")
    assert texts(found) == ["said"]
    assert found.notes == ("subtitles_not_dialogue:1",)


def test_a_file_of_pictures_for_the_seek_bar_has_no_dialogue(tmp_path: Path) -> None:
    text = (
        "WEBVTT\n\n00:00.000 --> 00:05.000\na.jpg#xywh=0,0,160,90\n\n00:05.000 --> 00:10.000\na.jpg#xywh=160,0,160,90\n"
    )
    with pytest.raises(errors.SubtitlesUnreadable):
        read(tmp_path, text, "a.vtt")


def test_blocks_of_webvtt_that_are_not_said(tmp_path: Path) -> None:
    text = (
        "WEBVTT - a title\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
        "REGION\nid:fred\n\nSTYLE\n::cue(b) { color: red }\n\n"
        "NOTE one\nline\n\n00:01.000 --> 00:02.000\nfirst\n\nNOTE\nnot said\n\nWEBVTT\nX-TIMESTAMP-MAP=LOCAL:0\n\n"
        "00:03.000 --> 00:04.000\nNOTE that this is said\n\nand this\n"
    )
    assert texts(read(tmp_path, text, "a.vtt")) == ["first", "NOTE that this is said and this"]


# --- rolling captions -----------------------------------------------------------------------------


def srt(cues: list[tuple[float, float, str]]) -> str:
    def time(s: float) -> str:
        ms = round(s * 1000)
        return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    return "\n".join(f"{n}\n{time(a)} --> {time(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, 1))


def test_rolling_captions_without_word_times(tmp_path: Path) -> None:
    cues = [
        (0.16, 3.429, "Linus, do your kids think your job is"),
        (3.429, 3.439, "Linus, do your kids think your job is"),
        (3.439, 5.749, "Linus, do your kids think your job is\ncool or is dad's job always by"),
        (5.749, 5.759, "cool or is dad's job always by"),
        (5.759, 7.5, "cool or is dad's job always by\ndefault embarrassing"),
    ]
    found = read(tmp_path, srt(cues))
    assert lines_of(found) == [
        (0.16, 3.429, "Linus, do your kids think your job is"),
        (3.439, 5.749, "cool or is dad's job always by"),
        (5.759, 7.5, "default embarrassing"),
    ]
    assert found.notes == ("subtitles_repeats:2",)


def test_three_rolling_lines(tmp_path: Path) -> None:
    said = ["one is here", "two is here", "three is here", "four is here", "five is here"]
    cues = [(float(n), n + 1.0, "\n".join(said[max(0, n - 2) : n + 1])) for n in range(5)]
    assert texts(read(tmp_path, srt(cues))) == said


def test_rolling_lines_that_were_joined(tmp_path: Path) -> None:
    cues = [
        (0.0, 2.0, "we went down to"),
        (2.0, 4.0, "we went down to the old harbour and"),
        (4.0, 6.0, "the old harbour and saw the boats"),
        (6.0, 8.0, "saw the boats come in"),
    ]
    found = read(tmp_path, srt(cues))
    assert " ".join(texts(found)) == "we went down to the old harbour and saw the boats come in"


def test_captions_that_grow_word_by_word(tmp_path: Path) -> None:
    words = ["the", "red", "car", "is", "on", "the", "bridge"]
    cues = [(n / 2, n / 2 + 0.5, " ".join(words[: n + 1])) for n in range(len(words))]
    assert " ".join(texts(read(tmp_path, srt(cues)))) == "the red car is on the bridge"


def test_people_who_repeat_themselves_are_not_rolling_captions(tmp_path: Path) -> None:
    cues = [
        (0.0, 1.0, "No!"),
        (1.0, 2.0, "No!"),
        (2.0, 3.0, "No!\nNever!"),
        (3.0, 4.0, "You said never"),
        (4.0, 5.0, "I said never"),
        (5.0, 6.0, "I said never"),
        (6.0, 7.0, "Fine."),
    ]
    found = read(tmp_path, srt(cues))
    assert texts(found) == ["No!", "No!", "No! Never!", "You said never", "I said never", "I said never", "Fine."]
    assert found.notes == ()


def test_a_cue_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    found = read(tmp_path, srt([(1.0, 2.0, "one"), (1.0, 2.0, "one"), (3.0, 4.0, "two")]))
    assert lines_of(found) == [(1.0, 2.0, "one"), (3.0, 4.0, "two")]
    assert found.notes == ("subtitles_repeats:1",)
