"""What probing reports about a file, and which files it refuses with which message."""

from __future__ import annotations

import http.server
import os
import threading
from pathlib import Path

import av
import pytest

from heimdex_core import errors
from heimdex_core.media.probe import check_file, differs, frame_rate, probe
from heimdex_core.types import MediaInfo
from tests.media.conftest import Shared
from tests.support import media


def look(path: Path, *, max_duration_s: float = 600.0, measure: bool = True) -> MediaInfo:
    return probe(path, max_bytes=1 << 30, max_duration_s=max_duration_s, measure=measure)


def test_describes_a_plain_clip(tmp_path: Path) -> None:
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
def test_takes_every_container(shared: Shared, name: str, container: str, codec: str) -> None:
    info = look(shared(media.colour_clips, name, [("red", 2.0)], tone_hz=440))
    assert (info.container, info.video_codec, info.has_audio) == (container, codec, True)
    assert info.duration_s == pytest.approx(2.0, abs=0.08)


def test_content_decides_not_the_name(tmp_path: Path, shared: Shared) -> None:
    (tmp_path / "holiday.txt").symlink_to(shared(media.no_audio, "a.mp4"))
    assert look(tmp_path / "holiday.txt").video_codec == "h264"


def test_the_header_agrees_with_the_measured_values(shared: Shared) -> None:
    path = shared(media.colour_clips, "a.mp4", [("red", 2.0)], tone_hz=440)
    quick, whole = look(path, measure=False), look(path)
    assert quick.duration_s == pytest.approx(whole.duration_s, abs=0.03)
    assert (quick.width, quick.fps, quick.frame_count) == (whole.width, whole.fps, whole.frame_count)


def test_json_round_trip(shared: Shared) -> None:
    from heimdex_core.types import to_json

    info = look(shared(media.multi_track, "a.mkv"))
    assert MediaInfo.from_json(to_json(info)) == info


# --- odd but workable -----------------------------------------------------------------------------


def test_no_audio_is_noted(shared: Shared) -> None:
    assert look(shared(media.no_audio, "a.mp4")).notes == ("no_audio",)


@pytest.mark.parametrize(("degrees", "size"), [(90, (180, 320)), (180, (320, 180)), (270, (180, 320))])
def test_rotation_swaps_the_shown_size(shared: Shared, degrees: int, size: tuple[int, int]) -> None:
    info = look(shared(media.rotated, "a.mp4", degrees))
    assert (info.width, info.height) == size
    assert (info.coded_width, info.coded_height) == (320, 180)
    assert info.rotation_deg == degrees
    assert "rotated" in info.notes


def test_mirroring_is_noted_and_is_not_a_rotation(shared: Shared) -> None:
    info = look(shared(media.mirrored, "a.mp4"))
    assert (info.rotation_deg, info.width) == (0, 320)
    assert "mirrored" in info.notes
    assert "rotated" not in info.notes


def test_variable_frame_rate(shared: Shared) -> None:
    info = look(shared(media.variable_frame_rate, "a.mp4"))
    assert info.is_variable_frame_rate
    assert info.frame_count == 16
    assert info.fps == pytest.approx(15 / 2.12)
    assert "variable_frame_rate" in info.notes


def test_delayed_first_frame(shared: Shared) -> None:
    for name in ("a.mp4", "a.mkv"):
        info = look(shared(media.delayed_first_frame, name, 1.6, duration_s=2.0))
        assert info.first_frame_s == pytest.approx(1.6, abs=0.002)
        assert info.duration_s == pytest.approx(3.6, abs=0.03)
        assert "delayed_first_frame" in info.notes


def test_times_count_from_zero_when_the_clock_starts_late(shared: Shared) -> None:
    info = look(shared(media.late_start, "a.mkv", 5.0, duration_s=2.0))
    assert info.origin_s == pytest.approx(5.0)
    assert info.first_frame_s == pytest.approx(0.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.03)


def test_one_frame(shared: Shared) -> None:
    info = look(shared(media.one_frame, "a.mp4"))
    assert (info.frame_count, info.fps) == (1, 25.0)
    assert "one_frame" in info.notes
    assert info.duration_s == pytest.approx(0.04)


