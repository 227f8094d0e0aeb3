"""What the command line prints: JSON documents of a fixed shape, or short text."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from heimdex_core import schemas
from heimdex_core.errors import HeimdexError, clip_text
from heimdex_core.export.notes import note_text
from heimdex_core.formatting import precise
from heimdex_core.search.channels.base import REASONS
from heimdex_core.search.notes import note_texts, seen_text
from heimdex_core.types import ChannelState, Export, Json, SearchResult, StageProgress, to_json


def usage_error(message: str) -> Json:
    """The error of arguments that cannot be parsed."""
    return {
        "code": "USAGE",
        "category": "validation",
        "message": message,
        "hint": "`--help` lists the commands and options.",
    }


def unexpected_error(error: Exception) -> Json:
    """The error of a defect of the software; only the exception's own text is shown."""
    logging.getLogger(__name__).debug("unexpected", exc_info=error)
    wrapped = HeimdexError(reason=f"{type(error).__name__}: {error}")
    wrapped.hint = "Run the command again with HEIMDEX_DEBUG=1 to see the traceback, and report it."
    return wrapped.to_dict()


class Printer:
    """Prints results as JSON (heimdex_core.schemas) or as text."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        """`stream` is where results go; errors go to stderr unless `as_json` is set."""
        self.stream = stream
        self.as_json = as_json

    def document(self, value: Any, *, text: str | None = None, empty: str = "") -> None:
        """Print one result.

        Args:
            value: the JSON document.
            text: what is printed without `--json`; default one line for each row of `value`.
            empty: what is printed without `--json` where `value` has no rows.
        """
        if self.as_json:
            json.dump(to_json(value), self.stream, ensure_ascii=False, indent=2)
            self.stream.write("\n")
        elif text is not None:
            self._line(text)
        elif not value:
            self._line(empty)
        else:
            for row in value:
                self._line(_row_text(row))
        self.stream.flush()

    def failure(self, error: Json) -> None:
        """Print why a command failed, with code, category, message and hint: as JSON on the stream, else on stderr."""
        if self.as_json:
            self.document({"error": error})
        else:
            print(f"{error['message']}\n{error['hint']}", file=sys.stderr)

    def _line(self, text: str) -> None:
        if text:
            self.stream.write(text + "\n")

    # --- results ---

    def search(self, result: SearchResult) -> None:
        """Print the hits, and why channels with a weight took no part."""
        if self.as_json:
            self.document(schemas.search_result(result))
            return
        abstaining = [
            _why_not_active(name, state)
            for name, state in result.channels.items()
            if not state.active and state.reason not in ("weight_zero", "not_asked")
        ]
        for hit in result.hits:
            parts = " ".join(f"{name} {part.contribution:.2f}" for name, part in hit.channels.items() if part.rank)
            place = f"{precise(hit.scene.start_s)}-{precise(hit.scene.end_s)}"
            text = f"  {hit.scene.transcript[:80]}" if hit.scene.transcript else ""
            parts += f"  and {len(hit.duplicates)} nearly identical" if hit.duplicates else ""
            parts += f"  then {hit.then}" if hit.then else ""
            parts += "".join(f"  {seen_text(person)}" for person in hit.people)
            self._line(f"{hit.score:5.2f}  {hit.video_title}  {place}{text}\n       {hit.scene_id}  {parts}")
        if not result.hits:
            self._line("No matching scenes.")
        elif result.nothing_close:
            self._line("Nothing here is close to the query.")
        self._line("; ".join([*_corrections(result), *note_texts(result), *abstaining]))

    def export(self, export: Export, out: Path) -> None:
        """Print a rendered export; `out` is the file that was written for it."""
        length = precise(export.measured_duration_s or 0)
        lines = [f"{out}  {length}  {export.width}x{export.height}  {export.size_bytes} bytes"]
        lines += [f"Left out: {clip_text(clip)}" for clip in export.left_out]
        lines += [note_text(note) for note in export.notes]
        self.document(schemas.export(export, out), text="\n".join(lines))

    def repair(self, report: dict[str, Any]) -> None:
        """Print the report of Library.repair."""
        lines = [f"catalog: {report['catalog']}"]
        if report["moved_to"]:
            lines.append(f"the damaged one is now: {report['moved_to']}")
        lines.append(f"videos taken from their folders: {report['videos']}")
        lines += [
            f"{table}: {copied['rows']} rows from the copy of {copied['copied_at'][:19]} UTC"
            for table, copied in report["restored"].items()
        ]
        lines += [f"problem: {problem}" for problem in report["problems"]]
        self.document(report, text="\n".join(lines))

    def moved(self, report: dict[str, Any]) -> None:
        """Print the report of Library.move_catalog."""
        place = {"postgres": "Postgres", "file": "catalog.duckdb"}[report["catalog"]]
        lines = [f"{table}: {count} rows" for table, count in report["rows"].items()]
        lines.append(f"The catalog is in {place}." if report["moved"] else f"The catalog is in {place} already.")
        if report["kept_as"]:
            lines.append(f"The old one is kept as {report['kept_as']}; delete it when you do not need it any more.")
        self.document(report, text="\n".join(lines))

    def moved_library(self, report: dict[str, Any]) -> None:
        """Print the report of Library.move."""
        if not report["moved"]:
            self.document(report, text=f"The library is at {report['place']} already.")
            return
        lines = [f"{report['files']} files, {report['size_bytes']} bytes, each compared after it was copied"]
        lines += [f"{table}: {count} rows" for table, count in report["rows"].items()]
        lines.append(f"The library is at {report['place']} now: set HEIMDEX_LIBRARY to that. What is left at the old")
        lines.append("place can be deleted when you do not need it any more.")
        self.document(report, text="\n".join(lines))

    def doctor(self, report: dict[str, Any]) -> None:
        """Print the report of Library.doctor."""
        lines = [f"{key}: {value}" for key, value in report.items() if not isinstance(value, dict | list)]
        lines.append("threads: " + ", ".join(f"{kind} {count}" for kind, count in report["threads"].items()))
        better = report["step_up"]
        if better:
            cost = f"{better['gigabytes']} GB to download" if better["missing"] else "its models are on this machine"
            lines.append(f"better profile: {better['profile']} ({cost}): {' && '.join(better['commands'])}")
        lines += [_model_text(model) for model in report["models"]]
        lines += [
            f"worker: {one['machine']}  {one['pid']}  {one['state']}  {', '.join(one['queues'])}"
            for one in report["workers"]
        ]
        lines += [f"problem: {_row_text(problem)}" for problem in report["problems"]]
        self.document(report, text="\n".join(lines if report["problems"] else [*lines, "No problems."]))


def _corrections(result: SearchResult) -> list[str]:
    """Which words were looked up instead of words that occur nowhere."""
    return [f'no scene has "{word}", "{other}" was looked up' for word, other in result.corrected.items()]


def _why_not_active(name: str, state: ChannelState) -> str:
    """Why a channel took no part, with the hint where it failed."""
    if state.error is not None:
        return f"{name} failed: {state.error['message']} {state.error['hint']}"
    return f"{name}: {REASONS.get(state.reason or '', state.reason)}"


def _model_text(model: dict[str, Any]) -> str:
    size, revision = f"{model['size_bytes'] / 1e6:.0f} MB", model["revision"][:12] or "-"
    note = f"  ({model['note']})" if model["note"] else ""
    return f"model: {model['role']}  {model['name']}  {model['state']}  {size}  {revision}  {model['licence']}{note}"


def _row_text(row: dict[str, Any]) -> str:
    """One line for a video or a scene; other rows as key=value."""
    if row.get("scene_id"):
        return (
            f"{row['index']:4d}  {precise(row['start_s'])}-{precise(row['end_s'])}  {row['scene_id']}  "
            f"{row['transcript'][:80]}"
        )
    if "filename" in row and "state" in row:
        if row["error"]:
            return f"{row['state']}  {row['filename']}: {row['error']['message']} {row['error']['hint']}"
        length = precise(row["duration_s"]) if row["duration_s"] is not None else "-"
        size = f"{row['width']}x{row['height']}" if row["width"] else "-"
        said = [*_track_texts(row.get("audio_track")), *(row.get("notes") or ())]
        notes = f"  ({', '.join(said)})" if said else ""
        return (
            f"{row['state']:10} {row['video_id']}  {length:>8}  {size:>9}  "
            f"{row['scene_count']:3d} {'scene ' if row['scene_count'] == 1 else 'scenes'}  {row['title']}{notes}"
        )
    return "  ".join(f"{key}={value}" for key, value in row.items())


def _track_texts(track: dict[str, Any] | None) -> list[str]:
    """ "sound: track 2, Mic; track 1: silent", where there was a choice."""
    if track is None or not (track["by_hand"] or track["passed_over"]):
        return []
    chosen = ", ".join([f"sound: track {track['number']}", *([track["title"]] if track["title"] else [])])
    return ["; ".join([chosen, *(f"track {number}: {why}" for number, why in track["passed_over"].items())])]


@contextmanager
def bytes_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """The same for a callback that is given (bytes done, bytes in all)."""
    with tqdm(desc=name, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[StageProgress], None]]:
    """A progress bar on stderr with `name` before it; the callback for `progress=`."""
    with stderr_bar(name, 100, bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining} {postfix}") as bar:

        def show(progress: StageProgress) -> None:
            share = (progress.stage_number - 1 + progress.fraction) / max(progress.stage_count, 1)
            bar.set_postfix_str(progress.stage, refresh=False)
            bar.update(max(0.0, share * 100 - bar.n))

        yield show


def stderr_bar(name: str, total: float, **options: Any) -> Any:
    """A tqdm bar on stderr; nothing is drawn where stderr is no terminal."""
    is_hidden = not sys.stderr.isatty()
    return tqdm(total=total, desc=name, file=sys.stderr, leave=False, disable=is_hidden, **options)
