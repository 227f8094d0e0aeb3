"""Sound as arrays: decoding the channels of any track, mixing them, and measuring what is in them.

PyAV frees the channel layout of MOV files twice where its channels are out of native order or "unused" (18.1), which
ends the process. `prepare` replaces such a layout by the bare number of channels before anything is decoded, and
frames are read plane by plane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from av.audio.stream import AudioStream
from av.container import InputContainer

from heimdex_core.media.containers import read_packets
from heimdex_core.media.limits import RATES_HZ, is_usable_sound

Samples = npt.NDArray[np.float32]

SILENT_PEAK = 16 / 32768
"""A track whose samples are all smaller is silent: about -66 dBFS, which is inaudible."""
_SAMPLE_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
# A block must be long enough for the lowest voice, and short enough that a few words fill one.
_BLOCK_S = 0.5
# Of all channels together, that a block has at most: 64 MB.
_BLOCK_VALUES, _LEAST_BLOCK_SAMPLES = 1 << 24, 1024
_names: dict[str, tuple[str, ...]] = {}
"""The positions of the channels of a layout, by its name; reading them for every frame takes longer than decoding."""
# What is 40 dB below the loudest is a noise floor; 20 dB below what one channel alone has, the mix has lost it.
_ACTIVE, _LOST = 1e-4, 1e-2
_LOST_SHARE = 0.2
# Less of the mix than this is left for the channels that have sound: they are used alone.
_LEAST_PART = 0.3


# --- decoding -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SoundFrame:
    """Decoded samples of all channels."""

    time_s: float
    """From the start of the video, in seconds."""
    samples: Samples
    """float32, (channels, n), -1 to 1."""
    rate_hz: int
    names: tuple[str, ...]
    """The channels' positions as libav names them ("FL", "FC", "LFE"); () where they have none."""


def prepare(stream: AudioStream) -> int:
    """The number of channels of a stream; 0 where it is not decoded. To be called before the stream is decoded."""
    context = stream.codec_context
    if context is None:
        return 0
    layout = context.layout
    count: int = layout.nb_channels
    if "channel" in layout.name and count > 0:
        # it overwrites the layout without freeing it: only `layout` is left to do that
        context.layout = f"{count}C"
    # some codecs say their rate only in their frames
    return count if is_usable_sound(context.sample_rate or RATES_HZ[0], count) else 0


class SoundReader:
    """Decodes one track of an open container and remembers where it first fails."""

    def __init__(self, container: InputContainer, stream_index: int, origin_s: float) -> None:
        """`origin_s` is the container's own time of the video's start."""
        self._container = container
        stream = container.streams[stream_index]
        self._stream = stream if isinstance(stream, AudioStream) and prepare(stream) else None
        self._origin_s = origin_s
        self._next_s = 0.0
        self.broken_at_s: float | None = None
        """In seconds; None while nothing failed."""

    def seek(self, time_s: float) -> bool:
        """Go to the packet before a time; false where that is not possible."""
        if self._stream is None or self._stream.time_base is None:
            return False
        try:
            at = int((time_s + self._origin_s) / self._stream.time_base)
            self._container.seek(at, stream=self._stream, backward=True)
        except (av.error.FFmpegError, OverflowError):
            return False
        return True

    def frames(self) -> Iterator[SoundFrame]:
        """What can be decoded, in the order of the file."""
        if self._stream is None:
            self.broke(0.0)
            return
        for packet in read_packets(self._container, self._stream, on_error=lambda: self.broke(self._next_s)):
            yield from self.decode(packet)

    def decode(self, packet: av.Packet) -> Iterator[SoundFrame]:
        """What comes out of one packet of the track."""
        if self._stream is None:
            self.broke(0.0)
            return
        stamp = packet.pts if packet.pts is not None else packet.dts
        known = stamp is not None and packet.time_base is not None
        packet_s = float(stamp * packet.time_base) - self._origin_s if known else self._next_s  # type: ignore[operator]
        try:
            decoded: list[Any] = packet.decode()
            converted = [(frame, planar(frame), channel_names(frame)) for frame in decoded]
        except Exception:  # whatever PyAV makes of damage: the rest of the file is not to suffer from it
            self.broke(packet_s)
            return
        if not decoded and packet.is_corrupt:
            self.broke(packet_s)
        for frame, samples, names in converted:
            time_s = self._next_s if frame.time is None else frame.time - self._origin_s
            if not is_usable_sound(frame.sample_rate, len(samples)):
                self.broke(time_s)
                continue
            self._next_s = time_s + frame.samples / frame.sample_rate
            yield SoundFrame(time_s, samples, frame.sample_rate, names)

    def broke(self, time_s: float) -> None:
        """Note that the track cannot be used from here on, unless that was found earlier."""
        if self.broken_at_s is None:
            self.broken_at_s = max(0.0, time_s)


