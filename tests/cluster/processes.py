"""What the processes of a cluster do: each is a machine of its own to the library.

They are forked by a server that has imported everything, which takes a fraction of the time of a new interpreter.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import numpy as np

from heimdex_core import files
from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.work_folder import StageRecord, WorkFolder
from heimdex_core.jobs import crash_guard, worker
from heimdex_core.library import Library
from heimdex_core.store import Store
from heimdex_core.store.view import View
from heimdex_core.types import Space, VideoState
from tests.store import making

WORD = "harbour"
"""Said in every scene."""
SCENES = 2
"""Of every video."""


def ordered(folder: Path, what: str) -> bool:
    """Whether a test has ordered this; only one process of all is told so, once."""
    try:
        (folder / what).unlink()
    except FileNotFoundError:
        return False
    return True


def kill_if_ordered(folder: Path, what: str) -> None:
    """Die the hardest way there is."""
    if ordered(folder, f"kill-{what}"):
        os.kill(os.getpid(), signal.SIGKILL)


def note(folder: Path, *words: str) -> None:
    """Append a line to the log of all machines."""
    with (folder / "log").open("a") as log:
        log.write(" ".join((str(os.getpid()), *words)) + "\n")


# --- workers --------------------------------------------------------------------------------------


def work(library: str, folder: Path, name: str, environment: Mapping[str, str], *, real: bool) -> None:
    """A worker, until it is stopped.

    Unless `real`, no stage computes anything, but for the commit, which is that of made-up scenes. In `folder` a
    test may order, each once and for whichever worker comes first:

        kill-at-<stage>     the worker kills itself when the stage begins
        kill-in-<stage>     when its work is done and not noted
        kill-after-<stage>  when it is noted in the work folder and DBOS does not know yet
        kill-point-<name>   at a crash point of the store
        other-models        the vectors of a commit are of models that the library does not have
        hold-<stage>        not once: the stage goes on until the file is removed
    """
    begin(environment)
    # abandoned work is looked for at every tick, a database that was away soon
    mock.patch.multiple(worker, _RECONCILE_EVERY=1, _OPEN_AGAIN_S=0.2).start()
    mock.patch.object(crash_guard, "MAX_CRASHES", 99).start()
    mock.patch.object(files, "crash_point", lambda step: kill_if_ordered(folder, f"point-{step}")).start()
    run_stage, write_record = IngestRun.run_stage, WorkFolder.write_record

    def killing_run(self: IngestRun, name: str) -> StageOutcome:
        note(folder, self.video_id, name)
        kill_if_ordered(folder, f"at-{name}")
        while (folder / f"hold-{name}").exists():
            self._work_context().check()
        outcome = run_stage(self, name) if real else toy_stage(self, name, folder)
        kill_if_ordered(folder, f"after-{name}")
        return outcome

    def killing_write(self: WorkFolder, record: StageRecord) -> None:
        kill_if_ordered(folder, f"in-{record.stage}")
        write_record(self, record)

    mock.patch.object(IngestRun, "run_stage", killing_run).start()
    mock.patch.object(WorkFolder, "write_record", killing_write).start()
    worker.run_worker(library)


def begin(environment: Mapping[str, str]) -> None:
    """Take over the environment that the test had when it started this process."""
    os.environ.clear()
    os.environ.update(environment)
    logging.basicConfig(level=logging.WARNING)


def toy_stage(run: IngestRun, name: str, folder: Path) -> StageOutcome:
    """Stands in for IngestRun.run_stage."""
    if name == "probe" and run.store.begin_work(run.video_id).state == VideoState.VALIDATING:  # tried again
        run.store.set_state(run.video_id, VideoState.PROCESSING)
    if name == "commit" and run.video().state != VideoState.INDEXED:
        spaces = making.OTHER_SPACES if ordered(folder, "other-models") else run.store.sets.active().spaces
        commit(run.store, run.video_id, spaces)
    return StageOutcome(name, "toy", skipped=False, seconds=0.0)


def commit(store: Store, video_id: str, spaces: Mapping[str, Space]) -> None:
    """Commit SCENES scenes in which WORD is said."""
    video = store.video("local", video_id)
    staged = making.stage(store, video, [f"{WORD} of {video_id}"] * SCENES, spaces=spaces)
    n = store.next_generation(video_id)
    store.commit_generation(video_id, staged, n=n, spaces=list(spaces.values()), transcript_source="subtitles")


# --- readers --------------------------------------------------------------------------------------


def search(library: str, folder: Path, name: str, environment: Mapping[str, str]) -> None:
    """Search again and again until `stop-readers` exists in the folder; <name>.json there says what was found."""
    begin(environment)
    seen, rounds = set[str](), 0
    with Library.open(library, create=False) as opened:
        while True:
            is_last = (folder / "stop-readers").exists()
            present, problems = opened._store.reader().ask(look)
            problems += [f"{video_id} is gone" for video_id in seen - present]
            seen |= present
            hits = opened.search(WORD, collapse=False, limit=1000).hits
            problems += [f"found only {len(hits)} of {len(seen)}"] if len(hits) < SCENES * len(seen) else []
            rounds += 1
            report = {"rounds": rounds, "videos": len(seen), "problems": problems}
            files.write_json(folder / f"{name}.json", report)
            if problems or is_last:
                return


def look(view: View) -> tuple[set[str], list[str]]:
    """(the visible videos, what of them is not whole: scenes, words and vectors of the same scenes, each once)."""
    videos = [video.video_id for video in view.visible_videos("local")]
    wanted = sorted(scene.scene_id for scene in view.scenes("local"))
    problems = [f"{one} has not {SCENES} scenes" for one in videos if len(view.scenes("local", one)) != SCENES]
    words = view.lexical_search(WORD, k=1000, user_id="local").hits
    problems += differing("words", wanted, [scene_id for scene_id, _ in words])
    for space in view.spaces.values():
        near = view.vector_search(space, np.ones(space.dim, np.float32), k=1000, user_id="local")
        problems += differing(space.name, wanted, [scene_id for scene_id, _ in near])
    return set(videos), problems


def differing(what: str, wanted: list[str], found: list[str]) -> list[str]:
    return [f"{what}: {sorted(found)} instead of {wanted}"] if sorted(found) != wanted else []
