"""The view of a query set: its queries with what is judged, its guidelines, files in and out."""

from __future__ import annotations

import base64
import html
import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import streamlit as st

from heimdex_core.errors import InvalidValue
from heimdex_core.library import Library
from heimdex_core.types import DEFAULT_QUERY_SET, ImportReport, QuerySet, SceneJudgement
from ui import address, resources, state
from ui.components import evaluation_part
from ui.evaluation.parts import optional_part
from ui.i18n import number, t, tn
from ui.views import files as file_views
from ui.views import judging as judging_views

SAMPLE = "sample"
"""The judged queries that come with the software; they cannot be changed."""
MAX_NAME = 100
MAX_GUIDELINES = 4000
MAX_IMPORT_BYTES = 20_000_000
_ACCEPTED = ".txt,.qrels,.qrel,.run,.trec,.tsv,.csv,.parquet,.json"


# --- operations -----------------------------------------------------------------------------------


def create(value: Any) -> None:
    """Make a query set without queries: {"text": its name}."""
    name = str(value["text"])
    if any(one.name == name for one in resources.library().evaluation.query_sets()):
        raise InvalidValue(name=t("evaluate.set_name"), value=name, reason=t("evaluate.set_exists"))
    resources.library().evaluation.save_query_set(name, ())
    show(name)


def show(name: str) -> None:
    """Show a query set, and nothing that belongs to another one."""
    now = state.evaluation()
    state.update_evaluation(query_set=name, first=None, second=None, query=None, at=None, sweep=None, cell=None)
    if now.query_set != name:
        state.set_confirming(None)


def rename(chosen: QuerySet, value: Any) -> None:
    show(resources.library().evaluation.rename_query_set(chosen.name, str(value["text"])).name)


def remove(chosen: QuerySet, _: Any) -> None:
    """Ask whether a query set is to be deleted with its judgements."""
    state.set_confirming(f"set/{chosen.name}")


def save_guidelines(chosen: QuerySet, value: Any) -> None:
    resources.library().evaluation.save_query_set(chosen.name, guidelines=str(value["text"]))


def add_query(chosen: QuerySet, value: Any) -> None:
    """Add a query at the end: {"text"}. One that is there already is not added twice."""
    text = " ".join(str(value["text"]).split())
    if all(query.text != text for query in chosen.queries):
        resources.library().evaluation.save_query_set(chosen.name, (*chosen.queries, text))


def remove_query(chosen: QuerySet, value: Any) -> None:
    """Take a query, given by its text, out of the set. Its judgements are kept."""
    kept = [query for query in chosen.queries if query.text != str(value)]
    resources.library().evaluation.save_query_set(chosen.name, kept)


def import_file(chosen: QuerySet, value: Any) -> None:
    """Take judgements, topics or a run from a file: {"name", "content": base64}."""
    content = base64.b64decode(str(value["content"]), validate=True)
    evaluation = resources.library().evaluation
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"import{Path(str(value['name'])).suffix.lower()}"
        path.write_bytes(content)
        kind = file_views.kind_of(path.suffix, content[:4096])
        if kind == "table":
            report = evaluation.import_table(path, query_set=chosen.name)
        else:
            report = evaluation.import_trec(query_set=chosen.name, **cast(Any, {kind: path}))
    state.set_import_report(report)


# --- drawing --------------------------------------------------------------------------------------


def draw(library: Library, chosen: QuerySet) -> None:
    """Draw the view for a query set."""
    main, side = st.columns([3, 1], gap=None)
    judgements = library.evaluation.judgements(chosen.name)
    is_own = chosen.name != SAMPLE
    with main, st.container(key="hx-main"):
        _draw_report(state.take_import_report())
        _draw_confirmation(library, chosen)
        _draw_queries(chosen, judgements, is_own=is_own)
        _draw_disagreements(library, chosen)
    with side, st.container(key="hx-right"):
        _draw_forms(chosen, is_own=is_own)
        _draw_exports(library, chosen)


