"""After a video was indexed its faces are found, by the worker and by this process; where people are on."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.jobs.crash_guard import CrashGuard, StageAttempt
from heimdex_core.jobs.crash_marks import FileCrashMarks
from heimdex_core.jobs.status import StatusFile
from heimdex_core.jobs.tasks import Tasks
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.library.test_people import ANNA, BEN, LEFT, RIGHT
from tests.support.clips import colour_clips
from tests.support.drawn_faces import add_video, picture, put_small_models


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    put_small_models(tmp_path / "models", monkeypatch)
    settings = Settings(models_dir=tmp_path / "models")
    return Library.open(tmp_path / "library", profile="offline", settings=settings)


def test_the_step_of_the_worker(lib: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = add_video(lib, "first", [picture((ANNA, *LEFT), (BEN, *RIGHT)), picture()])
    guard = CrashGuard(FileCrashMarks(tmp_path / "running"), StatusFile(tmp_path / "status.json", "one"))
    tasks, attempt = Tasks(lib, guard), StageAttempt("job", video.video_id, "faces")
    assert tasks.find_faces(attempt, "local") == {"faces": 2}
    assert lib.people.state().scanned == 1
    assert tasks.find_faces(attempt, "local") == {"faces": 0}, "it was looked through already"
    (tmp_path / "library" / "videos" / video.video_id / "gen" / "1" / "frames" / "0-0.webp").write_bytes(b"damaged")
    lib.people.remove_faces([face.face_id for group in lib.people.unnamed() for face in group.faces])
    lib._store.people.faces.path(video.video_id).unlink()
    assert tasks.find_faces(attempt, "local") == {"faces": 0}
    assert "no faces were looked for" in caplog.text, "the video stays indexed"
    lib.people.turn_off()
    assert tasks.find_faces(attempt, "local") == {"faces": None}


@pytest.mark.long
def test_adding_a_video_finds_its_faces(lib: Library, tmp_path: Path) -> None:
    lib.add(colour_clips(tmp_path / "red.mp4", [("red", 2.0), ("gray", 2.0)]))
    state = lib.people.state()
    assert (state.scanned, state.faces > 0) == (1, True)
