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
            _language(video, key)
            st.number_input(
                t("reindex.min_scene"), 0.1, 600.0, float(current["min_scene_s"]), 0.5, format="%g", key=f"{key}/min"
            )
        with right:
            detector = _detector(str(current["detector"]), key)
            _threshold(detector, current, key)
            if detector == "content":
                gradual = bool(current["gradual_transitions"])
                st.checkbox(t("reindex.gradual"), gradual, key=f"{key}/gradual", help=t("reindex.gradual_help"))
            if has_choice_of_sound(video):
                _audio_track(video, key)
        st.checkbox(t("reindex.divide"), bool(current["divide_long_takes"]), key=f"{key}/divide")
        st.html(f'<p class="hx-note">{html.escape(t("reindex.note"))}</p>')
        with st.container(horizontal=True):
            st.button(t("reindex.start"), key="hx_reindex_start", type="primary", on_click=start, args=(video,))
            st.button(t("reindex.close"), key="hx_reindex_close", on_click=toggle, args=(video,))


def start(video: Video) -> None:
    """Queue the work and close the form.

    The inputs are read here: the arguments of a button are those of the last complete run of the page, which may be
    older than what was entered just before the click.
    """
    library = resources.library()
    general = library.settings
    language = state.widget_value(f"{form_name(video)}/language") or video.language
    # None removes the video's own value: it then follows the settings when they change
    params = {name: None if value == getattr(general, name) else value for name, value in entered(video).items()}
    try:
        library.reindex_video(video.video_id, language=str(language), params=params, queue=True)
    except HeimdexError as error:
        state.flash(error.to_dict())
    else:
        state.show_form(None)


def entered(video: Video) -> dict[str, Any]:
    """The parameters in the inputs of the form, by name; those without an input are left out."""
    key = form_name(video)
    detector = state.widget_value(f"{key}/detector")
    inputs = {
        "detector": "detector",
        "min_scene_s": "min",
        "divide_long_takes": "divide",
        **({"gradual_transitions": "gradual"} if detector == "content" else {}),
        **({THRESHOLDS[detector][0]: THRESHOLDS[detector][0]} if detector in THRESHOLDS else {}),
    }
    values = {name: state.widget_value(f"{key}/{part}") for name, part in inputs.items()}
    found = {name: value for name, value in values.items() if value is not None}
    if has_choice_of_sound(video):  # None chooses the track automatically
        found["audio_track"] = state.widget_value(f"{key}/audio")
    return found


def has_choice_of_sound(video: Video) -> bool:
    return video.info is not None and len(video.info.audio_tracks) > 1


def _language(video: Video, key: str) -> None:
    codes = list(dict.fromkeys([*SPEECH_LANGUAGES, video.language]))
    st.selectbox(
        t("reindex.language"), codes, index=codes.index(video.language), key=f"{key}/language",
        format_func=lambda code: t_or(f"speech.{code}", code),
    )  # fmt: skip


def _audio_track(video: Video, key: str) -> None:
    """The number of the sound track, from 1; None where it is chosen automatically."""
    tracks = video.info.audio_tracks if video.info is not None else ()
    own: int | None = video.params.get("audio_track")
    options = [None, *range(1, len(tracks) + 1)]
    st.selectbox(
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


def _threshold(detector: str, current: dict[str, Any], key: str) -> None:
    name, step, largest = THRESHOLDS[detector]
    help_text = t("reindex.fade_threshold_help") if detector == "threshold" else t("reindex.threshold_help")
    st.number_input(
        t("reindex.threshold"), step / 10, largest, float(current[name]), step, format="%g", key=f"{key}/{name}",
        help=help_text,
    )  # fmt: skip
