"""Reel: arrange and trim the clips of the tray or of a named reel, and render them or save the edit."""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import streamlit as st

from heimdex_core.errors import ClipsFailed, ReelNotFound
from heimdex_core.library import Library
from heimdex_core.types import Pause, ReelClip, ShortRequest
from ui import address, kept_pauses, media, page, relink_panel, resources, scene_panel, short_address, state, tray
from ui.components import player, reel_editor, reel_form
from ui.i18n import describe_error, t, tn
from ui.views import exports as export_views
from ui.views import opened_clip
from ui.views import reel as views
from ui.views import reel_form as form
from ui.views.scenes import player_labels

SECTION = "reel"  # of ui.state.set_error: clips that cannot be rendered
PREFERENCE = "reel_form"  # how the last reel was rendered
EDITOR_LABELS = (
    "untitled", "title", "clips_one", "clips_other", "saved", "saving", "drag", "up", "down", "duplicate", "remove",
    "trim_start", "trim_end", "show", "of", "action_on", "moved", "not_available", "beyond", "play_clip", "trim_in",
    "trim_out", "whole_scene", "words", "cut_to_words", "words_hint", "no_words", "reels", "strategy",
)  # fmt: skip


def edited() -> tray.Edited:
    """The tray, or the named reel that is open."""
    return tray.Edited(state.edited_reel())


# --- named reels ----------------------------------------------------------------------------------


def open_reel(value: Any) -> None:
    state.edit_reel(str(value["reel"]))
    state.update_search(selected=None)


def new_reel(value: Any) -> None:
    library = resources.library()
    title = t("reel.new_title", n=len(library.reels.list()) + 1)
    open_reel({"reel": library.reels.create(title).reel_id})


def duplicate_reel(value: Any) -> None:
    """Keep the clips that are shown as one more reel: {"reel": reel_id, "" for the tray}."""
    library = resources.library()
    shown = tray.Edited(str(value["reel"])).current(library)
    title = t("reel.copy_title", title=shown.title or t("reel.untitled"))[: library.settings.max_title_chars]
    reel_id = library.reels.create(title, shown.clips).reel_id
    kept_pauses.replace(library, reel_id, kept_pauses.of(library, str(value["reel"])))
    open_reel({"reel": reel_id})


def delete_reel(value: Any) -> None:
    library, reel_id = resources.library(), str(value["reel"])
    library.reels.delete(reel_id)
    kept_pauses.replace(library, reel_id, [])
    open_reel({"reel": ""})


def add_from_tray(value: Any) -> None:
    """Put the clips of the tray behind those of the reel that is open."""
    library, reel = resources.library(), edited()
    for clip in tray.clips(library):
        reel.change(reel.edits().add, clip, value={})


def reel_menu(library: Library) -> dict[str, Any]:
    """The reels to choose from, and what can be done with the one that is open."""
    opened = state.edited_reel()
    names = ["new_reel", "duplicate_reel", *(["add_from_tray", "delete_reel"] if opened else [])]
    reels = [
        {"id": reel.reel_id, "label": f"{reel.title} · {tn('tray.scenes', len(reel.clips))}"}
        for reel in library.reels.list()
    ]
    return {
        "reels": [{"id": "", "label": f"{t('tray.heading')} · {tn('tray.scenes', len(tray.clips(library)))}"}, *reels],
        "reel": opened,
        "reel_actions": [
            {
                "name": name,
                "label": t(f"reel.{name}"),
                "confirm": t("reel.delete_confirm") if name == "delete_reel" else "",
            }
            for name in names
        ],
    }


def make_short(value: Any) -> None:
    """Edit a short of a clip as it is trimmed: {"id": clip_id}."""
    clip = next((one for one in edited().current(resources.library()).clips if one.clip_id == value["id"]), None)
    if clip is not None:
        request = ShortRequest(clip.scene_id, trim=(clip.start_s, clip.end_s))
        if clip.strategy is not None:
            request = replace(request, strategy=clip.strategy)
        state.request_page("short", scene=clip.scene_id, **short_address.parameters(request))


# --- rendering ------------------------------------------------------------------------------------


def chosen(library: Library) -> form.Choices:
    return form.choices(library.preferences().get(PREFERENCE), library.settings)


