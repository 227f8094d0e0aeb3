"""What the pages show of models, downloads, switching to other models, and re-indexed videos."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from heimdex_core.errors import Cancelled, HubUnreachable, ModelBroken, MoveIncomplete, StageFailed
from heimdex_core.ingest import stages
from heimdex_core.library.migration import MigrationStatus
from heimdex_core.models import families, profiles
from heimdex_core.models.download.background import DownloadStatus
from heimdex_core.models.profiles import ModelChoice
from heimdex_core.settings import DetectorName, Settings
from heimdex_core.types import ModelSet, StageProgress, Video, VideoState, utc_now
from tests.ui.fakes import at_work
from ui import reindex_form
from ui.i18n import describe_error, translate
from ui.views import migration, models, videos
from ui.views.migration import ChosenModels, OldSets

NOW = datetime(2027, 1, 1, tzinfo=UTC)
OLD = ModelSet(1, "offline", {}, {}, NOW)
NEW = ModelSet(2, "laptop", {}, {}, NOW, is_active=True)
HERE = Path("/models")
MISSING = ChosenModels(
    "laptop", ("laptop",), HERE, bytes_missing=2_500_000_000, free_bytes=10_000_000_000, licences=("MIT",)
)
READY = ChosenModels("laptop", ("laptop",), HERE, is_downloaded=True)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a page no language is chosen."""
    monkeypatch.setattr("ui.state.language", lambda: "en")


def label(stage: str) -> str:
    """What the app calls a stage."""
    return stages.find(stage).label["en"]


def names(card: dict[str, Any]) -> list[str]:
    return [action["name"] for action in card["actions"]]


def downloading(state: Any, **more: Any) -> DownloadStatus:
    return DownloadStatus(more.pop("names", ("laptop",)), state, "/models", **more)


# --- forms ----------------------------------------------------------------------------------------


def test_each_detector_has_its_threshold() -> None:
    assert set(reindex_form.THRESHOLDS) == set(get_args(DetectorName))
    settings = Settings()
    for name, step, most in reindex_form.THRESHOLDS.values():
        assert step / 10 <= getattr(settings, name) <= most


@pytest.mark.parametrize(
    ("kind", "written", "spec"),
    [
        ("speech", " small ", "whisper:small"),
        ("speech", "whisper:small", "whisper:small"),
        ("text", "BAAI/bge-m3", "sentence:BAAI/bge-m3"),
        ("text", "/models/e5", "sentence:/models/e5"),
        ("text", "minilm:all-MiniLM-L6-v2", "minilm:all-MiniLM-L6-v2"),
        ("vision", "ViT-B-32/openai", "openclip:ViT-B-32/openai"),
        ("vision", "~/clip", "openclip:local-dir:~/clip"),
        ("vision", "openclip:local-dir:/clip", "openclip:local-dir:/clip"),
        ("caption", "  ", ""),
    ],
)
def test_a_name_becomes_a_spec(kind: str, written: str, spec: str) -> None:
    assert families.spec_of(kind, written) == spec


# --- tables ---------------------------------------------------------------------------------------


def test_a_profile_that_is_missing_shows_its_download() -> None:
    choice = models.profile_choice("laptop")
    rows = models.table_rows(
        [dict(model, state="missing", size_bytes=0, revision="") for model in described(choice)],
        "to download",
        with_problems=False,
    )
    assert [(row["label"], row["state_label"], row["size"], row["licence"]) for row in rows] == [
        ("speech", "to download", "486 MB", "MIT"),
        ("text", "to download", "494 MB", "MIT"),
        ("picture", "to download", "1.5 GB", "Apache-2.0"),
    ]
    assert [row["revision"] for row in rows] == ["536b0662742c", "614241f622f5", "eee10eff6dd8"]


def described(choice: ModelChoice) -> list[dict[str, Any]]:
    licences = {"speech": "MIT", "text": "MIT", "vision": "Apache-2.0"}
    return [
        {"kind": kind, "role": kind, "spec": spec, "name": spec, "state": "ready", "licence": licences[kind]}
        | {"size_bytes": 5, "revision": "r", "note": "", "error": None, "dim": None}
        for kind, spec in choice.specs
    ]


