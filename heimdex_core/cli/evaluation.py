"""The command `eval`: judgements and runs in and out, runs, comparisons, sweeps and reports."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, stderr_bar
from heimdex_core.cli.weights import parse_weights
from heimdex_core.errors import InvalidValue
from heimdex_core.files import atomic_write
from heimdex_core.search.filter_text import parse_filters
from heimdex_core.search.fusion import fusion_names
from heimdex_core.types import EvaluationRun, ImportReport, RunComparison, Sweep, to_json

if TYPE_CHECKING:
    from heimdex_core.library import Library

DESCRIPTION = """\
import    take over judgements (TREC qrels, .csv, .parquet, .json), topics and runs
export    write judgements (.csv, .parquet), or qrels, topics and runs into a folder
run       search for all queries of a set, and keep and score what was found
compare   two runs: differences, confidence intervals and p-values
sweep     try many settings on some of the queries, and check the best one on the others
report    all of that as one HTML page or as Markdown

Without --queries: the library's own judged queries, else those of the sample."""

_TABLES = (".csv", ".parquet", ".json")


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the actions of `eval` and their options; `shared` has the options of all commands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))

    def action(name: str, help_text: str) -> argparse.ArgumentParser:
        created = actions.add_parser(name, parents=[shared], help=help_text)
        created.add_argument("--queries", metavar="SET", help="the query set")
        return created

    importing = action("import", "take over judgements, topics and runs")
    importing.add_argument("file", nargs="?", metavar="FILE", help="judgements: .csv, .parquet, .json, else TREC qrels")
    importing.add_argument("--topics", metavar="FILE", help="the queries of qrels, as TREC topics or ID<tab>TEXT")
    importing.add_argument("--run", dest="run_file", metavar="FILE", help="a TREC run")
    importing.add_argument("--judge", metavar="NAME", help="who judged (default: you)")
    importing.add_argument("--name", metavar="NAME", help="name of the run (default: as in its file)")

    exporting = action("export", "write judgements, topics and runs")
    exporting.add_argument("out", metavar="OUT", help="a file .csv or .parquet, or a folder for the formats of TREC")
    exporting.add_argument(
        "--run", dest="runs", action="append", metavar="NAME", help="only this run (repeatable; default: all)"
    )

    running = action("run", "search for all queries of a set, and keep and score what was found")
    running.add_argument("--name", metavar="NAME", help="name of the run (default: a number)")
    running.add_argument(
        "--weights", action="append", default=[], metavar="CHANNEL=W", help="weight of a channel, 0 to 1 (repeatable)"
    )
    running.add_argument("--fusion", metavar="NAME", help=f"fusion method: {', '.join(fusion_names())}")
    running.add_argument("--space", action="append", default=[], metavar="NAME", help="as for search (repeatable)")
    running.add_argument(
        "--filter", action="append", default=[], metavar="NAME=VALUE", help="as for search (repeatable)"
    )
    running.add_argument("--temperature", type=float, metavar="T", help="how the keyframes of a scene are averaged")
    running.add_argument("--model-set", type=int, metavar="N", help="number of a model set (default: the one in use)")

    comparing = action("compare", "compare two runs")
    comparing.add_argument("first", metavar="NAME", help="name or id of a run")
    comparing.add_argument("second", metavar="NAME", help="the run that is compared with it")

    sweeping = action("sweep", "try many settings, and check the best one on held-out queries")
    sweeping.add_argument("--name", metavar="NAME", help="name of the sweep (default: a number)")
    sweeping.add_argument(
        "--weights",
        action="append",
        metavar="CHANNEL=W,...",
        help="weights to try (repeatable; default: a grid of 66)",
    )
    sweeping.add_argument("--fusion", action="append", default=[], metavar="NAME", help="to try (repeatable)")
    sweeping.add_argument(
        "--temperature", action="append", type=float, default=[], metavar="T", help="to try (repeatable)"
    )
    sweeping.add_argument("--space", action="append", default=[], metavar="NAME,...", help="spaces to try (repeatable)")
    sweeping.add_argument(
        "--model-set", action="append", type=int, default=[], metavar="N", help="model sets to try (repeatable)"
    )
    sweeping.add_argument("--budget", type=int, metavar="N", help="try N of the combinations, chosen at random")
    sweeping.add_argument("--measure", default="nDCG@10", metavar="NAME", help="what to choose by (default: nDCG@10)")
    sweeping.add_argument("--queue", action="store_true", help="let the worker do it")
    sweeping.add_argument("--resume", metavar="SWEEP_ID", help="go on with a sweep that was interrupted")

    reporting = action("report", "write a report")
    reporting.add_argument("--out", metavar="FILE", help="a file .html or .md (default: print Markdown)")
    reporting.add_argument(
        "--run", dest="runs", action="append", metavar="NAME", help="only this run (repeatable; default: all)"
    )
    reporting.add_argument("--compare", nargs=2, metavar="NAME", help="the two runs to compare")


