"""`models`: what there is of models, what a download takes and the download, a check, and the folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from heimdex_core.cli.output import Printer
from heimdex_core.errors import HeimdexError, LibraryNotFound
from heimdex_core.settings import get_settings
from heimdex_core.types import to_json

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.models.download.plan import PullPlan, PullProgress
    from heimdex_core.models.inventory import CheckRow, ModelRow

Opened = Callable[..., AbstractContextManager["Library"]]

DESCRIPTION = """\
list    every profile's models: whether they are here, how large, under which licence, and which the library uses
pull    bring models here: a profile (laptop, studio) or single models (whisper:medium, BAAI/bge-m3 ...)
check   read the models and compare them with the checksums they arrived with
path    the folder that models are brought into"""


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    actions.add_parser("list", parents=[shared], help="what there is")
    pull = actions.add_parser("pull", parents=[shared], help="bring models here; run again, it goes on where it was")
    pull.add_argument("names", nargs="+", metavar="PROFILE_OR_NAME")
    pull.add_argument("--to", metavar="DIR", help="into this folder, to be taken to a machine without a network")
    pull.add_argument("--again", action="store_true", help="compare every file with the hub's and mend what differs")
    pull.add_argument("--plan", action="store_true", help="say what it takes and fetch nothing")
    check = actions.add_parser("check", parents=[shared], help="compare the files with their checksums")
    check.add_argument("names", nargs="*", metavar="PROFILE_OR_NAME")
    actions.add_parser("path", parents=[shared], help="the folder")


def run_models(args: argparse.Namespace, out: Printer, opened: Opened) -> int:
    """The exit status: 1 where a model is broken, or one that was named is missing."""
    if args.action == "list":
        return _list(args, out, opened)
    if args.action == "pull":
        return _pull(args, out)
    if args.action == "check":
        return _check(args, out)
    folder = _folder()
    out.document({"path": str(folder), "exists": folder.is_dir()}, text=str(folder))
    return 0


def _folder() -> Path:
    from heimdex_core.models.locate import models_folder

    return models_folder(get_settings().models_dir)


def _list(args: argparse.Namespace, out: Printer, opened: Opened) -> int:
    from heimdex_core.models.inventory import list_models

    library: dict[str, Any] | None = None
    used: tuple[tuple[str, str], ...] = ()
    try:
        with opened(args) as lib:
            choice = lib.models.choice
            used, library = choice.specs, {"path": str(lib.path), "profile": choice.name}
    except LibraryNotFound:
        pass  # the list is of use before there is a library
    except HeimdexError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
    rows = list_models(get_settings(), used)
    text = "\n".join([_list_line(row) for row in rows] + [f"Folder: {_folder()}"])
    out.document({"folder": str(_folder()), "library": library, "models": to_json(rows)}, text=text)
    return 0


def _list_line(row: ModelRow) -> str:
    size = _size(row.size_bytes) if row.size_bytes else "?"
    mark = "*" if row.is_used else " "
    return (
        f"{mark} {row.profile:8} {row.kind:8} {row.state:10} {size:>8}  {row.spec}  {row.licence}  {row.revision[:12]}"
    ).rstrip()


def _pull(args: argparse.Namespace, out: Printer) -> int:
    from heimdex_core.models.download.pull import Puller

    puller = Puller(get_settings(), to=Path(args.to) if args.to else None)
    plan = puller.plan(*args.names, again=args.again)
    if args.plan:
        out.document(plan.to_dict(), text=_plan_text(plan))
        return 0
    if not out.as_json:
        print(_plan_text(plan), file=sys.stderr)
    with _BytesBar("models", plan.bytes_total) as bar:
        folders = puller.pull(plan, report=bar)
    document = {**plan.to_dict(), "bytes_fetched": plan.bytes_missing, "folders": [str(one) for one in folders]}
    out.document(document, text="\n".join(str(folder) for folder in folders) + _where_to(args))
    return 0


def _where_to(args: argparse.Namespace) -> str:
    return f"\nSet HEIMDEX_MODELS_DIR to this folder where it is taken to: {args.to}" if args.to else ""


def _plan_text(plan: PullPlan) -> str:
    lines = []
    for item in plan.items:
        state = "is here" if item.is_here else f"{_size(item.bytes_missing)} of {_size(item.bytes_total)} to fetch"
        lines.append(f"{item.spec}  {item.repo}@{item.revision[:12]}  {item.licence}  {state}")
    lines.append(
        f"{_size(plan.bytes_missing)} to fetch into {plan.folder} ({_size(plan.free_bytes)} free)"
        if plan.bytes_missing
        else "Nothing to fetch."
    )
    return "\n".join(lines)


def _check(args: argparse.Namespace, out: Printer) -> int:
    from heimdex_core.models.inventory import check_models, size_to_check

    settings = get_settings()
    with _BytesBar("check", size_to_check(settings, *args.names)) as bar:
        rows = check_models(settings, *args.names, on_bytes=bar.more)
    out.document(to_json(rows), text="\n".join(_check_line(row) for row in rows))
    bad = ("broken", "unfinished", "missing") if args.names else ("broken", "unfinished")
    return 1 if any(row.state in bad for row in rows) else 0


def _check_line(row: CheckRow) -> str:
    if row.state == "ready":
        said = f"{row.files} files by {row.by}" if row.files else "" if row.by else "no checksums known"
    else:
        said = " ".join(part for part in (*(row.problems if row.state == "broken" else ()), row.hint) if part)
    return f"{row.state:10} {row.spec}  {said}".rstrip()


def _size(size_bytes: int) -> str:
    """As people are told sizes of downloads: 2.5 GB, 471 MB, 12 kB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return (
                f"{size_bytes / factor:.1f} {unit}" if size_bytes < 10 * factor else f"{size_bytes / factor:.0f} {unit}"
            )
    return f"{size_bytes} B"


class _BytesBar:
    """Bytes on stderr, and only where somebody looks."""

    def __init__(self, name: str, total: int) -> None:
        self._bar: Any = tqdm(
            total=total,
            desc=name,
            unit="B",
            unit_scale=True,
            file=sys.stderr,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def __call__(self, progress: PullProgress) -> None:
        self._bar.set_postfix_str(f"{progress.repo} {progress.file}", refresh=False)
        self._bar.update(progress.bytes_done - self._bar.n)

    def more(self, size: int) -> None:
        self._bar.update(size)

    def __enter__(self) -> _BytesBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
