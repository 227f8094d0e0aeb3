"""`reindex`: the indexes made again, videos indexed anew, or the library moved to other models."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from heimdex_core import schemas
from heimdex_core.cli.output import Printer, ProgressBar
from heimdex_core.errors import InvalidValue

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.library.migration import MigrationStatus

Opened = Callable[..., AbstractContextManager["Library"]]

DESCRIPTION = """\
Without arguments: make the indexes again from the videos' own files.
With VIDEO_IDs or --all: index these videos anew; only stages whose inputs changed are run.
With --profile, --speech, --text, --vision, --caption, --add-space or --drop-space: index every video with
these models beside what there is, then switch to them all at once. Search goes on meanwhile; run the same
command again after an interruption."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("video_ids", nargs="*", metavar="VIDEO_ID")
    parser.add_argument("--all", action="store_true", help="every video")
    parser.add_argument("--language", help="with videos: the language of their speech from now on (auto finds out)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with videos: an ingest parameter of theirs from now on, as min_scene_s=2; NAME= takes the general one",
    )
    parser.add_argument("--profile", help="move to the models of offline, laptop, studio or auto")
    for kind in ("speech", "text", "vision", "caption"):
        parser.add_argument(f"--{kind}", metavar="SPEC", help=f"move to this {kind} model, as in `models list`")
    parser.add_argument(
        "--add-space", action="append", default=[], metavar="KIND=SPEC", help="index this model's space too"
    )
    parser.add_argument("--drop-space", action="append", default=[], metavar="NAME", help="leave such a space out")
    parser.add_argument("--keep-spaces", action="store_true", help="keep the spaces in use beside those of the profile")
    parser.add_argument("--undo", action="store_true", help="back to the models that were in use before")
    parser.add_argument("--drop-old", action="store_true", help="remove what was made for models that are not in use")
    parser.add_argument("--status", action="store_true", help="say where the last move stands")
    parser.add_argument("--cancel", action="store_true", help="stop a running move; what it made is kept")
    parser.add_argument("--queue", action="store_true", help="leave the work to the worker")


def run_reindex(args: argparse.Namespace, out: Printer, opened: Opened) -> int:
    with opened(args, queue=args.queue or args.cancel) as lib:
        if args.video_ids or args.all:
            _videos(lib, args, out)
        elif args.status or args.cancel:
            if args.cancel:
                lib.model_sets.cancel()
            _tell(lib.model_sets.status(), out)
        elif args.drop_old:
            dropped = lib.model_sets.drop_old()
            text = "Removed: " + (", ".join(f"set {one.set_id} ({one.profile})" for one in dropped) or "nothing")
            out.document([{"set_id": one.set_id, "profile": one.profile} for one in dropped], text=text)
        elif args.undo:
            with ProgressBar("undo") as bar:
                status = lib.model_sets.undo(queue=args.queue, progress=bar)
            _tell(status, out)
        elif _names_models(args):
            with ProgressBar("move") as bar:
                status = _move(lib, args, bar)
            _tell(status, out)
        else:
            report = lib.reindex()
            out.document(report, text="Indexes made again: " + ", ".join(f"{k} {v}" for k, v in report.items()))
    return 0


def _names_models(args: argparse.Namespace) -> bool:
    models = (args.profile, args.speech, args.text, args.vision, args.caption)
    return any(one is not None for one in models) or bool(args.add_space or args.drop_space)


def _move(lib: Library, args: argparse.Namespace, bar: ProgressBar) -> MigrationStatus:
    return lib.model_sets.move_to(
        args.profile,
        speech=args.speech,
        text=args.text,
        vision=args.vision,
        caption=args.caption,
        add_spaces=args.add_space,
        drop_spaces=args.drop_space,
        keep_spaces=args.keep_spaces,
        queue=args.queue,
        progress=bar,
    )


def _videos(lib: Library, args: argparse.Namespace, out: Printer) -> None:
    params = parse_params(args.set)
    video_ids = args.video_ids or [video.video_id for video in lib.videos()]
    for video_id in video_ids:
        lib.video(video_id)
    for video_id in video_ids:
        with ProgressBar(lib.video(video_id).filename) as bar:
            lib.reindex_video(video_id, language=args.language, params=params, queue=args.queue, progress=bar)
    out.document([schemas.video(lib.video(video_id)) for video_id in video_ids])


def parse_params(pairs: list[str]) -> dict[str, Any] | None:
    """{"min_scene_s": 2.0} of ["min_scene_s=2"]; an empty value gives None. None where nothing is given."""
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidValue(name="--set", value=pair, reason="write NAME=VALUE, for example min_scene_s=2")
        try:
            params[name] = json.loads(value) if value else None
        except ValueError:
            params[name] = value
    return params or None


def _tell(status: MigrationStatus | None, out: Printer) -> None:
    if status is None:
        out.document(None, text="The library was never moved to other models.")
        return
    words = f"Set {status.set_id} ({status.profile}): {status.state}, {status.done} of {status.total} videos"
    if status.error:
        words += f". {status.error['message']} {status.error['hint']}"
    out.document(status.to_dict(), text=words)
