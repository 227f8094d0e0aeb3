"""Which tracks and channels are used, and that transcript, preview and reel use the same ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from heimdex_core.formatting import two_letter_code
from heimdex_core.media.audio import SAMPLE_RATE_HZ, choose_audio, extract_audio, read_wav
from heimdex_core.media.containers import read_packets, read_structure
from heimdex_core.media.decode import frame_at, frames
from heimdex_core.media.preview import make_preview, preview_plan
from heimdex_core.media.probe import probe
from heimdex_core.media.tracks import ranked_audio, ranked_subtitles
from heimdex_core.types import AudioTrack, MediaInfo, SubtitleTrack, TrackChoice, WorkContext, to_json
from tests.media.conftest import Shared
from tests.media.rendering import BLUE, RED, clip, reel
from tests.support import media, track_media
from tests.support.decoding import centres, info_of, is_colour, sound
from tests.support.track_media import SILENCE, sine

LIME = media.RGB["lime"]


def long(*values: object) -> ParameterSet:
    """Values of a further member of a family, for `make check-long`."""
    return pytest.param(*values, marks=pytest.mark.long)


def pitch_hz(samples: np.ndarray, rate: int, start_s: float, end_s: float) -> float:
    """The loudest frequency of a stretch of sound; 0 where it is silent."""
    part = samples[round(start_s * rate) : round(end_s * rate)]
    if np.abs(part).max() < 0.002:
        return 0.0
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    return float(np.argmax(spectrum)) * rate / len(part)


def heard(path: Path, folder: Path, info: MediaInfo | None = None) -> np.ndarray:
    """What speech recognition gets, at 16 kHz."""
    extract_audio(path, info or info_of(path), folder / "heard.wav", WorkContext())
    return read_wav(folder / "heard.wav")


def previewed(path: Path, folder: Path) -> Path:
    """The preview, which has to be needed."""
    info, out = info_of(path), folder / "preview.mp4"
    plan = preview_plan(info)
    assert plan != "none"
    make_preview(path, info, out, plan, height_px=90, context=WorkContext())
    return out


def assert_heard_everywhere(path: Path, folder: Path, tones: list[tuple[float, float, float]]) -> None:
    """(from s, to s, Hz) are heard by speech recognition, and in the preview and a reel of the whole."""
    reel([clip(path, 0.0, info_of(path).duration_s)], folder / "reel.mp4", fps=25, height=90)
    for samples, rate in (
        (heard(path, folder), SAMPLE_RATE_HZ),
        sound(previewed(path, folder)),
        sound(folder / "reel.mp4"),
    ):
        for start_s, end_s, hz in tones:
            assert pitch_hz(samples, rate, start_s, end_s) == pytest.approx(hz, abs=4)


# --- which sound track ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [SILENCE, "anoisesrc=a=0.0002:r=48000:d=2"], ids=["silence", "noise floor"])
def test_a_silent_first_track_is_passed_over_everywhere(tmp_path: Path, first: str) -> None:
    titles = ["-metadata:s:a:1", "title=Mic", "-disposition:a:0", "default", "-disposition:a:1", "default"]
    path = track_media.sound_tracks(tmp_path / "a.mkv", [first, sine(440)], titles)
    info = info_of(path)
    assert info.sound == TrackChoice(2, passed_over={"1": "silent"})
    assert [track.title for track in info.audio_tracks] == [None, "Mic"]
    assert info.audio_tracks[1].peak == pytest.approx(0.125, abs=0.002)
    # a browser would play the first one
    assert preview_plan(info) == "remux"
    assert_heard_everywhere(path, tmp_path, [(0.2, 1.8, 440)])


def test_where_all_are_silent_the_first_is_used_and_silence_is_said(tmp_path: Path) -> None:
    path = track_media.sound_tracks(tmp_path / "a.mkv", [SILENCE, SILENCE])
    info = info_of(path)
    assert info.sound is not None
    assert info.sound.stream_index == 1
    assert extract_audio(path, info, tmp_path / "a.wav", WorkContext()).notes == ("audio_silent",)


def test_a_quiet_programme_beside_a_loud_score_is_not_silent(tmp_path: Path) -> None:
    quiet, loud = f"{sine(440)},volume=0.05", f"{sine(880)},volume=7"
    titles = ["-metadata:s:a:0", "title=Film", "-metadata:s:a:1", "title=Isolated score"]
    info = info_of(track_media.sound_tracks(tmp_path / "a.mkv", [quiet, loud], titles))
    assert info.sound == TrackChoice(1, passed_over={"2": "music"})


def test_a_track_chosen_by_hand(tmp_path: Path) -> None:
    path = track_media.sound_tracks(tmp_path / "a.mkv", [sine(440), sine(880)])

    def look(number: int | None) -> MediaInfo:
        return probe(path, max_bytes=2**30, max_duration_s=60, audio_track=number)

    assert look(None).sound == TrackChoice(1)
    chosen = look(2)
    assert chosen.sound == TrackChoice(2, by_hand=True)
    assert choose_audio(chosen) == chosen.audio_tracks[1]
    assert pitch_hz(heard(path, tmp_path, chosen), SAMPLE_RATE_HZ, 0.2, 1.8) == pytest.approx(880, abs=2)
    missing = look(3)
    assert (missing.sound, missing.notes) == (TrackChoice(1), ("audio_track_missing:3",))


def track(index: int, *, title: str | None = None, role: str = "main", is_default: bool = False) -> AudioTrack:
    return AudioTrack(index, "aac", 48000, 2, None, title, is_default, role in ("commentary", "description"), role)


def test_the_order_of_sound_tracks_that_were_not_measured() -> None:
    tracks = [
        track(1, role="commentary", is_default=True),
        track(2, role="description"),
        track(3, role="dub", is_default=True),
        track(4),
        track(5, is_default=True),
        replace(track(6), codec="unknown", channels=0),
    ]
    assert [t.stream_index for t in ranked_audio(tracks)] == [5, 4, 3, 2, 1, 6]


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("English", "main"),
        ("Director's Commentary", "commentary"),
        ("감독 코멘터리", "commentary"),
        ("English Descriptive Audio", "description"),
        ("화면 해설", "description"),
        ("English AD", "description"),
        ("Adventure mix", "main"),
        ("한국어 더빙", "dub"),
        ("Isolated Score", "music"),
        ("Karaoke", "music"),
    ],
)
def test_what_a_title_says_about_a_sound_track(tmp_path: Path, title: str, role: str) -> None:
    path = tmp_path / "a.mkv"
    media.ffmpeg(
        *("-f", "lavfi", "-i", "color=s=16x16:r=5:d=0.2", "-f", "lavfi", "-i", sine(440, 0.2)),
        *("-c:a", "pcm_s16le", "-c:v", "mpeg4", "-metadata:s:a:0", f"title={title}", path),
    )
    assert info_of(path).audio_tracks[0].role == role


# --- channels -------------------------------------------------------------------------------------

_INVERTED = "asplit[l][r];[r]volume=-1:precision=float[i];[l][i]join=inputs=2:channel_layout=stereo"
_INVERTED_LATER = _INVERTED.replace("volume=-1", "volume='if(lt(t,1),1,-1)':eval=frame")


@pytest.mark.parametrize("filters", [long(_INVERTED), _INVERTED_LATER], ids=["all of it", "the second half"])
def test_channels_that_cancel_each_other_out(tmp_path: Path, filters: str) -> None:
    path = track_media.filtered_sound(tmp_path / "a.mkv", filters, "flac")
    info = info_of(path)
    assert info.sound == TrackChoice(1, channels=(0,), needs_decoding=True)
    assert info.notes == ("audio_channels:1",)
    assert_heard_everywhere(path, tmp_path, [(0.1, 0.9, 440), (1.1, 1.9, 440)])


@pytest.mark.parametrize(
    "filters",
    [
        "pan=stereo|c0=c0",
        "pan=stereo|c1=c0",
        "pan=stereo|c0=c0|c1=c0",
        "pan=5.1|FL=c0|FR=.5*c0|FC=c0",
        # a little out of phase is how many stereo recordings are
        "asplit[l][r];[r]adelay=0.2ms:all=1[d];[l][d]join=inputs=2:channel_layout=stereo",
    ],
)
def test_usual_sound_is_mixed_as_usual(tmp_path: Path, filters: str) -> None:
    info = info_of(track_media.filtered_sound(tmp_path / "a.mkv", filters, "flac"))
    assert (info.sound, info.notes) == (TrackChoice(1), ())


@pytest.mark.parametrize("count", [long(4), long(10), 16, long(24)])
def test_sound_in_the_last_of_many_channels(tmp_path: Path, count: int) -> None:
    path = track_media.filtered_sound(tmp_path / "a.mov", f"pan={count}c|c{count - 1}=c0", "pcm_s16le")
    info = info_of(path)
    assert info.sound == TrackChoice(1, channels=(count - 1,), needs_decoding=True)
    assert info.notes == (f"audio_channels:{count}",)
    samples = heard(path, tmp_path, info)
    assert pitch_hz(samples, SAMPLE_RATE_HZ, 0.2, 1.8) == pytest.approx(440, abs=2)
    # as loud as in that channel
    assert np.abs(samples).max() == pytest.approx(0.125, abs=0.01)
    if count == 16:
        assert_heard_everywhere(path, tmp_path, [(0.2, 1.8, 440)])


def test_sound_in_low_frequency_effects_only(tmp_path: Path) -> None:
    path = track_media.filtered_sound(tmp_path / "a.mkv", "pan=5.1|LFE=c0", "flac")
    assert pitch_hz(heard(path, tmp_path), SAMPLE_RATE_HZ, 0.2, 1.8) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("labels", "sounding"),
    [((0, 0, 0, 0), 0), long((1, 3, 2, 5, 6, 4), 1), long((1, 1, 1, 1), 2)],
    ids=["unused", "film order", "the same one"],
)
def test_quicktime_channels_that_end_the_process_in_pyav(
    tmp_path: Path, labels: tuple[int, ...], sounding: int
) -> None:
    path = track_media.labelled_channels(tmp_path / "a.mov", labels, sounding)
    info = info_of(path)
    assert info.audio_tracks[0].channels == len(labels)
    assert info.sound is not None
    assert info.sound.needs_decoding
    assert info.notes
    assert_heard_everywhere(path, tmp_path, [(0.2, 1.8, 440)])


@pytest.mark.parametrize("channels", [(1, 6), long((6, 2)), long((2, 6, 1))])
def test_channels_that_change_within_a_track(tmp_path: Path, channels: tuple[int, ...]) -> None:
    path = track_media.changing_sound(tmp_path / "a.mkv", channels)
    info = info_of(path)
    assert info.sound == TrackChoice(1, needs_decoding=True)
    assert info.notes == ("audio_changes:1.0",)
    assert_heard_everywhere(path, tmp_path, [(n + 0.15, n + 0.9, 440 + 100 * n) for n in range(len(channels))])


def test_an_old_library_whose_sound_changes_still_gets_its_reel(tmp_path: Path) -> None:
    path = track_media.changing_sound(tmp_path / "a.mkv", (1, 6))
    whole = clip(path, 0.0, 2.0)
    old = replace(whole, info=replace(whole.info, sound=None))
    reel([old], tmp_path / "reel.mp4", fps=25, height=90)
    samples, rate = sound(tmp_path / "reel.mp4")
    assert [pitch_hz(samples, rate, a, a + 0.7) for a in (0.15, 1.15)] == [
        pytest.approx(440, abs=4),
        pytest.approx(540, abs=4),
    ]


# --- several recordings, edit lists ---------------------------------------------------------------


def test_joined_recordings_are_used_whole(tmp_path: Path) -> None:
    path = track_media.joined_recordings(tmp_path / "a.webm", ["-live", "1"])
    info = info_of(path)
    assert (info.recordings, info.notes) == (2, ("recordings_joined:2",))
    assert info.duration_s == pytest.approx(6.0, abs=0.05)
    shown = [(frame.time_s, frame.image[18, 32]) for frame in frames(path, info, max_side_px=None)]
    assert len(shown) == 60
    assert all(is_colour(pixel, RED if time_s < 2.95 else BLUE) for time_s, pixel in shown)
    assert is_colour(frame_at(path, info, 4.0).image[18, 32], BLUE)
    assert is_colour(frame_at(path, info, 1.0).image[18, 32], RED)
    assert_heard_everywhere(path, tmp_path, [(0.2, 2.8, 440), (3.2, 5.8, 540)])
    for made in ("preview.mp4", "reel.mp4"):
        seen = centres(tmp_path / made)
        assert is_colour(seen[round(len(seen) * 0.4)], RED)
        assert is_colour(seen[round(len(seen) * 0.6)], BLUE)


def test_a_part_of_joined_recordings(tmp_path: Path) -> None:
    path = track_media.joined_recordings(tmp_path / "a.webm", ["-live", "1"])
    reel([clip(path, 4.0, 5.0), clip(path, 1.0, 2.0)], tmp_path / "reel.mp4", fps=25, height=36)
    seen, (samples, rate) = centres(tmp_path / "reel.mp4"), sound(tmp_path / "reel.mp4")
    assert [is_colour(seen[n], colour) for n, colour in ((5, BLUE), (20, BLUE), (30, RED), (45, RED))] == [True] * 4
    assert pitch_hz(samples, rate, 0.1, 0.9) == pytest.approx(540, abs=4)
    assert pitch_hz(samples, rate, 1.1, 1.9) == pytest.approx(440, abs=4)


@pytest.mark.parametrize(
    ("name", "options", "duration_s", "code"),
    [
        ("a.avi", (), 6.0, "recordings_joined"),
        ("a.mp4", (), 3.0, "ends_early"),
        ("a.mp4", ("-movflags", "+frag_keyframe+empty_moov"), 3.0, "ends_early"),
    ],
    ids=["AVI", "MP4", "fragmented MP4"],
)
def test_what_follows_is_used_or_said_not_to_be(
    tmp_path: Path, name: str, options: tuple[str, ...], duration_s: float, code: str
) -> None:
    info = info_of(track_media.joined_recordings(tmp_path / name, options))
    assert info.duration_s == pytest.approx(duration_s, abs=0.4)
    assert {note.split(":")[0] for note in info.notes} & {"recordings_joined", "ends_early"} == {code}


@pytest.mark.parametrize(
    ("times_ms", "restarts", "moved_ms"),
    [
        # a time of an hour in the first second
        ([0, 500, 3_600_000, 900, *range(1000, 5000, 500)], 0, [0, 500, 3_600_000, 900, *range(1000, 5000, 500)]),
        # times of 0 in the sixth second: what comes behind them is where it was
        ([*range(0, 6000, 500), 0, 0, 6000, 6500], 0, [*range(0, 6000, 500), 6000, 6000, 6000, 6500]),
        # a second recording, whose first packet follows the end of the last one, 500 ms long
        ([*range(0, 6000, 500), 0, 500], 1, [*range(0, 6000, 500), 6000, 6500]),
        # frames that are stored in another order than they are shown
        ([0, 1500, 500, 1000, 3000, 2000, 2500], 0, [0, 1500, 500, 1000, 3000, 2000, 2500]),
    ],
    ids=["late", "early", "restart", "reordered"],
)
def test_where_a_clock_starts_again(times_ms: list[int], restarts: int, moved_ms: list[int]) -> None:
    stream = SimpleNamespace(index=0, start_time=0)
    packets = [
        SimpleNamespace(pts=ms, dts=None, size=1, duration=500, time_base=Fraction(1, 1000), stream=stream)
        for ms in times_ms
    ]
    container = SimpleNamespace(format=SimpleNamespace(name="matroska,webm"), demux=lambda *streams: iter(packets))
    counts = [0]
    read = list(read_packets(cast(Any, container), on_restart=counts.append))
    assert ([packet.pts for packet in read], counts[-1]) == (moved_ms, restarts)


@pytest.mark.parametrize(
    ("edits_ms", "shown"),
    [
        long([(0, 1000), (2000, 3000)], [(RED, 400), (BLUE, 1600)]),
        ([(2000, 3000), (0, 1000)], [(BLUE, 1600), (RED, 400)]),
        long([(1000, 3000)], [(LIME, 800), (BLUE, 1600)]),
        long([(1000, 2000), (1000, 2000)], [(LIME, 800), (LIME, 800)]),
    ],
    ids=["cut out", "swapped", "trimmed", "repeated"],
)
def test_an_edit_list_is_followed_everywhere(
    tmp_path: Path, edits_ms: list[tuple[int, int]], shown: list[tuple[tuple[int, int, int], float]]
) -> None:
    path = track_media.edited(tmp_path / "a.mov", edits_ms)
    assert read_structure(path).rearranged == (len(edits_ms) > 1)
    assert info_of(path).duration_s == pytest.approx(2.0, abs=0.05)
    tones = [(n + 0.15, n + 0.85, hz) for n, (_, hz) in enumerate(shown)]
    assert_heard_everywhere(path, tmp_path, tones)
    # a part that begins within the first edit
    reel([clip(path, 0.5, 2.0)], tmp_path / "part.mp4", fps=25, height=90)
    samples, rate = sound(tmp_path / "part.mp4")
    seen = centres(tmp_path / "part.mp4")
    assert [is_colour(seen[n], shown[k][0]) for n, k in ((2, 0), (10, 0), (15, 1), (35, 1))] == [True] * 4
    assert pitch_hz(samples, rate, 0.05, 0.45) == pytest.approx(shown[0][1], abs=6)
    assert pitch_hz(samples, rate, 0.65, 1.4) == pytest.approx(shown[1][1], abs=4)


# --- which picture and subtitles ------------------------------------------------------------------


def test_a_poster_is_not_the_film(tmp_path: Path) -> None:
    path = track_media.poster_first(tmp_path / "a.mkv")
    info = info_of(path)
    assert (info.video_stream_index, info.picture) == (1, TrackChoice(1, passed_over={"0": "still"}))
    assert is_colour(frame_at(path, info, 1.0).image[45, 80], RED)
    assert is_colour(centres(previewed(path, tmp_path))[25], RED)


def test_cover_art_is_no_track(tmp_path: Path) -> None:
    info = info_of(track_media.poster_first(tmp_path / "a.mp4", is_cover=True))
    assert [t.frame_count for t in info.video_tracks] == [50]
    assert info.picture == TrackChoice(info.video_stream_index)


def test_one_frame_is_a_film_where_there_is_nothing_else(shared: Shared) -> None:
    info = info_of(shared(media.one_frame, "a.mp4"))
    assert info.picture == TrackChoice(0)


def subtitles(index: int, language: str | None, role: str = "full", *, is_default: bool = False) -> SubtitleTrack:
    return SubtitleTrack(index, "subrip", language, True, None, is_default, role)


@pytest.mark.parametrize(("language", "order"), [(None, [6, 5, 4, 2, 3, 1]), ("ko", [4, 6, 5, 2, 3, 1])])
def test_the_dialogue_in_the_spoken_language_comes_first(
    shared: Shared, language: str | None, order: list[int]
) -> None:
    info = info_of(shared(media.one_frame, "a.mp4"))
    spoken = replace(track(1), language="eng")
    info = replace(
        info,
        audio_tracks=(spoken,),
        sound=TrackChoice(1),
        subtitle_tracks=(
            subtitles(1, "eng", "commentary"),
            subtitles(2, "eng", "signs", is_default=True),
            subtitles(3, "eng", "forced"),
            subtitles(4, "kor"),
            subtitles(5, "eng", "hearing_impaired"),
            subtitles(6, "en-US"),
            replace(subtitles(7, "eng"), is_text=False),
        ),
    )
    assert [t.stream_index for t in ranked_subtitles(info, language)] == order


@pytest.mark.parametrize(
    ("tag", "code"), [("eng", "en"), ("ko-KR", "ko"), ("zh_Hant", "zh"), ("tlh", "tlh"), ("", None), (None, None)]
)
def test_codes_of_languages(tag: str | None, code: str | None) -> None:
    assert two_letter_code(tag) == code


# --- what is kept ---------------------------------------------------------------------------------


def test_choices_are_stored_and_old_descriptions_have_none(tmp_path: Path) -> None:
    info = info_of(track_media.sound_tracks(tmp_path / "a.mkv", [SILENCE, sine(440)]))
    data = to_json(info)
    assert MediaInfo.from_json(data) == info
    new = ("video_tracks", "picture", "sound", "subtitles", "recordings", "treatment")
    old = {name: value for name, value in data.items() if name not in new}
    for kept in old["audio_tracks"]:
        del kept["role"], kept["peak"]
    found = MediaInfo.from_json(old)
    assert (found.sound, found.picture, found.recordings) == (None, None, 1)
    # as it was: the default track, else the first
    chosen = choose_audio(found)
    assert chosen is not None
    assert chosen.stream_index == 1
