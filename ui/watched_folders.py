"""The watched folders on the library page: a card for each, and a form to add one."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from ui import page, resources, state
from ui.i18n import t
from ui.views.watching import folder_card

_FORM = "watch"
_WIDGET = "hx_watch_folder"
_OFFERED = 200
"""How many folders the form offers at most; others can be typed."""


def draw(library: Library) -> bool:
    """Draw the cards and the form. True if folders are watched.

    The form is there if the user may manage the server, and only for folders below HEIMDEX_WATCH_ROOTS.
    """
    reports = library.watched.list()
    may_change = resources.may_manage_server(library.user_id)
    for report in reports:
        key = f"hx_watched_{report.folder.folder_id}"
        page.draw_card(key, folder_card(report, may_change=may_change), {"stop": stop, "retry": retry})
    if library.watched.roots and may_change:
        if state.shown_form() == _FORM:
            _draw_form(library)
        else:
            st.button(t("watch.open"), on_click=state.show_form, args=(_FORM,), key="hx_watch_open")
    return bool(reports)


def stop(value: Any) -> None:
    library = resources.library()
    if resources.may_manage_server(library.user_id):
        library.watched.stop(str(value))


def retry(value: Any) -> None:
    library = resources.library()
    if resources.may_manage_server(library.user_id):
        library.watched.retry(str(value))


def start() -> None:
    """Watch the chosen folder and close the form."""
    library = resources.library()
    chosen = state.widget_value(_WIDGET)
    if not chosen or not resources.may_manage_server(library.user_id):
        return
    try:
        library.watched.add(str(chosen), below=library.watched.roots)
    except HeimdexError as error:
        state.flash(error.to_dict())
    else:
        state.show_form(None)


def _draw_form(library: Library) -> None:
    watched = {report.folder.path for report in library.watched.list()}
    offered = [str(folder) for folder in _folders(library.watched.roots) if str(folder) not in watched]
    with st.container(key="hx-watch", border=True):
        st.selectbox(t("watch.folder"), offered, key=_WIDGET, index=None, accept_new_options=True,
                     placeholder=t("watch.folder_hint"))  # fmt: skip
        st.html(f'<p class="hx-note">{html.escape(t("watch.note"))}</p>')
        with st.container(horizontal=True):
            st.button(t("watch.start"), key="hx_watch_start", type="primary", on_click=start)
            st.button(t("reindex.close"), key="hx_watch_close", on_click=state.show_form, args=(None,))


def _folders(roots: tuple[Path, ...]) -> list[Path]:
    """The roots and the folders in them, as choices."""
    return [folder for root in roots for folder in (root, *_children(root))][:_OFFERED]


def _children(root: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(root) as entries:
        names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
        yield from (root / name for name in names)
