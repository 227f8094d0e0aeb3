"""Short: one scene as a 9:16 video, with its range, crop and captions chosen and corrected before it is rendered."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError, SceneNotFound
from heimdex_core.library import Library, short_edits
from heimdex_core.types import CropPath, ReportProgress, Scene, ShortRequest
from ui import address, page, relink_panel, resources, short_address, state, tray
from ui.components import short_editor
from ui.crop_planning import CropPlanning
from ui.i18n import t
from ui.views import short as views

SECTION = "short"  # of ui.state: a short that is refused, and whether the editor is drawn again by itself
UPDATE_EVERY_S = 0.7


# --- operations -----------------------------------------------------------------------------------


def _request() -> ShortRequest:
    editor = state.short_editor()
    if editor is None:
        raise SceneNotFound(scene_id="")
    return editor.request


def _scene() -> Scene:
    return resources.library().scene(_request().scene_id)


def _change(changed: ShortRequest) -> None:
    state.set_error(SECTION, None)
    state.change_short(**{name: getattr(changed, name) for name in ShortRequest.__dataclass_fields__})


def choose(value: Any) -> None:
    """Change choices: {"strategy", "captions", "position", "quality", "snap", "title"}, any of them."""
    names = ("strategy", "captions", "position", "quality", "snap", "title")
    given: dict[str, Any] = {name: value[name] or None for name in names if name in value}
    changed = replace(_request(), **given)
    changed = replace(changed, title=changed.title or "")
    if value.get("snap"):
        scene = _scene()
        changed = short_edits.trimmed(resources.library(), changed, scene, *short_edits.range_of(changed, scene))
    _change(changed)


def trim(value: Any) -> None:
    """Choose the range: {"start", "end"}, in seconds of the video."""
    start_s, end_s = float(value["start"]), float(value["end"])
    _change(short_edits.trimmed(resources.library(), _request(), _scene(), start_s, end_s))


def crop(value: Any) -> None:
    """Choose where the crop is: {"crop": [[time, x, y, cut]]}; None to have it worked out."""
    path = views.crop_path(value["crop"])
    _change(replace(_request(), crop_path=path, strategy="smart_crop" if path else _request().strategy))


def plan(value: Any) -> None:
    """Begin to work out where the crop follows the subject, so that it can be seen and changed."""
    shorts, scene = resources.library().shorts, _scene()
    start_s, end_s = short_edits.range_of(_request(), scene)
    stop_planning(None)
    state.set_error(SECTION, None)

    def work(report: ReportProgress, is_cancelled: Callable[[], bool]) -> CropPath:
        return shorts.plan_crop(scene.scene_id, start_s, end_s, progress=report, is_cancelled=is_cancelled)

    state.set_crop_planning(CropPlanning(scene.scene_id, work).start())


def stop_planning(value: Any) -> None:
    if (planning := state.crop_planning()) is not None:
        planning.cancel()
        state.set_crop_planning(None)


def take_planned() -> CropPlanning | None:
    """Take over a crop path that has been worked out; what is still being worked out."""
    planning = state.crop_planning()
    if planning is None or planning.is_running:
        return planning
    state.set_crop_planning(None)
    if planning.error is not None:
        state.set_error(SECTION, planning.error)
    elif planning.path is not None and planning.scene_id == _request().scene_id:
        _change(replace(_request(), crop_path=planning.path, strategy="smart_crop"))
    return None


def cue(value: Any) -> None:
    """Correct a caption: {"start", "text"}."""
    _change(short_edits.corrected(resources.library(), _request(), _scene(), float(value["start"]), str(value["text"])))


def wanted(request: ShortRequest) -> ShortRequest:
    """The request to render: a crop path belongs to smart_crop, and corrected captions to a style."""
    path = request.crop_path if request.strategy == "smart_crop" else None
    return replace(request, crop_path=path, cues=request.cues if request.captions else None)


def make(value: Any) -> None:
    _make([wanted(_request())])


def make_batch(value: Any) -> None:
    """Make a short of every scene in the tray, with the choices of this one."""
    library, chosen = resources.library(), _request()
    _make(
        [
            ShortRequest(
                clip.scene_id,
                strategy=chosen.strategy,
                quality=chosen.quality,
                trim=(clip.start_s, clip.end_s),
                captions=chosen.captions,
                position=chosen.position,
                snap=chosen.snap,
            )
            for clip in tray.clips(library)
        ]
    )


def _make(requests: list[ShortRequest]) -> None:
    try:
        exports = resources.library().shorts.make_all(requests, queue=True)
    except HeimdexError as error:
        state.set_error(SECTION, error.to_dict())
        return
    state.set_error(SECTION, None)
    state.follow_export(exports[0].export_id)
    state.request_page("exports")


# --- the page -------------------------------------------------------------------------------------

HANDLERS = {
    "set": choose,
    "trim": trim,
    "crop": crop,
    "plan": plan,
    "stop": stop_planning,
    "cue": cue,
    "make": make,
    "batch": make_batch,
    "undo": lambda _: state.step_short(back=True),
    "redo": lambda _: state.step_short(back=False),
    "renew": lambda _: None,
}


def _history() -> list[dict[str, Any]]:
    editor = state.short_editor()
    return [
        {"name": "undo", "label": t("tray.undo"), "disabled": not (editor and editor.before)},
        {"name": "redo", "label": t("tray.redo"), "disabled": not (editor and editor.undone)},
    ]


def draw_editor(library: Library, request: ShortRequest, scene: Scene, planning: CropPlanning | None) -> None:
    video = library.video(scene.video_id)
    start_s, end_s = short_edits.range_of(request, scene)
    duration_s = video.info.duration_s if video.info else scene.end_s
    span = (
        max(0.0, min(scene.start_s - views.AROUND_S, start_s)),
        min(duration_s, max(scene.end_s + views.AROUND_S, end_s)),
    )
    data = views.editor(
        library,
        request,
        scene,
        video,
        cues=short_edits.cues_of(library, request, scene) if request.captions else (),
        words=library.spoken_words(video.video_id, *span),
        span=span,
        scenes=library.scenes(video.video_id),
    )
    allowance = library.shorts.allowance()
    data |= {
        "actions": views.actions(len(tray.clips(library)), allowance, is_usable=data["media"]["src"] is not None),
        "remaining": views.remaining(allowance),
        "error": views.error_texts(state.error_in(SECTION)),
        "planning": views.planning(planning),
        "history": _history(),
    }
    short_editor("hx_short", data, HANDLERS)


@page.error_boundary
def workspace() -> None:
    page.switch_if_requested()
    library = resources.library()
    planning = take_planned()
    if (planning is not None) != state.is_polling(SECTION):
        state.set_polling(SECTION, planning is not None)
        st.rerun()
    request = _request()
    scene = library.scene(request.scene_id)
    page.set_title(t("short.of", title=library.video(scene.video_id).title))
    address.show({"scene": request.scene_id}, short_address.parameters(request))
    page.show_flash()
    relink_panel.draw(library, [scene.video_id], [state.error_in(SECTION)])
    draw_editor(library, request, scene, planning)


def open_link(params: dict[str, str]) -> None:
    """Edit the short that the URL names: of a scene, or of an export, to make it again."""
    if params.get("export"):
        state.edit_short(resources.library().shorts.request_of(params["export"]))
    else:
        state.edit_short(short_address.request_of(params) if params.get("scene") else None)


def draw_way_out(key: str) -> None:
    with st.container(key=key, horizontal_alignment="center"):
        st.button(t("reel.to_search"), on_click=state.request_page, args=("search",), type="primary")


def draw() -> None:
    page.heading(t("nav.short"))
    if (params := address.opened()) is not None:
        open_link(params)
    if state.short_editor() is None:
        page.empty_state(t("short.empty"), t("short.empty_hint"))
        draw_way_out("hx-to-search")
        return
    try:
        _scene()
    except SceneNotFound as error:
        with st.container(key="hx-main"):
            page.error_card(error.to_dict())
            draw_way_out("hx-from-error")
        return
    st.fragment(workspace, run_every=UPDATE_EVERY_S if state.is_polling(SECTION) else None)()
    with st.container(key="hx-keys"):
        st.html(f'<div class="hx-keys">{html.escape(t("short.keys"))}</div>')


page.show(draw)
