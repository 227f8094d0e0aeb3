from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.media import child_server
from tests.ingest.running import LINES, run_of
from tests.support import media
from tests.support.ingest import new_store, place_video


@pytest.fixture
def no_child_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads foreign bytes runs in this process, where tests can replace parts of it."""
    monkeypatch.setattr(child_server, "_in_child", True)


@pytest.fixture
def store(tmp_path: Path):
    made = new_store(tmp_path / "library")
    yield made
    made.close()


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red for 2 s, blue for 3 s and white for 1.6 s, each with a line; tests work on copies."""
    folder = tmp_path_factory.mktemp("indexed")
    path = media.colour_clips(folder / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)])
    path.with_suffix(".srt").write_text(media.srt(LINES), encoding="utf-8")
    store = new_store(folder / "library")
    run_of(store, place_video(store, path, subtitles=path.with_suffix(".srt"))).run()
    store.close()
    return folder / "library"
