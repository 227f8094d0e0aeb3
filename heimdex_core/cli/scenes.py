"""The command `scenes`: list the scenes of a video, split and merge them, and correct what is known about them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, progress_bar
from heimdex_core.errors import InvalidValue
from heimdex_core.formatting import precise
from heimdex_core.types import Json, StageProgress

if TYPE_CHECKING:
    from heimdex_core.library import Library

OnProgress = Callable[[StageProgress], None] | None

DESCRIPTION = """\
Without options: list the scenes of a video.
With --split, --merge, --say, --tag, --untag or --undo: change them, index the video again and list the
scenes. Only what depends on the change is made again. The edits are kept with the video and hold for later
indexing."""

_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7}(?:\.\d+)?)")
_STATES = {
    "applied": "applied",
    "not_needed": "not needed: the scenes are like that already",
    "not_applied": "not applied: there is no such boundary",
    "waiting": "waiting until the video is indexed again",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `scenes`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("video_id", metavar="VIDEO_ID")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--split", type=parse_time, metavar="TIME", help="split the scene at TIME: 83.5 or 1:23.5")
    what.add_argument("--merge", nargs=2, metavar="SCENE_ID", help="merge two scenes that follow each other")
    what.add_argument(
        "--say",
        nargs=3,
        metavar=("START", "END", "TEXT"),
        help='correct the transcript between two times; "" for silence',
    )
    what.add_argument("--tag", nargs="+", metavar=("SCENE_ID", "TAG"), help="add tags to a scene")
    what.add_argument("--untag", nargs="+", metavar=("SCENE_ID", "TAG"), help="remove tags from a scene")
    what.add_argument("--undo", nargs="?", const="", metavar="EDIT_ID", help="undo an edit (default: the last one)")
    what.add_argument("--edits", action="store_true", help="list the edits instead of the scenes")
    parser.add_argument("--queue", action="store_true", help="let the worker index the video; lists the edits")


def parse_time(text: str) -> float:
    """Seconds from "83.5", "1:23.5" or "1:02:03"; raises what argparse turns into a usage error."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write seconds or h:mm:ss, for example 83.5 or 1:23.5")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def run_scenes(args: argparse.Namespace, out: Printer) -> int:
    """List the scenes of one video, or its edits, after the change that the options ask for."""
    with opened(args, queue=args.queue) as lib:
        video = lib.video(args.video_id)
        with progress_bar(video.filename) as progress:
            if args.split is not None:
                lib.scene_edits.split(video.video_id, args.split, queue=args.queue, progress=progress)
            elif args.merge is not None:
                lib.scene_edits.merge(*args.merge, queue=args.queue, progress=progress)
            elif args.say is not None:
                _say(lib, video.video_id, args, progress)
            elif args.tag is not None or args.untag is not None:
                _tag(lib, args, progress)
            elif args.undo is not None:
                lib.scene_edits.undo(video.video_id, args.undo or None, queue=args.queue, progress=progress)
        if args.edits or args.queue:
            _print_edits(lib, video.video_id, out)
        else:
            rows = [schemas.scene(scene, lib.frame_path(scene)) for scene in lib.scenes(video.video_id)]
            out.document(rows, empty=f"No scenes: the video is {lib.video(video.video_id).state}.")
    return 0


def _say(lib: Library, video_id: str, args: argparse.Namespace, progress: OnProgress) -> None:
    start, end, text = args.say
    try:
        times = parse_time(start), parse_time(end)
    except argparse.ArgumentTypeError as error:
        raise InvalidValue(name="say", value=f"{start} {end}", reason=str(error)) from error
    lib.corrections.transcript(video_id, *times, text, queue=args.queue, progress=progress)


def _tag(lib: Library, args: argparse.Namespace, progress: OnProgress) -> None:
    scene_id, *tags = args.tag or args.untag
    change = {"add": tags} if args.tag is not None else {"remove": tags}
    lib.corrections.tags(scene_id, **change, queue=args.queue, progress=progress)


def _print_edits(lib: Library, video_id: str, out: Printer) -> None:
    rows = [schemas.scene_edit(edit) for edit in lib.scene_edits.list(video_id)]
    rows += [schemas.correction(edit) for edit in lib.corrections.list(video_id)]
    rows.sort(key=lambda row: row["made_at"])
    out.document(rows, text="\n".join(_line(row) for row in rows) or "No edits.")


def _line(row: Json) -> str:
    at_s = row["at_s"] if "at_s" in row else row["start_s"]
    what = row.get("text", "")
    if row["op"] == "tags":
        what = ", ".join([*(f"+{tag}" for tag in row["added"]), *(f"-{tag}" for tag in row["removed"])])
    state = _STATES[row["state"]]
    return f"{row['edit_id']}  {row['op']:10}  {precise(at_s):>9}  {state}" + (f"  {what}" if what else "")
