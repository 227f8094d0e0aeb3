"""What is here, what was chosen and why, and what is wrong with the next step."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import HeimdexError
from heimdex_core.types import VideoState

if TYPE_CHECKING:
    from heimdex_core.library import Library

_PACKAGES = ("streamlit", "duckdb", "faiss-cpu", "torch", "av", "scenedetect", "dbos", "tantivy")


def examine(library: Library) -> dict[str, Any]:
    """A report of plain JSON values; `problems` is empty when all is well."""
    problems: list[dict[str, Any]] = []
    counts = {str(state): 0 for state in VideoState}
    for video in library.videos(include_deleted=True):
        counts[str(video.state)] += 1
    disk = shutil.disk_usage(library.path)
    if disk.free < library.settings.min_free_bytes:
        problems.append(_problem("DISK_FULL", f"Only {disk.free} bytes are free.", "Free some space."))
    problems += _index_problems(library)
    models = library.models.describe()
    problems += [
        _problem("MODEL_UNAVAILABLE", f"{model['name']}: {model.get('note') or model['state']}", "Install it again.")
        for model in models
        if model["state"] not in ("ready", "off")
    ]
    return {
        "library": str(library.path),
        "format_version": library.store.manifest.format_version,
        "profile": library.store.manifest.profile,
        "profile_reason": library.models.choice.reason,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "disk_free_bytes": disk.free,
        "ffmpeg": _ffmpeg_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "videos": counts,
        "models": models,
        "problems": problems,
    }


def _index_problems(library: Library) -> list[dict[str, Any]]:
    try:
        return [
            _problem("LIBRARY_DAMAGED", text, "Run `python -m heimdex_core reindex`.")
            for text in library.store.check_indexes()
        ]
    except HeimdexError as error:
        return [_problem(error.code, error.message, error.hint)]


def _ffmpeg_version() -> str:
    import imageio_ffmpeg

    binary = imageio_ffmpeg.get_ffmpeg_exe()
    first = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - our own binary
    return first.stdout.split("\n", 1)[0]


def _problem(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint}
