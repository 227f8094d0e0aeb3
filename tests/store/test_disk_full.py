"""A full disk, met at any write: DiskFull, the old state untouched, and nothing half written left."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import DiskFull
from heimdex_core.files import atomic_write, is_disk_full
from heimdex_core.store import Store, sidecar, visible
from tests.store.making import SPACES, TEXT, add, make_scenes, new_store, stage


class FullAt:
    """Lets `count` syncs and renames pass and fails from then on, as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.left = count
        self.failed = False
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name), cleaning=name == "replace"))

    def _wrap(self, real: Callable[..., Any], cleaning: bool) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if cleaning and ".tmp-gone-" in str(args[-1]):
                return real(*args)  # moving away to delete needs no room
            if self.left == 0:
                self.failed = True
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left -= 1
            return real(*args)

        return call


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if "index/" not in str(p)}


def test_commit_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "one", ("stale words",))
    before = files(store.paths.root)
    refused = 0
    for count in range(200):
        staged = stage(store, video, ("fresh words",))
        with monkeypatch.context() as patched:
            full = FullAt(patched, count)
            try:
                store.commit_generation(video.video_id, staged, n=2, spaces=SPACES)
            except DiskFull:
                refused += 1
        if not full.failed:
            break
        again = Store.open(store.paths.root)
        reader = again.reader()
        seen = [scene.transcript for scene in reader.scenes("local")]
        assert seen in (["stale words"], ["fresh words"])
        found = reader.lexical_search(seen[0].split()[0], k=5, user_id="local").hits
        assert len(found) == 1
        assert len(reader.vector_search(TEXT, [1] + [0] * 7, k=5, user_id="local")) == 1
        if seen == ["stale words"]:
            assert files(store.paths.root) == before, count
        assert [p for p in store.paths.root.rglob(".tmp-*") if p.name.startswith(".tmp-")] == [], count
    assert refused > 20
    assert store.check_indexes() == []
    assert [s.transcript for s in Store.open(store.paths.root).reader().scenes("local")] == ["fresh words"]


def test_sidecars_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullAt(monkeypatch, 0)
    with pytest.raises(DiskFull):
        sidecar.write_scenes(tmp_path, make_scenes("v", ["words"]))
    with pytest.raises(DiskFull):
        sidecar.write_vectors(tmp_path, TEXT, ["a"], [[1] * 8])
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write() -> None:
        with atomic_write(path) as file:
            file.write(b"new")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull, match="file"):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (RuntimeError("write failed: No space left on device (28)"), True),
        (OSError(errno.EACCES, "x"), False),
        (ValueError("space"), False),
    ],
)
def test_what_means_a_full_disk(error: Exception, full: bool) -> None:
    assert is_disk_full(error) is full


def test_log_and_register_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path / "library")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(DiskFull):
            store.log_search({"user_id": "local", "text": "x"})
    revision = visible.read_revision(store.paths.visible)
    with monkeypatch.context() as patched:
        FullAt(patched, 0)
        with pytest.raises(DiskFull):
            store.register_video("local", "0" * 64, "A", "a.mp4")
    assert Store.open(store.paths.root).videos("local") == []
    assert visible.read_revision(store.paths.visible) == revision
