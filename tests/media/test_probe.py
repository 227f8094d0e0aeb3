"""What probing finds out, and what it refuses in which words."""

from __future__ import annotations

import http.server
import os
import threading
from pathlib import Path

import pytest

from heimdex_core import errors
from heimdex_core.media.probe import check_file, differs, frame_rate, probe
from heimdex_core.types import MediaInfo
from tests.support import media


def look(path: Path, *, max_duration_s: float = 600.0, measure: bool = True) -> MediaInfo:
    return probe(path, max_bytes=1 << 30, max_duration_s=max_duration_s, measure=measure)


def test_says_what_a_plain_clip_holds(tmp_path: Path) -> None:
    info = look(media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 3.0)], tone_hz=440))
    assert (info.container, info.video_codec, info.width, info.height) == ("mov", "h264", 320, 180)
    assert (info.fps, info.frame_count, info.rotation_deg, info.origin_s) == (25.0, 125, 0, 0.0)
    assert info.duration_s == pytest.approx(5.0, abs=0.03)
    assert info.claimed_duration_s == pytest.approx(5.0, abs=0.03)
    assert info.first_frame_s == 0.0
    assert not info.is_variable_frame_rate
    assert [(t.codec, t.sample_rate_hz, t.channels, t.is_commentary) for t in info.audio_tracks] == [
        ("aac", 44100, 1, False)
    ]
    assert info.notes == ()
    assert info.size_bytes == (tmp_path / "a.mp4").stat().st_size


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("a.mov", "mov", "h264"),
        ("a.mkv", "matroska", "h264"),
        ("a.webm", "matroska", "vp8"),
        ("a.avi", "avi", "mpeg4"),
    ],
)
def test_takes_every_container(tmp_path: Path, name: str, container: str, codec: str) -> None:
    info = look(media.colour_clips(tmp_path / name, [("red", 1.0)], tone_hz=440))
    assert (info.container, info.video_codec, info.has_audio) == (container, codec, True)
    assert info.duration_s == pytest.approx(1.0, abs=0.08)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 1.0)])
    assert look(path.rename(tmp_path / "holiday.txt")).video_codec == "h264"


def test_the_quick_look_agrees_with_the_measured_one(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 2.0)], tone_hz=440)
    quick, whole = look(path, measure=False), look(path)
    assert quick.duration_s == pytest.approx(whole.duration_s, abs=0.03)
    assert (quick.width, quick.fps, quick.frame_count) == (whole.width, whole.fps, whole.frame_count)


def test_json_round_trip(tmp_path: Path) -> None:
    from heimdex_core.types import to_json

    info = look(media.multi_track(tmp_path / "a.mkv"))
    assert MediaInfo.from_json(to_json(info)) == info


# --- odd but workable -----------------------------------------------------------------------------


def test_no_audio_is_said(tmp_path: Path) -> None:
    assert look(media.no_audio(tmp_path / "a.mp4")).notes == ("no_audio",)


@pytest.mark.parametrize(("degrees", "size"), [(90, (180, 320)), (180, (320, 180)), (270, (180, 320))])
def test_rotation_swaps_the_shown_size(tmp_path: Path, degrees: int, size: tuple[int, int]) -> None:
    info = look(media.rotated(tmp_path / "a.mp4", degrees))
    assert (info.width, info.height) == size
    assert (info.coded_width, info.coded_height) == (320, 180)
    assert info.rotation_deg == degrees
    assert "rotated" in info.notes


def test_mirroring_is_said_and_is_no_rotation(tmp_path: Path) -> None:
    info = look(media.mirrored(tmp_path / "a.mp4"))
    assert (info.rotation_deg, info.width) == (0, 320)
    assert "mirrored" in info.notes
    assert "rotated" not in info.notes


def test_variable_frame_rate(tmp_path: Path) -> None:
    info = look(media.variable_frame_rate(tmp_path / "a.mp4"))
    assert info.is_variable_frame_rate
    assert info.frame_count == 16
    assert info.fps == pytest.approx(15 / 2.12)
    assert "variable_frame_rate" in info.notes


