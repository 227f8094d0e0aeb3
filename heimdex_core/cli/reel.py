"""The command `reel`: render scenes into one file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, progress_bar
from heimdex_core.errors import InvalidValue
from heimdex_core.types import ASPECTS, MODES
from heimdex_core.types.timelines import TIMELINE_FORMATS

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.types import ReelClip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `reel`."""
    parser.add_argument("scene_ids", nargs="*", metavar="SCENE_ID")
    parser.add_argument("--reel", metavar="REEL", help="render this named reel instead, by its id or title")
    parser.add_argument("--out", required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--title", default="", help="title of the reel")
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="exact",
        help="exact encodes everything again; fast copies H.264 frames where it can, and else renders exactly",
    )
    parser.add_argument("--aspect", choices=tuple(ASPECTS), default="16:9", help="shape of the picture (default: 16:9)")
    parser.add_argument(
        "--height", type=int, metavar="PX", help="shorter side of the picture, 360 to 1080 (default: 720, as in 720p)"
    )
    parser.add_argument(
        "--strategy", metavar="NAME", help="how pictures of another shape are put into the frame (default: on black)"
    )
    parser.add_argument(
        "--clip-strategy",
        action="append",
        default=[],
        metavar="NUMBER=NAME",
        help="the same for one clip, by its number from 1 (repeatable)",
    )
    parser.add_argument(
        "--crossfade", type=float, default=0.0, metavar="S", help="seconds that clips fade into each other (default: 0)"
    )
    parser.add_argument("--title-card", action="store_true", help="begin with the title on black")
    parser.add_argument("--lower-thirds", action="store_true", help="show the title of each video at its clip")
    parser.add_argument("--captions", metavar="STYLE", help="burn in what is said, in this style")
    parser.add_argument("--position", default="safe", metavar="NAME", help="where captions are (default: safe)")
    parser.add_argument(
        "--timeline",
        choices=TIMELINE_FORMATS,
        help="write the edit for editing programs to FILE, instead of rendering; only --title applies to it",
    )
    parser.add_argument("--remove-silence", action="store_true", help="cut out filler words and long silences")
    parser.add_argument("--keep", action="append", default=[], metavar="ID", help="keep this pause (repeatable)")
    parser.add_argument("--skip-failed", action="store_true", help="leave out clips that cannot be rendered")


def run_reel(args: argparse.Namespace, out: Printer) -> int:
    """Render scenes into one file, or write their timeline."""
    if args.timeline is not None:
        with opened(args) as lib:
            clips, title = _wanted(lib, args)
            lib.timeline(clips, args.timeline, title=title, out=args.out)
        path = Path(args.out).expanduser().resolve()
        out.document({"timeline": args.timeline, "clips": len(clips), "out": str(path)}, text=str(path))
        return 0
    with opened(args) as lib, progress_bar("reel") as progress:
        clips, title = _wanted(lib, args)
        export = lib.reel(
            clips,
            title=title,
            mode=args.mode,
            aspect=args.aspect,
            height_px=args.height,
            strategy=args.strategy,
            clip_strategies=dict(map(_clip_strategy, args.clip_strategy)),
            crossfade_s=args.crossfade,
            title_card=args.title_card,
            lower_thirds=args.lower_thirds,
            captions=args.captions,
            position=args.position,
            remove_silence=args.remove_silence,
            keep=args.keep,
            out=args.out,
            skip_failed=args.skip_failed,
            progress=progress,
        )
    out.export(export, Path(args.out).expanduser().resolve())
    return 0


def _wanted(lib: Library, args: argparse.Namespace) -> tuple[Sequence[ReelClip | str], str]:
    """The clips and the title: of a named reel, or as the arguments give them."""
    if not args.reel:
        return args.scene_ids, args.title
    if args.scene_ids:
        raise InvalidValue(name="reel", value=args.reel, reason="give a reel or scenes, not both")
    named = lib.reels.find(args.reel)
    return named.clips, args.title or named.title


def _clip_strategy(text: str) -> tuple[int, str]:
    number, _, name = text.partition("=")
    if not (number.isascii() and number.isdigit() and name):
        raise InvalidValue(
            name="--clip-strategy", value=text, reason="it must be a number and a name, as in 2=blur_pad"
        )
    return int(number), name
