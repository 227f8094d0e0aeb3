"""A report of an evaluation, as Markdown or as one HTML page that needs nothing from the network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from heimdex_core.types import (
    Agreement,
    EvaluationRun,
    MeasureSummary,
    QuerySet,
    RunComparison,
    RunSettings,
    Sweep,
    utc_now,
)

_SHOWN_QUERIES = 200

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th { text-align: left; font-weight: 600; } td.number, th.number { text-align: right; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Content:
    """What a report is about."""

    query_set: QuerySet
    scored: int
    """Queries that have a relevant scene."""
    runs: tuple[EvaluationRun, ...]
    comparison: RunComparison | None
    sweeps: tuple[Sweep, ...]
    """Those that are done."""
    agreement: Agreement


@dataclass(frozen=True)
class _Table:
    heading: str
    columns: tuple[str, ...]
    """Columns after the first `texts` ones are numbers."""
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    texts: int = 1


def as_markdown(content: Content) -> str:
    """The report as Markdown."""
    lines = [f"# {_title(content)}", "", _intro(content), ""]
    for table in _tables(content):
        lines += [f"## {table.heading}", ""]
        if table.rows:
            marks = [" --- " if number < table.texts else " ---: " for number in range(len(table.columns))]
            lines += [_markdown_row(table.columns), f"|{'|'.join(marks)}|", *map(_markdown_row, table.rows), ""]
        lines += [table.note, ""] if table.note else []
    return "\n".join(lines).rstrip() + "\n"


def as_html(content: Content) -> str:
    """The report as one HTML page."""
    parts = [f"<h1>{_escaped(_title(content))}</h1>", f"<p>{_escaped(_intro(content))}</p>"]
    for table in _tables(content):
        parts.append(f"<h2>{_escaped(table.heading)}</h2>")
        if table.rows:
            head = "".join(_cell("th", text, number >= table.texts) for number, text in enumerate(table.columns))
            body = "".join(
                f"<tr>{''.join(_cell('td', text, number >= table.texts) for number, text in enumerate(row))}</tr>"
                for row in table.rows
            )
            parts.append(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
        parts += [f"<p>{_escaped(table.note)}</p>"] if table.note else []
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_escaped(_title(content))}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _title(content: Content) -> str:
    return f"Evaluation of “{content.query_set.name}”"


def _intro(content: Content) -> str:
    return (
        f"{len(content.query_set.queries)} queries, {content.scored} of them with a relevant scene. Written"
        f" {utc_now():%Y-%m-%d %H:%M} UTC. Brackets are 95 % confidence intervals of the mean over queries (bootstrap)."
    )


def _tables(content: Content) -> list[_Table]:
    tables = []
    if content.runs:
        tables += [_runs(content.runs), _provenance(content.runs)]
    else:
        tables.append(_Table("Runs", (), (), "There are no runs yet."))
    if content.comparison is not None:
        tables += [_deltas(content.comparison), _query_deltas(content.comparison)]
    tables += [_sweep(sweep) for sweep in content.sweeps]
    if len(content.agreement.judges) > 1:
        tables.append(_agreement(content.agreement))
    return tables


def _runs(runs: Sequence[EvaluationRun]) -> _Table:
    names = list(dict.fromkeys(name for run in runs for name in run.measures))
    rows = tuple(
        (run.name, settings_text(run.settings), *(_summary(run.measures.get(name)) for name in names)) for run in runs
    )
    note = (
        "“unjudged” is the share of scenes that nobody has judged among those that the measure looks at; they count as"
        " not relevant."
    )
    return _Table("Runs", ("Run", "Settings", *names), rows, note, texts=2)


def _provenance(runs: Sequence[EvaluationRun]) -> _Table:
    rows = []
    for run in runs:
        made = run.provenance
        if made is None:
            rows.append((run.name, f"{run.created_at:%Y-%m-%d %H:%M}", "imported", "", "", ""))
            continue
        models = ", ".join(str(made.models[kind]) for kind in ("speech", "text", "vision") if made.models.get(kind))
        code = f"{made.code_version} ({made.search_code})"
        rows.append(
            (run.name, f"{run.created_at:%Y-%m-%d %H:%M}", code, models, str(made.library_revision), str(made.scenes))
        )
    columns = ("Run", "Made (UTC)", "Software", "Models", "Library revision", "Scenes")
    return _Table("What the runs were made with", columns, tuple(rows), texts=4)


def _deltas(pair: RunComparison) -> _Table:
    rows = tuple(
        (
            name,
            f"{delta.first:.3f}",
            f"{delta.second:.3f}",
            f"{delta.delta:+.3f}{_range(delta.low, delta.high)}",
            _p(delta.p),
            _p(delta.p_t),
            _p(delta.p_corrected),
            f"{delta.wins} / {delta.losses} / {delta.ties}",
        )
        for name, delta in pair.measures.items()
    )
    columns = (
        "Measure",
        pair.first.name,
        pair.second.name,
        "Difference",
        "p",
        "p (t test)",
        "p corrected",
        "W / L / T",
    )
    note = (
        "p is of the paired randomisation test, two-sided; “corrected” is Holm's correction for the number of measures."
        " W / L / T: queries in which the second run is better, worse, equal."
    )
    return _Table(f"{pair.second.name} against {pair.first.name}", columns, rows, note)


def _query_deltas(pair: RunComparison) -> _Table:
    if not pair.queries:
        return _Table("Query by query", (), ())
    name, deltas = next(iter(pair.queries.items()))
    rows = tuple(
        (one.text, f"{one.first:.3f}", f"{one.second:.3f}", f"{one.delta:+.3f}") for one in deltas[:_SHOWN_QUERIES]
    )
    note = f"The first {_SHOWN_QUERIES} of {len(deltas)} queries." if len(deltas) > _SHOWN_QUERIES else ""
    columns = ("Query", pair.first.name, pair.second.name, "Difference")
    return _Table(f"Query by query, {name}", columns, rows, note)


def _sweep(sweep: Sweep) -> _Table:
    found = sweep.outcome
    if found is None:
        return _Table(f"Sweep “{sweep.name}”", (), ())
    rows = (
        ("Settings tried", str(len(sweep.settings))),
        ("Queries for tuning, held out", f"{len(sweep.tuning)}, {len(sweep.held_out)}"),
        ("Best on the tuning queries", settings_text(found.winner.settings)),
        ("Gain on the tuning queries", f"{found.tuning_gain:+.3f}"),
        ("Gain that chance alone would give there", f"{found.chance_gain:+.3f}"),
        (f"{sweep.measure} of the defaults, held out", _summary(found.held_out_baseline)),
        (f"{sweep.measure} of the best setting, held out", _summary(found.held_out_winner)),
        ("Gain on the held-out queries", f"{found.delta:+.3f}{_range(found.low, found.high)}"),
        ("p, corrected for the number of settings", f"{_p(found.p)}, {_p(found.p_corrected)}"),
        ("Verdict", found.verdict),
    )
    return _Table(f"Sweep “{sweep.name}”", ("", ""), rows, texts=2)


def _agreement(found: Agreement) -> _Table:
    rows = [(" and ".join(pair.judges), "Cohen", str(pair.items), _kappa(pair.kappa)) for pair in found.pairs]
    if len(found.judges) > 2:
        rows.append((", ".join(found.judges), "Fleiss", str(found.items), _kappa(found.fleiss)))
    note = f"Scenes with different grades: {len(found.disagreements)}."
    return _Table("Agreement of the judges", ("Judges", "Kappa of", "Scenes", "Kappa"), tuple(rows), note, texts=2)


# --- texts ----------------------------------------------------------------------------------------


def settings_text(settings: RunSettings) -> str:
    """Settings in one line: "transcript 0.45, vision 0.35, lexical 0.2; minmax"."""
    parts = [", ".join(f"{name} {value:g}" for name, value in settings.weights.items()), settings.fusion]
    parts += [f"temperature {settings.temperature:g}"] if settings.temperature is not None else []
    parts += [", ".join(settings.spaces)] if settings.spaces else []
    parts += [", ".join(settings.filters)] if settings.filters else []
    return "; ".join(part for part in parts if part)


def _summary(found: MeasureSummary | None) -> str:
    if found is None:
        return "–"
    return f"{found.mean:.3f}{_range(found.low, found.high)}, {found.unjudged:.0%} unjudged"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _kappa(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"


def _markdown_row(cells: Sequence[str]) -> str:
    escaped = (" ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _cell(tag: str, text: str, is_number: bool) -> str:
    return f'<{tag} class="number">{_escaped(text)}</{tag}>' if is_number else f"<{tag}>{_escaped(text)}</{tag}>"


def _escaped(text: str) -> str:
    return html.escape(text)
