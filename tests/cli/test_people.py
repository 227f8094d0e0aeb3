"""The command `people`, from nothing found to somebody removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.library import Library
from tests.support.drawn_faces import ANNA, BEN, LEFT, RIGHT, add_video, photo, picture, put_small_models

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    with Library.open(tmp_path / "library", profile="offline") as made:
        add_video(made, "first", [picture((ANNA, *LEFT)), picture((ANNA, *LEFT), (BEN, *RIGHT), noise=1)])
    return str(tmp_path / "library")


def run(folder: str, capfd: Capture, *words: str) -> Any:
    capfd.readouterr()
    status = main(["people", *words, "--library", folder, "--json"])
    found = json.loads(capfd.readouterr().out)
    assert status == (1 if isinstance(found, dict) and found.get("error") else 0)
    return found


def test_people(folder: str, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["people", "--library", folder]) == 0
    assert "models pull faces" in capfd.readouterr().out
    assert run(folder, capfd, "scan")["error"]["code"] == "FACE_MODELS_MISSING"
    put_small_models(tmp_path / "models", monkeypatch)
    scan = run(folder, capfd, "scan")
    assert [scan[name] for name in ("state", "videos", "faces", "skipped", "problems")] == ["done", 1, 3, 0, {}]
    assert run(folder, capfd, "scan", "--queue")["state"] == "waiting"
    (anna,) = run(folder, capfd, "enrol", "Anna", str(photo(tmp_path / "anna.png", ANNA)))
    assert (anna["name"], anna["faces"], anna["videos"], anna["photos"]) == ("Anna", 2, 1, 1)
    (group,) = run(folder, capfd, "unnamed")
    assert len(group["faces"]) == 1
    assert len(run(folder, capfd, "name", group["cluster_id"], "Ben")) == 2
    scene_id = f"{group['faces'][0]['video_id']}_2000_4000"
    assert [face["name"] for face in run(folder, capfd, "faces", scene_id)] == ["Anna", "Ben"]
    assert run(folder, capfd, "off") == []
    assert run(folder, capfd, "scan")["error"]["code"] == "PEOPLE_OFF"
    run(folder, capfd, "on")
    assert main(["search", "person:ben", "--library", folder, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [hit["scene_id"] for hit in found["hits"]] == [scene_id]
    assert (found["conditions"], found["order"]) == (["person=ben"], "newest")
    (ben,) = found["hits"][0]["people"]
    assert (ben["name"], ben["time_s"], ben["is_by_hand"]) == ("Ben", 3.0, True)
    assert main(["search", "person:ben", "--library", folder]) == 0
    assert capfd.readouterr().out.splitlines()[1:] == [
        f"       {scene_id}    Ben at 0:03.0 (confirmed)",
        "all scenes that fit person=ben are listed, from the most recently added video on, each from its beginning",
    ]
    assert run(folder, capfd, "remove", "ben") == {"faces": 1, "photos": 0, "videos": 1}
    assert run(folder, capfd, "rename", "Anna", "Anna Kim")[0]["name"] == "Anna Kim"
    assert run(folder, capfd, "merge", "Anna Kim", "nobody")["error"]["code"] == "PERSON_NOT_FOUND"
