"""Results of an earlier version hold until somebody asks for the video to be indexed again; tracks chosen by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.stages import audio, probe
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Interval, TrackChoice, Video
from tests.ingest.running import PLAIN
from tests.support.ingest import USER, SmallModels, place_video, settings
from tests.support.track_media import sine, sound_tracks


@pytest.fixture
def video(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Video:
    """Two sound tracks; not indexed yet."""
    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
    return place_video(store, sound_tracks(tmp_path / "a.mkv", [sine(440), sine(880)]))


def index(store: Store, video: Video) -> tuple[Video, list[str]]:
    """The video as it is indexed now, and which stages were run for its generation before the commit."""
    done = IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id)).run()
    assert done.generation is not None
    kept = sidecar.read_provenance(store.paths.generation(video.video_id, done.generation))
    return done, [entry["stage"] for entry in kept["stages"] if not entry["skipped"]]


def make_old(store: Store, video: Video, monkeypatch: pytest.MonkeyPatch) -> Video:
    """Index the video as the version before tracks were chosen did."""
    assert probe.SPEC.earlier is not None
    with monkeypatch.context() as patch:
        for name in ("version", "params"):
            patch.setitem(probe.SPEC.__dict__, name, getattr(probe.SPEC.earlier, name))
        patch.setitem(probe.SPEC.__dict__, "earlier", None)
        return index(store, video)[0]


def test_what_an_earlier_version_found_holds_until_it_is_asked_for_anew(
    store: Store, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_old(store, video, monkeypatch)
    again, _ = index(store, video)
    assert again.generation == old.generation
    run = IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id))
    run.work.ask_for_renewal()
    renewed, ran = index(store, video)
    assert renewed.generation != old.generation
    assert sorted(ran) == sorted(PLAIN[:-1])  # speech and picture run side by side
    assert not run.work.path.exists()


def test_scenes_without_gradual_transitions_hold_until_the_video_is_indexed_again(store: Store, video: Video) -> None:
    off = settings(gradual_transitions=False)  # the result of versions that did not know them
    old = IngestRun(store, SmallModels(), off, store.video(USER, video.video_id)).run()
    again, _ = index(store, video)
    assert again.generation == old.generation
    run = IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id))
    run.work.ask_for_renewal()
    renewed, ran = index(store, video)
    assert renewed.generation != old.generation
    assert "picture" in ran
    assert not {"probe", "audio", "transcript"} & set(ran)


@pytest.mark.long
def test_an_interrupted_renewal_goes_on_as_one(store: Store, video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old(store, video, monkeypatch)
    run = IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id))
    run.work.ask_for_renewal()
    assert not run.run_stage("probe").skipped
    resumed = IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id))
    assert resumed.run_stage("probe").skipped
    assert not resumed.run_stage("picture").skipped


@pytest.mark.long
def test_a_sound_track_chosen_by_hand_is_used_by_all_stages(store: Store, video: Video) -> None:
    first, _ = index(store, video)
    assert first.info is not None
    assert first.info.sound == TrackChoice(1)
    store.set_params(video.video_id, params={"audio_track": 2})
    second, ran = index(store, video)
    assert second.info is not None
    assert second.info.sound == TrackChoice(2, by_hand=True)
    assert {"probe", "audio", "transcript", "preview"} <= set(ran)
    # a browser plays the first track of a file that it can play
    assert (first.has_preview, second.has_preview) == (False, True)
    store.set_params(video.video_id, params={})
    assert index(store, video)[0].info == first.info
