"""What headers claim, byte by byte."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from heimdex_core.media.containers import Structure, read_structure
from tests.media.conftest import Shared
from tests.support import media


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def mvhd(timescale: int, duration: int, *, version: int = 0) -> bytes:
    if version:
        return box(b"mvhd", struct.pack(">B3xQQIQ", 1, 0, 0, timescale, duration) + bytes(80))
    return box(b"mvhd", struct.pack(">B3xIIII", 0, 0, 0, timescale, duration) + bytes(80))


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")


@pytest.mark.parametrize(
    ("header", "claimed_s"),
    [
        (mvhd(1000, 5500), 5.5),
        (mvhd(600, 600 * 36_000, version=1), 36_000.0),
        (mvhd(1000, 0), None),
        (mvhd(1000, 2**32 - 1), None),
        (mvhd(0, 5500), None),
    ],
)
def test_the_claimed_duration_of_an_mp4(tmp_path: Path, header: bytes, claimed_s: float | None) -> None:
    path = write(tmp_path / "a.mp4", FTYP, box(b"moov", header), box(b"mdat", bytes(100)))
    size = path.stat().st_size
    assert read_structure(path) == Structure("mov", size, claimed_s, expected_bytes=size)


def test_only_mehd_tells_the_duration_of_a_fragmented_mp4(tmp_path: Path) -> None:
    mehd = box(b"mvex", box(b"mehd", struct.pack(">B3xI", 0, 7000)))
    for extra, claimed_s in ((mehd, 7.0), (box(b"mvex", b""), None)):
        path = write(tmp_path / "a.mp4", FTYP, box(b"moov", mvhd(1000, 2000) + extra), box(b"moof", b""))
        found = read_structure(path)
        assert (found.claimed_duration_s, found.fragmented) == (claimed_s, True)


def test_an_mp4_without_index_or_with_half_of_it(tmp_path: Path) -> None:
    assert read_structure(write(tmp_path / "a.mp4", FTYP, box(b"mdat", bytes(100)))).missing_index
    half = (FTYP + box(b"moov", mvhd(1000, 5000)))[:-20]
    assert read_structure(write(tmp_path / "b.mp4", half)).missing_index


def test_missing_bytes_of_an_mp4(tmp_path: Path) -> None:
    whole = FTYP + box(b"moov", mvhd(1000, 5000)) + box(b"mdat", bytes(1000))
    assert read_structure(write(tmp_path / "a.mp4", whole[:-300])).missing_bytes == 300


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_claims_and_missing_bytes_of_the_others(tmp_path: Path, name: str) -> None:
    path = media.colour_clips(tmp_path / name, [("red", 2.0)])
    whole = read_structure(path)
    assert whole.claimed_duration_s == pytest.approx(2.0, abs=0.05)
    assert whole.missing_bytes == 0
    path.write_bytes(path.read_bytes()[:-500])
    assert read_structure(path).missing_bytes == 500


def test_live_recordings_claim_nothing(shared: Shared) -> None:
    found = read_structure(shared(media.live_webm, "a.webm", 3.0))
    assert (found.kind, found.claimed_duration_s, found.expected_bytes) == ("matroska", None, None)


@pytest.mark.parametrize("content", [b"", b"\x1aE\xdf\xa3", b"RIFF", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x18ftyp", b"hello"])
def test_fragments_of_headers_do_not_raise(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    assert read_structure(path).claimed_duration_s is None


def test_every_cut_of_a_real_header_is_read_without_raising(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.avi"):
        path = media.colour_clips(tmp_path / name, [("red", 0.2)], size=(32, 32))
        assert path.stat().st_size > 600
        for length in range(600, 0, -1):
            os.truncate(path, length)
            assert read_structure(path).size_bytes == length


def test_a_flood_of_empty_boxes_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", FTYP, box(b"free", b"") * 300_000)
    assert read_structure(path).missing_index
