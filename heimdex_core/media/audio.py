"""The sound of a video as WAV: 16 kHz mono for speech recognition, or a part in stereo for rendering.

Sample number / rate is the time in seconds. Silence is inserted where the audio starts late, has gaps, or cannot be
decoded.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from heimdex_core.errors import FileUnreadable
from heimdex_core.files import atomic_path, require_free_space
from heimdex_core.media.containers import open_media, read_structure
from heimdex_core.media.sound import SILENT_PEAK, SoundFrame, SoundReader, mono_weights, stereo_weights
from heimdex_core.media.tracks import ranked_audio
from heimdex_core.types import AudioTrack, Json, MediaInfo, WorkContext

SAMPLE_RATE_HZ = 16_000
"""The rate of the extracted audio."""
Samples = npt.NDArray[np.int16]

# Timestamps are rounded (Matroska: to 1 ms) and packets jitter; only a larger step is a gap or an overlap.
_JUMP_S = 0.03
_SILENT_PEAK = round(SILENT_PEAK * 32768)
# Audio that falls from something audible to digital silence, and stays there for at least _STOP_MIN_S and
# _STOP_SHARE of its length, has broken off; many intact clips end with a few silent seconds.
_STOP_MIN_S, _STOP_SHARE, _STOP_WINDOW_S = 5.0, 0.4, 0.1
_REPORT_EVERY_S = 5.0
_SILENCE_BLOCK = SAMPLE_RATE_HZ * 60
# A resampler needs a little sound from before its first sample.
_LEAD_IN_S = 0.25


@dataclass(frozen=True)
class AudioResult:
    """What `extract_audio` wrote."""

    path: str | None
    """The WAV file; None where there is no usable audio."""
    duration_s: float
    track: int | None
    """The stream index of the track in the video."""
    broken_at_s: float | None
    """Where the audio first fails to decode or breaks off, in seconds; None where it is intact."""
    notes: tuple[str, ...]
    """Codes: "no_audio", "audio_silent", "audio_broken:12.3" (from 12.3 s on some or all of it does not decode) or
    "audio_stops:12.3" (it decodes, but is digitally silent from 12.3 s to its end)."""

    @staticmethod
    def from_json(data: Json) -> AudioResult:
        return AudioResult(**{**data, "notes": tuple(data["notes"])})


def extract_audio(path: Path, info: MediaInfo, out_wav: Path, context: WorkContext) -> AudioResult:
    """Write the chosen track, or else the first of the others that can be decoded, as a 16 kHz mono 16-bit WAV.

    Args:
        info: what `probe` returned for the video at `path`.
        out_wav: the file to write; on failure it is not left behind.
        context: receives progress in seconds of audio.

    Raises Cancelled, DiskFull, FileUnreadable, NotAVideo.
    """
    needed = round(info.duration_s * SAMPLE_RATE_HZ * 2)
    broken = False
    for track in ranked_tracks(info):
        require_free_space(out_wav.parent, needed, keep_free_bytes=0, what=out_wav.name)
        with atomic_path(out_wav, needed_bytes=needed) as partial, partial.open("wb") as file:
            with wave.open(file) as wav:
                timeline = _Timeline(wav, SAMPLE_RATE_HZ, channels=1)
                at_s = _extract_track(path, info, track, timeline, context)
            if timeline.samples and (at_s is None or timeline.good_samples):
                file.flush()
                return _result(out_wav, info, track, timeline, at_s)
        out_wav.unlink(missing_ok=True)
        broken = broken or at_s is not None
    if broken:
        return AudioResult(None, 0.0, None, 0.0, ("no_audio", "audio_broken:0.0"))
    return AudioResult(None, 0.0, None, None, ("no_audio",))


def write_sound(
    path: Path, info: MediaInfo, out_wav: Path, *, start_s: float, end_s: float, rate_hz: int, context: WorkContext
) -> None:
    """Write [start_s, end_s) of the chosen track as a stereo 16-bit WAV of exactly that length.

    What cannot be decoded is silent; no track at all is silence. `start_s` and `end_s` are player times in seconds;
    `context` receives progress in seconds of the file. Raises Cancelled, DiskFull, FileUnreadable, NotAVideo.
    """
    length = round((end_s - start_s) * rate_hz)
    needed = length * 4
    require_free_space(out_wav.parent, needed, keep_free_bytes=0, what=out_wav.name)
    track = choose_audio(info)
    with atomic_path(out_wav, needed_bytes=needed) as partial, partial.open("wb") as file, wave.open(file) as wav:
        timeline = _Timeline(wav, rate_hz, channels=2, limit=length)
        if track is not None:
            # in an edit list of several parts, what is later may lie before; in joined recordings a time is there twice
            seek = start_s > _LEAD_IN_S and info.recordings == 1 and not read_structure(path).rearranged
            if not (seek and _copy_part(path, info, track, timeline, start_s, end_s, context, seek=True)):
                _copy_part(path, info, track, timeline, start_s, end_s, context, seek=False)
        timeline.pad_to(length)


def ranked_tracks(info: MediaInfo) -> list[AudioTrack]:
    """The tracks in the order in which they are tried: the chosen one, then the best of the others."""
    chosen = info.sound.stream_index if info.sound is not None else None
    return sorted(ranked_audio(info.audio_tracks), key=lambda track: track.stream_index != chosen)


def choose_audio(info: MediaInfo) -> AudioTrack | None:
    """The track that exports and previews use: the first of `ranked_tracks`, None for a video without audio."""
    return next(iter(ranked_tracks(info)), None)


def read_wav(path: Path, start_s: float = 0.0, end_s: float | None = None) -> npt.NDArray[np.float32]:
    """Samples of [start_s, end_s) of a 16 kHz mono 16-bit WAV, float32 (n,), -1 to 1; fewer where the file ends.

    `start_s` and `end_s` are seconds; None means to the end. Raises FileUnreadable.
    """
    try:
        with wave.open(str(path)) as wav:
            if (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) != (SAMPLE_RATE_HZ, 1, 2):
                raise FileUnreadable(filename=path.name, reason="it is not 16 kHz mono 16-bit audio")
            total = wav.getnframes()
            start = min(max(0, round(start_s * SAMPLE_RATE_HZ)), total)
            end = total if end_s is None else min(max(start, round(end_s * SAMPLE_RATE_HZ)), total)
            wav.setpos(start)
            data = wav.readframes(end - start)
    except (OSError, EOFError, wave.Error) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768.0


def has_sound(wav_path: Path) -> bool:
    """Whether any sample of a 16-bit WAV is not zero. Raises OSError, wave.Error."""
    with wave.open(str(wav_path)) as wav:
        while block := wav.readframes(_SILENCE_BLOCK):
            if block.strip(b"\0"):
                return True
    return False


def wav_duration_s(path: Path) -> float:
    """Length of a WAV file in seconds. Raises OSError, wave.Error."""
    with wave.open(str(path)) as wav:
        return wav.getnframes() / wav.getframerate()


# --- the timeline ---------------------------------------------------------------------------------


class _Timeline:
    """A 16-bit WAV file written in order of time, with samples, (n, channels), placed at their times."""

    def __init__(self, wav: wave.Wave_write, rate_hz: int, *, channels: int, limit: int | None = None) -> None:
        """`limit` is how many samples there may be at most; None for no limit."""
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        self._wav = wav
        self.rate_hz = rate_hz
        self.channels = channels
        self._limit = limit
        self.samples = 0
        self.good_samples = 0
        self.peak = 0
        self.last_nonzero = 0
        """Number of the sample after the last one that is not zero."""
        self._recent = np.zeros((0, channels), np.int16)

    @property
    def is_full(self) -> bool:
        return self._limit is not None and self.samples >= self._limit

    def write(self, samples: Samples) -> None:
        """Append decoded samples."""
        if self._limit is not None:
            samples = samples[: max(0, self._limit - self.samples)]
        if not samples.size:
            return
        self._wav.writeframesraw(samples.astype("<i2", copy=False).tobytes())
        self.good_samples += len(samples)
        nonzero = np.flatnonzero(samples.any(axis=1))
        if nonzero.size:
            end = int(nonzero[-1]) + 1
            self.peak = max(self.peak, int(np.abs(samples.astype(np.int32)).max()))
            self.last_nonzero = self.samples + end
            window = round(_STOP_WINDOW_S * self.rate_hz)
            self._recent = np.concatenate([self._recent, samples[:end]])[-window:]
        self.samples += len(samples)

    def pad_to(self, position: int) -> None:
        """Append silence up to a sample number."""
        if self._limit is not None:
            position = min(position, self._limit)
        while self.samples < position:
            count = min(position - self.samples, _SILENCE_BLOCK)
            self._wav.writeframesraw(bytes(2 * self.channels * count))
            self.samples += count

    @property
    def stops_at_s(self) -> float | None:
        """Where audible sound changes into long digital silence that lasts to the end."""
        rest_s = (self.samples - self.last_nonzero) / self.rate_hz
        long_s = max(_STOP_MIN_S, _STOP_SHARE * self.samples / self.rate_hz)
        if rest_s < long_s or not self._recent.size:
            return None
        loudness = float(np.sqrt(np.mean(self._recent.astype(np.float64) ** 2)))
        return self.last_nonzero / self.rate_hz if loudness > _SILENT_PEAK else None


def _result(
    out_wav: Path, info: MediaInfo, track: AudioTrack, timeline: _Timeline, broken_at_s: float | None
) -> AudioResult:
    notes = []
    if broken_at_s is not None:
        notes.append(f"audio_broken:{broken_at_s:.1f}")
    elif timeline.stops_at_s is not None:
        broken_at_s = timeline.stops_at_s
        notes.append(f"audio_stops:{broken_at_s:.1f}")
    if timeline.peak < _SILENT_PEAK:
        notes.append("audio_silent")
    duration_s = timeline.samples / SAMPLE_RATE_HZ
    return AudioResult(str(out_wav), duration_s, track.stream_index, broken_at_s, tuple(notes))


# --- decoding -------------------------------------------------------------------------------------


def _extract_track(
    path: Path, info: MediaInfo, track: AudioTrack, timeline: _Timeline, context: WorkContext
) -> float | None:
    """Fill the timeline from one track; returns where the track first fails to decode, in seconds."""
    end = round(info.duration_s * SAMPLE_RATE_HZ)
    reported_s = 0.0
    with open_media(path) as container:
        reader = SoundReader(container, track.stream_index, info.origin_s)
        resampler = _Resampler(timeline, _used_channels(info, track))
        for frame in reader.frames():
            context.check()
            if timeline.samples >= end + SAMPLE_RATE_HZ:
                break  # absurdly late timestamps must not fill the disk
            if not resampler.add(frame, latest_s=info.duration_s):
                reader.broke(frame.time_s)
            if frame.time_s - reported_s >= _REPORT_EVERY_S:
                context.report(frame.time_s, info.duration_s)
                reported_s = frame.time_s
        resampler.flush()
        if reader.broken_at_s is not None:
            # silence for the rest, so that the audio is as long as the video
            timeline.pad_to(end)
    context.report(info.duration_s, info.duration_s)
    return reader.broken_at_s


def _copy_part(
    path: Path,
    info: MediaInfo,
    track: AudioTrack,
    timeline: _Timeline,
    start_s: float,
    end_s: float,
    context: WorkContext,
    *,
    seek: bool,
) -> bool:
    """Fill the timeline with [start_s, end_s) of a track; false if a poor index led past the start."""
    with open_media(path) as container:
        # times count from `start_s`
        reader = SoundReader(container, track.stream_index, info.origin_s + start_s)
        if seek and not reader.seek(-_LEAD_IN_S):
            return False
        resampler = _Resampler(timeline, _used_channels(info, track))
        is_first, reported_s = True, -start_s
        for frame in reader.frames():
            context.check()
            if is_first and seek and frame.time_s > 0:
                return False
            is_first = False
            if timeline.is_full or frame.time_s > end_s - start_s:
                break
            if frame.time_s + frame.samples.shape[1] / frame.rate_hz > -_LEAD_IN_S:
                resampler.add(frame, latest_s=end_s - start_s)
            if abs(frame.time_s - reported_s) >= _REPORT_EVERY_S:
                context.report(start_s + frame.time_s, end_s)
                reported_s = frame.time_s
        resampler.flush()
    return True


def _used_channels(info: MediaInfo, track: AudioTrack) -> tuple[int, ...]:
    chosen = info.sound
    return chosen.channels if chosen is not None and chosen.stream_index == track.stream_index else ()


class _Resampler:
    """Mixes and resamples continuous runs of audio for a timeline; each run starts at its own time."""

    def __init__(self, timeline: _Timeline, used: tuple[int, ...]) -> None:
        """`used` are the only channels that are used; () is all of them."""
        self._timeline = timeline
        self._used = used
        self._layout = "mono" if timeline.channels == 1 else "stereo"
        self._kind: tuple[tuple[str, ...], int, int] | None = None
        """Positions and number of the channels, and the rate, of the run; None before it begins."""
        self._next_s = 0.0
        self._skip = 0
        """How many samples to drop because the file has samples for their time already."""

    def add(self, frame: SoundFrame, *, latest_s: float) -> bool:
        """Take the next frame; a run that starts after `latest_s` is placed there.

        False where the frame cannot be mixed or resampled: it is left out.
        """
        channels, count = frame.samples.shape
        kind = (frame.names, channels, frame.rate_hz)
        if kind != self._kind or abs(frame.time_s - self._next_s) > _JUMP_S:
            self.flush()
            self._start(min(frame.time_s, latest_s), kind)
        self._next_s = frame.time_s + count / frame.rate_hz
        resampled = self._resampled(frame)
        if resampled is None:
            self._kind = None  # the resampler is not to be used again
            return False
        self._write(resampled)
        return True

    def _start(self, time_s: float, kind: tuple[tuple[str, ...], int, int]) -> None:
        self._resampler = AudioResampler(format="s16", layout=self._layout, rate=self._timeline.rate_hz)
        self._kind = kind
        names, channels, _ = kind
        weights = mono_weights if self._timeline.channels == 1 else stereo_weights
        self._weights = np.atleast_2d(weights(names, channels, self._used))
        position = round(time_s * self._timeline.rate_hz)
        self._timeline.pad_to(position)
        self._skip = self._timeline.samples - max(position, 0) + max(0, -position)

    def flush(self) -> None:
        """Write the samples that the resampler still holds of the run."""
        if self._kind is not None:
            self._write(self._resampled(None) or [])

    def _resampled(self, frame: SoundFrame | None) -> list[Samples] | None:
        """What comes out, (n, channels) each; None where libav cannot take the frame."""
        try:
            packed = None
            if frame is not None:
                mixed = np.ascontiguousarray((self._weights @ frame.samples).T.reshape(1, -1), np.float32)
                # without a time of its own: small jitter must not reach the resampler, because the run is continuous
                packed = AudioFrame.from_ndarray(mixed, format="flt", layout=self._layout)
                packed.sample_rate = frame.rate_hz
            return [
                done.to_ndarray().reshape(-1, self._timeline.channels).astype(np.int16, copy=False)
                for done in self._resampler.resample(packed)
            ]
        except Exception:  # whatever libav makes of damaged sound: the rest of it is not to suffer
            return None

    def _write(self, resampled: list[Samples]) -> None:
        for samples in resampled:
            dropped = min(self._skip, len(samples))
            self._skip -= dropped
            self._timeline.write(samples[dropped:])
