"""What the fuzz tests run in a child process: many files one after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.media.probe import probe
from heimdex_core.media.subtitles import read_subtitles
from heimdex_core.types import WorkContext


def probe_all(paths: list[str], context: WorkContext) -> list[str]:
    """What becomes of each file: "read", the code of an error of ours, or the defect."""
    return _each(paths, context, lambda path: probe(path, max_bytes=10**9, max_duration_s=600.0))


def read_all(paths: list[str], context: WorkContext) -> list[str]:
    """The same for subtitle files."""
    return _each(paths, context, read_subtitles)


def _each(paths: list[str], context: WorkContext, read: Callable[[Path], Any]) -> list[str]:
    found = []
    for done, path in enumerate(paths):
        context.report(done, len(paths))
        try:
            read(Path(path))
            found.append("read")
        except HeimdexError as error:
            found.append(error.code)
        except Exception as error:
            found.append(f"{path}: {type(error).__name__}: {error}")
    return found
