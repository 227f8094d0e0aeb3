"""Timelines: whole frames, and what other programs read from the files."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from otio_cmx3600_adapter import cmx_3600
from otio_fcpx_xml_adapter import fcpx_xml

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.export.timelines import FORMATS, TimelinePart, make_timeline, write_timeline
from heimdex_core.export.timelines.edl import reel_names
from heimdex_core.export.timelines.timecode import (
    exact_rate,
    format_timecode,
    nearest_rate,
    parse_timecode,
    timeline_rate,
)
from heimdex_core.types import Segment, Word
from heimdex_core.types.timelines import TIMELINE_FORMATS, Timeline, TimelineSource

FILM, NTSC, DOUBLE = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)


def source(rate: Fraction | int = 25, *, timecode: str = "", name: str = "a.mp4", **fields: Any) -> TimelineSource:
    rate = Fraction(rate)
    start, drop = parse_timecode(timecode, rate) or (0, False)
    fields = {"frame_count": 100_000, "audio_channels": 2, **fields}
    return TimelineSource(name, "A film", Path("/films") / name, rate, start_frame=start, is_drop_frame=drop, **fields)


def part(of: TimelineSource, start_s: float, end_s: float, *said: Segment) -> TimelinePart:
    return TimelinePart(of, 0.0, start_s, end_s, said)


def frames(timeline: Timeline) -> list[tuple[int, int, int, int]]:
    return [(c.source_in, c.source_out, c.record_in, c.record_out) for c in timeline.clips]


# --- rates and timecodes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (23.976, FILM), (24.0, Fraction(24)), (25.0, Fraction(25)), (29.97, NTSC), (30.0, Fraction(30)),
        (59.94005994, DOUBLE), (12.5, Fraction(25, 2)), (15.0, Fraction(15)), (119.88, 2 * DOUBLE),
    ],
)  # fmt: skip
def test_a_rounded_rate_stands_for_a_fraction(fps: float, rate: Fraction) -> None:
    assert exact_rate(fps) == rate


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (Fraction(25, 2), Fraction(25)), (Fraction(15), Fraction(30)), (2 * DOUBLE, DOUBLE), (Fraction(100), 50),
        (NTSC, NTSC), (NTSC / 2, NTSC), (Fraction(26), Fraction(25)),
    ],
)  # fmt: skip
def test_odd_rates_get_a_usual_timeline(rate: Fraction, expected: Fraction) -> None:
    assert timeline_rate(rate) == expected


def test_a_variable_rate_stands_for_the_nearest_usual_one() -> None:
    assert nearest_rate(exact_rate(29.3)) == NTSC


@pytest.mark.parametrize(
    ("frame", "timecode"),
    [
        # the last frame of the first minute; the next number is ;02, because ;00 and ;01 are left out
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (3597, "00:01:59;29"),
        (3598, "00:02:00;02"),
        # a multiple of ten minutes leaves nothing out: 10 min = 10 x 1800 - 9 x 2 frames
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (17983, "00:10:00;01"),
        # 1 h = 6 x 17982 frames
        (107_892, "01:00:00;00"),
    ],
)
def test_drop_frame_as_smpte_counts(frame: int, timecode: str) -> None:
    assert format_timecode(frame, NTSC, is_drop_frame=True) == timecode
    assert parse_timecode(timecode, NTSC) == (frame, True)


def test_drop_frame_at_double_rate_leaves_out_four() -> None:
    assert format_timecode(3599, DOUBLE, is_drop_frame=True) == "00:00:59;59"
    assert format_timecode(3600, DOUBLE, is_drop_frame=True) == "00:01:00;04"
    assert parse_timecode("00:10:00;00", DOUBLE) == (35_964, True)


def test_timecodes_that_leave_nothing_out() -> None:
    assert format_timecode(1800, NTSC) == "00:01:00:00"
    assert format_timecode(86_400 * 25 + 1, Fraction(25)) == "00:00:00:01"
    assert format_timecode(27, Fraction(25, 2)) == "00:00:02:01"
    assert parse_timecode("10:00:00.02", NTSC) == (60 * 17_982 + 2, True)
    assert parse_timecode("10:00:00;00", Fraction(25)) == (900_000, False)


@pytest.mark.parametrize("text", ["", "1:2:3", "24:00:00:00", "00:60:00:00", "00:00:00:25", "soon", "٠٠:00:00:0x"])
def test_what_is_no_timecode(text: str) -> None:
    assert parse_timecode(text, Fraction(25)) is None


# --- frames ---------------------------------------------------------------------------------------


def test_ends_are_rounded_and_not_lengths() -> None:
    """Three clips of 1.018 s at 25 end at 25.45, 50.9 and 76.35 frames; rounded lengths would end at 75."""
    a = source()
    made = make_timeline([part(a, 4.0, 5.018), part(a, 8.0, 9.018), part(a, 12.0, 13.018)])
    assert frames(made) == [(100, 125, 0, 25), (200, 226, 25, 51), (300, 325, 51, 76)]


def test_a_source_of_another_rate_keeps_its_own_frames() -> None:
    """2 s at 25, then 1 s of 29.97 from frame 30: 25 frames of the timeline last as long as 29.97 of its own."""
    made = make_timeline([part(source(), 0.0, 2.0), part(source(NTSC, name="b.mp4"), 1.001, 2.001)])
    assert made.rate == 25
    assert frames(made) == [(0, 50, 0, 50), (30, 60, 50, 75)]


def test_frames_count_from_the_first_picture() -> None:
    made = make_timeline([TimelinePart(source(), 0.4, 2.0, 3.0)])
    assert frames(made) == [(40, 65, 0, 25)]


def test_rounding_does_not_reach_behind_the_end() -> None:
    """1.02 s to 2.02 s are frames 25.5 to 50.5 of a file that has 50."""
    assert frames(make_timeline([part(source(frame_count=50), 1.02, 2.02)])) == [(25, 50, 0, 25)]


def test_the_rate_is_that_of_most_of_it_or_the_one_asked_for() -> None:
    parts = [part(source(NTSC, timecode="01:00:00;00"), 0, 3), part(source(), 0, 2)]
    made = make_timeline(parts)
    assert (made.rate, made.is_drop_frame) == (NTSC, True)
    assert make_timeline(parts, fps=25.0).rate == 25
    assert not make_timeline(parts, fps=25.0).is_drop_frame
    with pytest.raises(InvalidValue, match="fps"):
        make_timeline(parts, fps=12.5)


def test_no_clips_and_unknown_formats_are_refused() -> None:
    with pytest.raises(InvalidValue):
        make_timeline([])
    with pytest.raises(UnknownName, match="avi"):
        write_timeline(make_timeline([part(source(), 0, 1)]), "avi")


def test_the_names_of_formats_are_known_to_all() -> None:
    assert tuple(FORMATS) == TIMELINE_FORMATS


# --- read back ------------------------------------------------------------------------------------

SOURCES = {
    "23.976": source(FILM),
    "25 from 10 h": source(25, timecode="10:00:00:12"),
    "29.97": source(NTSC, timecode="01:00:00:00"),
    "29.97 drop frame": source(NTSC, timecode="00:59:58;20"),
    "50": source(50),
    "59.94": source(DOUBLE),
    "59.94 drop frame": source(DOUBLE, timecode="00:59:58;20"),
}


def edit(of: TimelineSource) -> Timeline:
    """Cuts that lie between frames, over the turn of a minute."""
    cuts = [(1.01, 3.777), (60.2, 61.25), (0.0, 0.333), (599.95, 601.0)]
    return make_timeline([part(of, *cut) for cut in cuts], title="Best & <worst> 모음 🎬")


def clips_in(track: otio.schema.Track) -> list[tuple[int, int, int, int]]:
    """(source start, source end, place, end of the place), counted in frames, of what is no gap."""
    found = []
    for clip in track.find_clips():
        used, placed = clip.source_range, clip.range_in_parent()
        numbers = (used.start_time, used.duration, placed.start_time, placed.duration)
        assert [n.value for n in numbers] == [round(n.value) for n in numbers]
        start, length, place, taken = (round(n.value) for n in numbers)
        found.append((start, start + length, place, place + taken))
    return found


def expected(timeline: Timeline) -> list[tuple[int, int, int, int]]:
    return [
        (c.source.start_frame + c.source_in, c.source.start_frame + c.source_out, c.record_in, c.record_out)
        for c in timeline.clips
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_otio_is_read_back(name: str) -> None:
    made = edit(SOURCES[name])
    read = otio.adapters.read_from_string(write_timeline(made, "otio"), "otio_json")
    assert read.name == made.title
    video, audio = read.tracks
    assert clips_in(video) == clips_in(audio) == expected(made)
    media = video[0].media_reference
    assert media.target_url == "file:///films/a.mp4"
    assert round(media.available_range.start_time.value) == made.clips[0].source.start_frame
    assert float(media.available_range.start_time.rate) == float(made.rate)


@pytest.mark.parametrize("name", SOURCES)
def test_edl_is_read_back(name: str) -> None:
    made = edit(SOURCES[name])
    text = write_timeline(made, "edl")
    read = cmx_3600.read_from_string(text, rate=float(made.rate))
    assert [track.name for track in read.tracks] == ["V", "A1", "A2"]
    assert all(clips_in(track) == expected(made) for track in read.tracks)
    assert [clip.name for clip in read.tracks[0]] == ["a.mp4"] * 4
    assert read.tracks[0][0].media_reference.target_url == "/films/a.mp4"
    assert ("FCM: DROP FRAME" in text) == ("drop" in name)


class ExactReader(fcpx_xml.FcpxXml):
    """The adapter counts frames at whole rates (29 for 29.97) and cuts off what multiplying floats leaves below a
    whole number. Only that is replaced: structure, formats and references are read as it reads them."""

    def _format_frame_rate(self, format_id: str) -> float:
        total, rate = self._format_frame_duration(format_id)
        return float(rate) / float(total)

    def _number_of_frames(self, time_value: str | None, format_id: str) -> int:
        return round(Fraction((time_value or "0s").rstrip("s")) * exact_rate(self._format_frame_rate(format_id)))


def exact_time(text: str | None, fps: float) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(round(Fraction((text or "0s").rstrip("s")) * exact_rate(fps)), fps)


@pytest.mark.parametrize("name", SOURCES)
def test_fcpxml_is_read_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcpx_xml, "to_rational_time", exact_time)
    made = edit(SOURCES[name])
    text = write_timeline(made, "fcpxml")
    project = ExactReader(text).to_otio()[0]
    assert project.name == made.title
    (track,) = project.tracks
    assert clips_in(track) == expected(made)
    media = track[0].media_reference
    assert (track[0].name, media.target_url) == ("a.mp4", "file:///films/a.mp4")
    assert round(media.available_range.start_time.value) == made.clips[0].source.start_frame
    sequence = ElementTree.fromstring(text).find(".//sequence")  # noqa: S314
    assert sequence is not None
    assert sequence.get("tcFormat") == ("DF" if "drop" in name else "NDF")


def test_fcpxml_of_mixed_rates_lies_on_the_frames_of_the_sequence() -> None:
    made = make_timeline([part(source(), 0.01, 2.5), part(source(NTSC, name="b.mp4"), 1.0, 2.0)])
    root = ElementTree.fromstring(write_timeline(made, "fcpxml"))  # noqa: S314
    at = 0
    for clip in root.iter("asset-clip"):
        offset, length = (Fraction(clip.attrib[name].rstrip("s")) * 25 for name in ("offset", "duration"))
        assert offset == at
        assert length.denominator == 1
        at += int(length)
    starts = [Fraction(clip.attrib["start"].rstrip("s")) for clip in root.iter("asset-clip")]
    assert starts == [0, Fraction(30) / NTSC]


def test_edl_of_mixed_rates_keeps_the_seconds_of_the_source() -> None:
    """0.6 s behind 01:00:00:00 is frame 18 of 30, which is frame 15 of 25."""
    b = source(30, timecode="01:00:00:00", name="b.mov")
    text = write_timeline(make_timeline([part(source(), 0.0, 3.0), part(b, 0.6, 1.6)]), "edl")
    line = next(line for line in text.splitlines() if line.startswith("002"))
    assert line.split()[4:] == ["01:00:00:15", "01:00:01:15", "00:00:03:00", "00:00:04:00"]
    assert "* SOURCE RATE: 30" in text


def test_sources_without_sound() -> None:
    made = make_timeline([part(source(), 0, 1), part(source(name="b.mp4", audio_channels=0), 0, 1)])
    read = otio.adapters.read_from_string(write_timeline(made, "otio"), "otio_json")
    assert [type(item).__name__ for item in read.tracks[1]] == ["Clip", "Gap"]
    events = [line.split()[2] for line in write_timeline(made, "edl").splitlines() if re.match(r"\d{3} ", line)]
    assert events == ["AA/V", "V"]


def test_names_of_every_kind() -> None:
    names = ["인터뷰 🎬.mp4", "a<b>&\"c'.mov", "Holiday in Spain.mp4", "holiday-in-France.mp4", "black.mp4", "x\ny.mp4"]
    sources = [source(name=name) for name in names]
    assert list(reel_names(sources).values()) == ["001", "ABC", "HOLIDAYI", "HOLID001", "BLACK001", "XY"]
    made = make_timeline([part(one, 0, 1) for one in sources], title='a\x0b"]]>')
    root = ElementTree.fromstring(write_timeline(made, "fcpxml"))  # noqa: S314
    assert [clip.get("name") for clip in root.iter("asset-clip")] == names
    read = cmx_3600.read_from_string(write_timeline(made, "edl"), rate=25)
    assert [clip.name for clip in read.tracks[0]] == [*names[:-1], "x y.mp4"]


# --- for people -----------------------------------------------------------------------------------


def test_csv_has_timecodes_and_text() -> None:
    said = Segment(0.0, 2.0, "Hello, there", words=(Word("Hello,", 0.2, 0.6), Word("there", 0.7, 1.0)))
    a = source(timecode="10:00:00:00", name="=a.mp4")
    text = write_timeline(make_timeline([part(a, 0.0, 2.0, said), part(a, 4.0, 5.0)]), "csv")
    first, second = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert (first["source_in"], first["source_out"], first["text"]) == ("10:00:00:00", "10:00:02:00", "Hello, there")
    assert (second["source_in"], second["reel_in"], second["start_s"]) == ("10:00:04:00", "00:00:02:00", "2.000")
    assert first["file"] == "'=a.mp4"


def test_srt_is_in_the_time_of_the_reel() -> None:
    """The second clip begins at 2 s of the reel and 10 s of its source, so that 10.5 s is 2.5 s of the reel."""
    words = (Word("Later", 10.5, 11.0), Word("outside", 12.1, 12.4))
    said = Segment(10.0, 13.0, "Later outside", words=words)
    text = write_timeline(make_timeline([part(source(), 0.0, 2.0), part(source(), 10.0, 12.0, said)]), "srt")
    assert text.startswith("1\n00:00:02,500 --> 00:00:0")
    assert text.splitlines()[2:] == ["Later"]


def test_srt_of_silence_is_empty() -> None:
    assert write_timeline(make_timeline([part(source(), 0, 1)]), "srt") == ""


def test_files_of_which_only_the_names_are_told() -> None:
    """Two of one name are two, and their links are relative."""
    named = replace(source(name="새 영상 #1.mp4"), path=Path("새 영상 #1.mp4"), video_id="a")
    made = make_timeline([part(named, 0, 1), part(replace(named, video_id="b"), 0, 1)])
    assert [clip.source.url for clip in made.clips] == ["%EC%83%88%20%EC%98%81%EC%83%81%20%231.mp4"] * 2
    texts = {name: write_timeline(made, name) for name in ("otio", "edl", "fcpxml", "csv")}
    assert not any("/films" in text or "file:" in text for text in texts.values())
    assert "* FROM FILE: 새 영상 #1.mp4" in texts["edl"]
    assert {one.get("ref") for one in ElementTree.fromstring(texts["fcpxml"]).iter("asset-clip")} == {"a1", "a2"}  # noqa: S314
