"""The form to index one video again: the language of its speech, and how it is cut into scenes."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.settings import DetectorName
from heimdex_core.types import Video
from ui import page, resources, state
from ui.i18n import t, t_or
from ui.languages import SPEECH_LANGUAGES

THRESHOLDS = {
    "content": ("content_threshold", 1.0, 255.0),
    "adaptive": ("adaptive_threshold", 0.5, 100.0),
    "threshold": ("fade_threshold", 1.0, 255.0),
    "hash": ("hash_threshold", 0.05, 1.0),
}
"""By detector: the parameter's name, its step and its largest value."""


def name_of(video: Video) -> str:
    return f"again/{video.video_id}"


def toggle(video: Video) -> None:
    name = name_of(video)
    state.show_form(None if state.shown_form() == name else name)


def draw(library: Library, video: Video) -> None:
    """The form, filled with the video's own values, else the general ones."""
    general = library.settings
    now: dict[str, Any] = {**general.model_dump(), **video.params}
    key = name_of(video)
    with st.container(key="hx-again", border=True):
        left, right = st.columns(2)
        with left:
            language = _language(video, key)
            minimum = st.number_input(
                t("again.min_scene"), 0.1, 600.0, float(now["min_scene_s"]), 0.5, format="%g", key=f"{key}/min"
            )
        with right:
            detector = _detector(str(now["detector"]), key)
            name, step, most = THRESHOLDS[detector]
            threshold = st.number_input(
                t("again.threshold"), step / 10, most, float(now[name]), step, format="%g", key=f"{key}/{name}",
                help=t("again.threshold_help"),
            )  # fmt: skip
        divide = st.checkbox(t("again.divide"), bool(now["divide_long_takes"]), key=f"{key}/divide")
        st.html(f'<p class="hx-note">{page.html.escape(t("again.note"))}</p>')
        chosen = {"detector": detector, name: threshold, "min_scene_s": minimum, "divide_long_takes": divide}
        # What is as it is for every video follows the settings when they change.
        params = {one: None if value == getattr(general, one) else value for one, value in chosen.items()}
        with st.container(horizontal=True):
            st.button(
                t("again.begin"), key="hx_again_begin", type="primary", on_click=begin,
                args=(video.video_id, language, params),
            )  # fmt: skip
            st.button(t("again.close"), key="hx_again_close", on_click=toggle, args=(video,))


def begin(video_id: str, language: str, params: dict[str, Any]) -> None:
    try:
        resources.library().reindex_video(video_id, language=language, params=params, queue=True)
    except HeimdexError as error:
        state.flash(error.to_dict())
    else:
        state.show_form(None)


def _language(video: Video, key: str) -> str:
    own = video.language
    codes = list(dict.fromkeys([*SPEECH_LANGUAGES, own]))
    chosen = st.selectbox(
        t("again.language"), codes, index=codes.index(own), key=f"{key}/language",
        format_func=lambda code: t_or(f"speech.{code}", code),
    )  # fmt: skip
    return str(chosen or own)


def _detector(own: str, key: str) -> str:
    names = list(get_args(DetectorName))
    chosen = st.selectbox(
        t("again.detector"), names, index=names.index(own), key=f"{key}/detector",
        format_func=lambda name: t(f"detector.{name}"),
    )  # fmt: skip
    return str(chosen or own)
