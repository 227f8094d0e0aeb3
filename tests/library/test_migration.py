"""A library moved to other models: what runs, what is found meanwhile, and what goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled, InvalidValue, MoveIncomplete, NoneYet, UnknownName
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.store import sidecar
from heimdex_core.types import StageProgress, VideoState
from tests.support.drawn_video import DrawnScene, make_drawn_video

SMALL = Path(__file__).parents[1] / "models_small"
SPEECH = f"whisper:{SMALL / 'whisper'}"
TEXT = f"sentence:{SMALL / 'sentences'}"
VISION = f"openclip:local-dir:{SMALL / 'open_clip'}"
SCENES = (
    ("green triangle above a red circle", None, 4.0),
    ("blue star", "the old captain crosses the river today", 5.0),
    ("yellow square", None, 3.0),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[DrawnScene, ...]]:
    path = tmp_path_factory.mktemp("drawn") / "drawn.mp4"
    return path, make_drawn_video(path, SCENES)


@pytest.fixture(scope="module")
def indexed(drawn: tuple[Path, tuple[DrawnScene, ...]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library on the offline profile with the drawn video, to be copied."""
    root = tmp_path_factory.mktemp("indexed") / "library"
    with Library.open(root, settings=Settings(profile="offline")) as library:
        assert library.add(drawn[0]).state == VideoState.INDEXED
    return root


@pytest.fixture
def library(indexed: Path, tmp_path: Path) -> Iterator[Library]:
    root = tmp_path / "library"
    shutil.copytree(indexed, root)
    with Library.open(root, settings=Settings(profile="offline")) as opened:
        yield opened


def stages_run(library: Library, n: int) -> list[str]:
    """What was really run for generation n of the only video, before its commit."""
    provenance = sidecar.read_provenance(library._store.paths.generation(library.videos()[0].video_id, n))
    return [entry["stage"] for entry in provenance["stages"] if not entry["skipped"]]


def first(library: Library, query: str, **weights: float) -> float:
    """Where the best hit begins."""
    return library.search(query, weights=weights).hits[0].scene.start_s


def test_moved_to_other_models_everything_is_found_by_them(
    library: Library, drawn: tuple[Path, tuple[DrawnScene, ...]]
) -> None:
    status = library.model_sets.move_to(speech=SPEECH, text=TEXT, vision=VISION)
    assert (status.state, status.done, status.total, status.set_id, status.profile) == ("done", 1, 1, 2, "custom")
    assert library.models.choice.text == TEXT
    assert first(library, "green triangle above a red circle", vision=1) == 0.0
    assert first(library, "river", transcript=1) == 4.0
    assert first(library, "captain", lexical=1) == 4.0
    # the cuts, the frames and the sound's silences are those of before
    assert set(stages_run(library, 2)) == {
        "audio",
        "transcript",
        "text_embedding",
        "vision_embedding",
        "tags",
    }


def test_only_the_vision_model_changed_only_pictures_are_embedded(library: Library) -> None:
    library.model_sets.move_to(vision=VISION)
    assert set(stages_run(library, 2)) == {"vision_embedding", "tags"}
    assert first(library, "green triangle above a red circle", vision=1) == 0.0
    sets = library.model_sets.all()
    assert [one.spaces["text"] for one in sets] == [sets[0].spaces["text"]] * 2


def test_undone_everything_is_as_it_was(library: Library) -> None:
    before = library.search("blue star").hits
    library.model_sets.move_to(vision=VISION)
    assert library.search("blue star").hits != before
    status = library.model_sets.undo()
    assert (status.state, status.set_id) == ("done", 1)
    assert library.search("blue star").hits == before
    # and forward again, without any work
    again = library.model_sets.undo()
    assert (again.state, again.set_id) == ("done", 2)


@pytest.mark.long
def test_undoing_takes_in_what_came_meanwhile(library: Library, tmp_path: Path) -> None:
    library.model_sets.move_to(vision=VISION)
    later = tmp_path / "later.mp4"
    make_drawn_video(later, [("red ring", None, 2.0), ("blue cross", None, 2.0)])
    video = library.add(later)
    library.model_sets.undo()
    assert library.video(video.video_id).state == VideoState.INDEXED
    assert len(library.search("blue", videos=[video.video_id]).hits) >= 1


