"""The commands of `python -m heimdex_core`. With `--json` a command prints one document on stdout and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO

from heimdex_core import logs, schemas
from heimdex_core.cli import activity as cli_activity
from heimdex_core.cli import evaluation as cli_evaluation
from heimdex_core.cli import examples as cli_examples
from heimdex_core.cli import mcp as cli_mcp
from heimdex_core.cli import models as cli_models
from heimdex_core.cli import opened
from heimdex_core.cli import people as cli_people
from heimdex_core.cli import reel as cli_reel
from heimdex_core.cli import reels as cli_reels
from heimdex_core.cli import reindex as cli_reindex
from heimdex_core.cli import relink as cli_relink
from heimdex_core.cli import scenes as cli_scenes
from heimdex_core.cli import serve as cli_serve
from heimdex_core.cli import shorts as cli_shorts
from heimdex_core.cli import users as cli_users
from heimdex_core.cli import watched as cli_watched
from heimdex_core.cli.output import Printer, bytes_bar, progress_bar, unexpected_error, usage_error
from heimdex_core.cli.weights import parse_weights
from heimdex_core.errors import HeimdexError, InvalidValue
from heimdex_core.search.channels import channel_names
from heimdex_core.search.filter_text import FILTER_NAMES, parse_filters
from heimdex_core.search.fusion import fusion_names
from heimdex_core.search.understanding import SORTS

if TYPE_CHECKING:
    from heimdex_core.library import Library

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

_PROCESSES: dict[str, logs.Process] = {"worker": "worker", "serve": "serve", "mcp": "mcp"}
"""What the log calls the process of a command that stays; "cli" for the others."""

Command = Callable[[argparse.Namespace, Printer], int]
"""Runs one command and returns its exit status."""


class UsageError(Exception):
    """The arguments cannot be parsed; the message is argparse's."""


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of printing to stderr and ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.format_usage().strip()}\n{self.prog}: {message}")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands. The options that all of them share may stand before or after the command."""
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--library", metavar="DIR", help="library folder (default HEIMDEX_LIBRARY, else data/library)")
    shared.add_argument("--json", action="store_true", help="print one JSON document on stdout and nothing else")
    parser = Parser(prog="python -m heimdex_core", description="Find scenes in videos and cut them.", parents=[shared])
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, help_text: str, run: Command) -> argparse.ArgumentParser:
        created = commands.add_parser(name, help=help_text, description=help_text, parents=[shared])
        created.set_defaults(run=run)
        return created

    add = command("add", "add video files to the library and index them", run_add)
    add.add_argument("files", nargs="*", metavar="FILE")
    add.add_argument("--watch", metavar="DIR", help="let the worker add the videos in a folder, now and as they arrive")
    add.add_argument("--title", help="title of the video (one FILE only)")
    add.add_argument("--description", default="", help="description of the video")
    add.add_argument(
        "--subtitles", metavar="F", help="a subtitle file (one FILE only; default: the one beside the video)"
    )
    add.add_argument("--language", help="language of the speech, for example en or ko (default: auto)")
    add.add_argument(
        "--audio-track", type=_positive, metavar="N", help="number of the sound track to use, from 1 (default: chosen)"
    )
    add.add_argument("--profile", help="models of a new library: auto, offline, laptop or studio")
    add.add_argument("--queue", action="store_true", help="let the worker index them")
    add.add_argument("--if-empty", action="store_true", help="do nothing if the library already has videos")

    command("videos", "list the videos", run_videos)
    scenes = command("scenes", "list the scenes of a video, split or merge them", cli_scenes.run_scenes)
    cli_scenes.add_arguments(scenes)

    search = command("search", "find scenes by what is said and seen", run_search)
    search.add_argument("text", metavar="TEXT", nargs="?", default="")
    search.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="CHANNEL=W",
        help=f"weight of a channel from 0 to 1 (repeatable): {', '.join(channel_names())}, or a space by its name",
    )
    search.add_argument("--fusion", metavar="NAME", help=f"fusion method: {', '.join(fusion_names())}")
    search.add_argument("--video", action="append", metavar="ID", help="search only this video (repeatable)")
    search.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"search only some scenes (repeatable): {', '.join(FILTER_NAMES)}",
    )
    search.add_argument("--sort", choices=SORTS, default="score", help="order of the hits (default: score)")
    search.add_argument("--group-by-video", action="store_true", help="keep the hits of a video together")
    cli_examples.add_arguments(search)
    search.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="NAME",
        help="search this space instead of the first one of its kind (repeatable)",
    )
    search.add_argument("--limit", type=_positive, default=None, metavar="N", help="the most hits to print")

    cli_shorts.add_short_arguments(command("short", "render a scene into a 9:16 MP4 file", cli_shorts.run_short))
    cli_reel.add_arguments(command("reel", "render scenes into one MP4 file", cli_reel.run_reel))
    reels = command("reels", "list, show and change named reels", cli_reels.run_reels)
    cli_reels.add_arguments(reels, shared)
    pauses = command("pauses", "list the filler words and long silences in scenes", cli_reels.run_pauses)
    cli_reels.add_pauses_arguments(pauses)

    for name, help_text, run in (
        ("delete", "hide videos; restore undoes this until clean-up removes them", run_delete),
        ("restore", "undo delete", run_restore),
        ("retry", "index failed videos again", run_retry),
        ("cancel", "stop indexing videos", run_cancel),
    ):
        command(name, help_text, run).add_argument("video_ids", nargs="+", metavar="VIDEO_ID")

    renaming = command("rename", "give a video another title", run_rename)
    renaming.add_argument("video_id", metavar="VIDEO_ID")
    renaming.add_argument("title", metavar="TITLE")

    watched = command("watched", "list the watched folders, or stop watching one", cli_watched.run_watched)
    cli_watched.add_arguments(watched)
    relink = command("relink", "find the files of videos again that are missing or have changed", cli_relink.run_relink)
    cli_relink.add_arguments(relink)
    adopt = command("adopt", "copy video folders of another library into this one", run_adopt)
    adopt.add_argument("folders", nargs="+", metavar="FOLDER")
    reindexing = command(
        "reindex", "rebuild indexes, index videos again, or move the library to other models", cli_reindex.run_reindex
    )
    cli_reindex.add_arguments(reindexing)
    models = command("models", "list, download and check models", cli_models.run_models)
    cli_models.add_arguments(models, shared)
    people = command("people", "find, name and remove people in the picture", cli_people.run_people)
    cli_people.add_arguments(people, shared)
    evaluation = command("eval", "judge, measure and tune searches", cli_evaluation.run_evaluation)
    cli_evaluation.add_arguments(evaluation, shared)
    users = command("users", "list, export and delete users, assign videos, make tokens", cli_users.run_users)
    cli_users.add_arguments(users, shared)
    exports = command("exports", "list exports, cancel them or remove their files", cli_shorts.run_exports)
    cli_shorts.add_exports_arguments(exports)
    command("clean-up", "remove deleted videos, expired exports and abandoned work", run_clean_up)
    worker = command("worker", "run queued jobs until stopped", run_worker)
    worker.add_argument(
        "--queues", metavar="NAMES", help="only these queues, joined by commas: ingest,render; default all"
    )
    worker.add_argument("--parent-fd", type=int, default=None, help=argparse.SUPPRESS)
    cli_serve.add_arguments(command("serve", "serve the HTTP API until stopped", cli_serve.run_serve))
    command("repair", "rebuild a lost or damaged catalog from the folders of the videos", run_repair)
    moving = command("library", "move a library or its catalog to where several machines use it, or back", run_library)
    moving.add_argument("action", choices=["move"])
    moving.add_argument(
        "--to", metavar="PLACE", help="its files, too: to s3://bucket/prefix, or from there to a folder"
    )
    place = moving.add_mutually_exclusive_group()
    place.add_argument("--database", action="store_true", help="the catalog into the Postgres of HEIMDEX_DATABASE_URL")
    place.add_argument("--file", action="store_true", help="the catalog from there into catalog.duckdb")
    activity = command("activity", "report what goes on in the library, of all users", cli_activity.run_activity)
    cli_activity.add_arguments(activity)
    mcp = command("mcp", "serve the library to programs by the Model Context Protocol, over stdio", cli_mcp.run_mcp)
    cli_mcp.add_arguments(mcp)
    command("doctor", "report models, disk space and problems of the library", run_doctor)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