def planar(frame: AudioFrame) -> Samples:
    """The samples of a frame, float32 (channels, n), -1 to 1. Raises ValueError for a format that is not known.

    AudioFrame.to_ndarray reads past the list of planes where a frame has eight or more.
    """
    name = frame.format.name
    kind = name.removesuffix("p")
    if kind not in _SAMPLE_TYPES:
        raise ValueError(f"samples in the format {name} cannot be read")
    dtype, count, channels = np.dtype(_SAMPLE_TYPES[kind]), frame.samples, frame.layout.nb_channels
    planes: list[Any] = [AudioPlane(frame, n) for n in range(channels if frame.format.is_planar else 1)]
    if frame.format.is_planar:
        raw: Any = np.stack([np.frombuffer(plane, dtype, count) for plane in planes])
    else:
        raw = np.frombuffer(planes[0], dtype, count * channels).reshape(count, channels).T
    samples: Samples = raw.astype(np.float32)
    if dtype.kind == "f":
        return samples if np.isfinite(samples.sum()) else np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
    if dtype.kind == "u":
        samples -= 128
    return samples / np.float32(2.0 ** (8 * dtype.itemsize - 1))


def channel_names(frame: AudioFrame) -> tuple[str, ...]:
    """The positions of a frame's channels; () where they have none."""
    name = frame.layout.name
    if name not in _names:
        _names[name] = () if "channel" in name else tuple(channel.name for channel in frame.layout.channels)
    return _names[name]


# --- mixing ---------------------------------------------------------------------------------------


def mono_weights(names: Sequence[str], channels: int, used: Sequence[int] = ()) -> Samples:
    """How much of every channel goes into mono: float32 (channels,), which add up to 1.

    Args:
        names: positions, as in SoundFrame; () where they have none.
        used: the only channels that are used, in equal parts; () is all of them, by their positions: the centre
            whole, left and right by 0.71, what is behind or above by 0.5, no low-frequency effects (as ATSC A/52,
            7.8, which leaves the choice of the surround level).
    """
    weights = np.zeros(channels, np.float32)
    if used and max(used) < channels:
        weights[list(used)] = 1.0
    elif names and names[0].startswith("AMBI"):
        weights[0] = 1.0  # the first component of ambisonics is the sound from everywhere
    elif len(names) == channels:
        weights[:] = [_weight(name) for name in names]
    if not weights.any():
        weights[:] = 1.0
    weights /= weights.sum()
    return weights


def stereo_weights(names: Sequence[str], channels: int, used: Sequence[int] = ()) -> Samples:
    """As `mono_weights` for left and right: float32 (2, channels). Channels without a side go to both."""
    mono = mono_weights(names, channels, used)
    if used or len(names) != channels or names[0].startswith("AMBI"):
        return np.stack([mono, mono])
    sides = [(not _has_side(name, "R"), not _has_side(name, "L")) for name in names]
    weights: Samples = np.asarray(sides, np.float32).T * mono
    sums = weights.sum(axis=1, keepdims=True)
    weights /= np.where(sums > 0, sums, 1)
    return weights


def _weight(name: str) -> float:
    if name.startswith("LFE"):
        return 0.0
    if name == "FC":
        return 1.0
    return 0.7071 if name in ("FL", "FR", "FLC", "FRC", "DL", "DR", "WL", "WR") else 0.5


def _has_side(name: str, side: str) -> bool:
    return not name.startswith("LFE") and side in name[-2:]


# --- measuring ------------------------------------------------------------------------------------


