"""Adding a stage takes one file (toy_stage.py) and one line in the registry (the fixture)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from heimdex_core.errors import HeimdexError
from heimdex_core.files import read_json_object
from heimdex_core.ingest import stages
from heimdex_core.ingest.execution import run_plan
from heimdex_core.store import Store
from heimdex_core.types import StageProgress, VideoState
from tests.ingest import toy_stage
from tests.ingest.running import run_of, three_colours
from tests.support.ingest import USER, place_video
from ui import i18n


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(stages, "SPECS", (*stages.SPECS[:-1], toy_stage.SPEC, stages.SPECS[-1]))
    i18n.texts.cache_clear()
    yield
    i18n.texts.cache_clear()


class RecordingRunner:
    """An execution.StageRunner that runs nothing; `sequences` has what it was asked to run."""

    def __init__(self) -> None:
        self.sequences: list[Sequence[str]] = []

    def sequence(self, names: Sequence[str]) -> HeimdexError | None:
        self.sequences.append(names)
        return None

    def branches(self, names: Mapping[str, Sequence[str]]) -> list[HeimdexError | None]:
        return [self.sequence(sequence) for sequence in names.values()]

    def finish(self, error: HeimdexError | None) -> None:
        assert error is None


def test_it_is_run_kept_with_the_generation_and_run_again_only_as_another_version(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[StageProgress] = []
    skipped: dict[str, bool] = {}
    video = place_video(store, three_colours(tmp_path))
    indexed = run_of(
        store, video, on_progress=shown.append, on_stage=lambda o: skipped.update({o.stage: o.skipped})
    ).run()
    assert indexed.state == VideoState.INDEXED
    assert skipped["toy_brightness"] is False
    assert "toy_brightness" in {progress.stage for progress in shown}
    assert {progress.stage_count for progress in shown} == {13}
    assert indexed.generation is not None
    record = read_json_object(store.paths.generation(video.video_id, indexed.generation) / "stages/toy_brightness.json")
    assert record is not None
    red, blue, white = record["result"]["means"]
    assert red == pytest.approx(1 / 3, abs=0.03)
    assert blue == pytest.approx(1 / 3, abs=0.03)
    assert white == pytest.approx(1, abs=0.03)

    run_of(store, store.video(USER, video.video_id), on_stage=lambda o: skipped.update({o.stage: o.skipped})).run()
    assert skipped["toy_brightness"] is True

    monkeypatch.setitem(toy_stage.SPEC.__dict__, "version", 2)
    skipped.clear()
    again = store.video(USER, video.video_id)
    run_of(store, again, on_stage=lambda o: skipped.update({o.stage: o.skipped})).run()
    assert sorted(name for name, was_skipped in skipped.items() if not was_skipped) == ["commit", "toy_brightness"]


def test_the_plan_of_both_executors_has_it() -> None:
    runner = RecordingRunner()
    assert run_plan(runner) is None
    (picture,) = [names for names in runner.sequences if "picture" in names]
    assert picture[-1] == "toy_brightness"


@pytest.mark.parametrize(("language", "label"), [("en", "Measuring the light"), ("ko", "밝기 측정")])
def test_people_read_its_label(language: str, label: str) -> None:
    assert i18n.translate(language, "stage.toy_brightness") == label
