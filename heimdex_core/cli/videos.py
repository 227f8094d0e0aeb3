"""The commands that add, list and change videos: `add`, `videos`, `rename`, `delete`, `adopt` ..."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdex_core import schemas
from heimdex_core.cli import EXIT_FAILED, EXIT_OK, Command, UsageError, opened, positive
from heimdex_core.cli import watched as cli_watched
from heimdex_core.cli.output import Printer, progress_bar, unexpected_error
from heimdex_core.errors import HeimdexError

if TYPE_CHECKING:
    from heimdex_core.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `add`."""
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument(
        "--watch", metavar="DIR", help="let the worker add the videos in a folder, now and as they arrive"
    )
    parser.add_argument("--title", help="title of the video (one FILE only)")
    parser.add_argument("--description", default="", help="description of the video")
    parser.add_argument(
        "--subtitles", metavar="F", help="a subtitle file (one FILE only; default: the one beside the video)"
    )
    parser.add_argument("--language", help="language of the speech, for example en or ko (default: auto)")
    parser.add_argument(
        "--audio-track", type=positive, metavar="N", help="number of the sound track to use, from 1 (default: chosen)"
    )
    parser.add_argument("--profile", help="models of a new library: auto, offline, laptop or studio")
    parser.add_argument("--queue", action="store_true", help="let the worker index them")
    parser.add_argument("--if-empty", action="store_true", help="do nothing if the library already has videos")


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
