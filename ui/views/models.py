"""Which models work here or could: tables of models, and the facts beside them."""

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
from heimdex_core.models.profiles import CUSTOM, PROFILES, StepUp, download_bytes, missing_of, step_up
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.models.threads import Work, threads_for
from heimdex_core.settings import Settings
from heimdex_core.types import ModelSet
from ui import state
from ui.i18n import describe_error, t, t_or

KINDS = ("speech", "text", "vision", "caption")
_REVISION_CHARS = 12


def label(profile: str) -> str:
    """A choice of models as a sentence names it: "the laptop models"."""
    return t("models.named") if profile == CUSTOM else t("models.of", profile=profile)


def label_of(one: ModelSet) -> str:
    """The same of a set in the library, with how many models are searched besides."""
    besides = len(one.choice.get("extra") or ())
    return t("models.and_more", models=label(one.profile), n=besides) if besides else label(one.profile)


def reason(choice: ModelChoice) -> str:
    return t_or(f"profile.reason.{choice.reason}", choice.reason)


# --- tables ---------------------------------------------------------------------------------------


def library_table(library: Library, active: ModelSet) -> dict[str, Any]:
    """The models in use: what each is, whether it works, and what they run on."""
    models = library.model_sets.models(active.set_id)
    return {
        "heading": t("facts.models"),
        "title": t("models.in_use", models=label_of(active)),
        # that they were picked by name is said by the title
        "text": "" if models.choice.name == CUSTOM else reason(models.choice),
        "rows": rows(models.describe(), t("model.state.missing")),
        "facts": [
            [t("models.spaces"), spaces(active)],
            [t("models.device"), device(library.settings)],
            [t("models.threads"), threads(library.settings)],
        ],
        "labels": table_labels(),
    }


def choice_table(choice: ModelChoice, settings: Settings) -> dict[str, Any]:
    """The models that a move would be to: which are on this machine, and which are still to be fetched."""
    found = Models(choice, settings, "query").describe()
    name = choice.name if choice.name in PROFILES else ""
    text = t(f"models.about.{name}") if name else ""
    told = rows(found, t("models.to_fetch"), with_problems=False)
    return {"heading": "", "title": "", "text": text, "rows": told, "facts": [], "labels": table_labels()}


def rows(described: Sequence[Mapping[str, Any]], missing: str, *, with_problems: bool = True) -> list[dict[str, Any]]:
    """`described` as the table draws it; `missing` is said of models that are not there."""
    return [_row(one, missing, with_problems=with_problems) for one in described]


def _row(model: Mapping[str, Any], missing: str, *, with_problems: bool) -> dict[str, Any]:
    kind, spec, now = str(model["kind"]), str(model["spec"]), str(model["state"])
    wanted = _wanted(kind, spec)
    licence = str(model["licence"])
    size_bytes = int(model["size_bytes"]) or sum(one.size_bytes for one in wanted)
    revision = str(model["revision"]) or next((one.revision or "" for one in wanted), "")
    error = model.get("error")
    problem = describe_error(error, state.language()) if error and with_problems else None
    is_extra = model["role"] not in KINDS
    name = str(model["name"])
    return {
        "kind": kind,
        "label": t_or(f"model.{kind}", kind) + (f" · {t('models.extra')}" if is_extra else ""),
        "name": name,
        "title": spec,
        "note": note(model),
        "state": now,
        "state_label": missing if now == "missing" else t_or(f"model.state.{now}", now),
        "size": fmt.size(size_bytes) if size_bytes else "",
        "revision": revision[:_REVISION_CHARS],
        "licence": t("models.licence_unknown") if licence == LICENCE_UNKNOWN else licence,
        "problem": {"message": problem[0], "hint": problem[1]} if problem else None,
    }


def note(model: Mapping[str, Any]) -> str:
    """What else is to be known of a model that works."""
    if model["state"] != "ready":
        return ""
    dim = f"{model['dim']}-d" if model.get("dim") else ""
    rough = t("models.rough") if str(model.get("note", "")).startswith("rough") else ""
    return " · ".join(part for part in (dim, rough) if part)


def table_labels() -> dict[str, str]:
    names = ("kind", "model", "state", "size", "revision", "licence")
    return {name: t(f"models.column.{name}") for name in names}


def _wanted(kind: str, spec: str) -> tuple[Repository, ...]:
    try:
        return families.repositories(kind, spec)
    except HeimdexError:
        return ()  # what is wrong with the name is told elsewhere


# --- facts ----------------------------------------------------------------------------------------


def spaces(active: ModelSet) -> str:
    return " · ".join(dict.fromkeys(space.name for space in active.spaces.values()))


def device(settings: Settings) -> str:
    """What models run on, or why that cannot be."""
    try:
        return t(f"models.device.{choose_device(settings.device)}")
    except HeimdexError as error:
        return describe_error(error.to_dict(), state.language())[0]


def threads(settings: Settings) -> str:
    """How many each kind of work gets, when videos are indexed and when a query is answered."""
    asked = settings.worker_threads
    kinds: tuple[Work, ...] = ("speech", "vision", "text")
    parts = [f"{t(f'model.{kind}')} {threads_for(kind, asked=asked)}" for kind in kinds]
    return " · ".join([*parts, f"{t('models.query')} {threads_for('query', asked=asked)}"])


def free_bytes(folder: Path) -> int:
    """Free on the disk of a folder, which need not be there yet."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    return shutil.disk_usage(there).free


# --- what could be better -------------------------------------------------------------------------


def better(library: Library) -> StepUp | None:
    """The step up from the models in use, where there is one."""
    try:
        return step_up(library.models.choice, library.settings)
    except HeimdexError:
        return None  # files that are there and cannot be used: the profile's own card says why


def step_note(library: Library) -> str:
    """A sentence on the step up and what it takes; "" where nothing would be better here."""
    step = better(library)
    if step is None:
        return ""
    if not step.bytes_missing:
        return t("models.step.here", profile=step.profile)
    return t("models.step.fetch", profile=step.profile, size=fmt.size(step.bytes_missing))


def profile_choice(profile: str) -> ModelChoice:
    """What a profile names, whether it is on this machine or not."""
    return ModelChoice.from_dict({"name": profile, "reason": "asked", **PROFILES[profile]})


def profile_option(profile: str, *, in_use: str, suggested: str | None, settings: Settings) -> str:
    """A profile in the list: its name, what it takes, and whether it is the one."""
    if profile == in_use:
        told = t("models.option.in_use")
    else:
        try:
            missing = missing_of(profile_choice(profile), settings)
            size = fmt.size(download_bytes(missing))
            told = t("models.option.fetch", size=size) if missing else t("models.option.here")
        except HeimdexError:
            told = t("models.option.broken")  # its card says why
    return " · ".join([profile, told, *([t("models.option.suggested")] if profile == suggested else [])])


def spec_of(kind: str, text: str) -> str:
    """What a person wrote for a model as a spec: "BAAI/bge-m3" for text is sentence:BAAI/bge-m3.

    A folder of open_clip files is local-dir:FOLDER; "" stays "".
    """
    return families.spec_of(kind, text)
