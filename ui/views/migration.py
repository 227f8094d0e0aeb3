"""Cards for downloading models and for switching the library to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import ModelBroken
from heimdex_core.library import Library
from heimdex_core.library.migration import MigrationStatus
from heimdex_core.models.download.background import DownloadStatus
from heimdex_core.types import ModelSet
from ui.i18n import profile_label, t, t_or, time_left, tn
from ui.views.models import choice_label, set_label
from ui.views.work import Card, Problem, action, card, problem

# --- models that are chosen -----------------------------------------------------------------------


@dataclass(frozen=True)
class ChosenModels:
    """Models that the library could switch to, and what is missing for that."""

    profile: str
    names: tuple[str, ...]
    """What to download: names as for `models pull`."""
    folder: Path
    """Where downloads are saved."""
    bytes_missing: int = 0
    """Bytes to download; 0 also if the size is not known."""
    free_bytes: int = 0
    """Free bytes on the disk of the folder."""
    keep_free_bytes: int = 0
    """Bytes that must stay free after the download."""
    licences: tuple[str, ...] = ()
    is_downloaded: bool = False
    in_use: bool = False
    error: Mapping[str, Any] | None = None
    """Why they cannot be used: an unknown name, or a folder that does not exist."""
    start_error: Mapping[str, Any] | None = None
    """Why the last attempt to switch to them failed at once."""


def chosen_models_card(
    chosen: ChosenModels, download: DownloadStatus | None, migration: MigrationStatus | None
) -> Card:
    """What can be done with the chosen models.

    Args:
        chosen: the models.
        download: the running or last download, of any models.
        migration: the running or last switch, to any models.
    """
    own = download if download is not None and download.names == chosen.names else None
    if own is not None and own.is_running:
        return download_card(own)
    if chosen.error is not None:
        return _error_card(chosen, chosen.error, own)
    problems = [problem(chosen.start_error)] if chosen.start_error is not None else []
    if not chosen.is_downloaded:
        other = download if download is not None and download.is_running else None
        return _download_offer(chosen, own, other)
    if chosen.in_use:
        return card(t("migration.in_use"), problems=problems)
    runs = migration is not None and migration.is_running
    if migration is not None and runs and migration.profile == chosen.profile:
        return _running_card(migration, {}) | {"actions": [], "problems": [], "thin": True}
    start = action("migrate", t("migration.start"), primary=True, disabled=runs)
    text = t("migration.other") if runs else t("migration.explain")
    return card(t("migration.ready"), text, actions=[start], problems=problems)


def _error_card(chosen: ChosenModels, error: Mapping[str, Any], own: DownloadStatus | None) -> Card:
    """Models that cannot be used. Damaged files that can be downloaded are offered for download again."""
    errors = [error]
    if own is not None and own.state == "failed" and own.error:
        errors.append(own.error)
    repair = action("repair_download", t("download.repair"), primary=True, value=list(chosen.names))
    is_damaged = bool(chosen.names) and error.get("code") == ModelBroken.code
    return card("", problems=[problem(one) for one in errors], tone="failed", actions=[repair] if is_damaged else [])


def _download_offer(chosen: ChosenModels, own: DownloadStatus | None, other: DownloadStatus | None) -> Card:
    """The offer to start or resume a download. It has to wait for an `other` one that is running."""
    needed = chosen.bytes_missing + chosen.keep_free_bytes
    sub = [t("download.free", size=fmt.size(chosen.free_bytes)), t("download.folder", folder=_short(chosen.folder))]
    if chosen.licences:
        sub.append(t("download.licences", licences=", ".join(chosen.licences)))
    size = fmt.size(chosen.bytes_missing)
    offer: Card = {
        "title": t("download.offer", size=size) if chosen.bytes_missing else t("download.offer_unknown"),
        "sub": " · ".join(sub),
        "problems": [],
    }
    can_resume = False
    if own is not None and own.state == "failed" and own.error is not None:
        can_resume = own.share > 0
        text = t("download.kept") if can_resume else ""
        offer |= {"problems": [problem(own.error)], "text": text, "tone": "failed"}
    elif own is not None and own.state == "cancelled":
        can_resume = True
        offer |= {"text": t("download.cancelled")}
    elif chosen.bytes_missing and chosen.free_bytes < needed:
        text = t("download.no_space", needed=fmt.size(needed), free=fmt.size(chosen.free_bytes))
        offer |= {"problems": [{"title": "", "message": text, "hint": t("error.MODELS_DISK_FULL.hint")}]}
    elif other is not None:
        names = ", ".join(map(profile_label, other.names))
        offer |= {"text": f"{t('download.other')} {names} · {round(100 * other.share)}%"}
    text = t("download.resume") if can_resume else t("download.start")
    actions = [action("download", text, primary=True, value=list(chosen.names), disabled=other is not None)]
    if other is not None:
        actions.insert(0, action("cancel_download", t("action.cancel")))
    return card(**offer, actions=actions)


def _short(folder: Path) -> str:
    """A folder with ~ for the home folder."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def download_card(status: DownloadStatus) -> Card:
    """The progress of a download."""
    cancel = action("cancel_download", t("action.cancel"))
    title = t("download.running", names=", ".join(map(profile_label, status.names)))
    if status.state == "planning":
        return card(title, t("download.planning"), fraction=0.0, actions=[cancel])
    parts = [t("progress.of", done=fmt.size(status.bytes_done), total=fmt.size(status.bytes_total))]
    if status.bytes_per_s:
        parts.append(t("download.rate", rate=fmt.size(status.bytes_per_s)))
    if status.seconds_left is not None:
        parts.append(time_left(status.seconds_left))
    sub = f"{status.repo} · {status.file}" if status.file else ""
    return card(title, " · ".join(parts), fraction=status.share, sub=sub, actions=[cancel])


