"""The work folder of one video: what finished stages left, where the work stands, and who ran what.

    work/<video_id>/ (work/<video_id>-set<n>/ for a model set that is not active yet)
      <stage>.json      the stage's fingerprint, its result and the files it made (with their sizes)
      progress.json     where the running stages stand
      stages.log        one JSON line for every stage that ran or was skipped
      renewal           empty; there where somebody asked for the video to be indexed again
      <files>           what stages hand each other: audio.wav, candidates/, frames/, *.npy, preview.mp4

Two branches may write at once, from threads or from processes.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.files import append_json_line, disk_errors, fsync_file, make_folder, read_json_object, write_json
from heimdex_core.models.base import Vectors
from heimdex_core.types import Json, utc_now

_RENEWAL = "renewal"


@dataclass(frozen=True)
class StageRecord:
    """A finished stage: its fingerprint, its JSON result, and its files (relative to the folder).

    `has_files` is false where not all of them are here: the result holds, but a stage that needs the files
    themselves has to have them made again.
    """

    stage: str
    fingerprint: str
    result: Json
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    has_files: bool = True


class WorkFolder:
    """work/<video_id>/; made when the first thing is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.progress_path = path / "progress.json"

    def file(self, name: str) -> Path:
        """The path of a working file; its folder is made."""
        path = make_folder(self.path, levels=2) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def fresh_folder(self, name: str) -> Path:
        """An empty sub-folder: what an interrupted stage left in it is gone."""
        path = make_folder(self.path, levels=2) / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def record_path(self, stage: str) -> Path:
        """Where the record of a stage is, or would be."""
        return self.path / f"{stage}.json"

    def record(self, stage: str) -> StageRecord | None:
        """What the stage left, if it finished."""
        data = read_json_object(self.record_path(stage))
        if data is None:
            return None
        try:
            sizes: dict[str, int] = data["files"]
            has_files = all(_has_size(self.path / name, size) for name, size in sizes.items())
            return StageRecord(
                stage, data["fingerprint"], data["result"], tuple(sizes), data["seconds"], has_files=has_files
            )
        except (KeyError, TypeError, AttributeError):
            return None  # of another version: the stage is run again

    def write_record(self, record: StageRecord) -> None:
        """Publish a finished stage, after its files are safely on disk."""
        sizes = {}
        for name in record.files:
            fsync_file(self.path / name)
            sizes[name] = (self.path / name).stat().st_size
        write_json(
            self.record_path(record.stage),
            {
                "stage": record.stage,
                "fingerprint": record.fingerprint,
                "files": sizes,
                "seconds": record.seconds,
                "finished_at": utc_now().isoformat(),
                "result": record.result,
            },
        )

    def log(self, **entry: Any) -> None:
        """Append one line to stages.log."""
        append_json_line(self.path / "stages.log", {**entry, "pid": os.getpid()})

    def log_entries(self) -> list[Json]:
        """The lines of stages.log, oldest first; empty if nothing ran."""
        path = self.path / "stages.log"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def save_vectors(self, name: str, vectors: Vectors) -> None:
        """Write (n, d) float32 as .npy. Raises DiskFull."""
        path = self.file(name)
        with disk_errors(name, path.parent, vectors.nbytes):
            np.save(path, vectors, allow_pickle=False)

    def ask_for_renewal(self) -> None:
        """From now on, until this folder goes, results of earlier versions (StageSpec.earlier) no longer hold."""
        self.file(_RENEWAL).touch()

    @property
    def is_renewal(self) -> bool:
        """Whether somebody asked for the video to be indexed again."""
        return (self.path / _RENEWAL).exists()

    def remove(self) -> None:
        """Everything gone; nothing happens if it is already."""
        shutil.rmtree(self.path, ignore_errors=True)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
