"""The command `search`, also by example: scenes, a picture, and what has to follow."""

from __future__ import annotations

import argparse
from pathlib import Path

from heimdex_core.cli import EXIT_OK, UsageError, opened, positive
from heimdex_core.cli.output import Printer
from heimdex_core.cli.weights import parse_weights
from heimdex_core.errors import InvalidValue
from heimdex_core.search.channels import channel_names
from heimdex_core.search.filter_text import FILTER_NAMES, parse_filters
from heimdex_core.search.fusion import fusion_names
from heimdex_core.search.understanding import SORTS
from heimdex_core.types import Example, Then

WITHIN_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `search`."""
    parser.add_argument("text", metavar="TEXT", nargs="?", default="")
    parser.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="CHANNEL=W",
        help=f"weight of a channel from 0 to 1 (repeatable): {', '.join(channel_names())}, or a space by its name",
    )
    parser.add_argument("--fusion", metavar="NAME", help=f"fusion method: {', '.join(fusion_names())}")
    parser.add_argument("--video", action="append", metavar="ID", help="search only this video (repeatable)")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"search only some scenes (repeatable): {', '.join(FILTER_NAMES)}",
    )
    parser.add_argument("--sort", choices=SORTS, default="score", help="order of the hits (default: score)")
    parser.add_argument("--group-by-video", action="store_true", help="keep the hits of a video together")
    _add_example_arguments(parser)
    parser.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="NAME",
        help="search this space instead of the first one of its kind (repeatable)",
    )
    parser.add_argument("--limit", type=positive, default=None, metavar="N", help="the most hits to print")


def _add_example_arguments(search: argparse.ArgumentParser) -> None:
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


def run_search(args: argparse.Namespace, out: Printer) -> int:
    """Search and print the hits."""
    weights, filters = parse_weights(args.weight), parse_filters(args.filter)
    example = example_of(args)
    if not args.text and not filters and example is None:
        raise UsageError("search needs a text, an example or a --filter")
    with opened(args) as lib:
        for video_id in args.video or ():
            lib.video(video_id)
        result = lib.search(
            args.text,
            weights=weights,
            fusion=args.fusion,
            filters=filters,
            sort=args.sort,
            group_by_video=args.group_by_video,
            example=example,
            then=then_of(args),
            videos=args.video,
            spaces=args.space,
            limit=args.limit,
        )
        out.search(result)
    return EXIT_OK
