"""What a new run takes over from the generations that there are: who ran is read from the stages' own log."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.stages import audio
from heimdex_core.store import Store, sidecar
from heimdex_core.store.screen_text import read_screen_text
from heimdex_core.types import Interval, Video, VideoState
from tests.ingest.running import OPTIONAL, PLAIN
from tests.support import media
from tests.support.ingest import USER, LetterText, MeanColour, SmallModels, add_set, new_store, place_video, settings

BEFORE_COMMIT = list(PLAIN[:-1])


@pytest.fixture(autouse=True)
def speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with a video that was indexed with the first models: a red, a blue and a white shot, with speech."""
    folder = tmp_path_factory.mktemp("indexed")
    path = media.colour_clips(folder / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)], tone_hz=440)
    store = new_store(folder / "library")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
        IngestRun(store, SmallModels(), settings(), place_video(store, path)).run()
    store.close()
    return folder / "library"


@pytest.fixture
def store(indexed: Path, tmp_path: Path) -> Iterator[Store]:
    made = Store.open(shutil.copytree(indexed, tmp_path / "library"))
    yield made
    made.close()


@pytest.fixture
def video(store: Store) -> Video:
    """The video of `indexed`."""
    return store.videos(USER)[0]


def made_by(store: Store, video: Video, n: int) -> list[str]:
    """The stages that really ran for a generation, before its commit."""
    kept = sidecar.read_provenance(store.paths.generation(video.video_id, n))
    return [entry["stage"] for entry in kept["stages"] if not entry["skipped"]]


def moved(store: Store, video: Video, models: SmallModels) -> list[str]:
    """Index the video for a set of its own of these models; which stages that ran."""
    model_set = add_set(store, models)
    IngestRun(store, models, settings(), video, model_set=model_set).run()
    n = store.sets.generation_of(video.video_id, model_set.set_id)
    assert n is not None
    return made_by(store, video, n)


def anew(store: Store, video: Video) -> list[str]:
    """Index the video again as it is now; which stages that ran."""
    again = IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id)).run()
    assert again.generation != video.generation
    assert again.generation is not None
    return made_by(store, video, again.generation)


def test_another_vision_model_looks_at_the_frames_that_there_are(store: Store, video: Video):
    assert moved(store, video, SmallModels(vision="2")) == ["vision_embedding", "tags"]
    old, new = (store.paths.generation(video.video_id, n) for n in (1, 2))
    names = sorted(path.name for path in (old / "frames").iterdir())
    assert names == sorted(path.name for path in (new / "frames").iterdir())
    # one file with two names: no room is taken twice
    assert all((old / "frames" / name).samefile(new / "frames" / name) for name in names)
    assert sidecar.read_words(new) == sidecar.read_words(old)
    before, after = (sidecar.read_vectors(folder, LetterText.space) for folder in (old, new))
    assert before[0] == after[0]
    assert np.array_equal(before[1], after[1])


def test_another_text_model_reads_the_words_that_there_are(store: Store, video: Video):
    assert moved(store, video, SmallModels(text="2")) == ["text_embedding"]
    old, new = (sidecar.read_vectors(store.paths.generation(video.video_id, n), MeanColour.space) for n in (1, 2))
    assert np.array_equal(old[1], new[1])
    assert sidecar.read_scenes(store.paths.generation(video.video_id, 2))[0].tags == ("red",)


def test_another_recogniser_hears_the_sound_again_and_nobody_looks(store: Store, video: Video):
    assert moved(store, video, SmallModels(speech="2")) == ["audio", "transcript", "text_embedding"]


def test_another_recogniser_is_not_asked_where_lines_came_with_the_video(store: Store, video: Video):
    store.paths.new_subtitles(video.video_id, ".srt").write_text(media.srt([(0.5, 1.5, "a bad cab")]))
    # lines move scenes, and with them all that is about scenes
    assert set(anew(store, video)) == set(BEFORE_COMMIT) - {"probe", "audio", "picture", "preview"}
    assert moved(store, video, SmallModels(speech="2")) == []


