"""Downloads and moves as cards: where they stand, what went wrong, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import ModelBroken
from heimdex_core.library import Library
from heimdex_core.library.migration import MigrationStatus
from heimdex_core.models.download.background import DownloadStatus
from heimdex_core.types import ModelSet
from ui.i18n import t, t_or, tn
from ui.views.models import label, label_of
from ui.views.videos import time_left
from ui.views.work import Card, Problem, action, card, problem

# --- the models that are chosen -------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """Models that the library could move to: how to fetch them, and what is lacking."""

    profile: str
    names: tuple[str, ...]
    """What to ask the hub for."""
    folder: Path
    bytes_missing: int = 0
    free_bytes: int = 0
    keep_free_bytes: int = 0
    licences: tuple[str, ...] = ()
    is_here: bool = False
    in_use: bool = False
    error: Mapping[str, Any] | None = None
    """Why it cannot be: a name that is not known, a folder that is not there."""
    refused: Mapping[str, Any] | None = field(default=None)
    """What the last try to move to it came to."""


def target_card(target: Target, download: DownloadStatus | None, move: MigrationStatus | None) -> Card:
    """What can be done about `target` now. `download` and `move` are the last ones, of whatever models."""
    own = download if download is not None and download.names == target.names else None
    if own is not None and own.is_running:
        return download_card(own)
    if target.error is not None:
        is_broken = bool(target.names) and target.error.get("code") == ModelBroken.code
        mend = action("mend", t("pull.mend"), primary=True, value=list(target.names))
        told = [target.error, *([own.error] if own is not None and own.error and own.state == "failed" else [])]
        return card("", problems=[problem(one) for one in told], tone="failed", actions=[mend] if is_broken else [])
    refused = [problem(target.refused)] if target.refused is not None else []
    if not target.is_here:
        other = download if download is not None and download.is_running else None
        return _fetch_card(target, own, other)
    if target.in_use:
        return card(t("move.in_use"), problems=refused)
    runs = move is not None and move.is_running
    if move is not None and runs and move.profile == target.profile:
        return _running(move, {}) | {"actions": [], "problems": [], "thin": True}
    begin = action("move", t("move.begin"), primary=True, disabled=runs)
    return card(t("move.ready"), t("move.waits") if runs else t("move.explain"), actions=[begin], problems=refused)


def _fetch_card(target: Target, own: DownloadStatus | None, other: DownloadStatus | None) -> Card:
    """The offer to download, or to go on with a download that stopped; it waits for an `other` one that runs."""
    size = fmt.size(target.bytes_missing)
    needed = target.bytes_missing + target.keep_free_bytes
    sub = [t("pull.free", size=fmt.size(target.free_bytes)), t("pull.into", folder=_home(target.folder))]
    if target.licences:
        sub.append(t("pull.licences", licences=", ".join(target.licences)))
    told: Card = {
        "title": t("pull.offer", size=size) if target.bytes_missing else t("pull.offer_unknown"),
        "sub": " · ".join(sub),
        "problems": [],
    }
    again = False
    if own is not None and own.state == "failed" and own.error is not None:
        again = own.share > 0
        told |= {"problems": [problem(own.error)], "text": t("pull.kept") if again else "", "tone": "failed"}
    elif own is not None and own.state == "cancelled":
        told |= {"text": t("pull.stopped")}
        again = True
    elif target.bytes_missing and target.free_bytes < needed:
        text = t("pull.no_room", needed=fmt.size(needed), free=fmt.size(target.free_bytes))
        told |= {"problems": [{"title": "", "message": text, "hint": t("error.MODELS_DISK_FULL.hint")}]}
    elif other is not None:
        told |= {"text": f"{t('pull.waits')} {', '.join(other.names)} · {round(100 * other.share)} %"}
    text = t("pull.again") if again else t("pull.begin")
    actions = [action("pull", text, primary=True, value=list(target.names), disabled=other is not None)]
    if other is not None:
        actions.insert(0, action("stop_pull", t("action.cancel")))
    return card(**told, actions=actions)


def _home(folder: Path) -> str:
    """A folder as people write it."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def download_card(status: DownloadStatus) -> Card:
    """A download under way."""
    cancel = action("stop_pull", t("action.cancel"))
    title = t("pull.running", names=", ".join(status.names))
    if status.state == "planning":
        return card(title, t("pull.planning"), fraction=0.0, actions=[cancel])
    parts = [t("progress.of", done=fmt.size(status.bytes_done), total=fmt.size(status.bytes_total))]
    if status.bytes_per_s:
        parts.append(t("pull.rate", rate=fmt.size(status.bytes_per_s)))
    if status.seconds_left is not None:
        parts.append(time_left(status.seconds_left))
    sub = f"{status.repo} · {status.file}" if status.file else ""
    return card(title, " · ".join(parts), fraction=status.share, sub=sub, actions=[cancel])


