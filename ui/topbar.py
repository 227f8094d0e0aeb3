"""The bar above every page: the navigation, the models in use, the languages, and what has just been finished."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.models.profiles import CUSTOM
from heimdex_core.types import ExportState
from ui import address, page, resources, sign_in, state
from ui.components import topbar
from ui.i18n import LANGUAGES, profile_label, t
from ui.views.exports import RUNNING, name_of

UPDATE_EVERY_S = 2.0
PATIENCE_S = 0.2  # for the catalog: this bar is on every page, which must not wait for what it tells
_LATEST = 20
_SHOW_RENDERS = ("reel", "exports")
# the page that is marked in the navigation while one outside of it is shown
_PARENT = {"video": "library", "scene": "search", "short": "search", "searches": "search"}


def draw(shown: str) -> None:
    """Draw the bar above the page of that name."""
    watch = _watch_render(shown)
    st.fragment(_draw_bar, run_every=UPDATE_EVERY_S if watch.awaited else None)(shown)


@page.error_boundary
def _draw_bar(shown: str) -> None:
    watch = state.render_watch()
    if state.take_rerun_request() or (watch and watch.awaited and _is_finished(watch.awaited, shown)):
        st.rerun()
    with st.container(key="hx-topbar"):
        topbar(
            "hx_topbar",
            {
                "language": state.language(),
                "links": [
                    {
                        "name": name,
                        "text": t(f"nav.{name}"),
                        "href": address.last_url(name),
                        "current": name == _PARENT.get(shown, shown),
                        "shown": name == shown,
                    }
                    for name in _pages()
                ],
                "title": t(f"nav.{_PARENT.get(shown, shown)}"),
                "profile": {"text": _profile_text(), "href": address.url("settings") if _is_admin() else None},
                "languages": [
                    {
                        "code": code,
                        "name": name,
                        "short": name if code == "ko" else "EN",
                        "on": code == state.language(),
                    }
                    for code, name in LANGUAGES.items()
                ],
                "user": _user(),
                "notice": _notice(),
                "labels": {name: t(f"nav.{name}") for name in ("pages", "menu", "skip", "dismiss", "sign_out")}
                | {"language": t("settings.language")},
            },
            {"language": _change_language, "dismiss": _dismiss, "sign_out": lambda _: sign_in.sign_out()},
        )


def _pages() -> list[str]:
    """The pages that the navigation names to this user."""
    return [name for name in address.NAMES if _is_admin() or name not in address.FOR_ADMINS]


def _is_admin() -> bool:
    """Whether the user has the pages and the models of admins."""
    try:
        return resources.library().accounts.is_admin
    except HeimdexError:
        return False


def _profile_text() -> str:
    try:
        name = resources.library().models.choice.name
    except HeimdexError:
        return ""  # the page itself shows this error; the languages can still be changed
    return t("nav.custom_models") if name == CUSTOM else t("nav.models", profile=profile_label(name))


def _user() -> dict[str, str] | None:
    """Who has signed in."""
    user = state.signed_in()
    return {"name": user.name, "text": t("nav.user", name=user.name)} if user else None


def save_language(code: object) -> None:
    """Show the app in a language of LANGUAGES from now on."""
    if isinstance(code, str) and code in LANGUAGES:
        state.set_language(code)
        resources.library().set_preference("language", code)


def _change_language(code: object) -> None:
    save_language(code)
    state.request_rerun()  # of the whole page, not only of the bar


def _dismiss(_: object) -> None:
    state.update_render_watch(finished=None)


# --- renders --------------------------------------------------------------------------------------


def _watch_render(shown: str) -> state.RenderWatch:
    """Choose the render whose end is told. The pages of the reel and of the exports show it themselves."""
    watch, followed = state.render_watch(), state.followed_export()
    if watch is None:
        watch = state.update_render_watch(awaited=followed or _running_render())
    elif followed and followed != watch.told:
        watch = state.update_render_watch(awaited=followed)
    return state.update_render_watch(finished=None) if shown in _SHOW_RENDERS else watch


def _running_render() -> str | None:
    """The newest export if it is being rendered: another tab, or this one before a reload, may have started it."""
    try:
        newest = resources.library().exports.list(limit=1, timeout_s=PATIENCE_S)
    except HeimdexError:
        return None
    return next((export.export_id for export in newest if export.state in RUNNING), None)


def _is_finished(export_id: str, shown: str) -> bool:
    """Whether a render has ended. Then it is told, and not awaited any more."""
    try:
        newest = resources.library().exports.list(limit=_LATEST, timeout_s=PATIENCE_S)
    except HeimdexError:
        return False  # looked at again: the catalog may be busy
    export = next((one for one in newest if one.export_id == export_id), None)
    if export is not None and export.state in RUNNING:
        return False
    state.update_render_watch(awaited=None, told=export_id, finished=None if shown in _SHOW_RENDERS else export)
    return True


def _notice() -> dict[str, Any] | None:
    """What has just been rendered, with a link to it."""
    watch = state.render_watch()
    export = watch.finished if watch else None
    if export is None or export.state not in (ExportState.COMPLETED, ExportState.FAILED):
        return None
    is_done = export.state is ExportState.COMPLETED
    return {
        "kind": "done" if is_done else "failed",
        "text": t("notice.rendered" if is_done else "notice.render_failed", title=name_of(export)),
        "action": t("notice.watch" if is_done else "notice.show"),
        "href": address.url("exports", export=export.export_id if is_done else None),
    }
