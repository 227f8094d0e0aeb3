"""Timecodes and sizes as text."""

from __future__ import annotations

import pytest

from heimdex_core.formatting import clock, inert_cell, limit_size, precise, size


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3725.4, "1:02:05")]
)
def test_a_clock_rounds_down(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00.0"),
        (9.96, "0:10.0"),
        (17.42, "0:17.4"),
        (59.97, "1:00.0"),
        (65.04, "1:05.0"),
        (3725.5, "1:02:05.5"),
    ],
)
def test_a_precise_clock_rounds_to_tenths(seconds: float, text: str) -> None:
    assert precise(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (46_000, "46 KB"),
        (1_300_000, "1.3 MB"),
        (412_000_000, "412 MB"),
        (2.5e12, "2.5 TB"),
    ],
)
def test_sizes_are_decimal(size_bytes: float, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(1_073_741_824, "1 GiB"), (20 * 1024 * 1024, "20 MiB"), (1_000_000_000, "1.0 GB")]
)
def test_limits_are_binary_where_they_are_whole(size_bytes: float, text: str) -> None:
    assert limit_size(size_bytes) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"])
def test_cells_that_begin_like_a_formula_are_quoted(text: str) -> None:
    assert inert_cell(text) == f"'{text}"


def test_other_cells_stay_as_they_are() -> None:
    assert [inert_cell(text) for text in ("", "a=1", "1-2")] == ["", "a=1", "1-2"]
