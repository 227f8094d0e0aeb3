"""The notebooks run from top to bottom against a library of the sample."""

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from PIL import Image, ImageColor

from tests.support.sample import sample_library

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)

Executed = Callable[[Path], nbformat.NotebookNode]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Iterator[Executed]:
    """Runs a notebook over a copy of a library with the sample, once, and returns it."""
    library_path = tmp_path_factory.mktemp("notebooks") / "library"
    # The library of the test run is only read; notebooks judge and render.
    shutil.copytree(sample_library(tmp_path_factory), library_path)
    done: dict[Path, nbformat.NotebookNode] = {}
    # One kernel for all: most of the time would be spent on imports. Each notebook begins without names.
    manager = AsyncKernelManager(kernel_name="python3")

    def execute(notebook: Path) -> nbformat.NotebookNode:
        if notebook not in done:
            document = nbformat.read(notebook, as_version=4)
            document.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HEIMDEX_LIBRARY", str(library_path))
                patch.delenv("MPLBACKEND", raising=False)  # what another test of this process imported may have set it
                # raises CellExecutionError with the cell and its traceback
                NotebookClient(
                    document, timeout=300, km=manager, resources={"metadata": {"path": str(notebook.parent)}}
                ).execute()
            document.cells.pop(0)
            done[notebook] = document
        return done[notebook]

    yield execute
    if manager.has_kernel:
        run_sync(manager.shutdown_kernel)(now=True)


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


def plots(document: nbformat.NotebookNode) -> list[Image.Image]:
    """The plots of the cells."""
    return [
        Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
        for cell in document.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


def has_colours(picture: Image.Image, *codes: str) -> bool:
    """Whether each of the colours "#rrggbb" covers a part of a picture."""
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    return all((np.abs(pixels - ImageColor.getrgb(code)).max(axis=2) <= 2).sum() > 50 for code in codes)


def test_the_four_notebooks_are_there():
    names = [path.name for path in NOTEBOOKS]
    assert names == ["1_ingest.ipynb", "2_search.ipynb", "3_evaluate.ipynb", "4_reels.ipynb"]


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
    assert printed.count("cached=False") == 1  # the first search; three presets and seven fusion methods follow
    assert printed.count("cached=True") == 10


def test_the_ingest_notebook_shows_the_scenes(executed):
    document = executed(ROOT / "notebooks" / "1_ingest.ipynb")
    drawn = shown(document)
    assert any("knew every bird" in html for html in drawn)
    assert max(html.count("data:image/webp") for html in drawn) == 10  # a keyframe of each scene
    (timeline,) = plots(document)
    assert has_colours(timeline, "#f5b35c")  # when somebody speaks


def test_the_evaluation_notebook_measures_and_plots(executed):
    document = executed(ROOT / "notebooks" / "3_evaluate.ipynb")
    drawn = shown(document)
    assert any("nDCG@10" in html and "hybrid" in html for html in drawn)
    assert any("a red car on a grey bridge" in html for html in drawn)
    assert any("no difference" in html or "better" in html for html in drawn)
    means, deltas, dial = plots(document)
    assert has_colours(means, "#f5b35c", "#5fc8a6", "#a58bfa", "#8b93a7")  # the four runs
    assert has_colours(deltas, "#5fc8a6")  # hybrid is better somewhere
    assert dial.width > dial.height


def test_the_reel_notebook_renders_a_reel(executed):
    document = executed(ROOT / "notebooks" / "4_reels.ipynb")
    drawn = shown(document)
    assert any("completed" in html and "6.0" in html for html in drawn)  # three clips of two seconds
    assert any("data:video/mp4;base64" in html for html in drawn)
    assert len(plots(document)) == 1