# --- commands -------------------------------------------------------------------------------------


def run_add(args: argparse.Namespace, out: Printer) -> int:
    """Add and index video files; a file that is refused does not stop the others."""
    if len(args.files) > 1 and (args.title or args.subtitles):
        raise UsageError("--title and --subtitles can only be used with one FILE")
    if bool(args.files) == bool(args.watch):
        raise UsageError("add needs either FILE or --watch DIR")
    if args.watch:
        if args.title or args.description or args.subtitles or args.language or args.audio_track:
            raise UsageError("with --watch only --profile can be used")
        with opened(args, create=True, profile=args.profile) as lib:
            cli_watched.watch(lib, args.watch, out)
        return EXIT_OK
    results: list[dict[str, Any]] = []
    refused = False
    with opened(args, create=True, profile=args.profile, queue=args.queue) as lib:
        if args.if_empty and lib.videos(limit=1):
            out.document([], text="")
            return EXIT_OK
        for name in args.files:
            try:
                with progress_bar(Path(name).name) as progress:
                    video = lib.add(
                        name,
                        title=args.title,
                        description=args.description,
                        subtitles=args.subtitles,
                        language=args.language,
                        audio_track=args.audio_track,
                        queue=args.queue,
                        bulk=len(args.files) > 1,
                        progress=progress,
                    )
                results.append(schemas.video(video))
            except Exception as error:
                refused = True
                results.append(_failed_video(lib, name, error))
    out.document(results)
    return EXIT_FAILED if refused else EXIT_OK


