"""What is here, what was chosen and why, and what is wrong with the next step."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from typing import Any, get_args

from heimdex_core.errors import DeviceUnavailable, HeimdexError, ProfileMismatch
from heimdex_core.library.context import LibraryContext
from heimdex_core.models.device import choose_device, gpu_count
from heimdex_core.models.locate import models_folder
from heimdex_core.models.profiles import REASONS, ModelChoice, gigabytes, is_as_asked, step_up
from heimdex_core.models.threads import Work, threads_for
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.jobs_file import damaged_files, find_damage
from heimdex_core.types import VideoState

_PACKAGES = ("streamlit", "duckdb", "faiss-cpu", "torch", "av", "scenedetect", "dbos", "tantivy")


def examine(context: LibraryContext) -> dict[str, Any]:
    """A report of plain JSON values; `problems` is empty when all is well."""
    problems: list[dict[str, Any]] = []
    store, settings, active = context.store, context.settings, context.models.active()
    root = store.paths.root
    counts = {str(state): 0 for state in VideoState}
    for video in store.videos(context.user_id, include_deleted=True):
        counts[str(video.state)] += 1
    disk = shutil.disk_usage(root)
    if disk.free < settings.min_free_bytes:
        problems.append(_problem("DISK_FULL", f"Only {disk.free} bytes are free.", "Free some space."))
    problems += _library_problems(store)
    problems += _queue_problems(store, settings)
    choice = active.choice
    wanted = settings.profile
    if not is_as_asked(choice, wanted, settings):
        error = ProfileMismatch(pinned=choice.name, asked=wanted)
        problems.append(_problem(error.code, error.message, error.hint))
    models = active.describe()
    problems += [_model_problem(model) for model in models if model["state"] not in ("ready", "off")]
    try:
        device: str = choose_device(settings.device)
    except DeviceUnavailable as error:
        device = "none"
        problems.append(_problem(error.code, error.message, error.hint))
    return {
        "library": store.manifest.storage or str(root),
        "format_version": store.manifest.format_version,
        "profile": choice.name,
        "profile_reason": choice.reason,
        "profile_reason_text": REASONS.get(choice.reason, choice.reason),
        "step_up": _step_up(choice, settings),
        "device": device,
        "gpus": gpu_count(),
        "threads": {kind: threads_for(kind, asked=settings.worker_threads) for kind in get_args(Work)},
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "disk_free_bytes": disk.free,
        "ffmpeg": _ffmpeg_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "videos": counts,
        "models_folder": str(models_folder(settings.models_dir)),
        "models": models,
        "workers": _workers(store),
        "problems": problems,
    }


def _workers(store: Store) -> list[dict[str, Any]]:
    """What the live workers of a library in Postgres say, on all machines; none of a library in files."""
    shared = store.catalog.engine.shared
    if shared is None:
        return []
    recent = "select status from shared.worker_status where updated_at > now() - interval '2 minutes' order by number"
    found = [json.loads(text) for (text,) in shared.rows(recent)]
    names = ("machine", "pid", "state", "queues")
    return [{name: one.get(name) for name in names} for one in found if one.get("state") != "stopped"]


def _step_up(choice: ModelChoice, settings: Settings) -> dict[str, Any] | None:
    """The profile that would suit this machine better, and how to get there; None where there is none."""
    better = step_up(choice, settings)
    if better is None:
        return None
    commands = [f"python -m heimdex_core models pull {better.profile}"] if better.missing else []
    return {
        "profile": better.profile,
        "missing": list(better.missing),
        "bytes_total": better.bytes_total,
        "bytes_missing": better.bytes_missing,
        "gigabytes": gigabytes(better.bytes_missing),
        "commands": [*commands, f"python -m heimdex_core reindex --profile {better.profile}"],
    }


def _model_problem(model: dict[str, Any]) -> dict[str, Any]:
    error = model.get("error") or {}
    message = str(error.get("message") or f"{model['name']}: {model.get('note') or model['state']}")
    return _problem(
        str(error.get("code") or "MODEL_UNAVAILABLE"), message, str(error.get("hint") or "Install it again.")
    )


def _library_problems(store: Store) -> list[dict[str, Any]]:
    """What is damaged in the indexes, in the folders of the videos and in the copies of the catalog's tables."""
    problems: list[dict[str, Any]] = []
    try:
        hint = "Run `python -m heimdex_core reindex`."
        problems += [_problem("INDEX_DAMAGED", text, hint) for text in store.maintenance.check_indexes()]
        problems += [_problem(found.code, found.message, found.hint) for found in store.maintenance.damage()]
    except HeimdexError as error:
        problems.append(_problem(error.code, error.message, error.hint))
    return problems


def _queue_problems(store: Store, settings: Settings) -> list[dict[str, Any]]:
    """What is wrong with the job database, and which damaged ones have been replaced."""
    if settings.database_url is not None or settings.jobs_url is not None:
        return []
    problems = []
    try:
        damage = find_damage(store.paths.jobs, timeout_s=settings.lock_timeout_s, thorough=True)
        if damage is not None:
            text = f"jobs.sqlite is damaged: {damage}."
            hint = "The worker replaces it when it starts, or when a job is queued. Unfinished work is found again."
            problems.append(_problem("JOBS_FILE_DAMAGED", text, hint))
    except HeimdexError as error:
        problems.append(_problem(error.code, error.message, error.hint))
    for path in damaged_files(store.paths.root):
        text = f"The job database was damaged and has been replaced; the damaged file is {path.name}."
        hint = "Check the disk. Delete that file when you do not need it any more; unfinished work was queued again."
        problems.append(_problem("JOBS_FILE_REPLACED", text, hint))
    return problems


def _ffmpeg_version() -> str:
    import imageio_ffmpeg

    binary = imageio_ffmpeg.get_ffmpeg_exe()
    first = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - our own binary
    return first.stdout.split("\n", 1)[0]


def _problem(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint}