def test_delayed_first_frame(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        info = look(media.delayed_first_frame(tmp_path / name, 1.6, duration_s=2.0))
        assert info.first_frame_s == pytest.approx(1.6, abs=0.002)
        assert info.duration_s == pytest.approx(3.6, abs=0.03)
        assert "delayed_first_frame" in info.notes


def test_a_clock_that_starts_late_is_set_to_zero(tmp_path: Path) -> None:
    info = look(media.late_start(tmp_path / "a.mkv", 5.0, duration_s=2.0))
    assert info.origin_s == pytest.approx(5.0)
    assert info.first_frame_s == pytest.approx(0.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.03)


def test_one_frame(tmp_path: Path) -> None:
    info = look(media.one_frame(tmp_path / "a.mp4"))
    assert (info.frame_count, info.fps) == (1, 25.0)
    assert "one_frame" in info.notes
    assert info.duration_s == pytest.approx(0.04)


@pytest.mark.parametrize(("name", "size"), [("a.mp4", (161, 91)), ("a.webm", (161, 91)), ("a.mkv", (1, 1))])
def test_odd_sizes(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    info = look(media.odd_size(tmp_path / name, size))
    assert (info.width, info.height) == size
    assert "odd_size" in info.notes


def test_wide_pixels_are_counted_as_shown(tmp_path: Path) -> None:
    info = look(media.anamorphic(tmp_path / "a.mp4"))
    assert (info.width, info.height, info.coded_width) == (360, 144, 180)


def test_recordings_without_a_claimed_duration_are_measured(tmp_path: Path) -> None:
    for path in (media.fragmented_mp4(tmp_path / "a.mp4", 3.0), media.live_webm(tmp_path / "a.webm", 3.0)):
        for measure in (True, False):
            info = look(path, measure=measure)
            assert info.claimed_duration_s is None
            assert info.duration_s == pytest.approx(3.0, abs=0.03)


def test_tracks_of_commentary_are_marked(tmp_path: Path) -> None:
    tracks = look(media.multi_track(tmp_path / "a.mkv")).audio_tracks
    assert [t.is_commentary for t in tracks] == [True, True, False]
    assert [t.language for t in tracks] == [None, None, "eng"]


def test_commentary_by_title_alone(tmp_path: Path) -> None:
    whole = media.multi_track(tmp_path / "a.mkv")
    path = tmp_path / "b.mkv"
    flags = [a for n in range(3) for a in (f"-disposition:a:{n}", "0")]
    media.ffmpeg("-i", whole, "-map", "0", "-c", "copy", *flags, path)
    assert [t.is_commentary for t in look(path).audio_tracks] == [True, True, False]


def test_subtitle_tracks(tmp_path: Path) -> None:
    lines = [(1.0, 2.0, "hello")]
    mp4 = look(media.with_subtitles(tmp_path / "a.mp4", lines)).subtitle_tracks
    mkv = look(media.with_subtitles(tmp_path / "a.mkv", lines, language="kor")).subtitle_tracks
    assert [(t.codec, t.language, t.is_text) for t in (*mp4, *mkv)] == [
        ("mov_text", "eng", True),
        ("subrip", "kor", True),
    ]


def test_camera_place_and_date(tmp_path: Path) -> None:
    tags = {
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 15",
        "com.apple.quicktime.location.ISO6709": "+37.5665+126.9780/",
        "com.apple.quicktime.creationdate": "2024-05-06T07:08:09+0900",
    }
    info = look(media.colour_clips(tmp_path / "a.mov", [("red", 0.4)], metadata=tags))
    assert info.camera == "Apple iPhone 15"
    assert info.gps == "+37.5665+126.9780/"
    assert info.created_at == "2024-05-06T07:08:09+0900"


# --- refused --------------------------------------------------------------------------------------


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(errors.FileUnreadable, match="No such file"):
        look(tmp_path / "missing.mp4")
    with pytest.raises(errors.FileUnreadable, match="not a file"):
        look(tmp_path)
    with pytest.raises(errors.EmptyFile):
        look(media.empty_file(tmp_path / "empty.mp4"))
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with pytest.raises(errors.FileUnreadable, match="not a file"):
        look(pipe)


def test_the_size_limit_tells_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(1001))
    with pytest.raises(errors.FileTooLarge) as caught:
        check_file(path, max_bytes=1000)
    assert caught.value.details == {"filename": "a.mp4", "size_bytes": 1001, "limit_bytes": 1000}
    assert check_file(path, max_bytes=1001) == 1001


def test_text_is_not_a_video(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAVideo):
        look(media.text_file_mp4(tmp_path / "a.mp4"))


def test_the_given_name_is_used_in_messages(tmp_path: Path) -> None:
    path = media.text_file_mp4(tmp_path / "1f2e.part")
    with pytest.raises(errors.NotAVideo, match=r"^휴가 🎬\.mp4 is"):
        probe(path, max_bytes=1 << 30, max_duration_s=600, filename="휴가 🎬.mp4")


def test_scripts_that_name_other_files_are_never_followed(tmp_path: Path) -> None:
    target = media.colour_clips(tmp_path / "secret.mp4", [("red", 1.0)])
    for maker in (media.playlist_mp4, media.concat_mp4):
        with pytest.raises(errors.NotAVideo):
            look(maker(tmp_path / "harmless.mp4", target))


def test_playlists_do_not_reach_the_network(tmp_path: Path) -> None:
    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            return None

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = tmp_path / "a.m3u8"
        url = f"http://127.0.0.1:{server.server_port}/secret.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{url}\n#EXT-X-ENDLIST\n")
        with pytest.raises(errors.NotAVideo):
            look(path)
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a", "a.wav"])
def test_sound_alone_has_no_picture(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.NoVideoStream, match="only audio"):
        look(media.audio_only(tmp_path / name))


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    for name in ("a.m4a", "a.mp3"):
        with pytest.raises(errors.NoVideoStream):
            look(media.audio_with_cover(tmp_path / name))


