"""The command `relink`: find the files of videos again that are missing or have changed."""

from __future__ import annotations

import argparse

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer
from heimdex_core.errors import InvalidValue
from heimdex_core.types import RelinkedVideo, RelinkReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `relink`."""
    parser.add_argument(
        "video_id",
        nargs="?",
        metavar="VIDEO_ID",
        help="the video (default: all whose file is missing or has changed)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to", metavar="FILE", help="the file of VIDEO_ID, where its place is known")
    where.add_argument(
        "--in", dest="folder", metavar="FOLDER", help="where to look, with subfolders (default: the watched folders)"
    )


def run_relink(args: argparse.Namespace, out: Printer) -> int:
    """Find files again and print what was found; the exit status is 1 if one was not."""
    if args.to and not args.video_id:
        raise InvalidValue(name="--to", value=args.to[:80], reason="the VIDEO_ID that the file belongs to is needed")
    with opened(args) as lib:
        report = lib.relink(args.video_id, path=args.to, folder=args.folder)
    out.document(schemas.relink_report(report), text="\n".join(_lines(report)))
    return 0 if report.is_complete else 1


def _lines(report: RelinkReport) -> list[str]:
    if not report.videos:
        return ["Every video has its file."]
    lines = [_line(video) for video in report.videos]
    lines += [f"Searched: {folder}" for folder in report.searched]
    lines += [f"Could not be read, or not as a whole: {path}" for path in report.unreadable]
    missing = sum(video.state == "not_found" for video in report.videos)
    if missing:
        lines.append(
            f"{missing} not found. Say where to look: `relink --in FOLDER`, or which file it is:"
            " `relink VIDEO_ID --to FILE`."
        )
    return lines


def _line(video: RelinkedVideo) -> str:
    found = f": {video.path}" if video.path else ""
    return f"{video.state:10} {video.video_id}  {video.title}{found}"
