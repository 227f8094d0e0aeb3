"""The form to re-index one video: its spoken language, and how its cuts are found."""

from __future__ import annotations

import html
from typing import Any, get_args

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.settings import DetectorName
from heimdex_core.types import Video
from ui import resources, state
from ui.i18n import SPEECH_LANGUAGES, t, t_or
from ui.views import videos as views

THRESHOLDS = {
    "content": ("content_threshold", 1.0, 255.0),
    "adaptive": ("adaptive_threshold", 0.5, 100.0),
    "threshold": ("fade_threshold", 1.0, 255.0),
    "hash": ("hash_threshold", 0.05, 1.0),
}
"""For each detector: the name of its parameter, the step of the input and the largest value."""


def form_name(video: Video) -> str:
    """The name of the form in ui.state."""
    return f"reindex/{video.video_id}"


def toggle(video: Video) -> None:
    """Open the form, or close it."""
    name = form_name(video)
    state.show_form(None if state.shown_form() == name else name)


def draw(library: Library, video: Video) -> None:
    """Draw the form with the video's own values, or the library's where it has none."""
    general = library.settings
    current: dict[str, Any] = {**general.model_dump(), **video.params}
    key = form_name(video)
    with st.container(key="hx-reindex", border=True):
        left, right = st.columns(2)
        with left:
            language = _language(video, key)
            min_scene_s = st.number_input(
                t("reindex.min_scene"), 0.1, 600.0, float(current["min_scene_s"]), 0.5, format="%g", key=f"{key}/min"
            )
        with right:
            detector = _detector(str(current["detector"]), key)
            threshold_name, threshold = _threshold(detector, current, key)
            gradual = bool(current["gradual_transitions"])
            if detector == "content":
                gradual = st.checkbox(
                    t("reindex.gradual"), gradual, key=f"{key}/gradual", help=t("reindex.gradual_help")
                )
            audio_track = _audio_track(video, key)
        divide = st.checkbox(t("reindex.divide"), bool(current["divide_long_takes"]), key=f"{key}/divide")
        st.html(f'<p class="hx-note">{html.escape(t("reindex.note"))}</p>')
        chosen = {
            "detector": detector,
            threshold_name: threshold,
            "min_scene_s": min_scene_s,
            "divide_long_takes": divide,
            "gradual_transitions": gradual,
            "audio_track": audio_track,
        }
        # None removes the video's own value: it then follows the settings when they change
        params = {name: None if value == getattr(general, name) else value for name, value in chosen.items()}
        with st.container(horizontal=True):
            st.button(
                t("reindex.start"), key="hx_reindex_start", type="primary", on_click=start,
                args=(video.video_id, language, params),
            )  # fmt: skip
            st.button(t("reindex.close"), key="hx_reindex_close", on_click=toggle, args=(video,))


def start(video_id: str, language: str, params: dict[str, Any]) -> None:
    """Queue the work and close the form."""
    try:
        resources.library().reindex_video(video_id, language=language, params=params, queue=True)
    except HeimdexError as error:
        state.flash(error.to_dict())
    else:
        state.show_form(None)


def _language(video: Video, key: str) -> str:
    codes = list(dict.fromkeys([*SPEECH_LANGUAGES, video.language]))
    chosen = st.selectbox(
        t("reindex.language"), codes, index=codes.index(video.language), key=f"{key}/language",
        format_func=lambda code: t_or(f"speech.{code}", code),
    )  # fmt: skip
    return str(chosen or video.language)


def _audio_track(video: Video, key: str) -> int | None:
    """The number of the sound track, from 1; None where it is chosen automatically. One track is no choice."""
    tracks = video.info.audio_tracks if video.info is not None else ()
    own: int | None = video.params.get("audio_track")
    if len(tracks) < 2:
        return own
    options = [None, *range(1, len(tracks) + 1)]
    return st.selectbox(
        t("reindex.audio_track"), options, index=options.index(own) if own in options else 0, key=f"{key}/audio",
        format_func=lambda n: t("reindex.audio_track_auto") if n is None else views.track_name(n, tracks[n - 1]),
    )  # fmt: skip


def _detector(current: str, key: str) -> str:
    names = list(get_args(DetectorName))
    chosen = st.selectbox(
        t("reindex.detector"), names, index=names.index(current), key=f"{key}/detector",
        format_func=lambda name: t(f"detector.{name}"),
    )  # fmt: skip
    return str(chosen or current)


def _threshold(detector: str, current: dict[str, Any], key: str) -> tuple[str, float]:
    """The name and the value of the detector's threshold."""
    name, step, largest = THRESHOLDS[detector]
    help_text = t("reindex.fade_threshold_help") if detector == "threshold" else t("reindex.threshold_help")
    value = st.number_input(
        t("reindex.threshold"), step / 10, largest, float(current[name]), step, format="%g", key=f"{key}/{name}",
        help=help_text,
    )  # fmt: skip
    return name, float(value)
