"""Subtitles as a transcript: any encoding, in order, repaired, with word times where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core import errors
from heimdex_core.media.subtitles import read_subtitles
from heimdex_core.types import Transcript
from tests.media.conftest import Shared
from tests.support import media

KOREAN = media.srt([(1.0, 2.0, "안녕하세요 여러분"), (3.0, 4.5, "빨간 자동차가 다리를 건넌다")])


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def lines_of(transcript: Transcript) -> list[tuple[float, float, str]]:
    return [(s.start_s, s.end_s, s.text) for s in transcript.segments]


def vtt(tmp_path: Path, body: str) -> Transcript:
    return read_subtitles(write(tmp_path / "a.vtt", "WEBVTT\n\n" + body))


def test_plain_lines(tmp_path: Path) -> None:
    text = media.srt([(1.0, 2.5, "The red car"), (3.0, 4.0, "is on the\nbridge and it is fast")])
    found = read_subtitles(write(tmp_path / "a.srt", text))
    assert lines_of(found) == [(1.0, 2.5, "The red car"), (3.0, 4.0, "is on the bridge and it is fast")]
    assert (found.source, found.language, found.rough, found.notes) == ("subtitles", "en", False, ())


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_other_line_ends(tmp_path: Path, line_end: str) -> None:
    found = read_subtitles(write(tmp_path / "a.srt", KOREAN.replace("\n", line_end)))
    assert [s.text for s in found.segments] == ["안녕하세요 여러분", "빨간 자동차가 다리를 건넌다"]


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("cp949", ("subtitles_encoding:cp949",)),
        ("utf-16", ("subtitles_encoding:utf-16",)),
        ("utf-16-le", ("subtitles_encoding:utf-16-le",)),
    ],
)
def test_korean_in_any_encoding(tmp_path: Path, encoding: str, notes: tuple[str, ...]) -> None:
    found = read_subtitles(write(tmp_path / "a.srt", KOREAN, encoding))
    assert [s.text for s in found.segments] == ["안녕하세요 여러분", "빨간 자동차가 다리를 건넌다"]
    assert (found.language, found.notes) == ("ko", notes)


def test_markup_and_entities_are_removed(tmp_path: Path) -> None:
    text = media.srt([(1.0, 2.0, r"{\an8}<i>Tom</i> &amp; <font color='#ff0000'>Jerry</font>, I <3 you")])
    assert read_subtitles(write(tmp_path / "a.srt", text)).segments[0].text == "Tom & Jerry, I <3 you"


def test_lines_without_text_are_removed(tmp_path: Path) -> None:
    text = media.srt([(1.0, 2.0, "one"), (2.0, 3.0, "<i></i>"), (3.0, 4.0, "two")])
    assert [s.text for s in read_subtitles(write(tmp_path / "a.srt", text)).segments] == ["one", "two"]


def test_lines_are_put_in_order(tmp_path: Path) -> None:
    text = media.srt([(5.0, 6.0, "second"), (1.0, 2.0, "first")])
    found = read_subtitles(write(tmp_path / "a.srt", text))
    assert lines_of(found) == [(1.0, 2.0, "first"), (5.0, 6.0, "second")]
    assert found.notes == ()


def test_overlaps_are_repaired_and_reported(tmp_path: Path) -> None:
    text = media.srt([(1.0, 4.0, "one"), (3.0, 5.0, "two"), (5.0, 6.0, "three"), (5.0, 7.0, "four")])
    found = read_subtitles(write(tmp_path / "a.srt", text))
    assert lines_of(found) == [(1.0, 3.0, "one"), (3.0, 5.0, "two"), (5.0, 7.0, "three four")]
    assert found.notes == ("subtitles_overlap_mended",)


def test_reversed_times_are_repaired_and_reported(tmp_path: Path) -> None:
    text = media.srt([(5.0, 4.0, "backwards"), (8.0, 8.0, "x" * 50)])
    found = read_subtitles(write(tmp_path / "a.srt", text))
    assert lines_of(found) == [(5.0, 6.0, "backwards"), (8.0, pytest.approx(11.0), "x" * 50)]
    assert found.notes == ("subtitles_times_mended",)


@pytest.mark.parametrize("content", [b"", b" \n\r\n ", b"\xef\xbb\xbf"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(content)
    with pytest.raises(errors.SubtitlesUnreadable):
        read_subtitles(path)


@pytest.mark.parametrize(
    "text", ["just prose\nwithout any times", "WEBVTT\n\n", media.srt([(1.0, 2.0, " ")]), "a --> b\nc"]
)
def test_text_without_timed_lines(tmp_path: Path, text: str) -> None:
    with pytest.raises(errors.SubtitlesUnreadable, match=r"a\.srt"):
        read_subtitles(write(tmp_path / "a.srt", text))


def test_a_video_is_not_a_subtitle_file(shared: Shared) -> None:
    path = shared(media.no_audio, "a.mp4", 0.2)
    with pytest.raises(errors.SubtitlesUnreadable):
        read_subtitles(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.SubtitlesUnreadable, match="No such file"):
        read_subtitles(tmp_path / "a.srt")


# --- WebVTT ---------------------------------------------------------------------------------------


def test_notes_styles_and_names_are_not_text(tmp_path: Path) -> None:
    body = (
        "NOTE written by hand\nin two lines\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start\n<v Anna>Hello\n\n"
        "NOTE between\n\n00:00:03.000 --> 00:00:04.000\nthere\n"
    )
    assert lines_of(vtt(tmp_path, body)) == [(1.0, 2.0, "Hello"), (3.0, 4.0, "there")]


def test_word_times(tmp_path: Path) -> None:
    body = "00:01.000 --> 00:03.000\nthe<00:00:01.200><c> red</c><00:00:01.900><c> sports car</c>\n"
    segment = vtt(tmp_path, body).segments[0]
    assert segment.text == "the red sports car"
    assert [w.text for w in segment.words] == ["the", "red", "sports", "car"]
    # "sports" and "car" share 1.9 to 3.0 by length: 6 to 3
    assert [w.start_s for w in segment.words] == pytest.approx([1.0, 1.2, 1.9, 1.9 + 1.1 * 6 / 9])
    assert [w.end_s for w in segment.words] == pytest.approx([1.2, 1.9, 1.9 + 1.1 * 6 / 9, 3.0])


def test_each_line_of_live_captions_is_kept_once(tmp_path: Path) -> None:
    body = (
        "00:01.000 --> 00:02.990\n \nthe<00:00:01.500><c> first</c>\n\n"
        "00:02.990 --> 00:03.000\nthe first\n \n\n"
        "00:03.000 --> 00:04.990\nthe first\nand<00:00:03.500><c> second</c>\n\n"
        "00:04.990 --> 00:05.000\nand second\n \n\n"
        "00:09.000 --> 00:10.000\nand<00:00:09.500><c> second</c>\n"
    )
    found = vtt(tmp_path, body)
    assert lines_of(found) == [(1.0, 2.99, "the first"), (3.0, 4.99, "and second"), (9.0, 10.0, "and second")]
    assert [w.text for w in found.segments[1].words] == ["and", "second"]
    assert found.notes == ("subtitles_repeats:2",)


def test_repeated_lines_of_ordinary_subtitles_stay(tmp_path: Path) -> None:
    body = "00:01.000 --> 00:02.000\nNo!\n\n00:02.000 --> 00:03.000\nNo!\n"
    assert [s.text for s in vtt(tmp_path, body).segments] == ["No!", "No!"]


def test_the_header_names_the_language_where_the_text_does_not(tmp_path: Path) -> None:
    text = "WEBVTT\nKind: captions\nLanguage: de\n\n00:01.000 --> 00:02.000\nGuten Tag\n"
    assert read_subtitles(write(tmp_path / "a.vtt", text)).language == "de"
