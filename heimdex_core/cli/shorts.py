"""The commands `short` and `exports`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, progress_bar
from heimdex_core.errors import FileUnreadable, InvalidValue
from heimdex_core.export.progress import STAGE_CHECK
from heimdex_core.formatting import clock, precise
from heimdex_core.types import Cue, Export, ExportState, StageProgress, to_json


def add_short_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `short`."""
    parser.add_argument("scene_id", metavar="SCENE_ID")
    parser.add_argument("--out", metavar="FILE", help="also copy the file there")
    parser.add_argument(
        "--strategy", metavar="NAME", default="center_crop", help="center_crop, letterbox, blur_pad or smart_crop"
    )
    parser.add_argument("--quality", metavar="NAME", default="medium", help="medium or high")
    parser.add_argument("--captions", metavar="STYLE", help="burn in what is said: plain, boxed or karaoke")
    parser.add_argument("--position", metavar="NAME", default="safe", help="where captions stand: safe, low or middle")
    parser.add_argument("--trim", metavar="A:B", help="seconds of the video to use, also beyond the scene")
    parser.add_argument("--snap", choices=("word", "sentence"), help="move in and out to the ends of what is said")
    parser.add_argument("--crop-path", metavar="FILE", help="where smart_crop crops, as JSON or CSV")
    parser.add_argument("--cues", metavar="FILE", help="captions to use, as a JSON list of cues")
    parser.add_argument("--title", default="", help="title of the short (default: that of the video)")


def run_short(args: argparse.Namespace, out: Printer) -> int:
    """Render one scene into a 9:16 file."""
    with opened(args) as lib, progress_bar("short") as progress:
        export = lib.short(
            args.scene_id,
            strategy=args.strategy,
            quality=args.quality,
            trim=_times(args.trim) if args.trim else None,
            captions=args.captions,
            position=args.position,
            cues=_cues(Path(args.cues)) if args.cues else None,
            crop_path=lib.shorts.read_crop_path(args.crop_path) if args.crop_path else None,
            snap=args.snap,
            title=args.title,
            out=args.out,
            progress=progress,
        )
        file = Path(args.out).expanduser().resolve() if args.out else lib.exports.file(export)
    out.export(export, file)
    return 0


def add_exports_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `exports`."""
    parser.add_argument("action", nargs="?", choices=("list", "cancel", "remove"), default="list")
    parser.add_argument("export_ids", nargs="*", metavar="EXPORT_ID")


def run_exports(args: argparse.Namespace, out: Printer) -> int:
    """List exports, stop rendering some, or remove the files of some."""
    with opened(args) as lib:
        if args.action != "list" and not args.export_ids:
            raise InvalidValue(name="EXPORT_ID", value="none", reason=f"{args.action} needs at least one")
        found = [lib.exports.get(export_id) for export_id in args.export_ids]
        for export in found:
            if args.action == "cancel":
                lib.exports.cancel(export.export_id)
            elif args.action == "remove":
                lib.exports.remove(export.export_id)
        shown = [lib.exports.get(export.export_id) for export in found] if args.export_ids else lib.exports.list()
        progress = {export.export_id: lib.exports.progress(export.export_id) for export in shown}
        allowance = lib.shorts.allowance()
        rows = [
            {
                **schemas.export(export, lib.path / export.path if export.path else None),
                "progress": to_json(progress[export.export_id]),
            }
            for export in shown
        ]
    lines = [export_line(export, progress[export.export_id]) for export in shown] or ["No exports yet."]
    if allowance.remaining is not None:
        lines.append(f"Shorts of the last 24 hours: {allowance.used} of {allowance.limit}.")
    out.document(rows, text="\n".join(lines))
    return 0


def export_line(export: Export, progress: StageProgress | None) -> str:
    """What the list says of an export; `progress` is None where nothing is being rendered."""
    length = precise(export.measured_duration_s) if export.measured_duration_s is not None else "-"
    line = f"{export.state:10} {export.kind:5} {export.export_id}  {length:>8}  {export.title}"
    if export.error:
        return f"{line}  {export.error['message']} {export.error['hint']}"
    if progress is not None:
        if progress.stage == STAGE_CHECK:
            return f"{line}  being completed and checked"
        left = f", {clock(progress.eta_s)} left" if progress.eta_s is not None else ""
        return f"{line}  {int(100 * progress.overall)}%{left}"
    if export.state is not ExportState.COMPLETED:
        return line
    if not export.path:
        return f"{line}  (file removed)"
    return f"{line}  (until {export.expires_at:%Y-%m-%d %H:%M} UTC)" if export.expires_at else line


def _times(text: str) -> tuple[float, float]:
    try:
        start, _, end = text.partition(":")
        return float(start), float(end)
    except ValueError as error:
        raise InvalidValue(name="--trim", value=text, reason="it must be two times in seconds, as in 3.5:21") from error


def _cues(path: Path) -> tuple[Cue, ...]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error
    if not isinstance(data, list):
        raise InvalidValue(name="--cues", value=path.name, reason="it must be a JSON list of cues")
    return tuple(Cue.from_json(cue) for cue in data)
