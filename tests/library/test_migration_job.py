"""The move as a job while another process searches: none fails, none is mixed, and killed workers lose nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from heimdex_core.jobs.client import JobState
from heimdex_core.library import Library
from heimdex_core.store import sidecar
from heimdex_core.types import VideoState
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.library.searching import QUERIES, Answer, answer_of
from tests.library.test_migration import SCENES, SPEECH, TEXT, VISION
from tests.support.drawn_video import make_drawn_video

KILLING = "tests.jobs.killing_worker"
ORDERS = ("kill-in-transcript", "kill-after-tags", "kill-at-commit", "kill-in-commit")
"""More deaths than the guard forgives for one piece of work; each is a stage further on."""


class Searching:
    """The other process, and what it has written."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.log, self._stop = folder / "searches.jsonl", folder / "stop"
        command = [sys.executable, "-m", "tests.library.searching", str(library), str(self.log), str(self._stop)]
        self._process = subprocess.Popen(command)

    def lines(self) -> list[dict[str, object]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_for(self, answers: dict[str, Answer], what: str) -> None:
        """Until every query was answered so, from now on."""
        seen = len(self.lines())

        def all_answered() -> bool:
            assert self._process.poll() is None
            newer = self.lines()[seen:]
            return all(any(line == {"query": q, "answer": answers[q]} for line in newer) for q in QUERIES)

        until(all_answered, what, limit_s=60)

    def end(self) -> None:
        self._stop.touch()
        assert self._process.wait(timeout=60) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def answers(root: Path) -> dict[str, Answer]:
    with Library.open(root, create=False) as fresh:
        weights = {"transcript": 0.4, "vision": 0.4, "lexical": 0.2}
        return {query: answer_of(fresh.search(query, weights=weights)) for query in QUERIES}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


@pytest.mark.long
def test_searched_all_the_while_killed_again_and_again_and_undone(bench: Bench, tmp_path: Path) -> None:
    library = bench.library
    for n, scenes in enumerate((SCENES, SCENES[1:])):
        path = tmp_path / f"drawn{n}.mp4"
        make_drawn_video(path, scenes, seed=n + 1)
        assert library.add(path).state == VideoState.INDEXED
    old = answers(library.path)
    searching = Searching(library.path, tmp_path)
    try:
        searching.wait_for(old, "the first answers")
        for order in ORDERS:
            bench.order(order)
        status = library.model_sets.move_to(speech=SPEECH, text=TEXT, vision=VISION, queue=True)
        assert status.job_id is not None
        job, deaths = bench.revive(status.job_id, module=KILLING)
        assert (job.state, job.error, deaths) == (JobState.SUCCEEDED, None, len(ORDERS))
        done = library.model_sets.status()
        assert done is not None
        assert (done.state, done.done, done.total, done.failed) == ("done", 2, 2, {})

        new = answers(library.path)
        assert all(new[query] != old[query] for query in QUERIES)
        searching.wait_for(new, "the new models' answers")

        undone = library.model_sets.undo(queue=True)
        assert undone.job_id is not None
        assert bench.ended(undone.job_id).state == JobState.SUCCEEDED
        assert answers(library.path) == old
        searching.wait_for(old, "the old models' answers")
        searching.end()
    finally:
        searching.kill()

    lines = searching.lines()
    assert [line for line in lines if "error" in line] == []
    for query in QUERIES:
        sides = [
            "old" if line["answer"] == old[query] else "new" if line["answer"] == new[query] else "mixed"
            for line in lines
            if line["query"] == query
        ]
        assert [side for side, _ in groupby(sides)] == ["old", "new", "old"]
    # no finished stage was run again, whoever died
    for video in library.videos():
        folder = library._store.paths.generation(
            video.video_id, library._store.sets.generation_of(video.video_id, 2) or 0
        )
        finished = [entry["stage"] for entry in sidecar.read_provenance(folder)["stages"] if not entry["skipped"]]
        assert sorted(finished) == sorted(set(finished))
        assert "picture" not in finished