def test_other_scenes_leave_the_transcript_as_it_is(store: Store, video: Video):
    store.set_params(video.video_id, params={"divide_max_s": 60.0})
    # few scenes can have changed: their frames are decoded one by one, and the picture not as a whole
    assert anew(store, video) == ["scenes", "keyframes", "vision_embedding", "tags", "text_embedding"]


def test_other_keyframes_are_chosen_from_the_whole_picture(store: Store, video: Video):
    """The candidates are not kept, so the picture is decoded again."""
    store.set_params(video.video_id, params={"keyframes_per_scene": 1})
    assert anew(store, video) == ["picture", "keyframes", "vision_embedding", "tags"]


def test_another_language_is_listened_for(store: Store, video: Video):
    store.set_params(video.video_id, language="en")
    assert anew(store, video) == ["audio", "transcript", "text_embedding"]


def test_nothing_changed_nothing_is_run_and_no_generation_made(store: Store, video: Video):
    ran: list[str] = []
    again = IngestRun(
        store, SmallModels(), settings(), video, on_stage=lambda o: None if o.skipped else ran.append(o.stage)
    ).run()
    assert (again.state, again.generation, ran) == (VideoState.INDEXED, 1, [])
    assert not store.paths.work(video.video_id).exists()


def test_a_generation_from_before_records_were_kept_is_made_whole(store: Store, video: Video):
    shutil.rmtree(store.paths.generation(video.video_id, 1) / "stages")
    assert sorted(moved(store, video, SmallModels(vision="2"))) == sorted(BEFORE_COMMIT)


def test_what_is_damaged_is_made_again(store: Store, video: Video):
    old = store.paths.generation(video.video_id, 1)
    (old / "stages" / "scenes.json").write_text("{")
    next((old / "frames").iterdir()).unlink()
    sidecar.vectors_path(old, LetterText.space.name).unlink()
    ran = moved(store, video, SmallModels(vision="2"))
    assert ran == ["scenes", "picture", "keyframes", "vision_embedding", "tags", "text_embedding"]
    assert len(sidecar.read_scenes(store.paths.generation(video.video_id, 2))) == 3


def test_a_preview_is_taken_over(tmp_path: Path, store: Store):
    video = IngestRun(store, SmallModels(), settings(), place_video(store, media.mpeg4_avi(tmp_path / "a.avi"))).run()
    playing = store.paths.preview(video.video_id)
    before = playing.stat()
    assert "preview" not in moved(store, video, SmallModels(vision="2"))
    assert (playing.stat().st_ino, playing.stat().st_size) == (before.st_ino, before.st_size)
    assert store.sets.all()[1].set_id == 2


def test_any_generation_of_a_living_set_is_looked_at(store: Store, video: Video):
    assert moved(store, video, SmallModels(vision="2")) == ["vision_embedding", "tags"]
    assert moved(store, video, SmallModels(vision="2", text="2")) == ["text_embedding"]


# --- captions and further spaces ------------------------------------------------------------------


def test_pictures_are_described_where_a_model_does_that(store: Store, video: Video):
    models = SmallModels(captions=True)
    assert moved(store, video, models) == ["captions", "extra_embedding"]
    new = store.paths.generation(video.video_id, 2)
    scenes = sidecar.read_scenes(new)
    assert [scene.caption for scene in scenes] == ["a red picture", "a blue picture", "a red picture"]
    ids, vectors = sidecar.read_vectors(new, models.spaces["caption"])
    assert ids == [scene.scene_id for scene in scenes]
    assert np.allclose(vectors, models.text().encode_passages([scene.caption for scene in scenes]), atol=1e-3)
    assert [s.caption for s in sidecar.read_scenes(store.paths.generation(video.video_id, 1))] == ["", "", ""]
    # another text model reads the descriptions again, nobody writes them again
    assert moved(store, video, SmallModels(captions=True, text="2")) == ["text_embedding", "extra_embedding"]