@dataclass
class SoundMeter:
    """Measures what a track holds while it is decoded, half a second at a time."""

    peak: float = 0.0
    """The largest sample of all channels, 0 to 1."""
    loudest: float = 0.0
    """The highest mean square of a channel over one block, 0 to 1."""
    decoded_s: float = 0.0
    changes_at_s: float | None = None
    """Where rate or channels first change, or the time steps back; None where they do not."""
    broken_at_s: float | None = None
    """Where the track first fails to decode, as SoundReader found; None where it is intact."""
    _kind: tuple[int, int, tuple[str, ...]] | None = None
    _end_s: float | None = None
    _waiting: list[Samples] = field(default_factory=list)
    _blocks: list[npt.NDArray[np.float32]] = field(default_factory=list)
    """The mean products of every two channels, (channels, channels), block by block."""

    def add(self, frame: SoundFrame) -> None:
        """Take the next frame of the track."""
        kind = (frame.rate_hz, len(frame.samples), frame.names)
        if self._kind is None:
            self._kind = kind
        stepped_back = self._end_s is not None and frame.time_s < self._end_s - _BLOCK_S
        if (kind != self._kind or stepped_back) and self.changes_at_s is None:
            self.changes_at_s = max(0.0, frame.time_s)
        length_s = frame.samples.shape[1] / frame.rate_hz
        self._end_s = frame.time_s + length_s
        self.decoded_s += length_s
        if self._waiting and len(self._waiting[0]) != len(frame.samples):
            self._close_block()
        self._waiting.append(frame.samples)
        # longer with many channels, because a block holds the products of every two of them
        block_s = _BLOCK_S * max(1.0, len(frame.samples) / 8)
        most = _BLOCK_VALUES // max(1, len(frame.samples))
        if sum(part.shape[1] for part in self._waiting) >= min(
            max(block_s * frame.rate_hz, _LEAST_BLOCK_SAMPLES), most
        ):
            self._close_block()

    def finish(self) -> None:
        """Take what is left of the last block into account."""
        if self._waiting:
            self._close_block()

    @property
    def is_silent(self) -> bool:
        return self.peak < SILENT_PEAK

    @property
    def channels(self) -> int:
        """How many channels the track begins with; 0 where nothing was decoded."""
        return self._kind[1] if self._kind is not None else 0

    @property
    def has_positions(self) -> bool:
        """Whether players know where the channels belong; one or two always do."""
        return self._kind is None or self._kind[1] <= 2 or bool(self._kind[2])

    def used_channels(self) -> tuple[int, ...]:
        """The channels to use alone, because mixing all of them by position loses what they hold; () to mix them.

        A mix loses sound where channels cancel each other out (one is the other inverted), and where the only
        channels with sound play a small part in it (discrete tracks of a recorder, taken for the back of a cinema).
        """
        if self._kind is None or self.changes_at_s is not None or self._kind[1] < 2:
            return ()
        channels, names = self._kind[1], self._kind[2]
        blocks = np.stack(self._blocks).astype(np.float64)
        energy = np.einsum("bcc->bc", blocks)
        loudest = energy.max(axis=1)
        if self.is_silent or loudest.max() <= 0:
            return ()
        active = np.flatnonzero(energy.max(axis=0) > _ACTIVE * loudest.max())
        audible = loudest > _ACTIVE * loudest.max()

        def lost(weights: Samples) -> float:
            """Share of the audible blocks that have nearly nothing left in a mix."""
            mixed = np.einsum("c,bcd,d->b", weights, blocks, weights)
            return float(np.mean(mixed[audible] < _LOST * loudest[audible]))

        usual = mono_weights(names, channels)
        if usual[active].sum() >= _LEAST_PART and lost(usual) <= _LOST_SHARE:
            return ()
        together = tuple(int(n) for n in active)
        alone = [(int(n),) for n in active[np.argsort(-energy.sum(axis=0)[active], kind="stable")]]
        # the first that keeps enough, else the one that keeps most
        return min((together, *alone), key=lambda used: max(_LOST_SHARE, lost(mono_weights((), channels, used))))

    def _close_block(self) -> None:
        block = np.concatenate(self._waiting, axis=1)
        self._waiting.clear()
        if block.size:
            self.peak = max(self.peak, float(block.max()), float(-block.min()))
        products = block @ block.T / max(1, block.shape[1])
        self.loudest = max(self.loudest, float(products.diagonal().max()))
        if self.changes_at_s is None:
            self._blocks.append(products.astype(np.float32))
