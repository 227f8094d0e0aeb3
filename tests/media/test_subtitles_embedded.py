"""Subtitle tracks inside a video: their text as it is in the packets, and the one with the dialogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.media.subtitles import embedded_subtitles
from heimdex_core.types import SubtitleTrack, Transcript
from tests.media.conftest import Shared
from tests.support import media
from tests.support.decoding import info_of

SIGNS = [(1.0, 2.0, "NO ENTRY")]
ENGLISH = [(0.5, 1.5, "We sail at dawn"), (2.0, 3.5, "Bring the green lantern")]
KOREAN = [(0.5, 1.5, "새벽에 떠난다"), (2.0, 3.5, "초록 등불을 가져와")]


def lines_of(transcript: Transcript | None) -> list[tuple[float, float, str]]:
    assert transcript is not None
    return [(s.start_s, s.end_s, s.text) for s in transcript.segments]


def film(path: Path, tracks: Sequence[tuple[str, str, Sequence[str]]], *, sound: str = "eng") -> Path:
    """A four-second film with sound in a language and subtitle tracks (content, suffix, ffmpeg options)."""
    inputs: list[str | Path] = ["-f", "lavfi", "-i", "color=c=blue:s=64x64:r=5:d=4"]
    inputs += ["-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=4"]
    options: list[str] = ["-map", "0:v", "-map", "1:a", "-metadata:s:a:0", f"language={sound}"]
    for n, (content, suffix, more) in enumerate(tracks):
        text = path.with_name(f"{path.stem}.{n}{suffix}")
        text.write_text(content, encoding="utf-8")
        inputs += ["-i", text]
        options += ["-map", f"{n + 2}:s", *(option.replace("@", str(n)) for option in more)]
    codec = "mov_text" if path.suffix == ".mp4" else "copy"
    media.ffmpeg(*inputs, *options, "-c:v", "mpeg4", "-c:a", "aac", "-c:s", codec, path)
    return path


def tagged(language: str, title: str, disposition: str = "0") -> list[str]:
    return [
        "-metadata:s:s:@",
        f"language={language}",
        "-metadata:s:s:@",
        f"title={title}",
        "-disposition:s:@",
        disposition,
    ]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_lines_of_a_track(shared: Shared, name: str) -> None:
    lines = [(1.0, 3.0, "<i>the red car</i>"), (3.5, 5.0, "is on the bridge,\nand it is fast")]
    path = shared(media.with_subtitles, name, lines)
    found, notes = embedded_subtitles(path, info_of(path))
    assert lines_of(found) == [(1.0, 3.0, "the red car"), (3.5, 5.0, "is on the bridge, and it is fast")]
    assert found is not None
    assert (found.source, found.language, found.notes, notes) == ("embedded", "en", (), ())


def test_code_in_a_track_stays(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [(media.srt([(1.0, 2.0, "a vector<int>, if a <b and c> d")]), ".srt", [])])
    assert lines_of(embedded_subtitles(path, info_of(path))[0]) == [(1.0, 2.0, "a vector<int>, if a <b and c> d")]


def test_the_track_names_the_language_where_the_text_does_not(shared: Shared) -> None:
    path = shared(media.with_subtitles, "a.mkv", [(1.0, 2.0, "Guten Tag")], language="ger")
    found, _ = embedded_subtitles(path, info_of(path))
    assert found is not None
    assert found.language == "de"


def test_no_text_track(shared: Shared) -> None:
    path = shared(media.no_audio, "a.mp4", 0.2)
    assert embedded_subtitles(path, info_of(path)) == (None, ())


ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.50,0:00:01.00,Default,,0,0,0,,{\\an7\\p1}m 0 0 l 9 9{\\p0}
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,The captain{TL note: boss} raises,\\Nthe {\\i1}anchor{\\i0}
Dialogue: 0,0:00:02.50,0:00:03.00,Default,,0,0,0,fx,sa
"""


def test_drawings_comments_and_effects_of_a_track(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [(ASS, ".ass", [])])
    found, _ = embedded_subtitles(path, info_of(path))
    assert lines_of(found) == [(1.0, 2.0, "The captain raises, the anchor")]
    assert found is not None
    assert found.notes == ("subtitles_not_dialogue:2",)


