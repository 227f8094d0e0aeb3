"""Still images, and the measures that keyframes are chosen by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heimdex_core import errors
from heimdex_core.media.images import brightness, read_image, sharpness, write_webp
from tests.support import media


def test_an_image_is_written_and_read_back(tmp_path: Path) -> None:
    image = np.concatenate([media.plain("red"), media.plain("blue")], axis=1)
    write_webp(image, tmp_path / "a.webp", quality=80)
    found = read_image(tmp_path / "a.webp")
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert np.abs(found[:, :300].astype(int) - media.RGB["red"]).mean() < 4
    assert np.abs(found[:, 340:].astype(int) - media.RGB["blue"]).mean() < 4
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.format == "WEBP"


def test_thumbnails_keep_their_shape_and_are_never_enlarged(tmp_path: Path) -> None:
    for width_px, expected in ((160, (160, 90)), (1000, (320, 180)), (1, (1, 1))):
        write_webp(media.plain("red"), tmp_path / "a.webp", quality=80, width_px=width_px)
        with Image.open(tmp_path / "a.webp") as picture:
            assert picture.size == expected


def test_a_full_disk_is_reported_and_nothing_is_left(tmp_path: Path, fill_disk: Callable[[Path], None]) -> None:
    fill_disk(tmp_path / "a.webp")
    with pytest.raises(errors.DiskFull, match=r"a\.webp"):
        write_webp(media.plain("red"), tmp_path / "a.webp", quality=80)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_images(tmp_path: Path) -> None:
    with pytest.raises(errors.FileUnreadable):
        read_image(media.text_file_mp4(tmp_path / "a.webp"))
    with pytest.raises(errors.FileUnreadable):
        read_image(tmp_path / "missing.webp")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "BMP"])
def test_other_formats_are_not_read_whatever_they_are_called(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    Image.new("RGB", (8, 8), "red").save(path, kind)
    with pytest.raises(errors.FileUnreadable):
        read_image(path)


def test_photographs_are_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(media.plain("red", (40, 20))).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (40, 20, 3)


def test_brightness_is_mean_luma() -> None:
    assert brightness(media.plain("black")) == 0.0
    assert brightness(media.plain("white")) == 255.0
    assert brightness(media.plain("red")) == pytest.approx(0.299 * 255, abs=0.6)
    assert brightness(media.plain("lime")) == pytest.approx(0.587 * 255, abs=0.6)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    assert sharpness(media.plain("gray")) == 0.0
    # columns 0, 255, 0, 255 ...: the Laplacian (1, -2, 1 along x; 0 along y) is +510 and -510 by turns
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, 1::2] = 255
    assert sharpness(stripes) == pytest.approx(510.0**2)
