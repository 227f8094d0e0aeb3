"""`add --watch` and `watched`: folders whose new videos the worker adds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer
from heimdex_core.types import Json

if TYPE_CHECKING:
    from heimdex_core.library import Library

_WORKER_HINT = "No worker is running. The folders are looked at while one is: `python -m heimdex_core worker`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `watched`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", metavar="DIR", help="stop watching a folder; its videos stay in the library")
    what.add_argument("--retry", metavar="DIR", help="try the refused files of a folder again")


def run_watched(args: argparse.Namespace, out: Printer) -> int:
    """List the watched folders, after the change that the options ask for."""
    with opened(args) as lib:
        if args.stop is not None:
            lib.watched.stop(args.stop)
        if args.retry is not None:
            lib.watched.retry(args.retry)
        show(lib, out)
    return 0


def watch(lib: Library, folder: str, out: Printer) -> None:
    """Watch a folder, and print it as `watched` does."""
    added = lib.watched.add(folder)
    show(lib, out, added.folder_id)


def show(lib: Library, out: Printer, folder_id: str | None = None) -> None:
    """Print the watched folders, or one of them."""
    reports = [one for one in lib.watched.list() if folder_id in (None, one.folder.folder_id)]
    rows = [schemas.watched_folder(report) for report in reports]
    lines = [line for row in rows for line in _lines(row)]
    if rows and not _has_worker(lib):
        lines.append(_WORKER_HINT)
    out.document(rows, text="\n".join(lines) if rows else "No folders are watched. Add one with `add --watch DIR`.")


def _lines(row: Json) -> list[str]:
    counts = [f"{number} {name}" for name, number in row["counts"].items()]
    waiting = [f"{row['waiting']} waiting"] if row["waiting"] else []
    lines = [f"{row['state']:10} {row['path']}  {', '.join([*counts, *waiting])}".rstrip()]
    if row["error"]:
        lines.append(f"           {row['error']['message']} {row['error']['hint']}")
    lines += [f"  waiting  {file['path']} ({file['reason']})" for file in row["next_files"]]
    lines += [
        f"  refused  {file['path']}: {file['error']['message']} {file['error']['hint']}" for file in row["refused"]
    ]
    return lines


def _has_worker(lib: Library) -> bool:
    from heimdex_core.jobs.statuses import statuses_of

    return any(status.is_fresh and status.state != "stopped" for status in statuses_of(lib.work).all())