def _failed_video(lib: Library, name: str, error: Exception) -> dict[str, Any]:
    """What is shown of a file that could not be indexed: its video where the library has kept one, to be retried."""
    if not isinstance(error, HeimdexError):
        if os.environ.get("HEIMDEX_DEBUG"):
            raise error
        return schemas.refused_video(name, unexpected_error(error))
    if error.video_id is not None:
        with suppress(HeimdexError):
            return schemas.video(lib.video(error.video_id))
    return schemas.refused_video(name, error.to_dict())


def run_videos(args: argparse.Namespace, out: Printer) -> int:
    """List the videos."""
    with opened(args) as lib:
        out.document([schemas.video(video) for video in lib.videos()], empty="No videos yet. Add one with `add FILE`.")
    return EXIT_OK


def run_search(args: argparse.Namespace, out: Printer) -> int:
    """Search and print the hits."""
    weights, filters = parse_weights(args.weight), parse_filters(args.filter)
    example = cli_examples.example_of(args)
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
            then=cli_examples.then_of(args),
            videos=args.video,
            spaces=args.space,
            limit=args.limit,
        )
        out.search(result)
    return EXIT_OK


def _each_video(change: Callable[[Library, str], Any]) -> Command:
    """A command that changes videos one by one, after all of them were found, and prints them."""

    def run(args: argparse.Namespace, out: Printer) -> int:
        with opened(args) as lib:
            for video_id in args.video_ids:
                lib.video(video_id)
            for video_id in args.video_ids:
                change(lib, video_id)
            out.document([schemas.video(lib.video(video_id)) for video_id in args.video_ids])
        return EXIT_OK

    return run


def _retry(lib: Library, video_id: str) -> None:
    with progress_bar(lib.video(video_id).filename) as progress:
        lib.retry(video_id, progress=progress)


run_delete = _each_video(lambda lib, video_id: lib.delete(video_id))
run_restore = _each_video(lambda lib, video_id: lib.restore(video_id))
run_retry = _each_video(_retry)
run_cancel = _each_video(lambda lib, video_id: lib.cancel(video_id))


def run_rename(args: argparse.Namespace, out: Printer) -> int:
    """Give a video another title."""
    with opened(args) as lib:
        out.document([schemas.video(lib.rename(args.video_id, args.title))])
    return EXIT_OK