def test_old_models_are_dropped_when_asked(library: Library) -> None:
    library.model_sets.move_to(vision=VISION)
    assert [one.set_id for one in library.model_sets.drop_old()] == [1]
    assert not (library.path / "index" / "vision" / "palette").exists()
    assert first(library, "green triangle above a red circle", vision=1) == 0.0
    with pytest.raises(InvalidValue):
        library.model_sets.undo()


def test_models_that_are_not_in_use_are_evaluated_and_swept(library: Library) -> None:
    scenes = library.search("green", weights={"vision": 1})
    for query in ("green triangle", "a red circle", "green", "red", "something green", "green above red"):
        library.judge(query, scenes.hits[0].scene.scene_id, 3)
    before = library.evaluate(weights={"vision": 1})
    library.model_sets.move_to(vision=VISION)
    now, old = library.evaluate(weights={"vision": 1}), library.evaluate(weights={"vision": 1}, model_set=1)
    assert old.rankings == before.rankings != now.rankings
    assert old.provenance is not None
    assert now.provenance is not None
    assert before.provenance is not None
    assert (old.provenance.model_set, now.provenance.model_set) == (1, 2)
    assert old.provenance.models == before.provenance.models != now.provenance.models
    assert library.evaluation.rerun(old.run_id).rankings == before.rankings

    vision = library.model_sets.active().spaces["vision"].name
    sweep = library.evaluation.sweep(weights=[{"vision": 1}], spaces=[(), [vision]], model_sets=[1, 2])
    tried = [(one.model_set, one.spaces) for one in sweep.settings[1:]]
    assert tried == [(1, ()), (2, ()), (2, (vision,))]
    assert sweep.state == "done"
    by_set = {one.settings.model_set: one for one in sweep.scores if not one.settings.spaces}
    with pytest.raises(InvalidValue, match="model set 1"):
        library.evaluation.make_default(by_set[1])
    with pytest.raises(InvalidValue, match=vision):
        library.evaluation.make_default(sweep.settings[3])
    assert library.evaluation.make_default(by_set[2]).weights == {"vision": 1}

    library.model_sets.drop_old()
    with pytest.raises(UnknownName, match="model set"):
        library.evaluation.rerun(old.run_id)


@pytest.mark.long
def test_models_that_lack_a_video_are_not_evaluated(library: Library, tmp_path: Path) -> None:
    library.judge("blue star", library.search("captain").hits[0].scene.scene_id, 3)
    library.model_sets.move_to(vision=VISION)
    make_drawn_video(tmp_path / "other.mp4", (("red circle", None, 3.0),))
    library.add(tmp_path / "other.mp4")
    with pytest.raises(MoveIncomplete, match="1 of 2 videos"):
        library.evaluate(model_set=1)
    with pytest.raises(UnknownName, match="model set.*3"):
        library.evaluation.sweep(model_sets=[2, 3])


def test_two_spaces_of_one_kind_are_two_channels(library: Library) -> None:
    library.model_sets.move_to(add_spaces=[f"vision={VISION}"])
    assert set(stages_run(library, 2)) == {"extra_embedding"}
    names = [name for name in library._store.sets.active().spaces if name.startswith("vision/")]
    assert len(names) == 1
    alone = library.search("green triangle above a red circle", spaces=names, weights={"vision": 1})
    assert alone.hits[0].scene.start_s == 0.0
    both = library.search("green triangle above a red circle", spaces=["vision/palette", *names])
    assert {"vision/palette", *names} <= set(both.channels)
    library.model_sets.move_to(drop_spaces=names)
    assert names[0] not in library._store.sets.active().spaces