def test_pictures_are_read_where_a_model_does_that(store: Store, video: Video):
    assert moved(store, video, SmallModels(ocr="1")) == ["screen_text"]
    folder = store.paths.generation(video.video_id, 2)
    assert [scene.on_screen_text for scene in sidecar.read_scenes(folder)] == ["RED SIGN", "BLUE SIGN", ""]
    ids = [scene.scene_id for scene in sidecar.read_scenes(folder)]
    (frame,) = read_screen_text(folder, ids[0])[:1]
    assert ([line.text for line in frame.lines], read_screen_text(folder, ids[2])) == (["RED SIGN"], [])
    assert read_screen_text(store.paths.generation(video.video_id, 1), ids[0]) == []
    assert [s.on_screen_text for s in sidecar.read_scenes(store.paths.generation(video.video_id, 1))] == [""] * 3
    # another reader reads again; another model of something else leaves what was read
    assert moved(store, video, SmallModels(ocr="2")) == ["screen_text"]
    assert moved(store, video, SmallModels(ocr="2", vision="2")) == ["vision_embedding", "tags"]


def test_without_a_captioner_and_further_spaces_those_stages_are_no_part_of_it(store: Store, video: Video):
    run = IngestRun(store, SmallModels(), settings(), video)
    assert not set(OPTIONAL) & {spec.name for spec in run.specs}
    assert run.run_stage("captions").skipped
    assert not run.work.path.exists()
    assert sorted(p.stem for p in (store.paths.generation(video.video_id, 1) / "stages").iterdir()) == sorted(
        BEFORE_COMMIT
    )


def test_a_further_space_does_not_make_the_others_again(store: Store, video: Video):
    one = SmallModels(extra=("text=letters:2",))
    assert moved(store, video, one) == ["extra_embedding"]
    two = SmallModels(extra=("text=letters:2", "vision=mean-colour:2"))
    assert moved(store, video, two) == ["extra_embedding"]
    first, second = (two.encoder(name) for name in ("text/letters-2", "vision/mean-colour-2"))
    assert (first.batches, second.batches) == ([], [7])  # 3 + 3 + 1 keyframes
    old, new = (store.paths.generation(video.video_id, n) for n in (2, 3))
    words = one.spaces["text/letters-2"]
    assert np.array_equal(sidecar.read_vectors(old, words)[1], sidecar.read_vectors(new, words)[1])
    ids, vectors = sidecar.read_vectors(new, second.space)
    assert (len(ids), vectors.shape) == (3, (3, 3))
    # without one of them again no model is asked
    three = SmallModels(extra=("vision=mean-colour:2",))
    moved(store, video, three)
    assert three.encoder("vision/mean-colour-2").batches == []


def test_further_spaces_that_still_hold_are_taken_over(store: Store, video: Video):
    models = SmallModels(captions=True, extra=("vision=mean-colour:2", "text=letters:2"))
    other = add_set(store, models)
    IngestRun(store, models, settings(), video, model_set=other).run()
    video = store.set_params(video.video_id, language="en")
    before = [list(models.encoder(name).batches) for name in ("vision/mean-colour-2", "text/letters-2")]
    IngestRun(store, models, settings(), video, model_set=other).run()
    n = store.sets.generation_of(video.video_id, other.set_id)
    assert n == 3
    # what is said may have changed, what is seen has not
    assert made_by(store, video, n) == ["audio", "transcript", "text_embedding", "extra_embedding"]
    after = [models.encoder(name).batches for name in ("vision/mean-colour-2", "text/letters-2")]
    assert [len(new) - len(old) for old, new in zip(before, after, strict=True)] == [0, 1]
    only_seen = SmallModels(extra=("vision=mean-colour:2",))
    third = add_set(store, only_seen)
    IngestRun(store, only_seen, settings(), video, model_set=third).run()
    video = store.set_params(video.video_id, language="auto")
    IngestRun(store, only_seen, settings(), video, model_set=third).run()
    n = store.sets.generation_of(video.video_id, third.set_id)
    assert n is not None
    assert made_by(store, video, n) == []
    generation = store.paths.generation(video.video_id, n)
    scene_ids, _ = sidecar.read_vectors(generation, only_seen.spaces["vision/mean-colour-2"])
    assert len(scene_ids) == 3