# --- switching ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OldSets:
    """Model sets that are not in use but still have an index."""

    sets: tuple[ModelSet, ...]
    previous: ModelSet | None
    """The set that an undo goes back to."""
    size_bytes: int
    """What removing them would free."""


def old_sets(library: Library) -> OldSets | None:
    """The old model sets of a library; None if there are none."""
    sets = tuple(one for one in library.model_sets.all() if not one.is_active)
    return OldSets(sets, library.model_sets.previous(), library.model_sets.old_bytes()) if sets else None


def migration_card(
    status: MigrationStatus | None,
    old: OldSets | None,
    *,
    active: ModelSet,
    titles: Mapping[str, str],
    confirming: bool,
) -> Card | None:
    """The running migration or the result of the last one, with what can be done about old model sets.

    Args:
        status: of the running or last migration.
        old: the sets that are not in use.
        active: the set in use.
        titles: by video_id, for the video in work and for those that failed.
        confirming: ask whether the old sets should really be removed.

    Returns None if there is nothing to show.
    """
    if status is not None and status.is_running:
        return _running_card(status, titles)
    if old is None:
        return None
    if status is not None and status.state in ("failed", "cancelled", "interrupted"):
        if not any(one.set_id == status.set_id for one in old.sets):
            return None  # its index has been removed
        if old.previous is not None and old.previous.set_id == status.set_id:
            old = replace(old, previous=None)  # an incomplete set cannot be switched back to
        resume = action("resume", t("migration.resume"), primary=True, value=status.set_id)
        return _ended_card(status, titles) | _old_sets_part(old, [resume], confirming=confirming)
    done = card(t("migration.done", models=set_label(active)), tone="done")
    return done | _old_sets_part(old, [], confirming=confirming)


def _running_card(status: MigrationStatus, titles: Mapping[str, str]) -> Card:
    text = t("progress.waiting") if status.state == "waiting" else _video_count(status)
    return card(
        t("migration.running", models=choice_label(status.profile)),
        text,
        sub=_current_video(status, titles),
        fraction=max(status.overall, 0.01),
        problems=_failed_videos(status, titles),
        actions=[action("cancel_migration", t("action.cancel"))],
    )


def _ended_card(status: MigrationStatus, titles: Mapping[str, str]) -> Card:
    title = t(f"migration.{status.state}", models=choice_label(status.profile))
    problems = _failed_videos(status, titles)
    if status.state == "failed" and status.error is not None:
        problems.insert(0, problem(status.error))
    tone = "failed" if status.state == "failed" else ""
    return card(title, _video_count(status) if status.total else "", problems=problems, tone=tone)


def _video_count(status: MigrationStatus) -> str:
    return tn("migration.videos", status.total, done=status.done) if status.total else t("migration.planning")


def _current_video(status: MigrationStatus, titles: Mapping[str, str]) -> str:
    """The video that is being indexed, its stage, and its progress."""
    if not status.video_id:
        return ""
    parts = [titles.get(status.video_id, "")]
    if status.progress is not None:
        parts.append(t_or(f"stage.{status.progress.stage}", status.progress.stage))
        parts.append(f"{round(100 * status.progress.overall)}%")
    return " · ".join(part for part in parts if part)


def _failed_videos(status: MigrationStatus, titles: Mapping[str, str]) -> list[Problem]:
    return [problem(error, titles.get(video_id, video_id)) for video_id, error in status.failed.items()]


def _old_sets_part(old: OldSets, actions: Sequence[dict[str, Any]], *, confirming: bool) -> Card:
    """The old sets, how to switch back, and their removal, which has to be confirmed."""
    names = ", ".join(dict.fromkeys(set_label(one) for one in old.sets))
    size = fmt.size(old.size_bytes)
    if confirming:
        confirm = action("remove_old", t("migration.confirm", size=size), primary=True)
        keep = action("keep_old", t("migration.keep"))
        return {"sub": t("migration.confirm_removal", models=names), "actions": [confirm, keep]}
    buttons = list(actions)
    texts = [t("migration.old_index", models=names, size=size)]
    if old.previous is not None:
        texts.append(t("migration.undo_note", models=set_label(old.previous)))
        buttons.append(action("undo_migration", t("action.undo")))
    buttons.append(action("ask_removal", t("migration.remove")))
    return {"sub": " ".join(texts), "actions": buttons}


def migration_banner(status: MigrationStatus | None, active: ModelSet) -> Card | None:
    """A running migration in one line, for other pages; None if none is running."""
    if status is None or not status.is_running:
        return None
    text = [_video_count(status), t("migration.search_continues", models=set_label(active))]
    show = action("show", t("migration.show"))
    title = t("migration.running", models=choice_label(status.profile))
    return card(title, " · ".join(text), fraction=max(status.overall, 0.01), actions=[show], thin=True)
