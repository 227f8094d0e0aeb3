"""The command `reindex`: rebuild the indexes, index videos again, or move the library to other models."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, get_args

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, progress_bar
from heimdex_core.errors import InvalidValue
from heimdex_core.models.profiles import ALL_KINDS
from heimdex_core.settings import SearchName

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.library.migration import MigrationStatus

DESCRIPTION = """\
Without arguments: rebuild the indexes from the videos' own files.
With VIDEO_IDs or --all: index these videos again; only stages whose inputs changed are run.
With --search: search the library with files in its folder (local), or with tables of LanceDB (lancedb).
With --profile, --speech, --text, --vision, --caption, --ocr, --add-space or --drop-space: index every video
with these models, then move the library to them all at once. Until then searches use the current models. Run
the same command again after an interruption to continue."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `reindex`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("video_ids", nargs="*", metavar="VIDEO_ID")
    parser.add_argument("--all", action="store_true", help="every video")
    parser.add_argument("--language", help="with videos: set the language of their speech (auto detects it)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with videos: set an ingest parameter, for example min_scene_s=2; NAME= resets it to the general setting",
    )
    parser.add_argument("--search", choices=get_args(SearchName), help="make all indexes again with this, and use them")
    parser.add_argument("--profile", help="move to the models of this profile: offline, laptop, studio or auto")
    for kind in ALL_KINDS:
        parser.add_argument(f"--{kind}", metavar="SPEC", help=f"move to this {kind} model, named as in `models list`")
    parser.add_argument(
        "--add-space", action="append", default=[], metavar="KIND=SPEC", help="add a space of this model"
    )
    parser.add_argument("--drop-space", action="append", default=[], metavar="NAME", help="remove this space")
    parser.add_argument("--keep-spaces", action="store_true", help="also keep the spaces of the current models")
    parser.add_argument("--undo", action="store_true", help="move back to the previous models")
    parser.add_argument("--drop-old", action="store_true", help="remove the data of models that are not in use")
    parser.add_argument("--status", action="store_true", help="show the progress of the last move to other models")
    parser.add_argument("--cancel", action="store_true", help="stop a running move; finished videos are kept")
    parser.add_argument("--queue", action="store_true", help="let the worker do it")


def run_reindex(args: argparse.Namespace, out: Printer) -> int:
    """Do what the options ask for; see DESCRIPTION."""
    if args.search is not None:
        from heimdex_core.library import Library

        report = Library.change_search(getattr(args, "library", None), to=args.search)
        lines = [f"Searches use: {report['search']}", *(f"problem: {problem}" for problem in report["problems"])]
        out.document(report, text="\n".join(lines))
        return int(bool(report["problems"]))
    with opened(args, queue=args.queue or args.cancel) as lib:
        if args.video_ids or args.all:
            _videos(lib, args, out)
        elif args.status or args.cancel:
            if args.cancel:
                lib.model_sets.cancel()
            _print_status(lib.model_sets.status(), out)
        elif args.drop_old:
            dropped = lib.model_sets.drop_old()
            text = "Removed: " + (", ".join(f"set {one.set_id} ({one.profile})" for one in dropped) or "nothing")
            out.document([{"set_id": one.set_id, "profile": one.profile} for one in dropped], text=text)
        elif args.undo:
            with progress_bar("undo") as progress:
                status = lib.model_sets.undo(queue=args.queue, progress=progress)
            _print_status(status, out)
        elif _names_models(args):
            _print_status(_move(lib, args), out)
        else:
            report = lib.reindex()
            counts = ", ".join(f"{name} {value}" for name, value in report.items() if name != "problems")
            lines = [f"Indexes rebuilt: {counts}", *(f"problem: {problem}" for problem in report["problems"])]
            out.document(report, text="\n".join(lines))
            return int(bool(report["problems"]))
    return 0


def _names_models(args: argparse.Namespace) -> bool:
    models = (args.profile, *(getattr(args, kind) for kind in ALL_KINDS))
    return any(one is not None for one in models) or bool(args.add_space or args.drop_space)


def _move(lib: Library, args: argparse.Namespace) -> MigrationStatus:
    with progress_bar("move") as progress:
        return lib.model_sets.move_to(
            args.profile,
            speech=args.speech,
            text=args.text,
            vision=args.vision,
            caption=args.caption,
            ocr=args.ocr,
            add_spaces=args.add_space,
            drop_spaces=args.drop_space,
            keep_spaces=args.keep_spaces,
            queue=args.queue,
            progress=progress,
        )


def _videos(lib: Library, args: argparse.Namespace, out: Printer) -> None:
    params = parse_params(args.set)
    video_ids = args.video_ids or [video.video_id for video in lib.videos()]
    for video_id in video_ids:
        lib.video(video_id)
    for video_id in video_ids:
        with progress_bar(lib.video(video_id).filename) as progress:
            lib.reindex_video(video_id, language=args.language, params=params, queue=args.queue, progress=progress)
    out.document([schemas.video(lib.video(video_id)) for video_id in video_ids])


def parse_params(pairs: list[str]) -> dict[str, Any] | None:
    """{"min_scene_s": 2} from ["min_scene_s=2"]; an empty value gives None. None if no parameter is given.

    Raises InvalidValue for a pair that is not NAME=VALUE.
    """
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


def _print_status(status: MigrationStatus | None, out: Printer) -> None:
    if status is None:
        out.document(None, text="The library has never been moved to other models.")
        return
    text = f"Set {status.set_id} ({status.profile}): {status.state}, {status.done} of {status.total} videos"
    if status.error:
        text += f". {status.error['message']} {status.error['hint']}"
    out.document(status.to_dict(), text=text)