@pytest.mark.parametrize(("name", "size"), [("a.mp4", (161, 91)), ("a.webm", (161, 91)), ("a.mkv", (1, 1))])
def test_odd_sizes(shared: Shared, name: str, size: tuple[int, int]) -> None:
    info = look(shared(media.odd_size, name, size))
    assert (info.width, info.height) == size
    assert "odd_size" in info.notes


def test_wide_pixels_are_counted_as_shown(shared: Shared) -> None:
    info = look(shared(media.anamorphic, "a.mp4"))
    assert (info.width, info.height, info.coded_width) == (360, 144, 180)


def test_recordings_without_a_claimed_duration_are_measured(shared: Shared) -> None:
    for path in (shared(media.fragmented_mp4, "a.mp4", 3.0), shared(media.live_webm, "a.webm", 3.0)):
        for measure in (True, False):
            info = look(path, measure=measure)
            assert info.claimed_duration_s is None
            assert info.duration_s == pytest.approx(3.0, abs=0.03)


def test_commentary_tracks_are_marked(shared: Shared) -> None:
    tracks = look(shared(media.multi_track, "a.mkv")).audio_tracks
    assert [t.is_commentary for t in tracks] == [True, True, False]
    assert [t.language for t in tracks] == [None, None, "eng"]


def test_commentary_by_title_alone(tmp_path: Path, shared: Shared) -> None:
    whole = shared(media.multi_track, "a.mkv")
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


def test_camera_location_and_date(tmp_path: Path) -> None:
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


def test_the_size_limit_reports_both_numbers(tmp_path: Path) -> None:
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


def test_scripts_that_name_other_files_are_never_followed(tmp_path: Path, shared: Shared) -> None:
    target = shared(media.no_audio, "a.mp4")
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
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        path = tmp_path / "a.m3u8"
        url = f"http://127.0.0.1:{server.server_port}/secret.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{url}\n#EXT-X-ENDLIST\n")
        with pytest.raises(errors.NotAVideo):
            look(path)
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a", "a.wav"])
def test_audio_alone_is_not_a_video(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.NoVideoStream, match="only audio"):
        look(media.audio_only(tmp_path / name))


def test_cover_art_is_not_a_video(tmp_path: Path) -> None:
    for name in ("a.m4a", "a.mp3"):
        with pytest.raises(errors.NoVideoStream):
            look(media.audio_with_cover(tmp_path / name))


def test_a_still_image_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    media.ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", "-frames:v", "1", path)
    with pytest.raises(errors.NotAVideo):
        look(path)


def test_an_mp4_without_its_index_is_truncated(tmp_path: Path) -> None:
    with pytest.raises(errors.TruncatedFile, match="moov"):
        look(media.truncated_mp4(tmp_path / "a.mp4", 2.0))


def test_an_mp4_that_lacks_most_of_its_data_is_truncated(tmp_path: Path) -> None:
    with pytest.raises(errors.TruncatedFile, match=r"of 5\.0 s, and \d+ bytes are missing"):
        look(media.cut_mp4(tmp_path / "a.mp4", 5.0, keep=0.4))


def test_a_file_that_lacks_its_last_bytes_is_accepted_and_noted(tmp_path: Path) -> None:
    info = look(media.cut_mp4(tmp_path / "a.mp4", 3.0, keep=0.9))
    assert "cut_short" in info.notes
    assert 2.0 < info.duration_s < 3.0


def test_no_frame_can_be_decoded(tmp_path: Path, shared: Shared) -> None:
    with pytest.raises(errors.UndecodableVideo, match="none of its 50 frames"):
        look(shared(media.undecodable_mkv, "a.mkv", 2.0))
    with pytest.raises(errors.UndecodableVideo, match="bytes before it should"):
        look(media.cut_mkv(tmp_path / "b.mkv"))