def run_evaluation(args: argparse.Namespace, out: Printer) -> int:
    """Run one action."""
    actions: dict[str, Callable[[argparse.Namespace, Printer], None]] = {
        "import": _import,
        "export": _export,
        "run": _run,
        "compare": _compare,
        "sweep": _sweep,
        "report": _report,
    }
    actions[args.action](args, out)
    return 0


def _import(args: argparse.Namespace, out: Printer) -> None:
    target = {"query_set": args.queries or "default", "judge": args.judge}
    with opened(args) as lib:
        if args.file and Path(args.file).suffix.lower() in _TABLES:
            if args.topics or args.run_file:
                raise InvalidValue(name="FILE", value=args.file, reason="only qrels can be given with topics and a run")
            report = lib.evaluation.import_table(args.file, **target)
        else:
            report = lib.evaluation.import_trec(
                args.file, topics=args.topics, run=args.run_file, name=args.name, **target
            )
    out.document(report, text="\n".join(_import_lines(report)))


def _import_lines(report: ImportReport) -> list[str]:
    lines = [f"{report.query_set}: {report.queries} queries, {report.judgements} judgements"]
    lines += [f"run: {report.run}"] if report.run else []
    lines += [f"rows that were there twice: {report.duplicates}"] if report.duplicates else []
    lines += [f"not in the library: {name}" for name in report.unknown_scenes]
    return lines


def _export(args: argparse.Namespace, out: Printer) -> None:
    path = Path(args.out).expanduser().resolve()
    with opened(args) as lib:
        if path.suffix.lower() in (".csv", ".parquet"):
            name = args.queries or lib.evaluation.own_query_set()
            written = [lib.evaluation.export_table(path, query_set=name)]
        else:
            written = lib.evaluation.export_trec(path, query_set=args.queries, runs=args.runs)
    out.document([str(one) for one in written], text="\n".join(map(str, written)))


def _run(args: argparse.Namespace, out: Printer) -> None:
    weights = parse_weights([pair for one in args.weights for pair in one.split(",")])
    with opened(args) as lib:
        run = lib.evaluate(
            args.queries,
            weights=weights,
            fusion=args.fusion,
            spaces=args.space,
            filters=parse_filters(args.filter),
            temperature=args.temperature,
            model_set=args.model_set,
            name=args.name,
        )
    out.document(schemas.evaluation_run(run), text="\n".join(_run_lines(run)))


def _run_lines(run: EvaluationRun) -> list[str]:
    lines = [f"{run.name} ({run.query_set}, {len(run.per_query)} queries)  {run.run_id}"]
    for name, found in run.measures.items():
        ends = f"  [{found.low:.3f}, {found.high:.3f}]" if found.low is not None and found.high is not None else ""
        lines.append(f"{name:12s} {found.mean:.3f}{ends}  {found.unjudged:.0%} unjudged")
    if run.unscored:
        lines.append(f"left out, as they have no relevant scene: {', '.join(run.unscored)}")
    if run.moved:
        lines.append(f"judgements whose scene no longer exists: {run.moved}")
    return lines