def test_a_still_picture_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    media.ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", "-frames:v", "1", path)
    with pytest.raises(errors.NotAVideo):
        look(path)


def test_an_mp4_without_its_index_is_truncated(tmp_path: Path) -> None:
    with pytest.raises(errors.TruncatedFile, match="moov"):
        look(media.truncated_mp4(tmp_path / "a.mp4"))


def test_an_mp4_cut_in_half_is_truncated(tmp_path: Path) -> None:
    with pytest.raises(errors.TruncatedFile, match=r"of 10\.0 s are there"):
        look(media.cut_mp4(tmp_path / "a.mp4", 10.0, keep=0.5))


def test_a_file_that_lacks_its_last_bytes_is_taken_and_it_is_said(tmp_path: Path) -> None:
    info = look(media.cut_mp4(tmp_path / "a.mp4", 10.0, keep=0.95))
    assert "cut_short" in info.notes
    assert 9.0 < info.duration_s < 10.0


def test_no_picture_decodes(tmp_path: Path) -> None:
    with pytest.raises(errors.UndecodableVideo, match="none of its 50 pictures"):
        look(media.undecodable_mkv(tmp_path / "a.mkv", 2.0))
    with pytest.raises(errors.UndecodableVideo, match="bytes before it should"):
        look(media.cut_mkv(tmp_path / "b.mkv"))


def test_codecs_nobody_knows(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mkv", [("red", 1.0)], tone_hz=440)
    known = path.read_bytes()
    path.write_bytes(known.replace(b"A_AAC", b"A_XXX"))
    assert [(t.codec, t.sample_rate_hz) for t in look(path).audio_tracks] == [("unknown", 0)]
    path.write_bytes(known.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XXX"))
    with pytest.raises(errors.UndecodableVideo, match="codec"):
        look(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
# a short claim is only found out by measuring; a long one is measured before it is believed
@pytest.mark.parametrize(
    ("claimed_s", "true_s", "measure"), [(36_000.0, 5.0, True), (36_000.0, 5.0, False), (1.0, 9.0, True)]
)
def test_a_lying_header(tmp_path: Path, name: str, claimed_s: float, true_s: float, measure: bool) -> None:
    path = media.lying_duration(tmp_path / name, claimed_s, true_s=true_s)
    with pytest.raises(errors.DurationMismatch) as caught:
        look(path, measure=measure)
    assert caught.value.details["claimed_s"] == claimed_s
    assert caught.value.details["measured_s"] == pytest.approx(true_s, abs=0.1)


def test_a_small_difference_is_no_lie() -> None:
    assert not differs(11.9, 10.0)  # within 2 s
    assert differs(12.1, 10.0)
    assert not differs(104.9, 100.0)  # within 5 %
    assert differs(94.9, 100.0)


def test_the_duration_limit(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 5.0)], tone_hz=440)
    assert look(path, max_duration_s=5.0).duration_s == pytest.approx(5.0, abs=0.03)
    for measure in (True, False):
        with pytest.raises(errors.VideoTooLong) as caught:
            look(path, max_duration_s=4.0, measure=measure)
        assert caught.value.details == {"filename": "a.mp4", "duration_s": 5.0, "limit_s": 4.0}


def test_the_duration_limit_holds_without_a_claim(tmp_path: Path) -> None:
    path = media.live_webm(tmp_path / "a.webm", 3.0)
    with pytest.raises(errors.VideoTooLong):
        look(path, max_duration_s=2.0, measure=False)


# --- arithmetic -----------------------------------------------------------------------------------


def test_frame_rate_keeps_the_headers_exact_fraction() -> None:
    ntsc = 30000 / 1001
    # 30000/1001 fps on a millisecond clock: steps of 33 and 34
    pts = [round(n * 1000 / ntsc) for n in range(300)]
    assert frame_rate(pts, 0.001, ntsc) == (ntsc, False)


def test_one_dropped_frame_is_no_variable_rate() -> None:
    pts = [n for n in range(200) if n != 77]
    assert frame_rate(pts, 1 / 25, 25.0) == (25.0, False)


def test_frame_rate_of_a_single_frame_is_the_headers() -> None:
    assert frame_rate([5], 0.04, 24.0) == (24.0, False)
    assert frame_rate([], 0.04, 0.0) == (25.0, False)
