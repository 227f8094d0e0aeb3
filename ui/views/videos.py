"""Videos as the library's rows, and what is known about the library as panels of facts."""

from __future__ import annotations

from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import Cancelled
from heimdex_core.library import Library
from heimdex_core.models.profiles import CUSTOM
from heimdex_core.types import StageProgress, Video, VideoState
from ui import media, state
from ui.i18n import describe_error, t, t_or, tn
from ui.languages import LANGUAGES
from ui.views.models import step_note
from ui.views.work import Card, action, card, problem

_SAID_ELSEWHERE = frozenset({"no_audio", "transcript_no_audio", "rough", "transcript_rough", "no_speech"})
RUNNING = frozenset({VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING})


def row(library: Library, video: Video) -> dict[str, Any]:
    """One row; progress is read only where work is under way."""
    data: dict[str, Any] = {
        "id": video.video_id,
        "name": video.title,
        "meta": " · ".join(meta(video)),
        "thumb": media.cover(library, video),
        "state": str(video.state),
        "pill": t(f"state.{video.state}"),
        "strong": "",
        "text": "",
        "sub": "",
        "fraction": None,
        "openable": is_there(video),
        "open_label": t("library.open_label", title=video.title),
        "actions": actions(video),
    }
    if video.state in RUNNING:
        return data | progress_texts(library.progress(video.video_id))
    if video.state is VideoState.FAILED and video.error:
        message, hint = describe_error(video.error, state.language())
        return data | {"text": message, "sub": hint}
    return data | {"text": " · ".join(findings(video)), "sub": again_failed(video)}


def is_there(video: Video) -> bool:
    """Whether it can be opened and searched; it can while it is being indexed again."""
    return video.generation is not None and video.state is not VideoState.DELETED


def again_failed(video: Video) -> str:
    """Why the last try to index a video again came to nothing; "" where there was none."""
    if video.state is not VideoState.INDEXED or not video.error:
        return ""
    if video.error.get("code") == Cancelled.code:
        return t("again.cancelled")
    return f"{t('again.failed')} {describe_error(video.error, state.language())[0]}"


def meta(video: Video) -> list[str]:
    """Size, duration, dimensions, and what is missing or was given."""
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


def findings(video: Video) -> list[str]:
    """What indexing found: scenes, and what a person should know about them."""
    parts = [tn("library.scenes", video.scene_count)]
    if video.transcript_rough:
        parts.append(t("note.rough"))
    elif video.transcript_source in (None, "none") and video.info is not None and video.info.has_audio:
        parts.append(t("note.no_speech"))
    parts += [
        note_text(note) for note in video.notes if note.partition(":")[0] not in ("no_audio", "rough", "no_speech")
    ]
    return list(dict.fromkeys(parts))


def note_text(note: str) -> str:
    """A note's code ("subtitles_encoding:cp949", "language_unsure:ko:0.43") in words."""
    code, _, rest = note.partition(":")
    value = rest.partition(":")[0]
    return t_or(f"note.{code}", code.replace("_", " "), value=value)


def actions(video: Video) -> list[dict[str, Any]]:
    delete = {"name": "delete", "label": t("action.delete"), "quiet": True}
    retry = {"name": "retry", "label": t("action.retry")}
    opened = [{"name": "open", "label": t("action.open")}] if is_there(video) else []
    if video.state in RUNNING:
        return [*opened, {"name": "cancel", "label": t("action.cancel")}]
    if video.state is VideoState.FAILED:
        return [*opened, retry, delete]
    return [*opened, retry, delete] if video.error else [*opened, delete]


def progress_texts(progress: StageProgress | None) -> dict[str, Any]:
    """Stage, how far, and how long still; a job that nobody has taken yet waits."""
    if progress is None:
        return {"pill": "", "strong": t("progress.waiting"), "fraction": 0.0}
    parts = [t("progress.stage", n=progress.stage_number, m=progress.stage_count)]
    if progress.total > 0 and progress.unit == "s":
        parts.append(t("progress.of", done=fmt.clock(progress.done), total=fmt.clock(progress.total)))
    elif progress.total > 0 and progress.unit == "bytes":
        parts.append(t("progress.of", done=fmt.size(progress.done), total=fmt.size(progress.total)))
    if progress.eta_s is not None:
        parts.append(time_left(progress.eta_s))
    return {
        "pill": "",
        "strong": t_or(f"stage.{progress.stage}", progress.stage),
        "text": " · " + " · ".join(parts),
        "fraction": max(progress.overall, 0.01),
    }


def again_card(library: Library, video: Video) -> Card | None:
    """A video that is being indexed again, or could not be, as a card; None where there is nothing to say."""
    if video.state in RUNNING:
        now = progress_texts(library.progress(video.video_id))
        cancel = action("cancel", t("action.cancel"), value=video.video_id)
        text = f"{now['strong']}{now.get('text', '')}"
        return card(t("again.running"), text, fraction=now["fraction"], actions=[cancel], thin=True)
    if video.state is not VideoState.INDEXED or not video.error:
        return None
    retry = action("retry", t("action.retry"), value=video.video_id)
    if video.error.get("code") == Cancelled.code:
        return card(t("again.cancelled"), actions=[retry], thin=True)
    return card(t("again.failed"), problems=[problem(video.error)], actions=[retry], tone="failed")


def time_left(eta_s: float) -> str:
    if eta_s < 60:
        return t("progress.seconds_left", n=max(1, round(eta_s)))
    return t("progress.minutes_left", n=round(eta_s / 60))


def library_facts(library: Library) -> dict[str, Any]:
    numbers = library.stats()
    return {
        "heading": t("facts.library"),
        "rows": [
            [t("facts.videos"), str(numbers["videos"])],
            [t("facts.scenes"), str(numbers["scenes"])],
            [t("facts.hours"), f"{numbers['duration_s'] / 3600:.2f}"],
            [t("facts.on_disk"), fmt.size(numbers["disk"]["total"])],
        ],
    }


def model_facts(library: Library) -> dict[str, Any]:
    """Which models work here and why these."""
    choice = library.models.choice
    step = step_note(library)
    rows = []
    for model in library.models.describe():
        kind = str(model.get("kind", ""))
        rows.append([t_or(f"model.{kind}", kind), model_text(model)])
    told = [] if choice.name == CUSTOM else [t("facts.profile", profile=choice.name)]
    note = " ".join([*told, step or t_or(f"profile.reason.{choice.reason}", choice.reason)])
    show = {"name": "models", "label": t("models.step.show")} if step else None
    return {"heading": t("facts.models"), "rows": rows, "note": note, "action": show}


def model_text(model: dict[str, Any]) -> str:
    name = str(model.get("name", ""))
    dim = model.get("dim")
    state_text = t_or(f"model.state.{model.get('state')}", str(model.get("state", "")))
    return " · ".join(part for part in (name, f"{dim}-d" if dim else "", state_text) if part)


def language_name(code: str) -> str:
    return LANGUAGES.get(code, code)
