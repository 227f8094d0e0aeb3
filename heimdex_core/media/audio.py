"""Audio for speech recognition: one track as 16 kHz mono, in which sample number / 16000 is the time in seconds.

Silence is inserted where the audio starts late, has gaps, or cannot be decoded.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from heimdex_core.errors import FileUnreadable
from heimdex_core.files import atomic_path, require_free_space
from heimdex_core.media.containers import open_media, read_packets
from heimdex_core.types import AudioTrack, MediaInfo, WorkContext

SAMPLE_RATE_HZ = 16_000
"""The rate of the extracted audio."""
Samples = npt.NDArray[np.int16]

# Timestamps are rounded (Matroska: to 1 ms) and packets jitter; only a larger step is a gap or an overlap.
_JUMP_S = 0.03
# About -66 dBFS, which is inaudible.
_SILENT_PEAK = 16
# Audio that falls from something audible to digital silence, and stays there for at least _STOP_MIN_S and
# _STOP_SHARE of its length, has broken off; many intact clips end with a few silent seconds.
_STOP_MIN_S, _STOP_SHARE, _STOP_WINDOW_S = 5.0, 0.4, 0.1
_REPORT_EVERY_S = 5.0
_SILENCE_BLOCK = SAMPLE_RATE_HZ * 60


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


def extract_audio(path: Path, info: MediaInfo, out_wav: Path, context: WorkContext) -> AudioResult:
    """Write the first of `ranked_tracks` that can be decoded as a 16 kHz mono 16-bit WAV.

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
                timeline = _Timeline(wav)
                at_s = _extract_track(path, info, track, timeline, context)
            if timeline.samples and (at_s is None or timeline.good_samples):
                file.flush()
                return _result(out_wav, info, track, timeline, at_s)
        out_wav.unlink(missing_ok=True)
        broken = broken or at_s is not None
    if broken:
        return AudioResult(None, 0.0, None, 0.0, ("no_audio", "audio_broken:0.0"))
    return AudioResult(None, 0.0, None, None, ("no_audio",))


def ranked_tracks(info: MediaInfo) -> list[AudioTrack]:
    """Best first: the programme before commentary and audio description, then default tracks, then by stream index."""
    return sorted(info.audio_tracks, key=lambda t: (t.is_commentary, not t.is_default, t.stream_index))


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


def wav_duration_s(path: Path) -> float:
    """Length of a WAV file in seconds. Raises OSError, wave.Error."""
    with wave.open(str(path)) as wav:
        return wav.getnframes() / wav.getframerate()


# --- the timeline ---------------------------------------------------------------------------------


class _Timeline:
    """A WAV file written in order of time, with samples placed at their times."""

    def __init__(self, wav: wave.Wave_write) -> None:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE_HZ)
        self._wav = wav
        self.samples = 0
        self.good_samples = 0
        self.peak = 0
        self.last_nonzero = 0
        """Number of the sample after the last one that is not zero."""
        self._recent = np.zeros(0, np.int16)

    def write(self, samples: Samples) -> None:
        """Append decoded samples."""
        if not samples.size:
            return
        self._wav.writeframesraw(samples.astype("<i2", copy=False).tobytes())
        self.good_samples += samples.size
        nonzero = np.flatnonzero(samples)
        if nonzero.size:
            end = int(nonzero[-1]) + 1
            self.peak = max(self.peak, int(np.abs(samples.astype(np.int32)).max()))
            self.last_nonzero = self.samples + end
            window = round(_STOP_WINDOW_S * SAMPLE_RATE_HZ)
            self._recent = np.concatenate([self._recent, samples[:end]])[-window:]
        self.samples += samples.size

    def pad_to(self, position: int) -> None:
        """Append silence up to a sample number."""
        while self.samples < position:
            count = min(position - self.samples, _SILENCE_BLOCK)
            self._wav.writeframesraw(bytes(2 * count))
            self.samples += count

    @property
    def stops_at_s(self) -> float | None:
        """Where audible sound changes into long digital silence that lasts to the end."""
        rest_s = (self.samples - self.last_nonzero) / SAMPLE_RATE_HZ
        long_s = max(_STOP_MIN_S, _STOP_SHARE * self.samples / SAMPLE_RATE_HZ)
        if rest_s < long_s or not self._recent.size:
            return None
        loudness = float(np.sqrt(np.mean(self._recent.astype(np.float64) ** 2)))
        return self.last_nonzero / SAMPLE_RATE_HZ if loudness > _SILENT_PEAK else None


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
        reader = _Reader(container, info, track)
        resampler = _Resampler(timeline)
        for time_s, frame in reader.frames():
            context.check()
            if timeline.samples >= end + SAMPLE_RATE_HZ:
                break  # absurdly late timestamps must not fill the disk
            resampler.add(time_s, frame, latest_s=info.duration_s)
            if time_s - reported_s >= _REPORT_EVERY_S:
                context.report(time_s, info.duration_s)
                reported_s = time_s
        resampler.flush()
        if reader.broken_at_s is not None:
            # silence for the rest, so that the audio is as long as the video
            timeline.pad_to(end)
    context.report(info.duration_s, info.duration_s)
    return reader.broken_at_s


