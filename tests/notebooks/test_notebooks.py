"""The notebooks run from top to bottom against a library of the sample."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.sample import sample_library

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)

Executed = Callable[[Path], nbformat.NotebookNode]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Executed:
    """Runs a notebook over a library with the sample, once, and returns it."""
    library_path = sample_library(tmp_path_factory)
    done: dict[Path, nbformat.NotebookNode] = {}

    def execute(notebook: Path) -> nbformat.NotebookNode:
        if notebook not in done:
            document = nbformat.read(notebook, as_version=4)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HEIMDEX_LIBRARY", str(library_path))
                # raises CellExecutionError with the cell and its traceback
                NotebookClient(
                    document, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(notebook.parent)}}
                ).execute()
            done[notebook] = document
        return done[notebook]

    return execute


def shown(document: nbformat.NotebookNode) -> list[str]:
    """The HTML outputs of the cells."""
    return [
        output["data"]["text/html"]
        for cell in document.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]


def first_card(html: str) -> str:
    return html.split('<div style="width:240px')[1]


def test_there_is_a_search_notebook():
    assert "2_search.ipynb" in {path.name for path in NOTEBOOKS}


@every_notebook
def test_a_notebook_runs(notebook, executed):
    document = executed(notebook)
    assert all(cell.execution_count for cell in document.cells if cell.cell_type == "code")


@every_notebook
def test_a_notebook_is_small_and_has_no_local_paths(notebook):
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert "/home/" not in text
    assert str(ROOT) not in text


def test_the_search_notebook_finds_the_right_scenes(executed):
    drawn = shown(executed(ROOT / "notebooks" / "2_search.ipynb"))
    said, field, night = [html for html in drawn if "data:image/webp" in html]
    assert "knew every bird" in first_card(said).replace("<mark>", "").replace("</mark>", "")
    assert ">0:20." in first_card(field)  # the field is the fourth scene, from 20.29 s
    assert ">0:57." in first_card(night)  # the fire, from 57.12 s
    assert any("brightness" in html for html in drawn)


def test_other_weights_came_from_the_cache(executed):
    document = executed(ROOT / "notebooks" / "2_search.ipynb")
    printed = "".join(
        output.text
        for cell in document.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text" in output
    )
    assert printed.count("cached=False") == 1  # the first search; three presets and four fusion methods follow
    assert printed.count("cached=True") == 7