def draw_first(sets: Sequence[QuerySet]) -> None:
    """Draw what to do where there is no query set yet."""
    main, side = st.columns([3, 1], gap=None)
    with main, st.container(key="hx-main"):
        evaluation_part(
            "hx_first",
            {
                "part": "steps",
                "title": t("evaluate.empty"),
                "text": t("evaluate.empty_hint"),
                "list": [{"text": t(f"evaluate.step.{n}"), "done": False} for n in range(1, 5)],
                "link": {"text": t("evaluate.to_search"), "href": address.url("search")},
                "more": {"text": t("evaluate.to_sample"), "href": address.url("evaluate", set=SAMPLE)}
                if any(one.name == SAMPLE for one in sets)
                else None,
            },
        )
    with side, st.container(key="hx-right"):
        _draw_forms(QuerySet(DEFAULT_QUERY_SET), is_own=False, can_import=True)


def _draw_queries(chosen: QuerySet, judgements: Sequence[SceneJudgement], *, is_own: bool) -> None:
    judged = Counter(one.query for one in judgements)
    relevant = Counter(one.query for one in judgements if one.grade > 0)
    evaluation_part(
        "hx_queries",
        {
            "part": "queries",
            "heading": tn("evaluate.queries_of", len(chosen.queries), name=chosen.name),
            "columns": [t("evaluate.query"), t("evaluate.judged"), t("evaluate.relevant")],
            "rows": [
                {
                    "text": query.text,
                    "href": address.url("search", q=query.text),
                    "judge": address.url("evaluate", set=chosen.name, view="judge", q=query.text),
                    "values": [number(judged[query.text]), number(relevant[query.text])],
                    "judge_label": t("evaluate.judge_label", text=query.text),
                    "remove_label": t("evaluate.remove_label", text=query.text),
                    "fixed": not is_own,
                }
                for query in chosen.queries
            ],
            "add": {"label": t("evaluate.add_query"), "action": t("evaluate.add"), "max": 1000} if is_own else None,
            "empty": t("evaluate.no_queries"),
            "labels": {
                "actions": t("evaluate.actions"),
                "judge": t("evaluate.judge"),
                "search": t("evaluate.search_it"),
            },
        },
        {"add_query": partial(add_query, chosen), "remove_query": partial(remove_query, chosen)},
    )


def _draw_forms(chosen: QuerySet, *, is_own: bool, can_import: bool | None = None) -> None:
    """Draw the forms beside the queries. The sample's set has only those that make another one."""
    field = {"max": MAX_NAME, "label": t("evaluate.set_name")}
    with_import = is_own if can_import is None else can_import
    handlers: dict[str, Callable[[Any], None]] = {
        "create": create,
        "rename": partial(rename, chosen),
        "guidelines": partial(save_guidelines, chosen),
        "import": partial(import_file, chosen),
        "remove_set": partial(remove, chosen),
    }
    evaluation_part(
        "hx_set_forms",
        {
            "part": "sets",
            "heading": t("evaluate.set"),
            "create": {**field, "action": t("evaluate.create")},
            "rename": {**field, "action": t("evaluate.rename"), "value": chosen.name} if is_own else None,
            "guidelines": {
                "label": t("judge.guidelines"),
                "action": t("evaluate.save"),
                "value": chosen.guidelines,
                "max": MAX_GUIDELINES,
            }
            if is_own
            else None,
            "files": {
                "accept": _ACCEPTED,
                "limit": MAX_IMPORT_BYTES,
                "too_large": t("evaluate.import_too_large"),
            }
            if with_import
            else None,
            "remove": {"text": t("evaluate.remove_set")} if is_own else None,
            "labels": {
                "guidelines": t("judge.guidelines"),
                "guidelines_hint": t("evaluate.guidelines_hint"),
                "rename": t("evaluate.rename_heading"),
                "create": t("evaluate.create_heading"),
                "import": t("evaluate.import"),
                "import_hint": t("evaluate.import_hint"),
                "import_action": t("evaluate.import_action"),
            },
        },
        handlers,
    )


