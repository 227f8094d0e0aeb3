"""Models: tables of models, and the facts and suggestions about them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.models import families
from heimdex_core.models.device import choose_device
from heimdex_core.models.family import LICENCE_UNKNOWN, Repository
from heimdex_core.models.profiles import ALL_KINDS, CUSTOM, PROFILES, StepUp, download_bytes, missing_of, step_up
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.models.threads import Work, threads_for
from heimdex_core.settings import Settings
from heimdex_core.types import ModelSet
from ui import state
from ui.i18n import describe_error, profile_label, t, t_or

KINDS = ALL_KINDS
_REVISION_CHARS = 12


def choice_label(profile: str) -> str:
    """A choice of models as part of a sentence: "the Laptop models"."""
    return t("models.custom") if profile == CUSTOM else t("models.of_profile", profile=profile_label(profile))


def set_label(model_set: ModelSet) -> str:
    """The same for a model set, with the number of its additional spaces."""
    extra = len(model_set.choice.get("extra") or ())
    label = choice_label(model_set.profile)
    return t("models.and_more", models=label, n=extra) if extra else label


def reason_text(choice: ModelChoice) -> str:
    """Why these models are used."""
    return t_or(f"profile.reason.{choice.reason}", choice.reason)


# --- tables ---------------------------------------------------------------------------------------


def library_table(library: Library, active: ModelSet) -> dict[str, Any]:
    """The table of the models in use, with what they run on."""
    models = library.model_sets.models(active.set_id)
    rows = table_rows(models.describe(), t("model.state.missing"))
    return {
        "heading": t("facts.models"),
        "title": t("models.in_use", models=set_label(active)),
        "text": library_text(models.choice),
        "rows": rows,
        "facts": [[t("models.device"), device_text(library.settings)]],
        "details": details(
            rows,
            [[t("models.spaces"), space_names(active)], [t("models.threads"), threads_text(library.settings)]],
        ),
        "labels": table_labels(),
    }


def details(rows: Sequence[Mapping[str, Any]], facts: Sequence[list[str]] = ()) -> dict[str, Any] | None:
    """What few people need to know, folded: more `facts`, and the revision of each model; None if there is nothing."""
    revisions = [[f"{t('models.column.revision')} · {row['name']}", row["revision"]] for row in rows if row["revision"]]
    found = [*facts, *revisions]
    return {"label": t("settings.details"), "rows": found} if found else None


def library_text(choice: ModelChoice) -> str:
    """Why these models are used, and whether their profile has others by now."""
    if choice.name == CUSTOM:
        return ""  # the title already gives the reason
    has_changed = choice.name in PROFILES and not uses_profile(choice, choice.name)
    return t("models.profile_changed", profile=profile_label(choice.name)) if has_changed else reason_text(choice)


def uses_profile(choice: ModelChoice, profile: str) -> bool:
    """Whether the models are those that the profile has now, whatever others are indexed beside them."""
    return set(profile_choice(profile).specs) <= set(choice.specs)


def choice_table(choice: ModelChoice, settings: Settings) -> dict[str, Any]:
    """The table of models that the library could switch to."""
    described = Models(choice, settings, "query").describe()
    text = t(f"models.about.{choice.name}") if choice.name in PROFILES else ""
    rows = table_rows(described, t("models.not_downloaded"), with_problems=False)
    return {
        "heading": "",
        "title": "",
        "text": text,
        "rows": rows,
        "facts": [],
        "details": details(rows),
        "labels": table_labels(),
    }


def table_rows(
    described: Sequence[Mapping[str, Any]], missing: str, *, with_problems: bool = True
) -> list[dict[str, Any]]:
    """The rows of a table.

    Args:
        described: as Models.describe returns them.
        missing: the label of models that are not on this machine.
        with_problems: show why a model cannot be used.
    """
    return [_row(model, missing, with_problems=with_problems) for model in described]


def _row(model: Mapping[str, Any], missing: str, *, with_problems: bool) -> dict[str, Any]:
    kind, spec, model_state = str(model["kind"]), str(model["spec"]), str(model["state"])
    repositories = _repositories(kind, spec)
    licence = str(model["licence"])
    size_bytes = int(model["size_bytes"]) or sum(one.size_bytes for one in repositories)
    revision = str(model["revision"]) or next((one.revision or "" for one in repositories), "")
    error = model.get("error")
    problem = describe_error(error, state.language()) if error and with_problems else None
    is_additional = model["role"] not in KINDS
    return {
        "kind": kind,
        "label": t_or(f"model.{kind}", kind) + (f" · {t('models.additional')}" if is_additional else ""),
        "name": str(model["name"]),
        "title": spec,
        "note": model_note(model),
        "state": model_state,
        "state_label": missing if model_state == "missing" else t_or(f"model.state.{model_state}", model_state),
        "size": fmt.size(size_bytes) if size_bytes else "",
        "revision": revision[:_REVISION_CHARS],
        "licence": t("models.licence_unknown") if licence == LICENCE_UNKNOWN else licence,
        "problem": {"message": problem[0], "hint": problem[1]} if problem else None,
    }


def model_note(model: Mapping[str, Any]) -> str:
    """The width of a usable model's vectors."""
    return f"{model['dim']}-d" if model["state"] == "ready" and model.get("dim") else ""


