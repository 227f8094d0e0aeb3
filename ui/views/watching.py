"""Watched folders as cards: their state, what became of their files, and what can be done."""

from __future__ import annotations

from heimdex_core.types import FolderReport, WaitingFile, WatchedFile, WatchOutcome
from ui.i18n import t, tn
from ui.views.work import Card, Problem, action, card, problem

REFUSED_SHOWN = 5
STATES = ("new", "watching", "missing", "failed")
OUTCOMES: tuple[WatchOutcome, ...] = ("added", "duplicate", "deleted", "refused")
SHOWN_REASONS = ("unfinished", "settling")


def folder_card(report: FolderReport, *, may_change: bool) -> Card:
    """The card of one watched folder; with `may_change`, the buttons to stop watching it and to retry its files."""
    status = report.status
    state = status.state if status else "new"
    texts = [t(f"watch.state.{state}")]
    texts += [tn(f"watch.{name}", report.counts[name]) for name in OUTCOMES if report.counts.get(name)]
    if status and status.waiting:
        texts.append(tn("watch.waiting", status.waiting))
    waiting = [t("watch.file", name=file.path, why=t(f"watch.why.{file.reason}")) for file in _next(report)]
    problems = [problem(status.error)] if status and status.error else []
    problems += [_refusal(file) for file in report.refused[:REFUSED_SHOWN]]
    hidden = report.counts.get("refused", 0) - min(len(report.refused), REFUSED_SHOWN)
    if hidden > 0:
        waiting.append(tn("watch.more_refused", hidden))
    actions = []
    if may_change:
        if report.counts.get("refused"):
            actions.append(action("retry", t("action.retry"), value=report.folder.folder_id))
        actions.append(action("stop", t("watch.stop"), value=report.folder.folder_id))
    return card(
        report.folder.path,
        " · ".join(texts),
        sub=" · ".join(waiting),
        problems=problems,
        actions=actions,
        tone="failed" if state in ("missing", "failed") else "",
    )


def _refusal(file: WatchedFile) -> Problem:
    said = problem(file.error or {}, file.path)
    # most errors name the file themselves
    return {**said, "title": ""} if file.path in said["message"] else said


def _next(report: FolderReport) -> list[WaitingFile]:
    return [file for file in report.status.next_files if file.reason in SHOWN_REASONS] if report.status else []