def _compare(args: argparse.Namespace, out: Printer) -> None:
    with opened(args) as lib:
        pair = lib.evaluation.compare(args.first, args.second)
    out.document(schemas.run_comparison(pair), text="\n".join(_compare_lines(pair)))


def _compare_lines(pair: RunComparison) -> list[str]:
    lines = [f"{pair.second.name} against {pair.first.name}"]
    for name, found in pair.measures.items():
        ends = f"  [{found.low:+.3f}, {found.high:+.3f}]" if found.low is not None and found.high is not None else ""
        lines.append(
            f"{name:12s} {found.delta:+.3f}{ends}  p = {found.p:.3f}, corrected {found.p_corrected:.3f}"
            f"  ({found.wins} better, {found.losses} worse, {found.ties} equal)"
        )
    return lines


def _sweep(args: argparse.Namespace, out: Printer) -> None:
    with opened(args, queue=args.queue) as lib, stderr_bar("sweep", 1) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        if args.resume:
            sweep = lib.evaluation.resume_sweep(args.resume, queue=args.queue, progress=show)
        else:
            sweep = _new_sweep(lib, args, show)
    out.document(to_json(sweep), text="\n".join(_sweep_lines(sweep)))


def _new_sweep(lib: Library, args: argparse.Namespace, show: Callable[[int, int], None]) -> Sweep:
    weights = None if args.weights is None else [parse_weights(one.split(",")) or {} for one in args.weights]
    return lib.evaluation.sweep(
        args.queries,
        weights=weights,
        fusions=args.fusion,
        temperatures=args.temperature,
        spaces=[tuple(one.split(",")) for one in args.space],
        model_sets=args.model_set,
        budget=args.budget,
        measure=args.measure,
        name=args.name,
        queue=args.queue,
        progress=show,
    )


def _sweep_lines(sweep: Sweep) -> list[str]:
    lines = [f"{sweep.name}  {sweep.state}  {sweep.done} of {sweep.total} queries  {sweep.sweep_id}"]
    found = sweep.outcome
    if found is None:
        return lines
    ends = f" [{found.low:+.3f}, {found.high:+.3f}]" if found.low is not None and found.high is not None else ""
    weights = ", ".join(f"{name}={value:g}" for name, value in found.winner.settings.weights.items())
    return [
        *lines,
        f"best of {len(sweep.settings)} settings on {len(sweep.tuning)} tuning queries: {weights};"
        f" {found.winner.settings.fusion}",
        f"{sweep.measure} there {found.tuning_gain:+.3f}; chance alone would give {found.chance_gain:+.3f}",
        f"on {len(sweep.held_out)} held-out queries {found.held_out_baseline.mean:.3f} ->"
        f" {found.held_out_winner.mean:.3f}, {found.delta:+.3f}{ends}, p = {found.p:.3f}, corrected"
        f" {found.p_corrected:.3f}",
        f"verdict: {found.verdict}",
    ]


def _report(args: argparse.Namespace, out: Printer) -> None:
    path = None if args.out is None else Path(args.out).expanduser().resolve()
    if path is not None and path.suffix.lower() not in (".html", ".htm", ".md"):
        raise InvalidValue(name="out", value=args.out, reason="its name must end in .html or .md")
    is_markdown = path is None or path.suffix.lower() == ".md"
    with opened(args) as lib:
        text = lib.evaluation.report(
            args.queries,
            runs=args.runs,
            compare=tuple(args.compare) if args.compare else None,
            format="md" if is_markdown else "html",
        )
    if path is None:
        out.document({"report": text}, text=text.rstrip())
        return
    with atomic_write(path) as file:
        file.write(text.encode())
    out.document({"out": str(path)}, text=str(path))
