"""evaluation/faces.py: precision and recall of made-up cosines by hand, and the whole on a folder of drawn photos."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.drawn_faces import photo, put_small_models

SCRIPT = Path(__file__).resolve().parents[2] / "evaluation" / "faces.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluation_faces", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_precision_and_recall(script: ModuleType) -> None:
    # four photos, two people: right and sure, right and unsure, wrong and sure, nobody's at this threshold
    cosines = np.array([[0.9, 0.1], [0.4, 0.2], [0.8, 0.3], [0.1, 0.2]], np.float32)
    own = np.array([0, 0, 1, 1])
    at = script.score(cosines, own, 0.35)
    assert (at.precision, at.recall) == (2 / 3, 2 / 4)
    strict = script.score(cosines, own, 0.85)
    assert (strict.precision, strict.recall, strict.f1) == (1.0, 0.25, 0.4)
    nothing = script.score(cosines, own, 0.95)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0.0, 0.0, 0.0)


def test_a_folder_of_photos(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_small_models(tmp_path / "models", monkeypatch)
    for person, name in ((1, "anna"), (2, "ben")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(3):
            photo(folder / f"{number}.png", person)
    photo(tmp_path / "photos" / "ben" / "both.png", 1, 2)
    (tmp_path / "photos" / "anna" / "broken.jpg").write_text("no picture")
    monkeypatch.setattr(sys, "argv", ["faces.py", str(tmp_path / "photos"), "--enrol", "1"])
    script.main()
    report = json.loads(capsys.readouterr().out)
    assert (report["people"], report["photos"], report["left_out"]) == (2, 4, 2)
    assert report["at_settings"] == {"threshold": 0.363, "precision": 1.0, "recall": 1.0}
    assert report["best"]["f1"] == 1.0
