"""Stage records kept with a generation, so that a later run of its video makes only what has changed.

    gen/<n>/stages/<stage>.json     as it was in the work folder

The files of a stage are found where the generation has them: pictures in frames/, vectors as float16 (which
is exact when it is written again), the preview beside the video. The sound and the candidate pictures are
too large to keep; they are made again where a stage that must run needs them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from heimdex_core.errors import HeimdexError
from heimdex_core.ingest.files import link_or_copy, read_json, save_vectors, write_json
from heimdex_core.ingest.work import StageRecord, WorkFolder
from heimdex_core.store import sidecar
from heimdex_core.types import Space

FOLDER = "stages"


def keep(work: WorkFolder, records: Iterable[str], generation: Path) -> None:
    """Put the named records into a generation that is being written."""
    folder = generation / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in records:
        source = work.record_path(name)
        shutil.copyfile(source, folder / source.name)


class Kept:
    """What the generations of a video still know.

    `generations` are asked in turn and the first whose record fits counts. `vector_files` are the work
    folder's files of vectors and whose they are; `beside` its files that lie elsewhere than in a generation.
    """

    def __init__(
        self,
        work: WorkFolder,
        generations: Callable[[], Sequence[Path]],
        *,
        vector_files: Mapping[str, Space],
        beside: Mapping[str, Path],
    ) -> None:
        self._work = work
        self._generations = generations
        self._vector_files = vector_files
        self._beside = beside

    def bring_back(self, stage: str, fingerprint: str) -> StageRecord | None:
        """The record of a stage, now in the work folder, with those of its files that are kept."""
        for generation in self._generations():
            data = read_json(generation / FOLDER / f"{stage}.json")
            if data is None or data.get("fingerprint") != fingerprint:
                continue
            for name in data.get("files") or ():
                self._place(generation, name)
            # last: files without a record are nothing, a record without its files is known as such
            write_json(self._work.record_path(stage), data)
            return self._work.record(stage)
        return None

    def _place(self, generation: Path, name: str) -> None:
        target = self._work.file(name)
        space = self._vector_files.get(name)
        try:
            if space is not None:
                save_vectors(target, sidecar.read_vectors(generation, space)[1])
                return
            source = self._beside.get(name, generation / name)
            if source.is_file():
                target.unlink(missing_ok=True)
                link_or_copy(str(source), str(target))
        except (FileNotFoundError, HeimdexError):
            target.unlink(missing_ok=True)  # the generation went meanwhile, or is damaged: the stage is run again
