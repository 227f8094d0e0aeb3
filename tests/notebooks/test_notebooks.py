"""The notebooks run from top to bottom against a library of the sample."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from heimdex_core import Library

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="session")
def sample_library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("notebooks") / "library"
    with Library.open(path) as library:
        library.add(ROOT / "data" / "sample" / "heimdex_sample.mp4", title="A Day in Nine Scenes")
    return path


def run(notebook: Path, library: Path, monkeypatch) -> nbformat.NotebookNode:
    monkeypatch.setenv("HEIMDEX_LIBRARY", str(library))
    # The kernel must not write compiled files or settings beside the notebooks.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    document = nbformat.read(notebook, as_version=4)
    NotebookClient(
        document, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(notebook.parent)}}
    ).execute()
    return document


def outputs(document: nbformat.NotebookNode) -> list[dict]:
    return [
        output.get("data", {})
        for cell in document.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("execute_result", "display_data")
    ]


def test_there_are_notebooks():
    assert "2_search.ipynb" in {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(notebook, sample_library, monkeypatch):
    run(notebook, sample_library, monkeypatch)  # raises CellExecutionError with the cell and its traceback


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_small_and_without_places_of_a_machine(notebook):
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert "/home/" not in text
    assert "/work/" not in text


def test_the_search_notebook_shows_the_right_scenes(sample_library, monkeypatch):
    shown = outputs(run(ROOT / "notebooks" / "2_search.ipynb", sample_library, monkeypatch))
    railway, fields, night = [data["text/html"] for data in shown if "data:image/webp" in data.get("text/html", "")]
    assert "eleven minutes late" in first_card(railway)
    assert ">0:20." in first_card(fields)  # the field is the fourth scene, from 20.29 s
    assert "data:image/webp" in first_card(night)
    assert any("brightness" in data.get("text/html", "") for data in shown)


def first_card(html: str) -> str:
    return html.split('<div style="width:240px')[1]
