"""The command `models`: list models, download them, check their files, and print their folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, stderr_bar
from heimdex_core.errors import HeimdexError, LibraryNotFound
from heimdex_core.formatting import size as size_text
from heimdex_core.settings import get_settings
from heimdex_core.types import to_json

if TYPE_CHECKING:
    from heimdex_core.models.download.plan import PullPlan, PullProgress
    from heimdex_core.models.inventory import CheckRow, ModelRow

DESCRIPTION = """\
list    the models of every profile: whether they are on this machine, size, licence, and which the library uses
pull    download the models of a profile (laptop, studio) or single models (whisper:medium, BAAI/bge-m3 ...)
check   compare the files of models with their checksums
path    the folder that models are downloaded to"""


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the actions of `models` and their options; `shared` has the options of all commands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    actions.add_parser("list", parents=[shared], help="list the models of every profile")
    pull = actions.add_parser("pull", parents=[shared], help="download models; run it again to continue a download")
    pull.add_argument("names", nargs="+", metavar="PROFILE_OR_NAME")
    pull.add_argument("--to", metavar="DIR", help="download to this folder, to copy it to a machine without a network")
    pull.add_argument(
        "--again", action="store_true", help="compare every file with the hub's and replace those that differ"
    )
    pull.add_argument("--plan", action="store_true", help="show what would be downloaded, without downloading")
    check = actions.add_parser("check", parents=[shared], help="compare the files of models with their checksums")
    check.add_argument("names", nargs="*", metavar="PROFILE_OR_NAME")
    actions.add_parser("path", parents=[shared], help="print the folder that models are downloaded to")


def run_models(args: argparse.Namespace, out: Printer) -> int:
    """Run one action. The exit status is 1 if a checked model is broken or unfinished, or a named one is missing."""
    if args.action == "list":
        return _list(args, out)
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


def _list(args: argparse.Namespace, out: Printer) -> int:
    from heimdex_core.models.inventory import list_models

    library: dict[str, Any] | None = None
    used: tuple[tuple[str, str], ...] = ()
    try:
        with opened(args) as lib:
            choice = lib.models.choice
            used, library = choice.specs, {"path": str(lib.path), "profile": choice.name}
    except LibraryNotFound:
        pass  # the list is useful before there is a library
    except HeimdexError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
    rows = list_models(get_settings(), used)
    text = "\n".join([_list_line(row) for row in rows] + [f"Folder: {_folder()}"])
    out.document({"folder": str(_folder()), "library": library, "models": to_json(rows)}, text=text)
    return 0


def _list_line(row: ModelRow) -> str:
    size = size_text(row.size_bytes) if row.size_bytes else "?"
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
    with stderr_bar("models", plan.bytes_total, unit="B", unit_scale=True) as bar:

        def show(progress: PullProgress) -> None:
            bar.set_postfix_str(f"{progress.repo} {progress.file}", refresh=False)
            bar.update(progress.bytes_done - bar.n)

        folders = puller.pull(plan, report=show)
    document = {**plan.to_dict(), "bytes_fetched": plan.bytes_missing, "folders": [str(one) for one in folders]}
    out.document(document, text="\n".join(str(folder) for folder in folders) + _where_to(args))
    return 0


def _where_to(args: argparse.Namespace) -> str:
    return f"\nOn the machine that it is copied to, set HEIMDEX_MODELS_DIR to this folder: {args.to}" if args.to else ""


def _plan_text(plan: PullPlan) -> str:
    lines = []
    for item in plan.items:
        missing = f"{size_text(item.bytes_missing)} of {size_text(item.bytes_total)} to download"
        state = "present" if item.is_here else missing
        lines.append(f"{item.spec}  {item.repo}@{item.revision[:12]}  {item.licence}  {state}")
    lines.append(
        f"{size_text(plan.bytes_missing)} to download to {plan.folder} ({size_text(plan.free_bytes)} free)"
        if plan.bytes_missing
        else "Nothing to download."
    )
    return "\n".join(lines)


def _check(args: argparse.Namespace, out: Printer) -> int:
    from heimdex_core.models.inventory import check_models, size_to_check

    settings = get_settings()
    with stderr_bar("check", size_to_check(settings, *args.names), unit="B", unit_scale=True) as bar:
        rows = check_models(settings, *args.names, on_bytes=bar.update)
    out.document(to_json(rows), text="\n".join(_check_line(row) for row in rows))
    bad = ("broken", "unfinished", "missing") if args.names else ("broken", "unfinished")
    return 1 if any(row.state in bad for row in rows) else 0


def _check_line(row: CheckRow) -> str:
    if row.state == "ready":
        text = f"{row.files} files by {row.by}" if row.files else "" if row.by else "no checksums known"
    else:
        text = " ".join(part for part in (*(row.problems if row.state == "broken" else ()), row.hint) if part)
    return f"{row.state:10} {row.spec}  {text}".rstrip()
