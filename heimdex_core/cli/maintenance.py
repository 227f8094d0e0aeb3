"""The commands that look after a library: `clean-up`, `repair`, `library move`, `doctor`, and the worker."""

from __future__ import annotations

import argparse
from typing import Literal

from heimdex_core.cli import EXIT_FAILED, EXIT_OK, opened
from heimdex_core.cli.output import Printer, bytes_bar
from heimdex_core.errors import InvalidValue


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `worker`."""
    parser.add_argument(
        "--queues", metavar="NAMES", help="only these queues, joined by commas: ingest,render; default all"
    )
    parser.add_argument("--parent-fd", type=int, default=None, help=argparse.SUPPRESS)


def add_library_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `library`."""
    parser.add_argument("action", choices=["move"])
    parser.add_argument(
        "--to", metavar="PLACE", help="its files, too: to s3://bucket/prefix, or from there to a folder"
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--database", action="store_true", help="the catalog into the Postgres of HEIMDEX_DATABASE_URL")
    place.add_argument("--file", action="store_true", help="the catalog from there into catalog.duckdb")


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
