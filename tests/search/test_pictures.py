"""Pictures to search with: what is read, how, and what is refused."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heimdex_core.errors import FileUnreadable, ImageTooLarge, InvalidValue, NotAnImage
from heimdex_core.search import pictures
from heimdex_core.search.pictures import read_picture

RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(mode: str = "RGB", size: tuple[int, int] = (100, 60)) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "name"), [("RGB", "a.png"), ("P", "a.png"), ("RGBA", "a.webp"), ("CMYK", "a.jpg"), ("RGB", "a.unknown")]
)
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str, name: str) -> None:
    halves(mode).save(tmp_path / name, None if name != "a.unknown" else "PNG")
    found = read_picture(tmp_path / name)
    assert (found.shape, found.dtype) == ((60, 100, 3), np.uint8)
    assert np.abs(found[30, 20].astype(int) - RED).max() < 40
    assert np.abs(found[30, 80].astype(int) - BLUE).max() < 40


def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    shades = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
    Image.fromarray(shades).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png")
    assert np.array_equal(found, np.repeat((shades >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").min() == 255


def test_large_pictures_are_reduced_and_small_ones_are_not_enlarged(tmp_path: Path) -> None:
    halves(size=(2000, 1000)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").shape == (256, 512, 3)


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left side of the pixels is the upper side of the picture
    halves().save(tmp_path / "a.png", exif=exif)
    found = read_picture(tmp_path / "a.png")
    assert found.shape == (100, 60, 3)
    assert (tuple(found[20, 30]), tuple(found[80, 30])) == (RED, BLUE)
    assert read_picture(tmp_path / "a.png", (0, 0.5, 1, 1)).mean(axis=(0, 1)).tolist() == list(BLUE), (
        "box after turning"
    )


def test_a_box_is_cut_out(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", (0.5, 0, 1, 0.5)).shape == (30, 50, 3)
    assert read_picture(tmp_path / "a.png", (0.5, 0, 1, 0.5)).mean(axis=(0, 1)).tolist() == list(BLUE)
    assert read_picture(tmp_path / "a.png", (0, 0, 1, 1)).shape == (60, 100, 3)


@pytest.mark.parametrize(
    "box",
    [(0.5, 0, 0.5, 1), (0.6, 0, 0.4, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0, 0, float("nan"), 1), (0, 0, 0.05, 1)],
)
def test_boxes_that_cannot_be_are_refused(tmp_path: Path, box: tuple[float, float, float, float]) -> None:
    """The last one is five pixels wide."""
    halves().save(tmp_path / "a.png")
    with pytest.raises(InvalidValue, match="box"):
        read_picture(tmp_path / "a.png", box)


@pytest.mark.parametrize(
    "content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\nrubbish", b"GIF89a" + bytes(20), b"<svg/>"]
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(NotAnImage, match=r"a\.png"):
        read_picture(tmp_path / "a.png")


def test_a_picture_that_ends_early_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), np.uint8)).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(NotAnImage):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (8_000, 5_001), (2_000_000, 41)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, width: int, height: int) -> None:
    """200 megapixels, and 40.008 and 82, which Pillow itself would read."""
    (tmp_path / "a.png").write_bytes(png_header(width, height))
    with pytest.raises(ImageTooLarge):
        read_picture(tmp_path / "a.png")


def test_the_error_names_the_limit_of_the_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_MEGAPIXELS_WHOLE", 1)
    monkeypatch.setattr(pictures, "MAX_MEGAPIXELS", 2)
    halves(size=(1500, 1000)).save(tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").shape == (341, 512, 3)
    for name in ("a.png", "a.webp"):
        halves(size=(1500, 1000)).save(tmp_path / name)
        with pytest.raises(ImageTooLarge, match="1 megapixels"):
            read_picture(tmp_path / name)
    halves(size=(2001, 1000)).save(tmp_path / "a.jpg")
    with pytest.raises(ImageTooLarge, match="2 megapixels"):
        read_picture(tmp_path / "a.jpg")


_PEAK = """
import resource, sys
from pathlib import Path
import numpy, PIL.Image, PIL.ImageOps
from heimdex_core.search import pictures
from heimdex_core.search.pictures import read_picture
PIL.Image.init()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_picture(Path(sys.argv[1]), side_px=1280)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "mode", "size", "limit_mb"),
    [("a.jpg", "RGB", (8900, 8900), 250), ("a.png", "RGBA", (8000, 5000), 500), ("a.webp", "RGBA", (8000, 5000), 800)],
)
def test_the_largest_pictures_take_little_memory(
    tmp_path: Path, name: str, mode: str, size: tuple[int, int], limit_mb: int
) -> None:
    Image.new(mode, size, RED).save(tmp_path / name)
    asked = [sys.executable, "-c", _PEAK, str(tmp_path / name)]
    peak = int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    assert peak < limit_mb * 1_000_000


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(FileUnreadable):
            read_picture(path)
