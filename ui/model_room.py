"""The part of the settings about models: those in use, others, fetching them, and moving the library to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.models import families, locate
from heimdex_core.models.family import LICENCE_UNKNOWN
from heimdex_core.models.profiles import CUSTOM, PROFILES, download_bytes, missing_of
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.types import ModelSet
from ui import cards, page, resources, state
from ui.components.controls import models_table
from ui.i18n import t
from ui.views import models as tables
from ui.views import moving

UPDATE_EVERY_S = 1.0
_PROFILE = "hx_profile_choice"
_KEEP = "hx_keep_spaces"
_DROP = "drop_sets"

Move = Callable[[Library], object]


def draw(library: Library) -> None:
    """All of it."""
    active = library.model_sets.active()
    models_table("hx_models", tables.library_table(library, active))
    watched("move", move_part)
    st.html(f'<h2 class="hx-subtitle">{page.html.escape(t("models.others"))}</h2>')
    _draw_profiles(library, active)
    with st.expander(t("models.by_name")):
        _draw_names(library, active)


def watched(place: str, draw_part: Callable[[], bool]) -> None:
    """A part that repeats itself while `draw_part` says that work is under way."""

    @page.guarded
    def part() -> None:
        page.flash()
        running = draw_part()
        if running != state.is_watching(place):
            # Tables and header tell something else now.
            state.watch(place, running)
            st.rerun()

    st.fragment(part, run_every=UPDATE_EVERY_S if state.is_watching(place) else None)()


# --- the move -------------------------------------------------------------------------------------


def move_part() -> bool:
    """The move that runs, how the last one ended, what is kept besides; true while one runs."""
    library = resources.library()
    status = library.model_sets.status()
    running = status is not None and status.is_running
    if status is not None and running and state.is_watching("move"):
        # not in the first drawing: loading slows down what is still to be drawn
        resources.warm_set(status.set_id)
    told = status is not None and bool(status.video_id or status.failed)
    card = moving.move_card(
        status,
        None if running else moving.kept(library),
        active=library.model_sets.active(),
        titles={video.video_id: video.title for video in library.videos()} if told else {},
        confirming=state.confirming() == _DROP,
    )
    handlers: dict[str, Callable[[Any], None]] = {
        "cancel_move": lambda _: library.model_sets.cancel(),
        "resume": lambda set_id: _nothing(library.model_sets.resume(int(set_id), queue=True)),
        "undo_move": lambda _: _nothing(library.model_sets.undo(queue=True)),
        "ask_drop": lambda _: state.confirm(_DROP),
        "keep": lambda _: state.confirm(None),
        "drop": lambda _: _drop(library),
    }
    cards.show("hx_move", card, handlers)
    return running


def _drop(library: Library) -> None:
    state.confirm(None)
    library.model_sets.drop_old()


def _nothing(_: object) -> None:
    """For handlers, which give nothing back."""


# --- profiles -------------------------------------------------------------------------------------


def _draw_profiles(library: Library, active: ModelSet) -> None:
    now = ModelChoice.from_dict(active.choice)
    step = tables.better(library)
    suggested = step.profile if step else None
    names = list(PROFILES)
    kept = state.widget(_PROFILE)
    begin = kept if kept in names else suggested or (now.name if now.name in names else names[0])
    options = {
        name: tables.profile_option(name, in_use=now.name, suggested=suggested, settings=library.settings)
        for name in names
    }
    # A select box goes on showing the words that its choice once had: other words, another box.
    key = f"{_PROFILE}/{'/'.join(options.values())}"
    chosen = str(
        st.selectbox(t("models.profile"), names, index=names.index(begin), key=key, format_func=options.__getitem__)
        or begin
    )
    state.seed(_PROFILE, chosen)
    choice = tables.profile_choice(chosen)
    models_table("hx_profile_models", tables.choice_table(choice, library.settings))
    target = _target(library, now, choice, names=(chosen,))
    _draw_target("profile", target, lambda opened: opened.model_sets.move_to(chosen, queue=True))


# --- single models by name ------------------------------------------------------------------------


def _draw_names(library: Library, active: ModelSet) -> None:
    now = ModelChoice.from_dict(active.choice)
    st.html(f'<p class="hx-note">{page.html.escape(t("models.by_name_hint"))}</p>')
    named: dict[str, Any] = {}
    columns = st.columns(2)
    for at, kind in enumerate(tables.KINDS):
        # Another set of models is another form: what was typed for the last one is over.
        key = f"hx_model_{kind}_{active.set_id}"
        with columns[at % 2]:
            typed = st.text_input(
                t(f"model.{kind}"), value=now.spec(kind), key=key, placeholder=t(f"models.example.{kind}")
            )
        spec = tables.spec_of(kind, typed or "")
        if spec != now.spec(kind) and (spec or kind == "caption"):
            named[kind] = spec
    dropped = _draw_besides(library, active)
    keep = st.checkbox(t("models.keep_spaces"), key=_KEEP, help=t("models.keep_spaces_help"))
    if not named and not dropped:
        return
    choice = ModelChoice.from_dict({**now.to_dict(), "name": CUSTOM, "reason": "models_by_name", **named})
    choice = replace(choice, extra=tuple(one for one in now.extra if one not in dropped.values()))
    target = _target(library, now, choice)

    def move(opened: Library) -> object:
        return opened.model_sets.move_to(**named, drop_spaces=list(dropped), keep_spaces=bool(keep), queue=True)

    _draw_target("named", target, move)


def _draw_besides(library: Library, active: ModelSet) -> dict[str, str]:
    """The spaces that are searched beside the first models; those that are to go, as KIND=SPEC by name."""
    besides = library.model_sets.extra_spaces()
    if not besides:
        return {}
    key = f"hx_besides_{active.set_id}"
    left = st.multiselect(
        t("models.besides"), list(besides), default=list(besides), key=key, help=t("models.besides_help")
    )
    return {name: spec for name, spec in besides.items() if name not in left}


# --- what can be done about a choice --------------------------------------------------------------


def _target(library: Library, now: ModelChoice, choice: ModelChoice, *, names: tuple[str, ...] = ()) -> moving.Target:
    """Whether the models of `choice` are here, and what it takes where they are not."""
    settings = library.settings
    folder = locate.models_folder(settings.models_dir)
    target = moving.Target(choice.name, names, folder, in_use=choice.specs == now.specs)
    try:
        missing = missing_of(choice, settings)
        wanted = [one for kind, spec in missing for one in families.repositories(kind, spec)]
        for kind, spec in missing:
            if not families.repositories(kind, spec):
                families.find(kind, spec, settings.models_dir)  # a person's own folder: says what is wrong with it
        if not missing:
            _ = Models(choice, settings, "query").spaces  # a name that no family knows is told here
    except HeimdexError as error:
        return replace(target, error=error.to_dict())
    return replace(
        target,
        names=names or tuple(spec for _, spec in missing),
        is_here=not missing,
        bytes_missing=download_bytes(missing),
        free_bytes=tables.free_bytes(folder),
        keep_free_bytes=settings.min_free_bytes,
        licences=tuple(dict.fromkeys(one.licence for one in wanted if one.licence != LICENCE_UNKNOWN)),
    )


def _draw_target(place: str, target: moving.Target, move: Move) -> None:
    """The card of a choice; it follows a download."""
    key = f"{place}/{target.profile}/{'+'.join(target.names)}"

    def begin(_: Any) -> None:
        try:
            move(resources.library())
        except HeimdexError as error:
            state.refuse(key, error.to_dict())
        else:
            state.refuse(key, None)
            state.want_redraw()

    handlers: Mapping[str, Callable[[Any], None]] = {
        "pull": lambda names: resources.start_download(*(str(name) for name in names)),
        "mend": lambda names: resources.start_download(*(str(name) for name in names), again=True),
        "stop_pull": lambda _: resources.cancel_download(),
        "move": begin,
    }

    def part() -> bool:
        if state.take_redraw():
            # The card of the move is outside of this part.
            st.rerun()
        download = resources.download()
        status = resources.library().model_sets.status()
        shown = replace(target, refused=state.refused(key))
        cards.show(f"hx_{place}_target", moving.target_card(shown, download, status), handlers)
        return any(one is not None and one.is_running for one in (download, status))

    watched(place, part)
