"""Searching by example on the command line: scenes, a picture, and what has to follow."""

from __future__ import annotations

import argparse
from pathlib import Path

from heimdex_core.errors import InvalidValue
from heimdex_core.types import Example, Then

WITHIN_S = 60.0


def add_arguments(search: argparse.ArgumentParser) -> None:
    """The options of `search` for examples and sequences."""
    search.add_argument("--like", action="append", default=[], metavar="SCENE_ID", help="find similar scenes")
    search.add_argument(
        "--unlike", action="append", default=[], metavar="SCENE_ID", help="move away from this scene (repeatable)"
    )
    search.add_argument("--image", type=Path, metavar="FILE", help="find scenes that look like this picture")
    search.add_argument(
        "--box",
        metavar="L,T,R,B",
        help="only this part of the picture, or of the keyframe of the scene: left, top, right, bottom from 0 to 1",
    )
    search.add_argument("--then", metavar="TEXT", help="a scene that fits this has to follow in the same video")
    search.add_argument(
        "--within",
        type=float,
        default=WITHIN_S,
        metavar="S",
        help=f"how many seconds after the end of the first one it begins at the latest (default: {WITHIN_S:g})",
    )


def example_of(args: argparse.Namespace) -> Example | None:
    """The example that the options describe; None where there is none. Raises InvalidValue for a malformed box."""
    example = Example(tuple(args.like), tuple(args.unlike), args.image, None if args.box is None else _box(args.box))
    return example if example != Example() else None


def then_of(args: argparse.Namespace) -> Then | None:
    """What has to follow; None where nothing has to."""
    return Then(args.then, args.within) if args.then is not None else None


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidValue(name="box", value=text[:40], reason="four numbers with commas are needed") from None
    return left, top, right, bottom