def choose(value: Any) -> None:
    """Choose how to render: {"name", "value"}."""
    library = resources.library()
    changed = form.changed(chosen(library), str(value["name"]), value["value"], library.settings)
    library.set_preference(PREFERENCE, changed)


def choose_pause(value: Any) -> None:
    """Keep a pause, or let it be cut out after all: {"id", "keep"}."""
    kept_pauses.choose(resources.library(), state.edited_reel(), str(value["id"]), keep=bool(value["keep"]))


def render(value: Any, *, skip_failed: bool = False) -> None:
    """Queue the reel and show the exports, unless it is being rendered: a second click is not a second file."""
    library = resources.library()
    reel, choices = edited().current(library), chosen(library)
    state.set_error(SECTION, None)
    latest = next(iter(library.exports.list(limit=1)), None)
    is_running = latest is not None and latest.state in export_views.RUNNING and latest.title == reel.title
    if not is_running:
        try:
            export = library.reel(
                form.framed(reel.clips, choices),
                title=reel.title,
                remove_silence=choices["remove_silence"],
                keep=kept_pauses.of(library, state.edited_reel()),
                skip_failed=skip_failed,
                queue=True,
                **form.reel_options(choices),
            )
        except ClipsFailed as error:
            state.set_error(SECTION, error.to_dict())
            return
        state.follow_export(export.export_id)
    state.request_page("exports")


def render_without_failed(value: Any) -> None:
    render(value, skip_failed=True)


def save_timeline(value: Any) -> None:
    """Make the edit in one format; the component saves it: {"format"}."""
    library = resources.library()
    reel, name = edited().current(library), str(value["format"])
    clips: Sequence[ReelClip] = reel.clips
    if chosen(library)["remove_silence"]:
        clips = library.without_pauses(clips, keep=kept_pauses.of(library, state.edited_reel()))
    text = library.timeline(clips, name, title=reel.title)
    made = {"key": uuid.uuid4().hex, "name": f"{media.file_stem(reel.title)}.{name}", "text": text}
    state.set_timeline(made)


# --- drawing --------------------------------------------------------------------------------------


def clips_with_scenes(library: Library) -> list[views.ClipWithScene]:
    """The clips of the reel, each with its scene and video; None for both if the clip cannot be used at present."""
    found: list[views.ClipWithScene] = []
    for clip in edited().current(library).clips:
        scene = tray.scene_of(library, clip)
        found.append((clip, scene, media.video_of(library, clip.video_id) if scene else None))
    return found


def draw_editor(library: Library, clips: list[views.ClipWithScene], selected: str | None) -> None:
    reel = edited()
    reel_editor(
        "hx_reel",
        {
            "title": reel.current(library).title,
            "max_title": library.settings.max_title_chars,
            "clips": views.rows(library, clips),
            "selected": selected,
            "opened": opened(library, clips, selected),
            "strategies": form.clip_strategies(chosen(library)),
            "labels": {name: t(f"reel.{name}") for name in EDITOR_LABELS},
            **reel_menu(library),
            **reel.history_buttons(library),
        },
        {
            "move": reel.move,
            "trim": reel.trim,
            "snap": reel.snap,
            "strategy": reel.set_strategy,
            "short": make_short,
            "remove": reel.remove,
            "duplicate": reel.duplicate,
            "title": reel.rename,
            "undo": reel.undo,
            "redo": reel.redo,
            "select": scene_panel.select,
            "open_reel": open_reel,
            "new_reel": new_reel,
            "duplicate_reel": duplicate_reel,
            "delete_reel": delete_reel,
            "add_from_tray": add_from_tray,
            "renew": lambda _: None,
        },
    )


def opened(library: Library, clips: list[views.ClipWithScene], selected: str | None) -> dict[str, Any] | None:
    """The chosen clip, to be trimmed; None if it cannot be used at present."""
    for clip, _, video in clips:
        if clip.clip_id == selected and video is not None:
            found = opened_clip.opened(library, clip, video)
            snaps = [
                {"name": "snap", "label": t(f"reel.snap_{to}"), "value": {"to": to}} for to in ("word", "sentence")
            ]
            short = {"name": "short", "label": t("player.short"), "value": {}}
            return {**found, "actions": [*(snaps if found["words"] else []), short]}
    return None


