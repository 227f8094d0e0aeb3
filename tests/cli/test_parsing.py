"""Times, weights and parameters as they are written at the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from heimdex_core.cli.reindex import parse_params
from heimdex_core.cli.scenes import parse_time
from heimdex_core.cli.weights import parse_weights
from heimdex_core.errors import InvalidValue, InvalidWeights


@pytest.mark.parametrize(
    ("text", "seconds"), [("83.5", 83.5), ("1:23.5", 83.5), ("01:02:03", 3723.0), ("0", 0.0), (" 7 ", 7.0)]
)
def test_times_are_seconds_or_clocks(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4", "-5", "1;30", "nan", "1:", ":30"])
def test_other_times_are_wrong_usage(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_time(text)


def test_weights_of_the_command_line() -> None:
    assert parse_weights([]) is None
    assert parse_weights(["vision=.7", "text/bge-m3=0.25"]) == {"vision": 0.7, "text/bge-m3": 0.25}
    for wrong in ("vision", "vision=x", "vision=nan"):
        with pytest.raises(InvalidWeights):
            parse_weights([wrong])


def test_ingest_parameters_of_the_command_line() -> None:
    assert parse_params([]) is None
    assert parse_params(["min_scene_s=2", "detector=hash", "divide_long_takes=false", "min_scene_s="]) == {
        "min_scene_s": None,
        "detector": "hash",
        "divide_long_takes": False,
    }
    for wrong in ("min_scene_s", "=2"):
        with pytest.raises(InvalidValue):
            parse_params([wrong])