def test_word_times_of_a_webvtt_track(tmp_path: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna>the<00:00:01.500><c> harbour</c>\n"
    path = film(tmp_path / "a.mkv", [(text, ".vtt", [])])
    found, _ = embedded_subtitles(path, info_of(path))
    assert found is not None
    assert [(w.text, w.start_s, w.end_s) for w in found.segments[0].words] == [("the", 1.0, 1.5), ("harbour", 1.5, 2.0)]


@pytest.mark.parametrize(
    ("tracks", "sound", "language", "said", "note"),
    [
        pytest.param(
            [(SIGNS, tagged("eng", "Signs & Songs", "default")), (ENGLISH, tagged("eng", "Full dialogue"))],
            "eng", None, ENGLISH, "subtitles_chosen_dialogue:#2 Full dialogue (eng)", id="signs by their title",
        ),
        pytest.param(
            [(SIGNS, tagged("eng", "", "default+forced")), (ENGLISH, tagged("eng", ""))],
            "eng", None, ENGLISH, "subtitles_chosen_dialogue:#2 (eng)", id="forced by the flag",
        ),
        pytest.param(
            [(ENGLISH, tagged("eng", "Director's commentary", "default")), (KOREAN, tagged("kor", ""))],
            "eng", None, KOREAN, "subtitles_chosen_dialogue:#2 (kor)", id="commentary loses even to a translation",
        ),
        pytest.param(
            [(ENGLISH, tagged("eng", "", "default")), (KOREAN, tagged("kor", ""))],
            "kor", None, KOREAN, "subtitles_chosen_language:#2 (kor)", id="the language of the sound",
        ),
        pytest.param(
            [(KOREAN, tagged("kor", "", "default")), (ENGLISH, tagged("eng", ""))],
            "kor", "en", ENGLISH, "subtitles_chosen_language:#2 (eng)", id="the language that was asked for",
        ),
        pytest.param(
            [(ENGLISH, tagged("eng", "")), (ENGLISH[:1], tagged("eng", "", "default"))],
            "eng", None, ENGLISH[:1], "subtitles_chosen_default:#2 (eng)", id="the default one of two",
        ),
    ],
)  # fmt: skip
def test_the_track_that_is_used(
    tmp_path: Path,
    tracks: Sequence[tuple[list[tuple[float, float, str]], list[str]]],
    sound: str,
    language: str | None,
    said: list[tuple[float, float, str]],
    note: str,
) -> None:
    path = film(tmp_path / "a.mkv", [(media.srt(lines), ".srt", more) for lines, more in tracks], sound=sound)
    found, notes = embedded_subtitles(path, info_of(path), language)
    assert lines_of(found) == said
    assert found is not None
    assert (found.notes, notes) == ((note,), ())


def test_signs_without_a_title_are_known_by_their_number(tmp_path: Path) -> None:
    many = [(0.1 + n / 5, 0.2 + n / 5, f"line {n}") for n in range(12)]
    tracks = [(media.srt(SIGNS), ".srt", tagged("eng", "", "default")), (media.srt(many), ".srt", tagged("eng", ""))]
    path = film(tmp_path / "a.mkv", tracks)
    found, _ = embedded_subtitles(path, info_of(path))
    assert found is not None
    assert [s.text for s in found.segments] == [text for _, _, text in many]


def test_signs_alone_are_not_the_dialogue(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [(media.srt(SIGNS), ".srt", tagged("eng", "Signs: all", "forced"))])
    assert embedded_subtitles(path, info_of(path)) == (None, ("subtitles_partial_only:#1 Signs- all (eng)",))


def test_pictures_are_counted(shared: Shared) -> None:
    path = shared(media.no_audio, "a.mp4", 0.2)
    tracks = tuple(SubtitleTrack(n, codec, "eng", is_text=False) for n, codec in ((1, "dvd_subtitle"), (2, "unknown")))
    info = replace(info_of(path), subtitle_tracks=tracks)
    assert embedded_subtitles(path, info) == (None, ("subtitles_pictures_inside:2",))
