"""The exports of a person as rows: state, progress, facts about the file, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import ClipsFailed, HeimdexError
from heimdex_core.export import notes
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState, StageProgress, utc_now
from ui import media, state
from ui.i18n import clip_text, describe_error, t, t_or, time_left, tn

RUNNING = frozenset({ExportState.PENDING, ExportState.PROCESSING})
KINDS = ("short", "reel")
"""The kinds that the list can be limited to."""
LABELS = ("more", "sure", "deleted_in", "list")


def page(
    library: Library, exports: Sequence[Export], *, kind: str | None, shown: str | None, more: bool
) -> dict[str, Any]:
    """The data of the list.

    Args:
        library: has the exports.
        exports: newest first.
        kind: of KINDS, which the list is limited to; None for all.
        shown: export_id of the one in the player.
        more: whether there are older ones.
    """
    chosen = [export for export in exports if kind is None or export.kind == kind]
    return {
        "language": state.language(),
        "now": utc_now().timestamp(),
        "kinds": [
            {"name": name, "label": t(f"exports.show.{name}"), "on": name == (kind or "all")}
            for name in ("all", *KINDS)
        ],
        "rows": [row(library, export, is_shown=export.export_id == shown) for export in chosen],
        "empty": "" if chosen else t("exports.none_of_kind"),
        "more": more,
        "labels": {name: t(f"exports.{name}") for name in LABELS},
    }


def row(library: Library, export: Export, *, is_shown: bool) -> dict[str, Any]:
    """One export. Its times are seconds since 1970."""
    urls = media.export_urls(library, export) if export.state is ExportState.COMPLETED else None
    is_running = export.state in RUNNING
    title = name_of(export)
    return {
        "id": export.export_id,
        "state": str(export.state),
        "kind": t_or(f"exports.kind.{export.kind}", export.kind),
        "title": title,
        "label": t("exports.name", title=title, kind=t_or(f"exports.kind.{export.kind}", export.kind)),
        "thumbnail": _thumbnail(library, export),
        "portrait": bool(export.height and export.width and export.height > export.width),
        "created": export.created_at.timestamp(),
        "facts": [] if is_running else export_facts(export, has_file=urls is not None),
        "expires": export.expires_at.timestamp() if urls and export.expires_at else None,
        "progress": progress_card(export, library.exports.progress(export.export_id)) if is_running else None,
        "error": _error(export),
        "notes": note_texts(export),
        "shown": is_shown,
        "actions": _actions(export, has_file=urls is not None),
        "download": {"href": urls[1], "name": media.export_file_name(export), "label": t("exports.download")}
        if urls
        else None,
    }


def name_of(export: Export) -> str:
    """The title of an export, or what it is called without one."""
    return export.title or t_or(f"exports.untitled.{export.kind}", export.kind)


def _thumbnail(library: Library, export: Export) -> str | None:
    if not export.clips:
        return None
    try:
        return media.frame_url(library, library.scene(export.clips[0].scene_id))
    except HeimdexError:  # its video was deleted or has other scenes
        return None


def _error(export: Export) -> dict[str, str] | None:
    if export.state is not ExportState.FAILED:
        return None
    message, hint = describe_error(export.error or HeimdexError(reason="").to_dict(), state.language())
    return {"message": message, "hint": hint}


def _actions(export: Export, *, has_file: bool) -> list[dict[str, Any]]:
    """The buttons of an export, most wanted first."""
    if export.state in RUNNING:
        return [{"name": "cancel", "label": t("action.cancel"), "value": export.export_id}]
    actions: list[dict[str, Any]] = []
    if skip := skip_label(export.error, len(export.clips)):
        actions.append({"name": "skip", "label": skip, "value": export.export_id})
    if has_file:
        actions.append({"name": "watch", "label": t("exports.watch"), "value": export.export_id, "primary": True})
        actions.append(keep_action(export))
    actions.append({"name": "again", "label": t("exports.again"), "value": export.export_id})
    if has_file:
        actions.append({"name": "remove", "label": t("exports.remove"), "value": export.export_id, "sure": True})
    return actions


def progress_card(export: Export, progress: StageProgress | None) -> dict[str, Any]:
    """Title, text and bar of an export that waits in the queue or is being rendered; None: it has not got far yet."""
    if progress is None:
        title = t("progress.waiting") if export.state is ExportState.PENDING else t("stage.render")
        return {"title": title, "text": "", "fraction": 0.0}
    fraction = progress.overall or progress.fraction
    parts = [f"{int(100 * fraction)}%"] if fraction < 1 else []
    if progress.eta_s is not None:
        parts.append(time_left(progress.eta_s))
    title = t_or(f"stage.{progress.stage}", progress.stage)
    return {"title": title, "text": "".join(f" · {part}" for part in parts), "fraction": fraction}


def skip_label(error: Mapping[str, Any] | None, clip_count: int) -> str:
    """The button to render a reel without the clips that it failed because of; "" if that is not possible."""
    if error is None or error.get("code") != ClipsFailed.code:
        return ""
    failed = len(error.get("details", {}).get("clips", ()))
    return tn("reel.skip_failed", failed) if failed < clip_count else ""


def note_texts(export: Export) -> list[str]:
    """What is to be known of a finished file: which clips it does not contain and why, and the notes on its making."""
    if export.state is not ExportState.COMPLETED:
        return []
    clips = " ".join(clip_text(clip, state.language()) for clip in export.left_out)
    return [*([t("reel.left_out", clips=clips)] if clips else []), *map(note_text, export.notes)]


def note_text(note: str) -> str:
    """A note of an export, such as "frames_copied:48/55"."""
    key, values = notes.parts_of(note)
    return t_or(f"export_note.{key}", notes.note_text(note), **values)


def export_facts(export: Export, *, has_file: bool) -> list[str]:
    """The state of an export, or the facts about its file."""
    if export.state is not ExportState.COMPLETED:
        return [t(f"export.{export.state}")]
    parts = [fmt.precise(export.measured_duration_s or 0.0)]
    if export.width and export.height:
        parts.append(f"{export.width}×{export.height}")
    if export.size_bytes:
        parts.append(fmt.size(export.size_bytes))
    if export.loudness_lufs is not None:
        parts.append(t("exports.loudness", value=f"{export.loudness_lufs:.1f}".replace("-", "\N{MINUS SIGN}")))
    if not has_file:
        parts.append(t("export.expired"))
    elif export.expires_at is None:
        parts.append(t("export.kept"))
    return parts


def keep_action(export: Export) -> dict[str, Any]:
    """The button that keeps the file of a completed export, or lets it be deleted after all."""
    is_kept = export.expires_at is None
    label = t("export.do_not_keep") if is_kept else t("export.keep")
    return {"name": "keep", "label": label, "value": {"id": export.export_id, "keep": not is_kept}}
