"""Test media with known colours: six patches in every way that files store them, interlaced, transparent, resized."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.clips import encode_frames, ffmpeg

PATCHES = (
    ((255, 255, 255), (128, 128, 128), (255, 0, 0)),
    ((0, 255, 0), (0, 0, 255), (255, 255, 0)),
)
"""White, gray and red above green, blue and yellow: what the files below show, as sRGB."""

_LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "smpte240m": (0.212, 0.087), "fcc": (0.30, 0.11),
                 "bt2020": (0.2627, 0.0593)}  # fmt: skip
"""(Kr, Kb) of ITU-T H.273."""
_BT709_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""ITU-R BT.2087-0, annex 2, for linear light."""


def patches(size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """The six patches as RGB, (height, width, 3) uint8; their borders lie on even pixels."""
    width, height = size
    columns = np.minimum(np.arange(width) // 2 * 2 * 3 // width, 2)
    rows = np.minimum(np.arange(height) // 2 * 2 * 2 // height, 1)
    return np.asarray(PATCHES, np.uint8)[rows[:, None], columns[None, :]]


def patch_colours(image: np.ndarray, shown: tuple[float, float] | None = None) -> np.ndarray:
    """(2, 3, 3): the mean colour in the middle of each patch. `shown` is the shape of the patches (width, height) where
    they are centred on black."""
    height, width = image.shape[:2]
    scale = min(width / shown[0], height / shown[1]) if shown else 1.0
    w, h = (shown[0] * scale, shown[1] * scale) if shown else (width, height)
    left, top = (width - w) / 2, (height - h) / 2
    found = np.zeros((2, 3, 3))
    for row in (0, 1):
        for column in (0, 1, 2):
            x, y = left + w * (2 * column + 1) / 6, top + h * (2 * row + 1) / 4
            found[row, column] = image[round(y) - 2 : round(y) + 2, round(x) - 2 : round(x) + 2].mean((0, 1))
    return found


# --- coding colours -------------------------------------------------------------------------------


def coded(signal: np.ndarray, matrix: str, *, full_range: bool = False, bits: int = 8) -> list[np.ndarray]:
    """The planes Y, Cb, Cr (4:4:4) of R'G'B' values of 0 to 1, by ITU-T H.273, 8.3."""
    kr, kb = _LUMA_WEIGHTS[matrix]
    red, green, blue = (signal[..., n] for n in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = [(blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)]
    unit = 1 << (bits - 8)
    if full_range:
        most = (1 << bits) - 1
        planes = [luma * most, *(c * most + 128 * unit for c in chroma)]
    else:
        planes = [luma * 219 * unit + 16 * unit, *(c * 224 * unit + 128 * unit for c in chroma)]
    kind = np.uint8 if bits == 8 else np.uint16
    return [np.clip(np.rint(plane), 0, (1 << bits) - 1).astype(kind) for plane in planes]


def hdr_signal(image: np.ndarray, transfer: str) -> np.ndarray:
    """sRGB as BT.2020 in PQ or HLG (ITU-R BT.2100-2), white at 203 cd/m2."""
    srgb = image / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4) @ _BT709_TO_BT2020.T
    if transfer == "pq":
        power = (light * 203 / 10_000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    shown = light * 203 / 1000
    luminance = np.maximum(shown @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


def yuv_video(
    path: Path,
    signal: np.ndarray,
    *,
    matrix: str = "bt709",
    full_range: bool = False,
    bits: int = 8,
    subsampled: bool = True,
    tags: dict[str, str] | None = None,
    codec: tuple[str, ...] = ("-c:v", "ffv1"),
    count: int = 5,
) -> Path:
    """R'G'B' of 0 to 1, (height, width, 3), coded as YCbCr without loss (by default), 25 frames a second.

    `tags` are options of ffmpeg such as {"colorspace": "bt709"}; without them the file says nothing.
    """
    planes = coded(signal, matrix, full_range=full_range, bits=bits)
    if subsampled:
        planes = [planes[0], planes[1][::2, ::2], planes[2][::2, ::2]]
    height, width = signal.shape[:2]
    raw = path.with_suffix(".yuv")
    raw.write_bytes(b"".join(plane.tobytes() for plane in planes) * count)
    pixels = f"yuv{'420' if subsampled else '444'}p{'10le' if bits == 10 else ''}"
    options = [part for name, value in (tags or {}).items() for part in (f"-{name}", value)]
    source = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", "25"]
    # the tags of the input go through to the encoder; those of the output alone would be dropped
    ffmpeg(*source, *options, "-i", raw, *codec, *options, path)
    raw.unlink()
    return path


def hdr(path: Path, transfer: str, *, full_range: bool = False, size: tuple[int, int] = (96, 64)) -> Path:
    """The patches in BT.2020 and "pq" or "hlg", 10 bits; write .mkv."""
    names = {"pq": "smpte2084", "hlg": "arib-std-b67"}
    tags = {"color_primaries": "bt2020", "color_trc": names[transfer], "colorspace": "bt2020nc"}
    tags["color_range"] = "pc" if full_range else "tv"
    signal = hdr_signal(patches(size), transfer)
    return yuv_video(path, signal, matrix="bt2020", full_range=full_range, bits=10, tags=tags)


def h264_tags(path: Path, primaries: int, transfer: int, matrix: int) -> Path:
    """The patches as BT.601 in H.264 whose tags say something else, in the numbers of H.273."""
    plain = yuv_video(
        path.with_name(f"plain-{path.name}"), patches() / 255, matrix="bt601", codec=("-c:v", "libx264", "-crf", "1")
    )
    tags = f"colour_primaries={primaries}:transfer_characteristics={transfer}:matrix_coefficients={matrix}"
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", f"h264_metadata={tags}", path)
    plain.unlink()
    return path


# --- transparent ----------------------------------------------------------------------------------


def transparent(path: Path, pixel_format: str, codec: str, alpha: int | None = None) -> Path:
    """Red and opaque on the left, transparent on the right, where the hidden colour is green. `alpha` is for all."""
    values = [f"if(lt(X,48),{a},{b})" for a, b in ((255, 0), (0, 255))]
    shape = f"geq=r='{values[0]}':g='{values[1]}':b=0:a='{values[0] if alpha is None else alpha}'"
    source = f"color=black:s=96x64:r=25:d=0.2,format=rgba,{shape}"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", codec, "-pix_fmt", pixel_format, path)
    return path


# --- interlaced -----------------------------------------------------------------------------------


def moving_bar(path: Path, kind: str, *, marked: bool = True, size: tuple[int, int] = (320, 256)) -> Path:
    """A white bar that moves to the right over gray, 25 frames of 25 a second.

    `kind` is "tff" or "bff" (interlaced, the top or the bottom field first, 4 pixels a field), "progressive", or
    "telecined" (3:2 pulldown of 20 frames a second). `marked` frames are marked as interlaced.
    """
    width, height = size

    def moment(number: int) -> np.ndarray:
        image = np.full((height, width, 3), 96, np.uint8)
        left = 4 * number % (width - 24)
        image[:, left : left + 24] = 235
        return image

    fields = {"progressive": [(n, n) for n in range(0, 50, 2)], "tff": [(n, n + 1) for n in range(0, 50, 2)]}
    fields["bff"] = [(bottom + 1, bottom) for bottom, _ in fields["tff"]]
    # A A, B B, B C, C D, D D: the pattern of 3:2 pulldown with the top field first
    fields["telecined"] = [(2 * (n + a), 2 * (n + b)) for n in range(0, 20, 4) for a, b in _PULLDOWN]
    images = []
    for top, bottom in fields[kind]:
        image = moment(top)
        image[1::2] = moment(bottom)[1::2]
        images.append(image)
    if not marked:
        return encode_frames(path, images, [n / 25 for n in range(len(images))])
    plain = encode_frames(
        path.with_name(f"plain-{path.stem}.mkv"), images, [n / 25 for n in range(len(images))], codec="ffv1"
    )
    order = "bff" if kind == "bff" else "tff"
    x264 = ["-c:v", "libx264", "-crf", "12", "-x264-params", f"{order}=1", "-flags", "+ildct+ilme"]
    ffmpeg("-i", plain, "-vf", f"setfield={order}", *x264, path)
    plain.unlink()
    return path


_PULLDOWN = ((0, 0), (1, 1), (1, 2), (2, 3), (3, 3))


def combing(image: np.ndarray) -> float:
    """Part of the pixels that differ from the lines above and below in the same direction, as between two fields."""
    gray = image.astype(np.int64).sum(axis=2)
    above, line, below = gray[:-2], gray[1:-1], gray[2:]
    return float(((line - above) * (line - below) > 3600).mean())


# --- several sizes --------------------------------------------------------------------------------


def resized(path: Path, sizes: tuple[tuple[int, int], ...] = ((160, 90), (90, 160))) -> Path:
    """VP8 in WebM whose size changes, as browsers record a window: a red square on blue, 15 frames of each size."""
    with av.open(str(path), "w") as out:
        added = None
        for part, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create("libvpx", "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            encoder.options = {"deadline": "realtime", "auto-alt-ref": "0", "crf": "4", "b": "2M"}
            if added is None:
                added = out.add_stream("libvpx", rate=25)
                assert isinstance(added, av.VideoStream)
                added.width, added.height, added.pix_fmt = width, height, "yuv420p"
            image = np.zeros((height, width, 3), np.uint8)
            image[..., 2] = 255
            image[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20] = (255, 0, 0)
            for n in range(15):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = part * 15 + n, Fraction(1, 25)
                _mux(out, added, encoder.encode(frame))
            _mux(out, added, encoder.encode(None))
    return path


def _mux(out: av.container.OutputContainer, stream: av.VideoStream, packets: list[av.Packet]) -> None:
    for packet in packets:
        packet.stream = stream
        packet.time_base = Fraction(1, 25)
        out.mux(packet)


def square_sides(image: np.ndarray) -> tuple[int, int]:
    """(width, height) of what is red."""
    red = (image[..., 0] > 150) & (image[..., 2] < 100)
    rows, columns = np.nonzero(red.any(1))[0], np.nonzero(red.any(0))[0]
    return int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)