def _draw_report(report: ImportReport | None) -> None:
    """Say what an import has brought."""
    if report is None:
        optional_part("hx_imported", None)
        return
    lines = [t("evaluate.imported", queries=number(report.queries), judgements=number(report.judgements))]
    if report.run:
        lines.append(t("evaluate.imported_run", name=report.run))
    if report.unknown_scenes:
        shown = ", ".join(report.unknown_scenes[:5])
        lines.append(tn("evaluate.import_unknown", len(report.unknown_scenes), scenes=shown))
    if report.duplicates:
        lines.append(tn("evaluate.import_duplicates", report.duplicates))
    optional_part(
        "hx_imported",
        {"part": "figures", "verdict": {"text": " ".join(lines), "tone": ""}, "cards": [], "actions": []},
    )


def _draw_confirmation(library: Library, chosen: QuerySet) -> None:
    """Ask whether the query set is to be deleted, if that was wanted."""
    if state.confirming() != f"set/{chosen.name}":
        optional_part("hx_remove_set", None)
        return

    def delete(_: Any) -> None:
        state.set_confirming(None)
        library.evaluation.delete_query_set(chosen.name)
        show("")

    question = t("evaluate.remove_question", name=chosen.name, n=number(chosen.judgement_count))
    optional_part(
        "hx_remove_set",
        {
            "part": "figures",
            "verdict": {"text": question, "tone": "loss"},
            "cards": [],
            "actions": [
                {"name": "delete", "text": t("evaluate.remove_confirm")},
                {"name": "keep", "text": t("evaluate.remove_keep"), "primary": True},
            ],
        },
        {"delete": delete, "keep": lambda _: state.set_confirming(None)},
    )


def _draw_disagreements(library: Library, chosen: QuerySet) -> None:
    """Draw how far the judges agree, if there are several, and where they do not."""
    found = library.evaluation.agreement(chosen.name)
    about = judging_views.agreement(found)
    if about is None:
        optional_part("hx_agreement", None)
        return
    lines = [
        f"{one.query}: " + ", ".join(f"{judge} {grade}" for judge, grade in one.grades.items())
        for one in found.disagreements
    ]
    optional_part(
        "hx_agreement",
        {
            "part": "figures",
            "heading": "",
            "cards": [{"label": about["heading"], "value": about["value"], "text": about["text"]}],
            "actions": [],
            "more": [tn("evaluate.disagreements", len(lines)), *lines] if lines else [],
        },
    )


def _draw_exports(library: Library, chosen: QuerySet) -> None:
    """Draw the buttons that download the set, its judgements and its runs."""
    if not chosen.judgement_count and not chosen.queries:
        return
    st.html(f'<h2 class="hx-caps">{html.escape(t("evaluate.export"))}</h2>')
    with st.container(horizontal=True, key="hx-evaluate-exports"):
        for suffix, (label, content) in _exports(library, chosen).items():
            name = f"{file_views.safe_name(chosen.name)}.{suffix}"
            st.download_button(label, content, file_name=name, key=f"hx_export_{suffix}", on_click="ignore")


def _exports(library: Library, chosen: QuerySet) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """What a set can be exported as: {suffix: (label, content, made when it is asked for)}."""
    found: dict[str, tuple[str, Callable[[], bytes]]] = {"zip": ("TREC", partial(trec_archive, library, chosen.name))}
    if chosen.judgement_count:
        found["csv"] = ("CSV", partial(table, library, chosen.name, ".csv"))
        found["parquet"] = ("Parquet", partial(table, library, chosen.name, ".parquet"))
    if chosen.judgement_count or chosen.name == SAMPLE:
        found["html"] = (t("evaluate.report"), partial(_report, library, chosen.name))
    return found


def trec_archive(library: Library, name: str) -> bytes:
    """The judgements, topics and runs of a query set in TREC's formats, as a zip archive."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in library.evaluation.export_trec(Path(folder), query_set=name):
            archive.write(path, path.name)
    return packed.getvalue()


def table(library: Library, name: str, suffix: str) -> bytes:
    """The judgements of a query set as a table."""
    with tempfile.TemporaryDirectory() as folder:
        return library.evaluation.export_table(Path(folder) / f"judgements{suffix}", query_set=name).read_bytes()


def _report(library: Library, name: str) -> bytes:
    return library.evaluation.report(name).encode("utf-8")
