"""Sound for the recognisers: one track as 16 kHz mono, where sample number / 16000 is the time.

Silence is put where the sound starts late, has holes, or is too broken to decode.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from heimdex_core.errors import DiskFull, FileUnreadable
from heimdex_core.files import atomic_path, free_bytes
from heimdex_core.media.opening import open_media
from heimdex_core.types import AudioTrack, MediaInfo, WorkContext

SAMPLE_RATE_HZ = 16_000
Samples = npt.NDArray[np.int16]

# Timestamps are rounded (Matroska: to 1 ms) and packets jitter; only a larger step is a hole or an overlap.
_JUMP_S = 0.03
# About -66 dBFS: below it nobody hears anything.
_SILENT_PEAK = 16
# Sound that falls at once from something heard to absolute zero and stays there for the better part of what
# is left has broken off; a few quiet seconds at the end are how clips end.
_STOP_MIN_S, _STOP_SHARE, _STOP_WINDOW_S = 5.0, 0.4, 0.1
_REPORT_EVERY_S = 5.0
_HOLE_BLOCK = SAMPLE_RATE_HZ * 60


@dataclass(frozen=True)
class AudioResult:
    """`path` is None where there is nothing to hear. `track` is the stream's index in the file.

    `notes`: "no_audio", "audio_silent", "audio_broken:12.3" (does not decode from there on, wholly or in part),
    "audio_stops:12.3" (decodes, but breaks off there and is absolutely silent to its end); `broken_at_s` is
    the same time.
    """

    path: str | None
    duration_s: float
    track: int | None
    broken_at_s: float | None
    notes: tuple[str, ...]


def extract_audio(path: Path, info: MediaInfo, out_wav: Path, context: WorkContext) -> AudioResult:
    """Write the best track as 16 kHz mono 16-bit WAV, streamed. Progress in seconds.

    Raises Cancelled, DiskFull. Nothing is left behind when it does.
    """
    if not info.audio_tracks:
        return AudioResult(None, 0.0, None, None, ("no_audio",))
    needed = round(info.duration_s * SAMPLE_RATE_HZ * 2)
    free = free_bytes(out_wav.parent)
    if free < needed:
        raise DiskFull(what=out_wav.name, needed_bytes=needed, free_bytes=free)
    broken_at_s: float | None = None
    for track in ranked_tracks(info):
        with atomic_path(out_wav, needed_bytes=needed) as partial, partial.open("wb") as file:
            with wave.open(file) as wav:
                timeline = _Timeline(wav)
                at_s = _extract_track(path, info, track, timeline, context)
            if timeline.samples and (at_s is None or timeline.good_samples):
                file.flush()
                return _result(out_wav, info, track, timeline, at_s)
        out_wav.unlink(missing_ok=True)
        broken_at_s = min(at_s or 0.0, broken_at_s or 0.0) if at_s is not None else broken_at_s
    notes = ("no_audio",) if broken_at_s is None else ("no_audio", f"audio_broken:{broken_at_s:.1f}")
    return AudioResult(None, 0.0, None, broken_at_s, notes)


def ranked_tracks(info: MediaInfo) -> list[AudioTrack]:
    """Tracks, best first: the film before commentary and description, the default before others, then as they lie."""
    return sorted(info.audio_tracks, key=lambda t: (t.is_commentary, not t.is_default, t.stream_index))


def read_wav(path: Path, start_s: float = 0.0, end_s: float | None = None) -> npt.NDArray[np.float32]:
    """Samples of [start_s, end_s) of a 16 kHz mono 16-bit WAV as float32, -1 to 1; shorter where the file ends.

    Raises FileUnreadable.
    """
    try:
        with wave.open(str(path)) as wav:
            if (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) != (SAMPLE_RATE_HZ, 1, 2):
                raise FileUnreadable(filename=path.name, reason="it is not 16 kHz mono 16-bit sound")
            total = wav.getnframes()
            start = min(max(0, round(start_s * SAMPLE_RATE_HZ)), total)
            end = total if end_s is None else min(max(start, round(end_s * SAMPLE_RATE_HZ)), total)
            wav.setpos(start)
            data = wav.readframes(end - start)
    except (OSError, EOFError, wave.Error) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768.0


def wav_duration_s(path: Path) -> float:
    """Length of a WAV file in seconds."""
    with wave.open(str(path)) as wav:
        return wav.getnframes() / wav.getframerate()


# --- the timeline ---------------------------------------------------------------------------------


class _Timeline:
    """A WAV file written from left to right, samples placed at their times."""

    def __init__(self, wav: wave.Wave_write) -> None:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE_HZ)
        self._wav = wav
        self.samples = 0
        self.good_samples = 0
        self.peak = 0
        self.last_sound = 0
        """End of the last sample that is not zero."""
        self._recent = np.zeros(0, np.int16)

    def write(self, samples: Samples) -> None:
        """Append decoded samples."""
        if not samples.size:
            return
        self._wav.writeframesraw(samples.astype("<i2", copy=False).tobytes())
        self.good_samples += samples.size
        heard = np.flatnonzero(samples)
        if heard.size:
            end = int(heard[-1]) + 1
            self.peak = max(self.peak, int(np.abs(samples.astype(np.int32)).max()))
            self.last_sound = self.samples + end
            window = round(_STOP_WINDOW_S * SAMPLE_RATE_HZ)
            self._recent = np.concatenate([self._recent, samples[:end]])[-window:]
        self.samples += samples.size

    def pad_to(self, position: int) -> None:
        """Silence up to a sample number."""
        while self.samples < position:
            count = min(position - self.samples, _HOLE_BLOCK)
            self._wav.writeframesraw(bytes(2 * count))
            self.samples += count

    @property
    def stops_at_s(self) -> float | None:
        """Where heard sound ends at once in absolute silence that lasts to the end and is long."""
        rest_s = (self.samples - self.last_sound) / SAMPLE_RATE_HZ
        long_s = max(_STOP_MIN_S, _STOP_SHARE * self.samples / SAMPLE_RATE_HZ)
        if rest_s < long_s or not self._recent.size:
            return None
        loudness = float(np.sqrt(np.mean(self._recent.astype(np.float64) ** 2)))
        return self.last_sound / SAMPLE_RATE_HZ if loudness > _SILENT_PEAK else None


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
    """Fill the timeline from one track; where its sound first broke, if it did."""
    end = round(info.duration_s * SAMPLE_RATE_HZ)
    reported_s = 0.0
    with open_media(path) as container:
        reader = _Reader(container, info, track)
        resampler = _Resampler(timeline)
        for time_s, frame in reader.frames():
            context.check()
            if timeline.samples >= end + SAMPLE_RATE_HZ:
                break  # times that run away must not fill the disk
            resampler.add(time_s, frame, latest_s=info.duration_s)
            if time_s - reported_s >= _REPORT_EVERY_S:
                context.report(time_s, info.duration_s)
                reported_s = time_s
        resampler.flush()
        if reader.broken_at_s is not None:
            # the rest of a broken track is silence, so that its length is that of the picture
            timeline.pad_to(end)
    context.report(info.duration_s, info.duration_s)
    return reader.broken_at_s


class _Reader:
    """Decodes one audio track, noting where it breaks."""

    def __init__(self, container: InputContainer, info: MediaInfo, track: AudioTrack) -> None:
        self._container = container
        self._stream = container.streams[track.stream_index]
        self._origin_s = info.origin_s
        self.broken_at_s: float | None = None

    def frames(self) -> Iterator[tuple[float, AudioFrame]]:
        """(time_s, frame); what does not decode is left out."""
        if not isinstance(self._stream, AudioStream) or self._stream.codec_context is None:
            self.broken_at_s = 0.0
            return
        packets = self._container.demux(self._stream)
        next_s = 0.0
        while True:
            try:
                packet: Any = next(packets, None)
            except av.error.FFmpegError:
                self._broke(next_s)
                return
            if packet is None:
                return
            stamp = packet.pts if packet.pts is not None else packet.dts
            packet_s = next_s if stamp is None else float(stamp * packet.time_base) - self._origin_s
            try:
                decoded: list[AudioFrame] = packet.decode()
            except av.error.FFmpegError:
                self._broke(packet_s)
                continue
            if not decoded and packet.is_corrupt:
                self._broke(packet_s)
            for frame in decoded:
                time_s = next_s if frame.time is None else frame.time - self._origin_s
                next_s = time_s + frame.samples / frame.sample_rate
                yield time_s, frame

    def _broke(self, time_s: float) -> None:
        if self.broken_at_s is None:
            self.broken_at_s = max(0.0, time_s)


class _Resampler:
    """Runs of unbroken sound become 16 kHz mono; each run starts at its own time."""

    def __init__(self, timeline: _Timeline) -> None:
        self._timeline = timeline
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._next_s = 0.0
        self._skip = 0
        """Samples to drop because their time is already written."""

    def add(self, time_s: float, frame: AudioFrame, *, latest_s: float) -> None:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or kind != self._kind or abs(time_s - self._next_s) > _JUMP_S:
            self.flush()
            self._start(min(time_s, latest_s), kind)
        self._next_s = time_s + frame.samples / frame.sample_rate
        frame.pts = None  # the run is unbroken: small jitter of its times must not reach the resampler
        self._write(frame)

    def _start(self, time_s: float, kind: tuple[str, str, int]) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        self._kind = kind
        position = round(time_s * SAMPLE_RATE_HZ)
        self._timeline.pad_to(position)
        self._skip = self._timeline.samples - max(position, 0) + max(0, -position)

    def flush(self) -> None:
        """Get the last samples of the run out of the resampler."""
        if self._resampler is not None:
            self._write(None)
            self._resampler = None

    def _write(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for resampled in self._resampler.resample(frame):
            samples = resampled.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            dropped = min(self._skip, samples.size)
            self._skip -= dropped
            self._timeline.write(samples[dropped:])
