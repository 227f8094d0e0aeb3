"""People: who is seen in the videos, by the names that the user has given them."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError, PersonNotFound
from heimdex_core.library import Library
from heimdex_core.library.people import MAX_PHOTOS
from heimdex_core.types import FaceScan
from ui import address, page, resources, state
from ui.components import people_view
from ui.i18n import describe_error, t
from ui.views import people as views

UPDATE_EVERY_S = 1.0
PHOTO_MIB = 20


# --- operations -----------------------------------------------------------------------------------


def show(value: Any) -> None:
    """Show the faces of a person; of nobody for None."""
    state.show_person(str(value) if value else None)


def name(value: Any) -> None:
    """Name a group: {"id", "name"}."""
    resources.library().people.name(str(value["id"]), str(value["name"]))


def rename(value: Any) -> None:
    resources.library().people.rename(str(value["id"]), str(value["name"]))


def merge(value: Any) -> None:
    """Make one of two people: {"id", "other"}; the first one's name stays."""
    resources.library().people.merge(str(value["id"]), str(value["other"]))
    state.show_person(str(value["id"]))


def split(value: Any) -> None:
    """Make another person of some faces: {"id", "faces", "name"}."""
    made = resources.library().people.split(str(value["id"]), _ids(value), str(value["name"]))
    state.show_person(made.person_id)


def refuse(value: Any) -> None:
    resources.library().people.refuse(str(value["id"]), _ids(value))


def remove(value: Any) -> None:
    resources.library().people.remove(str(value))
    state.show_person(None)


def remove_faces(value: Any) -> None:
    resources.library().people.remove_faces(_ids(value))


def _ids(value: Any) -> list[str]:
    return [str(one) for one in value["faces"]]


HANDLERS = {
    "show": show,
    "name": name,
    "rename": rename,
    "merge": merge,
    "split": split,
    "refuse": refuse,
    "remove": remove,
    "remove_faces": remove_faces,
}


def scan() -> None:
    with state_of_errors():
        resources.library().people.find_faces(queue=True)


def stop(scan_id: str) -> None:
    with state_of_errors():
        resources.library().people.cancel_scan(scan_id)


def turn(on: bool) -> None:
    """Turn people on or off, and draw all of the page again: in a fragment what is not drawn any more would stay."""
    people = resources.library().people
    with state_of_errors():
        (people.turn_on if on else people.turn_off)()
    st.rerun()


class state_of_errors(suppress):  # noqa: N801 - used as a statement
    """Show a HeimdexError of the block above the page."""

    def __init__(self) -> None:
        super().__init__(HeimdexError)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, HeimdexError):
            state.flash(error.to_dict())
        return super().__exit__(kind, error, trace)


# --- the page -------------------------------------------------------------------------------------


def enrol(library: Library, given: str, photos: Sequence[Any]) -> None:
    """Name a person by photos. They are written to a folder that is removed at once: only the vectors stay."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, photo in enumerate(photos):
            place = Path(folder, str(number))
            place.mkdir()
            paths.append(place / (Path(photo.name).name or "photo"))  # errors name it
            paths[-1].write_bytes(photo.getvalue())
        known = library.people.find(given)
        if known is None:
            state.show_person(library.people.enrol(given, paths).person_id)
        else:
            library.people.add_photos(known.person_id, paths)


def draw_enrolment(library: Library) -> None:
    error = state.error_in("enrol")
    with (
        st.expander(t("people.enrol"), expanded=error is not None),
        st.form("hx_enrol", clear_on_submit=True, border=False),
    ):
        typed = str(error["typed"]) if error is not None else ""  # the form is emptied of photos that did not do
        given = st.text_input(t("people.name_short"), typed, max_chars=100)
        # Streamlit writes on it in English only
        st.html(f'<style>.st-key-hx-people {{ --hx-choose: "{t("people.choose_photos")}" }}</style>')
        photos = st.file_uploader(
            t("people.photos_hint", limit=MAX_PHOTOS, size=f"{PHOTO_MIB} MB"),
            type=["jpg", "jpeg", "png", "webp"],
            accept_multiple_files=True,
            max_upload_size=PHOTO_MIB,
        )
        if st.form_submit_button(t("people.enrol_now"), type="primary"):
            state.set_error("enrol", None)
            try:
                enrol(library, given, photos or [])
            except HeimdexError as found:
                state.set_error("enrol", found.to_dict() | {"typed": given})
            st.rerun()
        if error is not None:
            page.error_card(error)


def draw_state(library: Library) -> bool:
    """Whether people can be shown; says what is missing, and what has been looked through."""
    found, scanned = library.people.state(), library.people.last_scan()
    if not found.is_on:
        hint = t("people.off_hint") if library.accounts.is_admin else t("people.off_ask")
        page.empty_state(t("people.off"), hint)
        if library.accounts.is_admin:
            with st.container(key="hx-people-on", horizontal_alignment="center"):
                if st.button(t("people.turn_on"), type="primary"):
                    turn(True)
        return False
    with st.container(horizontal=True, vertical_alignment="center", key="hx-people-state"):
        st.markdown(views.status(found, scanned))
        is_running = scanned is not None and not scanned.is_over
        if scanned is not None and is_running:
            st.button(t("people.stop"), on_click=stop, args=(scanned.scan_id,))
        elif found.note is None and found.videos:
            st.button(t("people.scan"), on_click=scan, disabled=found.scanned == found.videos)
        if library.accounts.is_admin and st.button(t("people.turn_off"), type="tertiary"):
            turn(False)
    if found.note == "no_models":
        st.info(t("people.no_models" if library.accounts.is_admin else "people.no_models_ask"))
    if scanned is not None and found.scanned < found.videos:
        draw_problems(library, scanned)
    if is_running != state.is_polling("people"):
        state.set_polling("people", is_running)
        st.rerun()
    return True


def draw_problems(library: Library, scan: FaceScan) -> None:
    """Say what was not looked through, and why."""
    if scan.state == "failed" and scan.error is not None:
        page.error_card(scan.error)
    titles = {video.video_id: video.title for video in library.videos()} if scan.problems else {}
    for video_id, problem in scan.problems.items():
        if video_id in titles:
            message, _ = describe_error(problem, state.language())
            text = t("people.not_scanned", title=titles[video_id], reason=message)
            st.html(f'<p class="hx-note" role="status">{html.escape(text)}</p>')


@page.error_boundary
def people() -> None:
    page.switch_if_requested()
    library = resources.library()
    with st.container(key="hx-people"):
        page.title(t("nav.people"))
        page.show_flash()
        if not draw_state(library):
            return
        shown = state.shown_person()
        if shown is not None:
            try:
                library.people.get(shown)
            except PersonNotFound:
                state.show_person(None)
        address.show({"person": state.shown_person()})
        people_view("hx_people_view", views.page(library, state.shown_person()), HANDLERS)
        if library.people.has_models:
            draw_enrolment(library)


def draw() -> None:
    if (params := address.opened()) is not None:
        state.show_person(params.get("person"))
    st.fragment(people, run_every=UPDATE_EVERY_S if state.is_polling("people") else None)()


page.show(draw)
