"""The commands of `python -m heimdex_core`. With `--json` a command prints one document on stdout and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

from heimdex_core import logs
from heimdex_core.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, Command, UsageError
from heimdex_core.cli import activity as cli_activity
from heimdex_core.cli import evaluation as cli_evaluation
from heimdex_core.cli import maintenance as cli_maintenance
from heimdex_core.cli import mcp as cli_mcp
from heimdex_core.cli import models as cli_models
from heimdex_core.cli import people as cli_people
from heimdex_core.cli import reel as cli_reel
from heimdex_core.cli import reels as cli_reels
from heimdex_core.cli import reindex as cli_reindex
from heimdex_core.cli import relink as cli_relink
from heimdex_core.cli import scenes as cli_scenes
from heimdex_core.cli import search as cli_search
from heimdex_core.cli import serve as cli_serve
from heimdex_core.cli import shorts as cli_shorts
from heimdex_core.cli import users as cli_users
from heimdex_core.cli import videos as cli_videos
from heimdex_core.cli import watched as cli_watched
from heimdex_core.cli.output import Printer, unexpected_error, usage_error
from heimdex_core.errors import HeimdexError

_PROCESSES: dict[str, logs.Process] = {"worker": "worker", "serve": "serve", "mcp": "mcp"}
"""What the log calls the process of a command that stays; "cli" for the others."""


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

    cli_videos.add_arguments(command("add", "add video files to the library and index them", cli_videos.run_add))
    command("videos", "list the videos", cli_videos.run_videos)
    scenes = command("scenes", "list the scenes of a video, split or merge them", cli_scenes.run_scenes)
    cli_scenes.add_arguments(scenes)
    cli_search.add_arguments(command("search", "find scenes by what is said and seen", cli_search.run_search))
    cli_shorts.add_short_arguments(command("short", "render a scene into a 9:16 MP4 file", cli_shorts.run_short))
    cli_reel.add_arguments(command("reel", "render scenes into one MP4 file", cli_reel.run_reel))
    reels = command("reels", "list, show and change named reels", cli_reels.run_reels)
    cli_reels.add_arguments(reels, shared)
    pauses = command("pauses", "list the filler words and long silences in scenes", cli_reels.run_pauses)
    cli_reels.add_pauses_arguments(pauses)
    for name, help_text, run in (
        ("delete", "hide videos; restore undoes this until clean-up removes them", cli_videos.run_delete),
        ("restore", "undo delete", cli_videos.run_restore),
        ("retry", "index failed videos again", cli_videos.run_retry),
        ("cancel", "stop indexing videos", cli_videos.run_cancel),
    ):
        command(name, help_text, run).add_argument("video_ids", nargs="+", metavar="VIDEO_ID")

    renaming = command("rename", "give a video another title", cli_videos.run_rename)
    renaming.add_argument("video_id", metavar="VIDEO_ID")
    renaming.add_argument("title", metavar="TITLE")
    watched = command("watched", "list the watched folders, or stop watching one", cli_watched.run_watched)
    cli_watched.add_arguments(watched)
    relink = command("relink", "find the files of videos again that are missing or have changed", cli_relink.run_relink)
    cli_relink.add_arguments(relink)
    adopt = command("adopt", "copy video folders of another library into this one", cli_videos.run_adopt)
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
    command("clean-up", "remove deleted videos, expired exports and abandoned work", cli_maintenance.run_clean_up)
    worker = command("worker", "run queued jobs until stopped", cli_maintenance.run_worker)
    cli_maintenance.add_worker_arguments(worker)
    cli_serve.add_arguments(command("serve", "serve the HTTP API until stopped", cli_serve.run_serve))
    command("repair", "rebuild a lost or damaged catalog from the folders of the videos", cli_maintenance.run_repair)
    moving = command(
        "library",
        "move a library or its catalog to where several machines use it, or back",
        cli_maintenance.run_library,
    )
    cli_maintenance.add_library_arguments(moving)
    activity = command("activity", "report what goes on in the library, of all users", cli_activity.run_activity)
    cli_activity.add_arguments(activity)
    mcp = command("mcp", "serve the library to programs by the Model Context Protocol, over stdio", cli_mcp.run_mcp)
    cli_mcp.add_arguments(mcp)
    command("doctor", "report models, disk space and problems of the library", cli_maintenance.run_doctor)
    return parser


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
