"""The command line: parse the arguments, call Library once, print the result."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heimdex_core.cli.output import Printer
    from heimdex_core.library import Library

Command = Callable[[argparse.Namespace, "Printer"], int]
"""Runs one command and returns its exit status."""


EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """The arguments cannot be used as they are; the message says why."""


def positive(text: str) -> int:
    """A number of an argument that must be at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


@contextmanager
def opened(
    args: argparse.Namespace, *, create: bool = False, profile: str | None = None, queue: bool = False
) -> Iterator[Library]:
    """Open the library that the arguments name, as its operator, and close it afterwards.

    Args:
        create: create the library where there is none; otherwise LibraryNotFound is raised.
        profile: the models of a new library.
        queue: connect the job queue.
    """
    from heimdex_core.library import Library

    with Library.open(getattr(args, "library", None), profile=profile, create=create) as plain:
        lib = plain.as_operator()
        if queue:
            from heimdex_core.jobs.client import JobQueue

            lib.queue = JobQueue(lib)
        yield lib