def test_a_broken_model_shows_message_and_hint() -> None:
    choice = models.profile_choice("offline")
    broken = ModelBroken(name="palette", reason="x").to_dict()
    rows = described(choice)
    rows[1] |= {"role": "text/x", "dim": 384, "licence": "see the model's page"}
    rows[2] |= {"state": "broken", "error": broken}
    speech, text, vision, _second = models.table_rows(rows, "missing")
    assert (speech["note"], speech["problem"]) == ("", None)
    assert (text["label"], text["note"], text["licence"]) == ("text · additional", "384-d", "see the model's page")
    assert vision["state_label"] == "broken"
    message, hint = describe_error(broken, "en")
    assert vision["problem"] == {"message": message, "hint": hint}


def test_a_library_of_earlier_models_is_offered_those_that_its_profile_has_now() -> None:
    now, settings = profiles.profile_choice("offline"), Settings()
    old = replace(now, speech="pocketsphinx:en-us", reason="no_weights")
    assert models.library_text(old) == translate("en", "models.profile_changed", profile="Basic")
    assert models.profile_option("offline", current=old, suggested=None, settings=settings) == (
        "Basic · on this machine"
    )
    same = replace(now, reason="no_weights", extra=("text=sentence:BAAI/bge-m3",))
    assert models.library_text(same) == translate("en", "profile.reason.no_weights")
    assert models.profile_option("offline", current=same, suggested=None, settings=settings) == "Basic · in use"
    assert models.library_text(replace(old, name="custom")) == ""


# --- downloads ------------------------------------------------------------------------------------


def test_missing_models_are_offered_with_their_size() -> None:
    card = migration.chosen_models_card(MISSING, None, None)
    assert (card["title"], names(card)) == ("2.5 GB to download", ["download"])
    assert card["sub"] == "10.0 GB free on disk · folder /models · licences: MIT"
    assert card["actions"][0]["value"] == ["laptop"]
    assert not card["problems"]


def test_too_little_disk_space_is_shown_before_the_download() -> None:
    small = ChosenModels("laptop", ("laptop",), HERE, bytes_missing=2_500_000_000, free_bytes=2_600_000_000,
                   keep_free_bytes=200_000_000)  # fmt: skip
    card = migration.chosen_models_card(small, None, None)
    assert card["problems"][0]["message"] == "Not enough disk space: 2.7 GB needed, 2.6 GB free."


def test_a_download_shows_bytes_rate_and_time_left() -> None:
    now = downloading("downloading", repo="a/b", file="model.bin", bytes_done=5e8, bytes_total=2e9, bytes_per_s=1e7,
                  seconds_left=150.0)  # fmt: skip
    card = migration.chosen_models_card(MISSING, now, None)
    assert card["text"] == "500 MB of 2.0 GB · 10.0 MB/s · about 2 min left"
    assert (card["sub"], card["fraction"], names(card)) == ("a/b · model.bin", 0.25, ["cancel_download"])


def test_a_download_waits_for_another_one() -> None:
    other = downloading("downloading", names=("studio",), bytes_done=5, bytes_total=20)
    card = migration.chosen_models_card(MISSING, other, None)
    assert card["text"] == "Another download is running: Studio · 25%"
    assert [(one["name"], one["disabled"]) for one in card["actions"]] == [
        ("cancel_download", False),
        ("download", True),
    ]


def test_a_failed_download_can_be_continued() -> None:
    lost = HubUnreachable(endpoint="https://hub", name="laptop", reason="x").to_dict()
    card = migration.chosen_models_card(MISSING, downloading("failed", error=lost), None)
    assert card["problems"][0]["message"] == "The model hub https://hub cannot be reached."
    assert (card["text"], card["actions"][0]["label"]) == ("", "Download")
    card = migration.chosen_models_card(MISSING, downloading("failed", error=lost, bytes_done=5, bytes_total=20), None)
    assert card["text"] == translate("en", "download.kept")
    assert card["actions"][0]["label"] == "Resume download"


