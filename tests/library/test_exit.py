"""A script that ends without `close()` ends in order: no native thread aborts the process on the way out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heimdex_core.models.profiles import profile_choice
from heimdex_core.models.registry import Models
from heimdex_core.settings import Settings
from heimdex_core.store.parquet import read_table
from tests.support.frozen import frozen_library

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from heimdex_core import Library
library = Library.open({library!r})
library.sql("select count(*) from scenes")
# threads that want the interpreter get it late: some still wait for it when it ends
sys.setswitchinterval(60)
library.reindex()
"""


@pytest.mark.long
def test_a_script_ends_without_close(tmp_path: Path) -> None:
    library = frozen_library(tmp_path / "library")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(root=str(ROOT), library=str(library)), encoding="utf-8")
    for _ in range(RUNS):
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")


def test_arrow_opens_files_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its threads release the bytes of a Python file when they come to it, and abort if the interpreter has ended.
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    given: list[type] = []
    read = pq.ParquetFile

    def note(source: object, **options: bool) -> pq.ParquetFile:
        given.append(type(source))
        return read(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", note)
    assert read_table(path).column("a").to_pylist() == [1, 2]
    assert given == [pa.OSFile]


def test_parquet_is_read_in_one_place() -> None:
    sources = (ROOT / "heimdex_core").rglob("*.py")
    found = [path.name for path in sources if re.search(r"pq\.(read_table|ParquetFile)\(", path.read_text("utf-8"))]
    assert found == ["parquet.py"]


def test_loading_models_in_the_background_is_waited_for() -> None:
    # a daemon thread is ended in the middle of what it does, which C++ does not survive
    settings = Settings(_env_file=None)
    thread = Models(profile_choice("offline"), settings).warm(())
    assert not thread.daemon
    thread.join()
