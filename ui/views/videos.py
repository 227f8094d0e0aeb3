"""Videos as the rows of the library page, and the facts about the library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import Cancelled, HeimdexError
from heimdex_core.library import Library
from heimdex_core.models.profiles import CUSTOM
from heimdex_core.types import Access, AudioTrack, StageProgress, TrackChoice, Video, VideoState, VideoTrack
from ui import address, media, state
from ui.i18n import describe_error, duration, number, profile_label, t, t_or, time_left, tn
from ui.views.models import reason_text, step_up_text
from ui.views.video_list import RUNNING, Queue, believable_left_s
from ui.views.work import Card, action, card, problem

SPEECH_NOTES = ("transcript_", "speech_", "language_")
"""Beginnings of the notes that say why there is no transcript."""
TIME_NOTES = {
    **dict.fromkeys(("audio_broken", "audio_stops", "audio_changes", "ends_early"), "position"),
    **dict.fromkeys(("subtitles_past_end", "subtitles_late", "subtitles_early", "speech_uncertain"), "duration"),
}
"""Notes whose value is in seconds: a position in the video, or a duration."""
PASSED_OVER = ("silent", "undecodable", "too_large", "still", "commentary", "description", "music")
"""What can speak against a track (TrackChoice.passed_over)."""


def row(library: Library, video: Video, queue: Queue, owner: str = "") -> dict[str, Any]:
    """One row of the list.

    Args:
        library: the user's.
        video: their own one, or one that is shared with them.
        queue: who waits for work.
        owner: the name of who shares it; "" for a video of one's own.
    """
    is_own, access = video.user_id == library.user_id, library.sharing.access_to(video.video_id)
    data: dict[str, Any] = {
        "id": video.video_id,
        "name": video.title,
        "meta": " · ".join([*([] if is_own else [t("sharing.from", name=owner)]), *file_facts(video)]),
        "thumbnail": media.cover_url(library, video),
        "state": str(video.state),
        "pill": t(f"state.{video.state}"),
        "strong": "",
        "text": "",
        "sub": "",
        "fraction": None,
        "openable": is_available(video),
        "href": address.url("video", id=video.video_id),
        "open_label": t("library.open_label", title=video.title),
        "actions": actions(video, is_own=is_own, access=access),
        "can": possible(video, is_own=is_own, access=access),
    }
    if is_own and library.accounts.is_shared():
        share = {"name": "share", "label": t("action.share"), "quiet": True, "icon": "share"}
        data |= {"can": [*data["can"], "share"], "actions": [*data["actions"], share]}
    if not is_own:
        leave = {"name": "share", "label": t("sharing.leave_open"), "quiet": True, "icon": "leave"}
        data |= {"actions": [*data["actions"], leave]}
    if video.state in RUNNING:
        position = queue.positions.get(video.video_id)
        return data | progress_texts(queue.progress.get(video.video_id), position)
    if video.state is VideoState.FAILED and video.error:
        message, hint = describe_error(video.error, state.language())
        return data | {"text": message, "sub": hint}
    return data | {"text": " · ".join(findings(video)), "sub": reindex_error(video)}


def is_available(video: Video) -> bool:
    """Whether a video can be opened and searched, which it also can while it is re-indexed."""
    return video.generation is not None and video.state is not VideoState.DELETED


def reindex_error(video: Video) -> str:
    """Why the last re-indexing of a video failed; "" if it did not."""
    if video.state is not VideoState.INDEXED or not video.error:
        return ""
    if video.error.get("code") == Cancelled.code:
        return t("reindex.cancelled")
    return f"{t('reindex.failed')} {describe_error(video.error, state.language())[0]}"


def file_facts(video: Video) -> list[str]:
    """File name, size, duration, dimensions, and whether there is no audio or there are subtitles."""
    parts = [video.filename] if video.filename.rpartition(".")[0] != video.title else []
    if video.info is None:
        return parts
    info = video.info
    parts += [fmt.size(info.size_bytes), fmt.clock(info.duration_s), f"{info.width}×{info.height}"]
    if not info.has_audio:
        parts.append(t("note.no_audio"))
    if video.transcript_source in ("subtitles", "embedded"):
        parts.append(t("library.subtitles"))
    return parts


def track_facts(video: Video) -> list[str]:
    """Which picture and sound tracks are used and why, where there was a choice."""
    if video.info is None:
        return []
    info = video.info
    kinds = (("picture", info.picture, info.video_tracks), ("sound", info.sound, info.audio_tracks))
    return [
        _track_fact(kind, choice, tracks) for kind, choice, tracks in kinds if choice is not None and len(tracks) > 1
    ]


def track_name(number: int, track: AudioTrack) -> str:
    """A sound track as it is offered: number, title, language, and whether it is silent."""
    silent = track.peak == 0
    language = fmt.two_letter_code(track.language)
    parts = [track.title, t_or(f"speech.{language}", language) if language else None]
    parts += [t("note.audio_silent")] if silent else []
    return " · ".join([str(number), *(part for part in parts if part)])


def _track_fact(kind: str, choice: TrackChoice, tracks: Sequence[VideoTrack | AudioTrack]) -> str:
    numbers = {track.stream_index: n for n, track in enumerate(tracks, 1)}
    number = numbers[choice.stream_index]
    name = [t(f"tracks.{kind}", n=number), tracks[number - 1].title or ""]
    if choice.by_hand:
        name.append(t("tracks.by_hand"))
    others = [
        t(f"tracks.{why}", n=numbers[int(index)]) for index, why in choice.passed_over.items() if why in PASSED_OVER
    ]
    return "; ".join([", ".join(part for part in name if part), *others])


def findings(video: Video) -> list[str]:
    """The number of scenes, and the notes that indexing left."""
    parts = [tn("library.scenes", video.scene_count)]
    has_audio = video.info is not None and video.info.has_audio
    is_explained = any(note.startswith(SPEECH_NOTES) for note in video.notes)
    if video.transcript_rough:
        parts.append(t("note.transcript_rough"))
    elif video.transcript_source in (None, "none") and has_audio and not is_explained:
        parts.append(t("note.transcript_no_speech"))
    # file_facts has "no_audio"
    parts += [note_text(note) for note in video.notes if note != "no_audio"]
    parts += track_facts(video)
    return list(dict.fromkeys(parts))


def note_text(note: str) -> str:
    """The text of a note such as "subtitles_encoding:cp949" or "language_unsure:ko:0.43"."""
    code, _, rest = note.partition(":")
    value = rest.partition(":")[0]
    if code in TIME_NOTES and re.fullmatch(r"[\d.]+", value):
        value = fmt.clock(float(value)) if TIME_NOTES[code] == "position" else duration(float(value))
    # a value can be the code of a language or of a reason
    value = t_or(f"speech.{value}", t_or(f"why.{value}", value))
    return t_or(f"note.{code}", code.replace("_", " "), value=value)


def possible(video: Video, *, is_own: bool = True, access: Access | None = None) -> list[str]:
    """What can be done with a video, alone or with others: of cancel, retry, reindex and delete.

    Args:
        video: one that the user sees.
        is_own: whether it is theirs.
        access: what they may do with one that is shared with them.
    """
    if not is_own and access != "write":
        return []
    if video.state in RUNNING:
        return ["cancel"]
    retry = ["retry"] if video.state is VideoState.FAILED or video.error else []
    able = [*retry, *(["reindex"] if is_available(video) else [])]
    return [*able, "delete"] if is_own else able


def actions(video: Video, *, is_own: bool = True, access: Access | None = None) -> list[dict[str, Any]]:
    """The buttons of a row; see `possible`."""
    able = possible(video, is_own=is_own, access=access)
    opened = [{"name": "open", "label": t("action.open")}] if is_available(video) else []
    main = [{"name": name, "label": t(f"action.{name}")} for name in ("cancel", "retry") if name in able]
    rename = {"name": "rename", "label": t("action.rename"), "quiet": True, "icon": "edit"}
    delete = {"name": "delete", "label": t("action.delete"), "quiet": True, "icon": "close"}
    may_rename = is_own or access == "write"
    return [*opened, *main, *([rename] if may_rename else []), *([delete] if "delete" in able else [])]


def progress_texts(progress: StageProgress | None, position: int | None = None) -> dict[str, Any]:
    """Stage, progress and time left as fields of a row.

    Args:
        progress: None means that the job waits in the queue.
        position: in the queue, from 1.
    """
    if progress is None:
        waiting = t("progress.waiting") if position is None else t("progress.position", n=position)
        return {"pill": "", "strong": waiting, "text": "", "fraction": 0.0}
    parts = [t("progress.stage", n=progress.stage_number, m=progress.stage_count)]
    if progress.total > 0 and progress.unit == "s":
        parts.append(t("progress.of", done=fmt.clock(progress.done), total=fmt.clock(progress.total)))
    elif progress.total > 0 and progress.unit == "bytes":
        parts.append(t("progress.of", done=fmt.size(progress.done), total=fmt.size(progress.total)))
    if (left_s := believable_left_s(progress)) is not None:
        parts.append(time_left(left_s))
    return {
        "pill": "",
        "strong": t_or(f"stage.{progress.stage}", progress.stage),
        "text": " · " + " · ".join(parts),
        "fraction": max(progress.overall, 0.01),
    }


def reindex_card(library: Library, video: Video) -> Card | None:
    """The card of a video that is being re-indexed or whose re-indexing failed; None for others."""
    if video.state in RUNNING:
        progress = progress_texts(library.progress(video.video_id))
        cancel = action("cancel", t("action.cancel"), value=video.video_id)
        text = f"{progress['strong']}{progress.get('text', '')}"
        return card(t("reindex.running"), text, fraction=progress["fraction"], actions=[cancel], thin=True)
    if video.state is not VideoState.INDEXED or not video.error:
        return None
    retry = action("retry", t("action.retry"), value=video.video_id)
    if video.error.get("code") == Cancelled.code:
        return card(t("reindex.cancelled"), actions=[retry], thin=True)
    return card(t("reindex.failed"), problems=[problem(video.error)], actions=[retry], tone="failed")


def not_ready_note(library: Library) -> str:
    """A sentence about videos that cannot be searched yet; "" if there are none or if that is not known.

    Waits a moment at most for the catalog: searching needs none.
    """
    try:
        count = library.count_unfinished(timeout_s=0.2)
    except HeimdexError:
        return ""
    return tn("search.not_ready", count) if count else ""


def library_facts(library: Library) -> dict[str, Any]:
    """The panel of the library's size; how much all users' files take is for admins."""
    stats = library.stats()
    rows = [
        [t("facts.videos"), number(stats["videos"])],
        [t("facts.scenes"), number(stats["scenes"])],
        [t("facts.length"), duration(stats["duration_s"])],
    ]
    if library.accounts.is_admin:
        rows.append([t("facts.on_disk"), fmt.size(stats["disk"]["total"])])
    return {"heading": t("facts.library"), "rows": rows}


def model_facts(library: Library) -> dict[str, Any]:
    """The panel of the models in use, and why they are used or which would be better."""
    choice = library.models.choice
    suggestion = step_up_text(library) if library.accounts.is_admin else None
    rows = []
    for model in library.models.describe():
        kind = str(model.get("kind", ""))
        rows.append([t_or(f"model.{kind}", kind), model_text(model)])
    texts = [] if choice.name == CUSTOM else [t("facts.profile", profile=profile_label(choice.name))]
    note = " ".join([*texts, suggestion or reason_text(choice)])
    show = {"name": "models", "label": t("models.step_up.show")} if suggestion else None
    return {"heading": t("facts.models"), "rows": rows, "note": note, "action": show}


def model_text(model: dict[str, Any]) -> str:
    """Name, width of the vectors and state of a model."""
    name = str(model.get("name", ""))
    dim = model.get("dim")
    state_text = t_or(f"model.state.{model.get('state')}", str(model.get("state", "")))
    return " · ".join(part for part in (name, f"{dim}-d" if dim else "", state_text) if part)