def test_damaged_models_can_be_downloaded_again() -> None:
    broken = ChosenModels("laptop", ("laptop",), HERE, error=ModelBroken(name="x", reason="y").to_dict())
    assert names(migration.chosen_models_card(broken, None, None)) == ["repair_download"]
    own_folder = ChosenModels("custom", (), HERE, error=ModelBroken(name="x", reason="y").to_dict())
    assert names(migration.chosen_models_card(own_folder, None, None)) == []


# --- switching to other models --------------------------------------------------------------------


def test_there_is_one_migration_at_a_time() -> None:
    card = migration.chosen_models_card(READY, None, None)
    assert (names(card), card["actions"][0]["disabled"]) == (["migrate"], False)
    card = migration.chosen_models_card(READY, None, MigrationStatus(3, "studio", "running"))
    assert (card["text"], card["actions"][0]["disabled"]) == ("The library is already switching to other models.", True)
    card = migration.chosen_models_card(READY, None, MigrationStatus(3, "laptop", "running", total=4, done=1))
    assert (card["title"], card["text"], card["actions"]) == ("Switching to the Laptop models", "1 of 4 videos", [])


def test_a_migration_shows_its_progress_and_failures() -> None:
    progress = StageProgress("vision_embedding", 6, 12, 1.0, 2.0, None, "", 0.5)
    failed = {"v2": StageFailed(stage="audio", reason="x").to_dict()}
    status = MigrationStatus(2, "laptop", "running", total=4, done=1, video_id="v1", failed=failed, progress=progress)
    card = shown(status, None)
    assert (card["text"], card["sub"]) == ("1 of 4 videos", f"Autumn · {label('vision_embedding')} · 50%")
    assert card["fraction"] == pytest.approx(1.5 / 4)
    assert (card["problems"][0]["title"], names(card)) == ("Rain", ["cancel_migration"])


def shown(
    status: MigrationStatus | None, old: OldSets | None, *, active: ModelSet = NEW, confirming: bool = False
) -> Any:
    titles = {"v1": "Autumn", "v2": "Rain"}
    return migration.migration_card(status, old, active=active, titles=titles, confirming=confirming)


def test_a_finished_migration_can_be_undone_or_the_old_index_removed() -> None:
    kept = OldSets((OLD,), OLD, 193_000)
    card = shown(MigrationStatus(2, "laptop", "done", total=4, done=4), kept)
    title = "The library has switched to the Laptop models."
    assert (card["title"], names(card)) == (title, ["undo_migration", "ask_removal"])
    assert card["sub"] == ("The index of the Basic models is kept (193 KB). Undo switches back to the Basic models.")
    asked = shown(MigrationStatus(2, "laptop", "done", total=4, done=4), kept, confirming=True)
    assert [action["label"] for action in asked["actions"]] == ["Remove and free 193 KB", "Keep"]


def test_sets_of_one_profile_differ_by_their_additional_models() -> None:
    both = ModelSet(2, "offline", {"extra": ["text=sentence:a/b", "vision=openclip:c/d"]}, {}, NOW, is_active=True)
    card = shown(MigrationStatus(2, "offline", "done", total=4, done=4), OldSets((OLD,), OLD, 1000), active=both)
    assert card["title"] == "The library has switched to the Basic models and 2 more."
    assert card["sub"].endswith("Undo switches back to the Basic models.")


def test_a_failed_migration_can_be_resumed_or_removed() -> None:
    error = MoveIncomplete(missing=1, total=4, profile="laptop").to_dict()
    status = MigrationStatus(2, "laptop", "failed", total=4, done=3, error=error)
    using, made = ModelSet(1, "offline", {}, {}, NOW, is_active=True), ModelSet(2, "laptop", {}, {}, NOW)
    card = shown(status, OldSets((made,), None, 1000), active=using)
    assert card["title"] == "The switch to the Laptop models is incomplete."
    assert card["problems"][0]["message"] == "1 of 4 videos are not yet indexed with the Laptop models."
    assert (names(card), card["actions"][0]["value"]) == (["resume", "ask_removal"], 2)
    # no undo to a set that is not complete, although it was active before
    assert names(shown(status, OldSets((made,), made, 1000), active=using)) == ["resume", "ask_removal"]
    assert shown(status, None, active=using) is None