class _Reader:
    """Decodes one audio track and remembers where it first fails."""

    def __init__(self, container: InputContainer, info: MediaInfo, track: AudioTrack) -> None:
        self._container = container
        self._stream = container.streams[track.stream_index]
        self._origin_s = info.origin_s
        self._next_s = 0.0
        self.broken_at_s: float | None = None

    def frames(self) -> Iterator[tuple[float, AudioFrame]]:
        """(time_s, frame); what cannot be decoded is left out."""
        if not isinstance(self._stream, AudioStream) or self._stream.codec_context is None:
            self.broken_at_s = 0.0
            return
        for packet in read_packets(self._container, self._stream, on_error=lambda: self._broke(self._next_s)):
            stamp = packet.pts if packet.pts is not None else packet.dts
            packet_s = self._next_s if stamp is None else float(stamp * packet.time_base) - self._origin_s
            try:
                decoded: list[AudioFrame] = packet.decode()
            except av.error.FFmpegError:
                self._broke(packet_s)
                continue
            if not decoded and packet.is_corrupt:
                self._broke(packet_s)
            for frame in decoded:
                time_s = self._next_s if frame.time is None else frame.time - self._origin_s
                self._next_s = time_s + frame.samples / frame.sample_rate
                yield time_s, frame

    def _broke(self, time_s: float) -> None:
        if self.broken_at_s is None:
            self.broken_at_s = max(0.0, time_s)


class _Resampler:
    """Converts continuous runs of audio to 16 kHz mono; each run starts at its own time."""

    def __init__(self, timeline: _Timeline) -> None:
        self._timeline = timeline
        self._kind: tuple[str, str, int] | None = None
        """Format, layout and rate of the run; None before it begins."""
        self._next_s = 0.0
        self._skip = 0
        """How many samples to drop because the file has samples for their time already."""

    def add(self, time_s: float, frame: AudioFrame, *, latest_s: float) -> None:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind or abs(time_s - self._next_s) > _JUMP_S:
            self.flush()
            self._start(min(time_s, latest_s), kind)
        self._next_s = time_s + frame.samples / frame.sample_rate
        frame.pts = None  # the run is continuous: small jitter of its times must not reach the resampler
        self._write(frame)

    def _start(self, time_s: float, kind: tuple[str, str, int]) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        self._kind = kind
        position = round(time_s * SAMPLE_RATE_HZ)
        self._timeline.pad_to(position)
        self._skip = self._timeline.samples - max(position, 0) + max(0, -position)

    def flush(self) -> None:
        """Write the samples that the resampler still holds of the run."""
        if self._kind is not None:
            self._write(None)

    def _write(self, frame: AudioFrame | None) -> None:
        for resampled in self._resampler.resample(frame):
            samples = resampled.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            dropped = min(self._skip, samples.size)
            self._skip -= dropped
            self._timeline.write(samples[dropped:])
