"""A library that cannot be written says so, with the file and the reason."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import NotWritable
from heimdex_core.files import disk_errors, write_json
from heimdex_core.store import Store
from tests.store.making import new_store


def refuse(path: object) -> Any:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_library_on_a_read_only_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path)
    real_open = Path.open

    def open_read_only(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return real_open(path, mode, *args, **kwargs) if mode in ("r", "rb") else refuse(path)

    monkeypatch.setattr(Path, "open", open_read_only)
    for attempt in (lambda: Store.open(tmp_path), lambda: store.videos("local"), lambda: Store.repair(tmp_path)):
        with pytest.raises(NotWritable) as caught:
            attempt()
        assert caught.value.message.endswith(".lock cannot be written: Read-only file system")
    with pytest.raises(NotWritable):
        write_json(tmp_path / "x.json", {})
    assert store.reader().view().scene_ids("local") == [], "who has the library open can still read"


def test_errors_about_other_files_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), disk_errors("x", tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/source.mp4")
    with pytest.raises(NotWritable), disk_errors("x", tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "source.mp4"))