def test_without_a_migration_there_is_no_card() -> None:
    assert shown(None, None) is None
    assert migration.migration_banner(None, OLD) is None
    assert migration.migration_banner(MigrationStatus(2, "laptop", "done"), OLD) is None


def test_the_banner_of_other_pages() -> None:
    card = migration.migration_banner(MigrationStatus(2, "custom", "running", total=1), OLD)
    assert card is not None
    assert card["title"] == "Switching to custom models"
    assert card["text"] == "0 of 1 video · searches still use the Basic models"


def test_sentences_about_models_have_the_particles_of_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.state.language", lambda: "ko")
    extra = ModelSet(2, "custom", {"extra": ["text=sentence:a/b"]}, {}, NOW)
    texts = [
        translate("ko", "migration.done", models=label) for label in (models.set_label(NEW), models.set_label(extra))
    ]
    assert texts == [
        "라이브러리를 노트북용 모델로 전환했어요.",
        "라이브러리를 직접 고른 모델과 다른 모델 1개로 전환했어요.",
    ]


# --- re-indexed videos ----------------------------------------------------------------------------


def video(state: VideoState, **more: Any) -> Video:
    return Video("v1", "local", "0" * 64, "Autumn", "autumn.mp4", state, NOW, NOW, **more)


def actions(one: Video) -> list[str]:
    return [action["name"] for action in videos.actions(one)]


def test_a_video_that_is_being_re_indexed_can_be_opened() -> None:
    progress = StageProgress("scenes", 4, 12, 0.0, 0.0, 30.0, utc_now().isoformat(), 0.4)
    library: Any = at_work(progress)
    again = video(VideoState.PROCESSING, generation=1)
    assert (videos.is_available(again), actions(again)) == (True, ["open", "cancel", "rename"])
    card = videos.reindex_card(library, again)
    assert card is not None
    assert (card["title"], card["text"]) == (
        "Re-indexing",
        f"{label('scenes')} · stage 4 of 12 · about 30 s left",
    )
    first = video(VideoState.PROCESSING)
    assert (videos.is_available(first), actions(first)) == (False, ["cancel", "rename"])


def test_re_indexing_takes_what_is_in_the_inputs_at_the_click(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what was there in the last run of the page: a value may be entered just before the click."""
    key = reindex_form.form_name(video(VideoState.INDEXED))
    inputs = {"language": "ko", "min": 5.0, "detector": "content", "content_threshold": 27.0, "divide": False}
    values = {f"{key}/{name}": value for name, value in inputs.items()}
    monkeypatch.setattr("ui.state.widget_value", values.get)
    monkeypatch.setattr("ui.state.show_form", lambda name: None)
    asked: dict[str, Any] = {}
    library = SimpleNamespace(settings=Settings(), reindex_video=lambda video_id, **given: asked.update(given))
    monkeypatch.setattr("ui.resources.library", lambda: library)
    reindex_form.start(video(VideoState.INDEXED))
    # what equals the general setting follows it from now on
    params = {"min_scene_s": 5.0, "detector": None, "content_threshold": None, "divide_long_takes": False}
    assert asked == {"language": "ko", "params": params, "queue": True}


def test_a_failed_reindex_is_shown_and_the_video_stays() -> None:
    library: Any = SimpleNamespace()
    error = StageFailed(stage="scenes", reason="x").to_dict()
    failed = video(VideoState.INDEXED, generation=1, scene_count=3, error=error)
    assert actions(failed) == ["open", "retry", "rename", "delete"]
    card = videos.reindex_card(library, failed)
    assert card is not None
    assert (card["title"], card["tone"]) == ("Re-indexing failed. The video is unchanged.", "failed")
    assert [action["value"] for action in card["actions"]] == ["v1"]
    stopped = video(VideoState.INDEXED, generation=1, error=Cancelled().to_dict())
    assert videos.reindex_error(stopped) == "Re-indexing was cancelled. The video is unchanged."
    assert videos.reindex_card(library, video(VideoState.INDEXED, generation=1)) is None
    assert actions(video(VideoState.INDEXED, generation=1)) == ["open", "rename", "delete"]