def test_unknown_codecs(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mkv", [("red", 1.0)], tone_hz=440)
    known = path.read_bytes()
    path.write_bytes(known.replace(b"A_AAC", b"A_XXX"))
    assert [(t.codec, t.sample_rate_hz) for t in look(path).audio_tracks] == [("unknown", 0)]
    path.write_bytes(known.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XXX"))
    with pytest.raises(errors.UndecodableVideo, match="codec"):
        look(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", pytest.param("a.mov", marks=pytest.mark.long)])
# a claim that is too short is found only by measuring; one above the limit is always measured
@pytest.mark.parametrize(("claimed_s", "measure"), [(36_000.0, True), (36_000.0, False), (1.0, True)])
def test_a_header_with_a_wrong_duration(shared: Shared, name: str, claimed_s: float, measure: bool) -> None:
    path, true_s = shared(media.lying_duration, name, claimed_s, true_s=3.5), 3.5
    with pytest.raises(errors.DurationMismatch) as caught:
        look(path, measure=measure)
    assert caught.value.details["claimed_s"] == claimed_s
    assert caught.value.details["measured_s"] == pytest.approx(true_s, abs=0.1)


def test_a_small_difference_is_tolerated() -> None:
    assert not differs(11.9, 10.0)  # within 2 s
    assert differs(12.1, 10.0)
    assert not differs(104.9, 100.0)  # within 5 %
    assert differs(94.9, 100.0)


def test_the_duration_limit(shared: Shared) -> None:
    path = shared(media.colour_clips, "a.mp4", [("red", 2.0)], tone_hz=440)
    assert look(path, max_duration_s=2.0).duration_s == pytest.approx(2.0, abs=0.03)
    for measure in (True, False):
        with pytest.raises(errors.VideoTooLong) as caught:
            look(path, max_duration_s=1.0, measure=measure)
        assert caught.value.details == {"filename": "a.mp4", "duration_s": 2.0, "limit_s": 1.0}


def test_the_duration_limit_holds_without_a_claim(shared: Shared) -> None:
    path = shared(media.live_webm, "a.webm", 3.0)
    with pytest.raises(errors.VideoTooLong):
        look(path, max_duration_s=2.0, measure=False)


# --- arithmetic -----------------------------------------------------------------------------------


def test_frame_rate_keeps_the_headers_exact_fraction() -> None:
    ntsc = 30000 / 1001
    # 30000/1001 fps on a millisecond clock: steps of 33 and 34
    pts = [round(n * 1000 / ntsc) for n in range(300)]
    assert frame_rate(pts, 0.001, ntsc) == (ntsc, False)


def test_the_estimate_in_the_header_of_a_fragmented_file_is_not_its_rate(tmp_path: Path) -> None:
    """With fragments that begin at fixed times, the header says 24.917 of 25 frames a second."""
    path = tmp_path / "a.mp4"
    picture, tone = "color=red:s=160x120:r=25:d=7", "sine=440:d=7"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    fragments = ["-movflags", "frag_keyframe", "-frag_duration", "1500000"]
    media.ffmpeg(*inputs, "-c:v", "libx264", "-g", "25", "-bf", "0", "-c:a", "aac", *fragments, path)
    with av.open(str(path)) as container:
        assert 24.8 < float(container.streams.video[0].average_rate or 0) < 24.95
    info = look(path)
    assert (info.fps, info.is_variable_frame_rate) == (25.0, False)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (24.855, 25.0),  # an estimate
        (25.0, 25.0),
        (2497 / 100, 25.0),
        (0.0, 25.0),  # none
    ],
)
def test_a_header_counts_as_far_as_the_clock_is_inexact(header: float, found: float) -> None:
    assert frame_rate([512 * n for n in range(100)], 1 / 12800, header) == (found, False)


def test_frames_that_come_early_or_late_leave_the_headers_rate() -> None:
    """30 frames a second of a recorder whose times are up to 1 ms off, besides their rounding."""
    pts = [round(n * 1000 / 30) + (1 if n % 7 in (3, 5) else 0) for n in range(299)]  # the last one, too
    assert frame_rate(pts, 0.001, 30.0) == (30.0, False)


def test_a_clock_that_is_coarser_than_frames_are_apart() -> None:
    """50 frames a second in sixtieths: steps of 1, 1, 1, 1 and 2."""
    assert frame_rate([round(n * 60 / 50) for n in range(251)], 1 / 60, 0.0) == (50.0, False)


def test_one_dropped_frame_does_not_make_the_rate_variable() -> None:
    pts = [n for n in range(200) if n != 77]
    assert frame_rate(pts, 1 / 25, 25.0) == (25.0, False)


def test_frame_rate_of_a_single_frame_is_the_headers() -> None:
    assert frame_rate([5], 0.04, 24.0) == (24.0, False)
    assert frame_rate([], 0.04, 0.0) == (25.0, False)