def test_a_model_that_becomes_the_first_is_not_one_besides(library: Library) -> None:
    library.model_sets.move_to(add_spaces=[f"vision={VISION}"])
    (name,) = library.model_sets.extra_spaces()
    library.model_sets.move_to(vision=VISION, keep_spaces=True)
    assert library._store.sets.active().spaces["vision"].name == name
    assert library.model_sets.extra_spaces() == {"vision/palette": "vision=palette:1"}
    with pytest.raises(UnknownName):
        library.model_sets.move_to(drop_spaces=[name])


def test_a_move_that_names_nothing_new_does_nothing(library: Library) -> None:
    status = library.model_sets.move_to("offline")
    assert (status.state, status.set_id) == ("done", 1)
    assert [one.set_id for one in library.model_sets.all()] == [1]


def test_unknown_names_are_refused_before_anything_begins(library: Library) -> None:
    with pytest.raises(UnknownName):
        library.model_sets.move_to("huge")
    with pytest.raises(UnknownName):
        library.model_sets.move_to(vision="openclip:ViT-B-16-SigLIP9/webli")
    with pytest.raises(NoneYet) as caught:
        library.model_sets.move_to(drop_spaces=["text/none"])
    assert caught.value.hint == "There is none yet. `python -m heimdex_core reindex --add-space KIND=SPEC` makes one."
    assert [one.set_id for one in library.model_sets.all()] == [1]
    assert library.model_sets.status() is None


def test_cancelled_in_the_middle_it_goes_on_where_it_was(library: Library) -> None:
    def stop_soon(progress: StageProgress) -> None:
        if progress.stage == "transcript":
            library.model_sets.cancel()

    with pytest.raises(Cancelled):
        library.model_sets.move_to(speech=SPEECH, vision=VISION, progress=stop_soon)
    status = library.model_sets.status()
    assert status is not None
    assert (status.state, status.done) == ("cancelled", 0)
    assert library._store.sets.active().set_id == 1

    assert library.model_sets.move_to(speech=SPEECH, vision=VISION).state == "done"
    runs = stages_run(library, 2)
    assert runs.count("vision_embedding") == 1
    assert runs.count("transcript") == 1


def test_a_video_that_cannot_be_indexed_stops_the_switch_and_nothing_else(library: Library) -> None:
    video = library.videos()[0]
    source = library._store.paths.source(video.video_id)
    kept = source.rename(source.with_name("away"))
    before = library.search("blue star").hits
    with pytest.raises(MoveIncomplete):
        library.model_sets.move_to(speech=SPEECH)
    status = library.model_sets.status()
    assert status is not None
    assert (status.state, list(status.failed)) == ("failed", [video.video_id])
    assert (library.video(video.video_id).state, library.video(video.video_id).error) == (VideoState.INDEXED, None)
    assert library.search("blue star").hits == before
    kept.rename(source)
    assert library.model_sets.move_to(speech=SPEECH).state == "done"


# --- one video anew -------------------------------------------------------------------------------


@pytest.mark.long
def test_scene_parameters_of_one_video(library: Library) -> None:
    video = library.videos()[0]
    assert len(library.scenes(video.video_id)) == 3
    done = library.reindex_video(video.video_id, params={"min_scene_s": 4.5})
    assert (done.state, done.params) == (VideoState.INDEXED, {"min_scene_s": 4.5})
    assert len(library.scenes(video.video_id)) < 3
    assert "transcript" not in stages_run(library, 2)
    done = library.reindex_video(video.video_id, params={"min_scene_s": None})
    assert done.params == {}
    assert len(library.scenes(video.video_id)) == 3
    with pytest.raises(UnknownName):
        library.reindex_video(video.video_id, params={"min_scene": 1})


def test_the_language_of_one_video(library: Library) -> None:
    video = library.videos()[0]
    done = library.reindex_video(video.video_id, language="ko")
    assert (done.language, done.state) == ("ko", VideoState.INDEXED)
    # the recogniser that is active reads English only, and says so
    assert "transcript_english_only:ko" in done.notes
    assert "picture" not in stages_run(library, 2)


def test_indexing_anew_without_a_change_runs_nothing(library: Library) -> None:
    video = library.videos()[0]
    done = library.reindex_video(video.video_id)
    assert (done.state, done.generation) == (VideoState.INDEXED, 1)
