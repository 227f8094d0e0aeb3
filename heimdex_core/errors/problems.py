"""Errors that name one of several known problems by a code: the app has its own text for each (`problem.<code>`)."""

from __future__ import annotations

from typing import Any

from heimdex_core.errors.base import AccessError, JsonValue, ProcessingError, ValidationError, fill

PROBLEMS = {
    "folder_not_there": "there is no such folder.",
    "folder_is_file": "it is a file.",
    "folder_unreadable": "it cannot be read.",
    "folder_not_utf8": "its path is not UTF-8. Rename it, or the folder that it is in.",
    "folder_in_library": "it is part of a library.",
    "folder_outside_roots": "the app may watch only folders below those of HEIMDEX_WATCH_ROOTS.",
    "folder_overlaps": "it overlaps with {other}, which is watched already.",
    "file_not_there": "there is no such file.",
    "file_other_content": "its content is not that of the file of “{title}”.",
    "path_outside_roots": "the app may use only files below the folders of HEIMDEX_WATCH_ROOTS.",
    "clip_video_deleted": "its video is not in the library any more.",
    "clip_file_missing": "the file of its video is missing.",
    "clip_file_changed": "the file of its video has changed since the video was added.",
    "clip_file_damaged": "the file of its video is damaged and cannot be opened.",
    "clip_scene_gone": "its scene no longer exists.",
    "clip_outside_scene": "its scene has changed, and the clip lies outside it.",
    "clip_outside_video": "the video is shorter than it was, and ends before the clip.",
    "clip_undecodable": "the file is damaged there, and no picture can be decoded.",
    "clip_render_error": "ffmpeg cannot render it ({detail}).",
    "tray_clip_removed": "the clip was removed there.",
    "tray_clip_trimmed": "the clip was trimmed there, too.",
    "tray_clip_framed": "the framing of the clip was changed there, too.",
    "tray_title_changed": "the title was changed there, too.",
}
"""The English text of each problem; its {fields} are details of the error."""


class FolderNotWatchable(ValidationError):
    """A folder that cannot be watched; `problem` is one of PROBLEMS."""

    code = "FOLDER_NOT_WATCHABLE"
    message_template = "The folder {path} cannot be watched: {reason}"
    hint_template = "Choose another folder."

    def __init__(self, **details: JsonValue) -> None:
        super().__init__(**{"reason": problem_text(details), **details})


class FolderNotWatched(AccessError):
    """There is no watched folder with this path or id."""

    code = "FOLDER_NOT_WATCHED"
    message_template = "{path} is not a watched folder."
    hint_template = "`python -m heimdex_core watched` lists the watched folders."


class RelinkRefused(ValidationError):
    """A file or folder that a video's file is not taken from; `problem` is one of PROBLEMS."""

    code = "RELINK_REFUSED"
    message_template = "{path} was not used: {reason}"
    hint_template = (
        "Choose the original file, or a folder that has it. Another file becomes a video of its own when you add it:"
        " `python -m heimdex_core add FILE`."
    )

    def __init__(self, **details: JsonValue) -> None:
        super().__init__(**{"reason": problem_text(details), **details})


class ClipsFailed(ProcessingError):
    """Clips of an export that cannot be rendered.

    `clips` are dicts of number (from 1), video_id, title, start, end (timecodes), problem (one of PROBLEMS) and detail.
    """

    code = "CLIPS_FAILED"
    message_template = "The reel cannot be rendered. {failures}"
    hint_template = "Render it without these clips (`--skip-failed`), or replace them."

    def __init__(self, **details: JsonValue) -> None:
        super().__init__(**{"failures": " ".join(clip_text(clip) for clip in details.get("clips", ())), **details})


class TrayConflict(ValidationError):
    """A change of the tray that does not fit what another window changed meanwhile; `problem` is one of PROBLEMS."""

    code = "TRAY_CONFLICT"
    message_template = "The reel was changed in another window, so this change was not made: {reason}"
    hint_template = "You see the reel as it is now. Make the change again if you still want it."

    def __init__(self, **details: JsonValue) -> None:
        super().__init__(**{"reason": problem_text(details), **details})


def problem_text(details: dict[str, Any]) -> str:
    """The English text of `details["problem"]`."""
    problem = str(details.get("problem"))
    return fill(PROBLEMS.get(problem, problem), details)


def clip_text(clip: dict[str, Any]) -> str:
    """A clip of ClipsFailed in English: its number, title and times, and what is wrong with it."""
    title = f"“{clip['title']}”, " if clip.get("title") else ""
    return f"Clip {clip.get('number')} ({title}{clip.get('start')} to {clip.get('end')}): {problem_text(clip)}"
