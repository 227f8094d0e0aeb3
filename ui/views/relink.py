"""The data of the panel that finds the files of videos again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heimdex_core.errors import ClipsFailed, HeimdexError, SourceChanged, SourceMissing
from ui import state
from ui.i18n import describe_error, t

SHOWN = 5
_OF_CLIPS = ("clip_file_missing", "clip_file_changed")
_OF_VIDEOS = (SourceMissing.code, SourceChanged.code)


def named_by(errors: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """The ids of the videos of which errors say that their file is missing or has changed."""
    found: list[str] = []
    for error in errors:
        details = (error or {}).get("details") or {}
        code = (error or {}).get("code")
        if code in _OF_VIDEOS and details.get("video_id"):
            found.append(str(details["video_id"]))
        elif code == ClipsFailed.code:
            found += [str(clip["video_id"]) for clip in details.get("clips", ()) if clip.get("problem") in _OF_CLIPS]
    return list(dict.fromkeys(found))


def panel(lost: Mapping[str, HeimdexError], last: Mapping[str, Any] | None, *, takes_path: bool) -> dict[str, Any]:
    """The data of the component.

    Args:
        lost: what is wrong with the files of videos, by the videos' ids.
        last: what was searched in vain: {"searched", "unreadable"}; None before.
        takes_path: whether the user may say where to look.
    """
    problems = [describe_error(error.to_dict(), state.language())[0] for error in lost.values()]
    return {
        "ids": list(lost),
        "problems": problems[:SHOWN],
        "notes": _notes(last) if lost and last else [],
        "takes_path": takes_path,
        "labels": {
            "find": t("relink.find"),
            "hint": t("relink.hint" if takes_path else "relink.hint_upload"),
            "where": t("relink.where"),
            "where_hint": t("relink.where_hint"),
        },
    }


def _notes(last: Mapping[str, Any]) -> list[str]:
    searched = ", ".join(last["searched"])
    notes = [t("relink.not_found", folders=searched) if searched else t("relink.not_found_here")]
    if last["unreadable"]:
        notes.append(t("relink.unreadable", paths=", ".join(last["unreadable"])))
    return notes