# --- the move -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """What was made for models that are not in use."""

    old: tuple[ModelSet, ...]
    before: ModelSet | None
    """The set that an undo goes back to."""
    size_bytes: int


def kept(library: Library) -> Kept | None:
    """None where there is nothing but what is in use."""
    old = tuple(one for one in library.model_sets.all() if not one.is_active)
    return Kept(old, library.model_sets.previous(), library.model_sets.old_bytes()) if old else None


def move_card(
    status: MigrationStatus | None, old: Kept | None, *, active: ModelSet, titles: Mapping[str, str], confirming: bool
) -> Card | None:
    """Where a move stands, how the last one ended, and what is kept besides; None where there is nothing to say."""
    if status is not None and status.is_running:
        return _running(status, titles)
    if status is not None and status.state in ("failed", "cancelled", "interrupted"):
        goes_on = [action("resume", t("move.resume"), primary=True, value=status.set_id)]
        told = _ended(status, titles)
        given_up = status.set_id
        if old is None or not any(one.set_id == status.set_id for one in old.old):
            return None  # what it made is removed, and nothing is left to tell
    elif old is not None:
        told = card(t("move.done", models=label_of(active)), tone="done")
        goes_on, given_up = [], None
    else:
        return None
    if old.before is not None and old.before.set_id == given_up:
        old = replace(old, before=None)  # nobody goes back to what is not complete
    return told | _about_kept(old, goes_on, confirming=confirming)


def _running(status: MigrationStatus, titles: Mapping[str, str]) -> Card:
    text = t("progress.waiting") if status.state == "waiting" else _videos(status)
    return card(
        t("move.running", models=label(status.profile)),
        text,
        sub=_current(status, titles),
        fraction=max(status.overall, 0.01),
        problems=_failed(status, titles),
        actions=[action("cancel_move", t("action.cancel"))],
    )


def _ended(status: MigrationStatus, titles: Mapping[str, str]) -> Card:
    title = t(f"move.{status.state}", models=label(status.profile))
    failed = _failed(status, titles)
    is_told = status.state != "failed" or status.error is None
    problems = failed if is_told else [problem(status.error or {}), *failed]
    tone = "failed" if status.state == "failed" else ""
    return card(title, _videos(status) if status.total else "", problems=problems, tone=tone)


def _videos(status: MigrationStatus) -> str:
    return tn("move.videos", status.total, done=status.done) if status.total else t("move.looking")


def _current(status: MigrationStatus, titles: Mapping[str, str]) -> str:
    """The video that is being made, its stage and how far the video is."""
    if not status.video_id:
        return ""
    parts = [titles.get(status.video_id, "")]
    if status.progress is not None:
        parts.append(t_or(f"stage.{status.progress.stage}", status.progress.stage))
        parts.append(f"{round(100 * status.progress.overall)} %")
    return " · ".join(part for part in parts if part)


def _failed(status: MigrationStatus, titles: Mapping[str, str]) -> list[Problem]:
    return [problem(error, titles.get(video_id, video_id)) for video_id, error in status.failed.items()]


def _about_kept(old: Kept, actions: Sequence[dict[str, Any]], *, confirming: bool) -> Card:
    """What is kept besides, the way back to it, and its removal, which is asked for twice."""
    names = ", ".join(dict.fromkeys(label_of(one) for one in old.old))
    size = fmt.size(old.size_bytes)
    if confirming:
        sure = action("drop", t("move.drop_sure", size=size), primary=True)
        return {"sub": t("move.drop_ask", models=names), "actions": [sure, action("keep", t("move.keep"))]}
    found = list(actions)
    told = [t("move.kept", models=names, size=size)]
    if old.before is not None:
        told.append(t("move.undo_note", models=label_of(old.before)))
        found.append(action("undo_move", t("action.undo")))
    found.append(action("ask_drop", t("move.drop")))
    return {"sub": " ".join(told), "actions": found}


def banner(status: MigrationStatus | None, active: ModelSet) -> Card | None:
    """A move in one line, for the pages that it is not about."""
    if status is None or not status.is_running:
        return None
    text = [_videos(status), t("move.search_goes_on", models=label_of(active))]
    show = action("show", t("move.show"))
    title = t("move.running", models=label(status.profile))
    return card(title, " · ".join(text), fraction=max(status.overall, 0.01), actions=[show], thin=True)