def table_labels() -> dict[str, str]:
    """The headings of the columns."""
    names = ("kind", "model", "state", "size", "licence")
    return {name: t(f"models.column.{name}") for name in names}


def _repositories(kind: str, spec: str) -> tuple[Repository, ...]:
    try:
        return families.repositories(kind, spec)
    except HeimdexError:
        return ()  # the card below the table shows what is wrong with the name


# --- facts ----------------------------------------------------------------------------------------


def space_names(active: ModelSet) -> str:
    """The vector spaces of a model set."""
    return " · ".join(dict.fromkeys(space.name for space in active.spaces.values()))


def device_text(settings: Settings) -> str:
    """The device that models run on, or why it cannot be used."""
    try:
        return t(f"models.device.{choose_device(settings.device)}")
    except HeimdexError as error:
        return describe_error(error.to_dict(), state.language())[0]


def threads_text(settings: Settings) -> str:
    """The number of threads for each kind of model in the worker, and for queries."""
    asked = settings.worker_threads
    kinds: tuple[Work, ...] = ("speech", "vision", "text")
    parts = [f"{t(f'model.{kind}')} {threads_for(kind, asked=asked)}" for kind in kinds]
    return " · ".join([*parts, f"{t('models.query')} {threads_for('query', asked=asked)}"])


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder that need not exist yet."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    return shutil.disk_usage(existing).free


# --- profiles and names ---------------------------------------------------------------------------


def suggested_step_up(library: Library) -> StepUp | None:
    """A better profile for this machine, if there is one."""
    try:
        return step_up(library.models.choice, library.settings)
    except HeimdexError:
        return None  # its files are damaged: the profile's own card shows the error


def step_up_text(library: Library) -> str:
    """A sentence about the better profile; "" if there is none."""
    step = suggested_step_up(library)
    if step is None:
        return ""
    if not step.bytes_missing:
        return t("models.step_up.here", profile=profile_label(step.profile))
    return t("models.step_up.download", profile=profile_label(step.profile), size=fmt.size(step.bytes_missing))


def profile_choice(profile: str) -> ModelChoice:
    """The models of a profile, whether they are on this machine or not."""
    return ModelChoice.from_dict({"name": profile, "reason": "asked", **PROFILES[profile]})


def profile_option(profile: str, *, current: ModelChoice, suggested: str | None, settings: Settings) -> str:
    """A profile in the list: its name, what it needs, and whether it is recommended. `current` is in use."""
    if profile == current.name and uses_profile(current, profile):
        status = t("models.option.in_use")
    else:
        try:
            missing = missing_of(profile_choice(profile), settings)
            size = fmt.size(download_bytes(missing))
            status = t("models.option.download", size=size) if missing else t("models.option.here")
        except HeimdexError:
            status = t("models.option.broken")  # its card shows the error
    return " · ".join(
        [profile_label(profile), status, *([t("models.option.recommended")] if profile == suggested else [])]
    )
