"""The part of the settings about models: those in use, other ones, downloads, and switching the library to them."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.models import families, locate
from heimdex_core.models.family import LICENCE_UNKNOWN
from heimdex_core.models.profiles import OPTIONAL_KINDS, PROFILES, download_bytes, missing_of
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.types import ModelSet
from ui import page, resources, state
from ui.components import models_table
from ui.i18n import t
from ui.views import migration
from ui.views import models as views

UPDATE_EVERY_S = 1.0
_PROFILE = "hx_profile_choice"
_KEEP_SPACES = "hx_keep_spaces"
_REMOVE_OLD = "remove_old_sets"


def draw(library: Library) -> None:
    """Draw all of it."""
    active = library.model_sets.active()
    models_table("hx_models", views.library_table(library, active))
    polling_fragment("migration", draw_migration)
    st.html(f'<h2 class="hx-subtitle">{html.escape(t("models.others"))}</h2>')
    _draw_profiles(library, active)
    with st.expander(t("models.by_name")):
        _draw_names(library, active)


def polling_fragment(name: str, draw_part: Callable[[], bool]) -> None:
    """Draw a fragment that reruns by itself while `draw_part` returns True."""

    @page.error_boundary
    def fragment() -> None:
        page.show_flash(f"models {name}")
        running = draw_part()
        if running != state.is_polling(name):
            # work has started or ended: the tables and the top bar have to be drawn again
            state.set_polling(name, running)
            st.rerun()

    st.fragment(fragment, run_every=UPDATE_EVERY_S if state.is_polling(name) else None)()


# --- switching to other models --------------------------------------------------------------------


def draw_migration() -> bool:
    """Draw the card of the running or last migration. True while one is running, or may go on by itself."""
    library = resources.library()
    status = library.model_sets.status()
    running = status is not None and status.is_running
    if status is not None and running and state.is_polling("migration"):
        # not in the first run: loading slows down the rest of the page
        resources.load_query_encoders(status.set_id)
    needs_titles = status is not None and bool(status.video_id or status.failed)
    card = migration.migration_card(
        status,
        None if running else migration.old_sets(library),
        active=library.model_sets.active(),
        titles={video.video_id: video.title for video in library.videos()} if needs_titles else {},
        confirming=state.confirming() == _REMOVE_OLD,
    )

    def resume(set_id: Any) -> None:
        library.model_sets.resume(int(set_id), queue=True)

    def undo(_: Any) -> None:
        library.model_sets.undo(queue=True)

    def remove_old(_: Any) -> None:
        state.set_confirming(None)
        library.model_sets.drop_old()

    handlers: dict[str, Callable[[Any], None]] = {
        "cancel_migration": lambda _: library.model_sets.cancel(),
        "resume": resume,
        "undo_migration": undo,
        "ask_removal": lambda _: state.set_confirming(_REMOVE_OLD),
        "keep_old": lambda _: state.set_confirming(None),
        "remove_old": remove_old,
    }
    page.draw_card("hx_migration", card, handlers)
    # the next worker takes up the job of one that was interrupted
    return running or (status is not None and status.state == "interrupted" and status.job_id is not None)


# --- profiles -------------------------------------------------------------------------------------


def _draw_profiles(library: Library, active: ModelSet) -> None:
    current = ModelChoice.from_dict(active.choice)
    step = views.suggested_step_up(library)
    suggested = step.profile if step else None
    names = list(PROFILES)
    options = {
        name: views.profile_option(name, current=current, suggested=suggested, settings=library.settings)
        for name in names
    }
    last = state.widget_value(_PROFILE)
    default = last if last in names else suggested or (current.name if current.name in names else names[0])
    # a select box keeps the label that its value had at first, so new labels need a new box
    key = f"{_PROFILE}/{'/'.join(options.values())}"
    chosen = str(
        st.selectbox(t("models.profile"), names, index=names.index(default), key=key, format_func=options.__getitem__)
        or default
    )
    state.set_widget_value(_PROFILE, chosen)
    choice = views.profile_choice(chosen)
    models_table("hx_profile_models", views.choice_table(choice, library.settings))
    models = _chosen_models(library, current, choice, names=(chosen,))
    _draw_chosen_models("profile", models, lambda opened: opened.model_sets.move_to(chosen, queue=True))


# --- individual models ----------------------------------------------------------------------------


def _draw_names(library: Library, active: ModelSet) -> None:
    current = ModelChoice.from_dict(active.choice)
    st.html(f'<p class="hx-note">{html.escape(t("models.by_name_hint"))}</p>')
    named = _named_models(current, active)
    removed = _removed_spaces(library, active)
    keep = st.checkbox(t("models.keep_spaces"), key=_KEEP_SPACES, help=t("models.keep_spaces_help"))
    if not named and not removed:
        return
    choice = current.with_models(**named)
    choice = replace(choice, extra=tuple(one for one in current.extra if one not in removed.values()))
    models = _chosen_models(library, current, choice)

    def migrate(opened: Library) -> object:
        return opened.model_sets.move_to(**named, drop_spaces=list(removed), keep_spaces=bool(keep), queue=True)

    _draw_chosen_models("named", models, migrate)


def _named_models(current: ModelChoice, active: ModelSet) -> dict[str, Any]:
    """The models that were entered and differ from those in use, as specs by kind."""
    named: dict[str, Any] = {}
    columns = st.columns(2)
    for at, kind in enumerate(views.KINDS):
        # the set is part of the key: after a switch, the inputs show the new models
        key = f"hx_model_{kind}_{active.set_id}"
        with columns[at % 2]:
            typed = st.text_input(
                t(f"model.{kind}"), value=current.spec(kind), key=key, placeholder=t(f"models.example.{kind}")
            )
        spec = families.spec_of(kind, typed or "")
        if spec != current.spec(kind) and (spec or kind in OPTIONAL_KINDS):
            named[kind] = spec
    return named


def _removed_spaces(library: Library, active: ModelSet) -> dict[str, str]:
    """The additional spaces that the user has taken off the list, as KIND=SPEC by name."""
    extra = library.model_sets.extra_spaces()
    if not extra:
        return {}
    key = f"hx_extra_spaces_{active.set_id}"
    kept = st.multiselect(
        t("models.extra_spaces"),
        list(extra),
        default=list(extra),
        key=key,
        help=t("models.extra_spaces_help"),
        placeholder=t("models.extra_spaces_choose"),
    )
    return {name: spec for name, spec in extra.items() if name not in kept}


# --- the card below a choice ----------------------------------------------------------------------


def _chosen_models(
    library: Library, current: ModelChoice, choice: ModelChoice, *, names: tuple[str, ...] = ()
) -> migration.ChosenModels:
    """Whether the models of `choice` are on this machine, and what is missing.

    Args:
        library: gives the settings.
        current: the models in use.
        choice: the models to look for.
        names: what to download; by default the missing models.
    """
    settings = library.settings
    folder = locate.models_folder(settings.models_dir)
    chosen = migration.ChosenModels(choice.name, names, folder, in_use=choice.specs == current.specs)
    try:
        missing = missing_of(choice, settings)
        repositories = [one for kind, spec in missing for one in families.repositories(kind, spec)]
        for kind, spec in missing:
            if not families.repositories(kind, spec):
                families.find(kind, spec, settings.models_dir)  # a user's own folder: raises what is wrong with it
        if not missing:
            _ = Models(choice, settings, "query").spaces  # raises UnknownName
    except HeimdexError as error:
        return replace(chosen, error=error.to_dict())
    return replace(
        chosen,
        names=names or tuple(spec for _, spec in missing),
        is_downloaded=not missing,
        bytes_missing=download_bytes(missing),
        free_bytes=views.free_bytes(folder),
        keep_free_bytes=settings.min_free_bytes,
        licences=tuple(dict.fromkeys(one.licence for one in repositories if one.licence != LICENCE_UNKNOWN)),
    )


def _draw_chosen_models(
    section: str, chosen: migration.ChosenModels, start_migration: Callable[[Library], object]
) -> None:
    """Draw the card of chosen models in a fragment that follows the download."""
    key = f"{section}/{chosen.profile}/{'+'.join(chosen.names)}"

    def migrate(_: Any) -> None:
        try:
            start_migration(resources.library())
        except HeimdexError as error:
            state.set_error(key, error.to_dict())
        else:
            state.set_error(key, None)
            state.request_rerun()

    handlers: dict[str, Callable[[Any], None]] = {
        "download": lambda names: resources.start_download(*(str(name) for name in names)),
        "repair_download": lambda names: resources.start_download(*(str(name) for name in names), again=True),
        "cancel_download": lambda _: resources.cancel_download(),
        "migrate": migrate,
    }

    def draw_part() -> bool:
        if state.take_rerun_request():
            # the card of the migration is outside this fragment
            st.rerun()
        download = resources.download()
        status = resources.library().model_sets.status()
        shown = replace(chosen, start_error=state.error_in(key))
        page.draw_card(f"hx_{section}_target", migration.chosen_models_card(shown, download, status), handlers)
        return any(one is not None and one.is_running for one in (download, status))

    polling_fragment(section, draw_part)