def draw_player(library: Library, clips: list[views.ClipWithScene], selected: str | None) -> None:
    """Draw the player, which plays the clips one after the other from their videos."""
    search, choices = state.search(), chosen(library)
    data: dict[str, Any] = {
        "clips": views.sequence(library, clips, partial(form.strategy_of, choices)),
        "reel": True,
        "portrait": choices["aspect"] == "9:16",
        "square": choices["aspect"] == "1:1",
        "select": selected,
        "play_count": search.play_count,
        "ignored_plays": search.ignored_plays,
        "labels": player_labels(None),
        "actions": [],
        "lines": None,
    }
    player("hx_reel_player", data, {"renew": lambda _: None})


def draw_form(library: Library, clips: list[views.ClipWithScene]) -> None:
    choices, refused = chosen(library), state.error_in(SECTION)
    skip = export_views.skip_label(refused, len(clips))
    actions: list[dict[str, Any]] = [
        {"name": "render", "label": t("reel.render"), "primary": True, "disabled": not clips}
    ]
    if skip:
        actions.append({"name": "skip", "label": skip})
    found = pauses(library, tuple(clip for clip, scene, _ in clips if scene)) if choices["remove_silence"] else None
    message, hint = describe_error(refused, state.language()) if refused else ("", "")
    reel_form(
        "hx_reel_form",
        {
            "groups": form.groups(choices, library.settings),
            "pauses": form.pauses(found, kept_pauses.of(library, state.edited_reel())) if found is not None else None,
            "error": {"message": message, "hint": hint} if refused else None,
            "notice": form.notice(choices, library.settings, [clip for clip, _, _ in clips]),
            "actions": actions,
            "timelines": form.timelines(is_empty=not clips),
            "download": state.timeline(),
        },
        {
            "choose": choose,
            "pause": choose_pause,
            "render": render,
            "skip": render_without_failed,
            "timeline": save_timeline,
        },
    )


@lru_cache(maxsize=8)
def pauses(library: Library, clips: tuple[ReelClip, ...]) -> list[Pause]:
    # read once for these clips, not for every choice
    return library.pauses(clips)


@st.fragment
@page.error_boundary
def workspace() -> None:
    page.switch_if_requested()
    library = resources.library()
    try:
        clips = clips_with_scenes(library)
    except ReelNotFound as error:
        # it was deleted meanwhile, or the address names one that never was
        state.flash(error.to_dict())
        state.edit_reel("")
        clips = clips_with_scenes(library)
    ids = [clip.clip_id for clip, _, _ in clips]
    selected = state.search().selected
    selected = selected if selected in ids else (ids[0] if ids else None)
    address.show({"reel": state.edited_reel()}, {"scene": selected})
    with st.container(key="hx-reel"):
        main, side = st.columns([3, 1], gap=None)
        with main, st.container(key="hx-main"):
            relink_panel.draw(library, [clip.video_id for clip, _, _ in clips], [state.error_in(SECTION)])
            # drawn without clips, too: removing the last one can be undone
            draw_editor(library, clips, selected)
            if not clips:
                page.empty_state(t("reel.empty"), t("reel.empty_hint"))
                with st.container(key="hx-to-search", horizontal_alignment="center"):
                    st.button(t("reel.to_search"), on_click=state.request_page, args=("search",), type="primary")
        with side, st.container(key="hx-right"):
            page.show_flash()
            if any(scene for _, scene, _ in clips):
                draw_player(library, clips, selected)
            with st.container(key="hx-reel-form"):
                draw_form(library, clips)
        with st.container(key="hx-keys"):
            st.html(f'<div class="hx-keys">{html.escape(t("reel.keys"))}</div>')


def open_link(params: Mapping[str, str]) -> None:
    """Show what the URL names: the reel, and the clip that is selected."""
    state.edit_reel(params.get("reel", ""))
    state.update_search(selected=params.get("scene"))


def draw() -> None:
    if (params := address.opened()) is not None:
        open_link(params)
    page.heading(t("nav.reel"))
    workspace()


page.show(draw)
