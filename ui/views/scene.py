"""One scene on its page: what is said in it, everything known about it and where that is from, and scenes around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.types import (
    Correction,
    FrameText,
    Keyframe,
    Scene,
    SceneFace,
    Segment,
    TextLine,
    TranscriptEdit,
    Video,
    VisibleVideo,
)
from ui import address, media
from ui.i18n import number, t, t_or, tn
from ui.views import videos
from ui.views.scenes import seconds
from ui.views.timeline import media_id

_LINES_AROUND = 2
_SCENES_AROUND = 4
_SPRITES_AROUND = 60
_LABELS = (
    *("add_line", "play_from", "edit", "edit_short", "edit_hint", "save", "cancel", "busy"),
    *("tags", "add_tag", "remove_tag", "remove", "undo", "undo_one"),
)


# --- what can be corrected ------------------------------------------------------------------------


def corrections(scene: Scene, video: Video, lines: Sequence[Segment], made: Sequence[Correction]) -> dict[str, Any]:
    """The words and the tags of a scene, and what was corrected in it.

    Args:
        scene: the scene.
        video: of the scene.
        lines: the transcript of the whole video.
        made: the corrections of the whole video, oldest first.
    """
    here = [one for one in made if one.start_s < scene.end_s and one.end_s > scene.start_s]
    return {
        "media": media_id(video),
        "scene": [scene.start_s, scene.end_s],
        "lines": _lines(scene, lines),
        "tags": list(scene.tags),
        "made": [_made(one) for one in reversed(here)],
        "busy": video.state in videos.RUNNING,
        "labels": {name: t(f"scene_edit.{name}") for name in _LABELS}
        | {
            "transcript": t("player.transcript"),
            "no_speech": t("scene.no_speech"),
            "rough": t("player.rough") if video.transcript_rough else "",
            "corrections": tn("scene_edit.made", len(here)),
        },
    }


def _lines(scene: Scene, lines: Sequence[Segment]) -> list[dict[str, Any]]:
    said = [line for line in lines if line.text.strip()]
    inside = [line.start_s < scene.end_s and line.end_s > scene.start_s for line in said]
    if True in inside:
        first, last = inside.index(True), len(inside) - inside[::-1].index(True)
    else:
        first = last = sum(line.end_s <= scene.start_s for line in said)
    shown = slice(max(first - _LINES_AROUND, 0), last + _LINES_AROUND)
    return [
        {
            "start": line.start_s,
            "end": line.end_s,
            "text": line.text.strip(),
            "inside": is_inside,
            "words": [[word.text.strip(), word.start_s, word.end_s] for word in line.words],
        }
        for line, is_inside in zip(said[shown], inside[shown], strict=True)
    ]


def _made(one: Correction) -> dict[str, Any]:
    if isinstance(one, TranscriptEdit):
        said = one.text if len(one.text) <= 60 else f"{one.text[:60]}…"
        text = t("scene_edit.said", time=fmt.precise(one.start_s), text=said)
    else:
        changes = [t("scene_edit.added", tags=", ".join(one.added))] if one.added else []
        changes += [t("scene_edit.removed", tags=", ".join(one.removed))] if one.removed else []
        text = "; ".join(changes)
    return {"id": one.edit_id, "text": text, "note": "" if one.state == "applied" else t("edits.state.waiting")}


# --- what is known --------------------------------------------------------------------------------


def facts(library: Library, scene: Scene, video: Video, scene_count: int, made: Mapping[str, Any]) -> dict[str, Any]:
    """The panel with every fact of a scene, and the model and revision that it is from.

    Args:
        library: has the scene.
        scene: the scene.
        video: of the scene.
        scene_count: of the video.
        made: how the generation was made, from Library.scene_details.provenance.
    """
    used: Mapping[str, str] = (made.get("models") or {}).get("used") or {}
    params: Mapping[str, Any] = made.get("params") or {}
    spaces = library.spaces()
    read = " / ".join(scene.on_screen_text.splitlines())
    rows = [
        _fact("time", f"{fmt.precise(scene.start_s)} – {fmt.precise(scene.end_s)}", _boundaries(scene, params)),
        _fact("length", seconds(scene.duration_s)),
        _fact("number", t("scene_facts.of", n=number(scene.index + 1), total=number(scene_count))),
        _fact("words", number(len(scene.transcript.split())), _transcript_source(video, used)),
        _fact("language", t_or(f"speech.{scene.language}", scene.language) if scene.language else ""),
        _fact("speech", t("unit.percent", n=number(round(100 * scene.speech_ratio)))),
        _fact("tags", ", ".join(scene.tags), used.get("tags", "")),
        _fact("caption", scene.caption, used.get("captions", "")),
        _fact("on_screen_text", read, used.get("screen_text", "")),
        _fact("keyframes", " · ".join(fmt.precise(one.time_s) for one in scene.keyframes), _quality(scene)),
        _fact("motion", f"{scene.motion:.1f}"),
        _fact("brightness", f"{scene.brightness:.0f}"),
        _fact("colours", ", ".join(scene.dominant_colours)),
        *(
            _fact(f"vector_{role}", t("scene_facts.dimensions", n=number(spaces[role].dim)), _model(spaces[role]))
            for role in ("text", "vision")
        ),
        _fact("generation", str(made.get("generation", "")), str(made.get("created_at", ""))[:19].replace("T", " ")),
        _fact("scene_id", scene.scene_id),
    ]
    return {"panels": [{"heading": t("scene_facts.heading"), "rows": [row for row in rows if row[1]], "note": ""}]}


def _fact(name: str, value: str, source: str = "") -> list[str]:
    return [t(f"scene_facts.{name}"), value, source]


def _model(space: Any) -> str:
    return f"{space.name}@{space.revision}"


def _boundaries(scene: Scene, params: Mapping[str, Any]) -> str:
    if scene.divided:
        return t("scene_facts.divided")
    detector = str(params.get("detector") or "")
    return t("scene_facts.detector", detector=detector) if detector else ""


def _transcript_source(video: Video, used: Mapping[str, str]) -> str:
    if video.transcript_source in ("subtitles", "embedded"):
        return t("scene_facts.subtitles")
    return used.get("transcript", "") if video.transcript_source == "recognised" else ""


def _quality(scene: Scene) -> str:
    best = max(scene.keyframes, key=lambda one: one.score, default=None)
    return t("scene_facts.quality", score=f"{best.score:.2f}") if best else ""


# --- scenes around it -----------------------------------------------------------------------------


def strips(
    library: Library,
    scene: Scene,
    scenes: Sequence[Scene],
    *,
    alike: Sequence[Scene],
    nearest: Sequence[Scene],
    picked: Collection[str],
    texts: Sequence[FrameText] = (),
    faces: Sequence[SceneFace] = (),
) -> dict[str, Any]:
    """The keyframes with text, the scenes before and after a scene, those that look the same, and the nearest others.

    Args:
        library: has the scenes.
        scene: the scene.
        scenes: of its video, in order.
        alike: scenes that look the same.
        nearest: the scenes most like it.
        picked: ids of the scenes in the tray.
        texts: what was read in the keyframes of the scene.
        faces: the faces in its keyframes.
    """
    at = next((n for n, one in enumerate(scenes) if one.scene_id == scene.scene_id), 0)
    around = scenes[max(at - _SCENES_AROUND, 0) : at + _SCENES_AROUND + 1]
    titles = {video.video_id: video for video in library.searchable_videos()}
    sections = [
        ("neighbours", around, ""),
        ("alike", alike, t("scene_page.no_alike")),
        ("nearest", nearest, t("scene_page.no_nearest")),
    ]
    return {
        "id": scene.scene_id,
        "picked": scene.scene_id in picked,
        "previous": page_url(scenes[at - 1]) if at > 0 else None,
        "next": page_url(scenes[at + 1]) if at + 1 < len(scenes) else None,
        "sections": [
            *_faces(library, scene, faces),
            *_texts(library, scene, texts),
            *(
                {
                    "name": name,
                    "heading": t(f"scene_page.{name}"),
                    "items": [_item(library, one, scene, titles) for one in shown],
                    "empty": empty,
                }
                for name, shown, empty in sections
            ),
        ],
    }


def page_url(scene: Scene) -> str:
    """The address of the page of a scene."""
    return address.url("scene", id=scene.scene_id)


def _faces(library: Library, scene: Scene, faces: Sequence[SceneFace]) -> list[dict[str, Any]]:
    """The section of the keyframes in which faces were found; none without any."""
    keyframes = {one.file: one for one in scene.keyframes}
    shown = {name: [one for one in faces if one.keyframe == name] for name in keyframes}
    items = [_with_faces(library, scene, keyframes[name], found) for name, found in shown.items() if found]
    if not items:
        return []
    unnamed = any(face.name is None for face in faces)
    section = {
        "name": "faces",
        "heading": t("scene_page.faces"),
        "items": items,
        "empty": "",
        "toggle": t("scene_page.show_faces"),
        "more": {"href": address.url("people"), "text": t("scene_page.name_faces")} if unnamed else None,
    }
    return [section]


def _with_faces(library: Library, scene: Scene, keyframe: Keyframe, faces: Sequence[SceneFace]) -> dict[str, Any]:
    time = fmt.precise(keyframe.time_s)
    return {
        "image": media.frame_url(library, scene, keyframe),
        "time": time,
        "label": t("scene_page.faces_at", time=time),
        "boxes": [[*one.box, one.name or t("scene_page.unknown_face")] for one in faces],
    }


def _texts(library: Library, scene: Scene, texts: Sequence[FrameText]) -> list[dict[str, Any]]:
    """The section of the keyframes in which text was read; none without any."""
    keyframes = {one.file: one for one in scene.keyframes}
    shown = [(keyframes[one.file], one.lines) for one in texts if one.file in keyframes]
    if not shown:
        return []
    heading = t("scene_page.texts")
    return [{"name": "texts", "heading": heading, "items": [_read(library, scene, *one) for one in shown], "empty": ""}]


def _read(library: Library, scene: Scene, keyframe: Keyframe, lines: Sequence[TextLine]) -> dict[str, Any]:
    time = fmt.precise(keyframe.time_s)
    return {
        "image": media.frame_url(library, scene, keyframe),
        "time": time,
        "label": t("scene_page.text_at", time=time),
        "boxes": [[one.x, one.y, one.width, one.height, one.text] for one in lines],
    }


def _item(library: Library, one: Scene, scene: Scene, titles: Mapping[str, VisibleVideo]) -> dict[str, Any]:
    video = titles.get(one.video_id)
    title = video.title if video else ""
    time = fmt.precise(one.start_s)
    return {
        "href": page_url(one),
        "image": media.frame_url(library, one),
        "time": time,
        "title": title if one.video_id != scene.video_id else "",
        "text": one.transcript[:80],
        "label": t("scene_page.open", title=title, time=time),
        "current": one.scene_id == scene.scene_id,
    }


def sprites(library: Library, scene: Scene, scenes: Sequence[Scene]) -> list[list[Any]]:
    """The sprites of the scenes around a scene, for the pictures above the player's track: [start, end, URL, count]."""
    at = next((n for n, one in enumerate(scenes) if one.scene_id == scene.scene_id), 0)
    found = []
    for one in scenes[max(at - _SPRITES_AROUND, 0) : at + _SPRITES_AROUND + 1]:
        sprite = media.sprite(library, one)
        found.append([one.start_s, one.end_s, sprite["url"], sprite["count"]])
    return found
