"""A full disk at any write of the store: DiskFull, the old state untouched, and nothing half written left."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import DiskFull
from heimdex_core.store import Store, sidecar, visible
from tests.store.making import SPACES, TEXT, add, axis, make_scenes, new_store, stage


class FullAt:
    """Lets `count` syncs and renames pass and fails from then on, as a full disk does; None lets all pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
        self.count = count
        self.paths: list[str] = []
        """What was synced or renamed, in order."""
        self.failed = False
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{args[0]}") if name == "fsync" else str(args[-1])
            if name == "replace" and ".tmp-gone-" in path:
                return real(*args)  # renaming to delete works on a full disk
            if self.count is not None and len(self.paths) >= self.count:
                self.failed = True
                raise OSError(errno.ENOSPC, "No space left on device")
            self.paths.append(f"{name} {path}")
            return real(*args)

        return call


def telling(writes: list[str]) -> list[int]:
    """The numbers of the writes, with one for all that is staged and without those of the second vector index."""
    staged = [number for number, write in enumerate(writes) if re.search(r"/\.tmp-[0-9a-f]{32}(/|$)", write)]
    second = [number for number, write in enumerate(writes) if "/index/vision/" in write]
    assert staged
    assert second
    return [number for number in range(len(writes)) if number not in {*staged[1:], *second}]


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if "index/" not in str(p)}


@pytest.mark.long
def test_commit_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path / "library")
    video_id = add(store, "one", ("stale words",)).video_id
    before = files(store.paths.root)
    staged = stage(store, store.video("local", video_id), ("fresh words",)).relative_to(store.paths.root)

    def commit_in_copy(name: str, count: int | None) -> tuple[FullAt, Store]:
        shutil.copytree(store.paths.root, tmp_path / name)
        copy = Store.open(tmp_path / name)
        with monkeypatch.context() as patched:
            full = FullAt(patched, count)
            with pytest.raises(DiskFull) if count is not None else nullcontext():
                copy.commit_generation(video_id, copy.paths.root / staged, n=2, spaces=SPACES.values())
        return full, copy

    writes = commit_in_copy("measured", None)[0].paths
    after = []
    for count in telling(writes):
        full, copy = commit_in_copy(str(count), count)
        assert (full.failed, len(full.paths)) == (True, count)
        assert seen(copy) in ("stale words", "fresh words"), writes[count]
        again = Store.open(copy.paths.root)
        after.append(seen(again))
        if after[-1] == "stale words":
            assert files(again.paths.root) == before, writes[count]
        assert list(again.paths.root.rglob(".tmp-*")) == [], writes[count]
        assert again.maintenance.check_indexes() == [], writes[count]
    # the old generation until the catalog names the new one, then the new one
    assert set(after) == {"stale words", "fresh words"}
    assert after == sorted(after, reverse=True)


def seen(store: Store) -> str:
    """The text of the only scene, which both indexes find."""
    view = store.reader().view()
    (text,) = [scene.transcript for scene in view.scenes("local")]
    assert len(view.lexical_search(text.split()[0], k=5, user_id="local").hits) == 1
    assert len(view.vector_search(TEXT, axis(0, 8), k=5, user_id="local")) == 1
    return text


def test_sidecars_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullAt(monkeypatch, 0)
    with pytest.raises(DiskFull):
        sidecar.write_scenes(tmp_path, make_scenes("v", ["words"]))
    with pytest.raises(DiskFull):
        sidecar.write_vectors(tmp_path, TEXT, ["a"], [[1] * 8])
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


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


def test_preferences_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog has the new value then; it is published when the library is opened with free space."""
    store = new_store(tmp_path / "library")
    store.set_preference("local", "language", "ko")
    with monkeypatch.context() as patched:
        FullAt(patched, 0)
        with pytest.raises(DiskFull):
            store.set_preference("local", "language", "en")
    assert store.preferences("local") == {"language": "ko"}
    assert [p.name for p in store.paths.preferences_root.iterdir()] == ["local.json"]
    assert Store.open(store.paths.root).preferences("local") == {"language": "en"}
