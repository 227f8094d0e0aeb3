"""The same failure in this process and in a worker: the same state, the same error, the same files left."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import HeimdexError
from heimdex_core.types import Json, Video, VideoState
from tests.jobs.bench import Bench
from tests.jobs.failing_worker import FAULTS
from tests.jobs.waiting import until
from tests.support import media


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[tuple[Bench, Bench]]:
    """A library for this process, and one for the worker."""
    made = Bench.make(tmp_path / "here", stage_retries=0), Bench.make(tmp_path / "there", stage_retries=0)
    yield made
    for bench in made:
        bench.close()


def what_is_left(bench: Bench, video: Video) -> Json:
    """State and error of the video, and the names of its files, without the id and the bytes that are free now."""
    library = bench.library
    video = library.video(video.video_id)
    folders = library.path / "videos" / video.video_id, library.path / "work" / video.video_id
    files = [path.relative_to(library.path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert video.error is not None
    return {
        "state": video.state,
        "generation": video.generation,
        "error": {name: video.error[name] for name in ("code", "category", "hint")},
        "files": sorted(str(file).replace(video.video_id, "VIDEO") for file in files),
    }


def fail_here(bench: Bench, file: Path, *, cancel: bool) -> Video:
    """`add` in this process, up to its failure; the video."""
    errors: list[HeimdexError] = []

    def add() -> None:
        try:
            bench.library.add(file)
        except HeimdexError as error:
            errors.append(error)

    adding = threading.Thread(target=add)
    adding.start()
    if cancel:
        until((bench.library.path / "toy" / "holding").exists, "keyframes to begin")
        bench.library.cancel(bench.library.videos()[0].video_id)
    adding.join()
    assert len(errors) == 1
    return bench.library.videos()[0]


def fail_there(bench: Bench, file: Path, fault: str, *, cancel: bool) -> Video:
    """The same by a worker."""
    bench.order("fault", fault)
    video = bench.library.add(file, queue=True)
    assert video.job_id is not None
    bench.start("tests.jobs.failing_worker")
    if cancel:
        until((bench.library.path / "toy" / "holding").exists, "keyframes to begin")
        bench.library.cancel(video.video_id)
    job = bench.ended(video.job_id)
    assert bench.stop() == 0
    assert job.error is not None
    return video


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "code", "lost"),
    [
        ("full disk", "DISK_FULL", "picture"),
        ("broken recogniser", "MODEL_BROKEN", "transcript"),
        ("cancelled", "CANCELLED", "keyframes"),
    ],
)
def test_it_leaves_the_same_here_and_in_the_worker(
    benches: tuple[Bench, Bench], tmp_path: Path, fault: str, code: str, lost: str
) -> None:
    here, there = benches
    file = tmp_path / "spoken.mp4"
    media.spoken(file, [(0.2, "good morning")])
    cancel = fault == "cancelled"
    with pytest.MonkeyPatch.context() as patch:
        FAULTS[fault](patch)
        failed_here = fail_here(here, file, cancel=cancel)
    left = what_is_left(here, failed_here)
    failed_there = fail_there(there, file, fault, cancel=cancel)

    assert what_is_left(there, failed_there) == left
    assert (left["state"], left["error"]["code"], left["generation"]) == (VideoState.FAILED, code, None)
    records = {Path(name).stem for name in left["files"] if name.startswith("work/") and name.endswith(".json")}
    assert {"probe", "audio", "subtitles"} <= records
    assert lost not in records
    # what is finished is kept and not done again: neither here nor there
    for bench, video in ((here, failed_here), (there, failed_there)):
        again = bench.library.retry(video.video_id)
        assert again.state == VideoState.INDEXED
        assert again.generation is not None
        provenance = json.loads(
            (bench.library._store.paths.generation(video.video_id, again.generation) / "provenance.json").read_text()
        )
        finished = [entry["stage"] for entry in provenance["stages"] if not entry["skipped"]]
        assert sorted(finished) == sorted(set(finished))
