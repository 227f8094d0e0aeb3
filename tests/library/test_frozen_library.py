"""A library of version 1 is opened, searched, indexed again without running a stage, and worked on; a newer one is not.

The scores are those that version 1 gave. The models of the offline profile are part of the requirements, so a change
of the numbers is a change of search.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import LibraryVersion
from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.jobs.client import JobQueue, JobState
from heimdex_core.library import Library
from heimdex_core.models.profiles import profile_choice
from heimdex_core.settings import Settings
from heimdex_core.store import sidecar
from heimdex_core.types import VideoState
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support import media
from tests.support.frozen import SPOKEN, SUBTITLED, WAITING, frozen_library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(frozen_library(tmp_path / "library"), settings=Settings(profile="offline")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("boat", [(f"{SUBTITLED}_0_1000", 1.0), (f"{SPOKEN}_1000_2000", 0.3977)]),
        (
            "yellow flowers",
            [
                (f"{SUBTITLED}_1000_2000", 1.0),
                (f"{SUBTITLED}_0_1000", 0.0586),
                (f"{SPOKEN}_1000_2000", 0.0518),
            ],
        ),
        (
            "red",
            [
                (f"{SUBTITLED}_0_1000", 1.0),
                (f"{SPOKEN}_1000_2000", 0.1046),
                (f"{SUBTITLED}_1000_2000", 0.0032),
            ],
        ),
        ("파란 하늘", [(f"{SPOKEN}_0_1000", 1.0)]),
    ],
)
def test_it_is_searched_with_the_saved_weights(library: Library, query: str, hits: list[tuple[str, float]]) -> None:
    found = library.search(query)
    assert found.query.weights == {"transcript": 0.2, "vision": 0.6, "lexical": 0.2}
    assert [(hit.scene_id, round(hit.score, 4)) for hit in found.hits] == hits


def test_everything_of_the_person_is_there(library: Library) -> None:
    assert {video.title: video.state for video in library.videos()} == {
        "spoken": VideoState.INDEXED,
        "subtitled": VideoState.INDEXED,
        "waiting": VideoState.PROCESSING,
    }
    assert (library.tray().title, len(library.tray().clips)) == ("Frozen tray", 2)
    (export,) = library.exports.list()
    assert export.title == "Frozen reel"
    assert (library.path / str(export.path)).is_file()
    assert library.doctor()["problems"] == []


@pytest.mark.parametrize("video_id", [SPOKEN, SUBTITLED])
def test_indexed_again_no_stage_is_run(library: Library, video_id: str) -> None:
    outcomes: list[StageOutcome] = []
    run = library.work.ingest_run(video_id)
    run._on_stage = outcomes.append
    assert run.run().generation == 1
    assert [outcome.stage for outcome in outcomes if not outcome.skipped] == []
    assert {outcome.stage for outcome in outcomes} >= {"probe", "transcript", "picture", "vision_embedding", "commit"}


NEW_RECOGNISER = "recogniser_replaced:tiny.en"


@pytest.mark.long
def test_new_speech_is_recognised_by_the_present_model_and_that_is_noted(library: Library, tmp_path: Path) -> None:
    """The recogniser that the library is pinned to is gone. What it recognised stays as it is."""
    before = library.video(SPOKEN)
    assert (before.transcript_rough, NEW_RECOGNISER in before.notes) == (True, False)
    media.spoken(tmp_path / "new.mp4", [(0.3, "the old captain crosses the river near the bridge")])
    added = library.add(tmp_path / "new.mp4")
    again = library.reindex_video(SPOKEN, language="en")
    assert again.generation == 2
    for video in (added, again):
        assert (video.transcript_source, video.transcript_rough) == ("recognised", False)
        assert NEW_RECOGNISER in video.notes
    assert "captain" in " ".join(scene.transcript for scene in library.scenes(added.video_id))
    assert library.models.choice.speech == "pocketsphinx:en-us", "nothing moves by itself"


def test_it_moves_to_the_models_of_today_and_back(library: Library) -> None:
    now = profile_choice("offline")
    assert now.speech == "whisper:tiny.en"
    moved = library.model_sets.move_to("offline")
    assert (moved.state, moved.done, library.models.choice.specs) == ("done", moved.total, now.specs)
    spoken = library.video(SPOKEN)
    assert (spoken.transcript_source, spoken.transcript_rough) == ("recognised", False)
    assert NEW_RECOGNISER not in spoken.notes
    library.model_sets.undo()
    assert library.models.choice.speech == "pocketsphinx:en-us"
    assert library.video(SPOKEN).transcript_rough


@pytest.mark.long
def test_a_worker_does_the_old_job_and_goes_on_from_its_work_folder(tmp_path: Path) -> None:
    root = frozen_library(tmp_path / "library")
    with Library.open(root, settings=Settings(profile="offline")) as library:
        queue = JobQueue(library)
        bench = Bench(library, queue, {"HEIMDEX_PROFILE": "offline"})
        try:
            (waiting,) = queue.active()
            assert (waiting.state, waiting.subject) == (JobState.QUEUED, WAITING)
            # the worker gives the job another id, under its own version
            bench.start("heimdex_core.jobs.worker")
            until(lambda: library.video(WAITING).state == VideoState.INDEXED, "the waiting video to be indexed")
            job_id = library.video(WAITING).job_id
            assert job_id is not None
            assert bench.ended(job_id).error is None
        finally:
            bench.kill()
            queue.close()
        assert not (root / "work" / WAITING).exists()
        provenance = sidecar.read_provenance(library._store.paths.generation(WAITING, 1))
        ran = [entry["stage"] for entry in provenance["stages"] if not entry["skipped"]]
        assert ran[:3] == ["probe", "audio", "subtitles"]
        assert sorted(ran) == sorted(set(ran)), "what the old worker had finished is not run again"
        assert len({entry["pid"] for entry in provenance["stages"][:3]}) == 1
        assert provenance["stages"][0]["pid"] != provenance["stages"][-1]["pid"]


def test_a_newer_library_is_refused_and_left_alone(tmp_path: Path) -> None:
    root = frozen_library(tmp_path / "library")
    about = json.loads((root / "library.json").read_text())
    (root / "library.json").write_text(json.dumps({**about, "format_version": 999}))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(LibraryVersion) as refused:
        Library.open(root)
    assert "999" in refused.value.message
    assert refused.value.hint
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