def run_adopt(args: argparse.Namespace, out: Printer) -> int:
    """Copy video folders of another library into this one; a folder that is refused does not stop the others."""
    with opened(args, create=True) as lib:
        outcomes = lib.adopt_all(args.folders)
    results = [
        schemas.refused_video(folder, one.to_dict()) if isinstance(one, HeimdexError) else schemas.video(one)
        for folder, one in zip(args.folders, outcomes, strict=True)
    ]
    out.document(results)
    return EXIT_FAILED if any(isinstance(one, HeimdexError) for one in outcomes) else EXIT_OK


def run_clean_up(args: argparse.Namespace, out: Printer) -> int:
    """Remove what has expired or was abandoned."""
    with opened(args) as lib:
        report = lib.clean_up()
    removed = ", ".join(f"{kind} {count}" for kind, count in report.items() if kind != "merged")
    out.document(report, text=f"Removed: {removed}. Indexes merged: {report['merged']}")
    return EXIT_OK


def run_worker(args: argparse.Namespace, out: Printer) -> int:
    """Run the worker until it is stopped."""
    from heimdex_core.jobs.config import check_queues
    from heimdex_core.jobs.worker import run_worker as work

    queues = check_queues([name.strip() for name in (args.queues or "").split(",") if name.strip()])
    with opened(args, create=True) as lib:
        path = lib.path
    return work(path, queues=queues, parent_fd=args.parent_fd)


def run_repair(args: argparse.Namespace, out: Printer) -> int:
    """Rebuild the catalog where it is lost or damaged; the exit status is 1 if something could not be taken over."""
    from heimdex_core.library import Library

    report = Library.repair(getattr(args, "library", None))
    out.repair(report)
    return EXIT_FAILED if report["problems"] else EXIT_OK


def run_library(args: argparse.Namespace, out: Printer) -> int:
    """Move the library or its catalog; nobody else may use the library meanwhile."""
    from heimdex_core.library import Library

    catalog: Literal["postgres", "file"] | None = "postgres" if args.database else "file" if args.file else None
    if args.to is not None:
        with bytes_bar("files") as progress:
            report = Library.move(getattr(args, "library", None), to=args.to, catalog=catalog, progress=progress)
        out.moved_library(report)
        return EXIT_OK
    if catalog is None:
        raise InvalidValue(name="move", value="", reason="say where to: --to PLACE, --database or --file")
    out.moved(Library.move_catalog(getattr(args, "library", None), to="postgres" if args.database else "file"))
    return EXIT_OK


def run_doctor(args: argparse.Namespace, out: Printer) -> int:
    """Report the state of the library; the exit status is 1 if there are problems."""
    with opened(args) as lib:
        report = lib.doctor()
    out.doctor(report)
    return EXIT_FAILED if report["problems"] else EXIT_OK


# --- running --------------------------------------------------------------------------------------


@contextmanager
def stdout_kept(wants_json: bool) -> Iterator[TextIO]:
    """The real stdout. With `wants_json`, everything else that is printed on it goes to stderr meanwhile."""
    if not wants_json:
        # A terminal that cannot show a title or a file's name gets escapes instead.
        with suppress(AttributeError, ValueError):
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        yield sys.stdout
        return
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(real, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    `argv` defaults to the arguments of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    wants_json = "--json" in words
    with stdout_kept(wants_json) as stream:
        out = Printer(stream, as_json=wants_json)
        try:
            args = build_parser().parse_args(words)
            logs.configure(_PROCESSES.get(args.command, "cli"))
            return int(args.run(args, out))
        except UsageError as error:
            out.failure(usage_error(str(error)))
            return EXIT_USAGE
        except HeimdexError as error:
            out.failure(error.to_dict())
            return EXIT_FAILED
        except KeyboardInterrupt:
            print("Stopped. Run the same command again to continue.", file=sys.stderr)
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            # The reader has closed the pipe (`| head`): redirect stdout so that closing it raises nothing.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            return EXIT_OK
        except Exception as error:
            if os.environ.get("HEIMDEX_DEBUG"):
                raise
            out.failure(unexpected_error(error))
            return EXIT_FAILED
