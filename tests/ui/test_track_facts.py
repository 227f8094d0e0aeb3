"""How the page of a video says which tracks are used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heimdex_core.types import AudioTrack, MediaInfo, TrackChoice, Video, VideoState, VideoTrack, utc_now
from ui.views.videos import findings, track_facts, track_name


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a page no language is chosen."""
    monkeypatch.setattr("ui.state.language", lambda: "en")


def sound(index: int, title: str | None, *, language: str | None = None, peak: float = 0.5) -> AudioTrack:
    return AudioTrack(index, "aac", 48000, 2, language, title, False, False, peak=peak)


INFO = MediaInfo(
    container="matroska", size_bytes=1, claimed_duration_s=None, duration_s=2.0, origin_s=0.0, video_stream_index=1,
    video_codec="h264", video_profile=None, pixel_format="yuv420p", width=16, height=16, coded_width=16,
    coded_height=16, rotation_deg=0, fps=25.0, frame_count=50, is_variable_frame_rate=False, first_frame_s=0.0,
    audio_tracks=(sound(2, None, peak=0.0), sound(3, "Mic"), sound(4, "Director")),
    video_tracks=(VideoTrack(0, "mjpeg", 16, 16, None, True), VideoTrack(1, "h264", 16, 16, None, False)),
    picture=TrackChoice(1, passed_over={"0": "still"}),
    sound=TrackChoice(3, passed_over={"2": "silent", "4": "commentary"}),
)  # fmt: skip


def video(info: MediaInfo | None) -> Video:
    now = utc_now()
    return Video("v", "local", "0" * 64, "Title", "a.mkv", VideoState.INDEXED, now, now, info=info)


def test_the_tracks_and_what_speaks_against_the_others() -> None:
    expected = [
        "Picture: track 2; track 1 is a still picture",
        "Sound: track 2, Mic; track 1 is silent; track 3 is a commentary",
    ]
    assert track_facts(video(INFO)) == expected
    assert findings(video(INFO))[-2:] == expected


def test_no_speech_is_not_said_where_speech_was_left_out() -> None:
    silent = replace(video(INFO), transcript_source="none")
    assert "no speech" in findings(silent)
    other = replace(silent, notes=("transcript_english_only:ko",))
    assert findings(other)[1].startswith("speech recognition knows only English, not Korean")
    assert "no speech" not in findings(other)


def test_a_choice_by_hand_is_said() -> None:
    chosen = replace(INFO, sound=TrackChoice(2, by_hand=True), picture=None)
    assert track_facts(video(chosen)) == ["Sound: track 1, chosen by hand"]


def test_without_a_choice_nothing_is_said() -> None:
    one = replace(INFO, audio_tracks=INFO.audio_tracks[1:2], video_tracks=INFO.video_tracks[1:])
    old = replace(INFO, sound=None, picture=None)
    assert [track_facts(video(info)) for info in (one, old, None)] == [[], [], []]


def test_tracks_as_they_are_offered() -> None:
    assert track_name(1, sound(1, "Game", peak=0.0)) == "1 · Game · silent audio"
    assert track_name(2, sound(2, None, language="kor")) == "2 · Korean"
