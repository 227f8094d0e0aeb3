"""The permissions of a library: for its owner only, whatever the umask and whichever program writes."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.files import append_json_line
from heimdex_core.settings import Settings
from heimdex_core.store import Store, permissions
from tests.store import making

OTHERS = Settings(group_readable=False)
GROUP = Settings(group_readable=True)


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def everything(root: Path) -> dict[str, int]:
    """The mode of the library's folder (".") and of all files and folders in it that are no links."""
    found = [root, *root.rglob("*")]
    return {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.lstat().st_mode) for path in found if not path.is_symlink()
    }


def wrong(root: Path, *, group: bool = False) -> dict[str, str]:
    """What does not have exactly the permissions that it should have."""
    rest = {path: mode & 0o077 for path, mode in everything(root).items()}
    allowed = {0o050, 0o040} if group else {0}
    return {path: oct(mode) for path, mode in rest.items() if mode not in allowed}


def fill(store: Store) -> None:
    """Write what the parts of the library write, by DuckDB, Arrow, FAISS, tantivy and with plain files."""
    video = making.add(store, "one", ("the sea", "a hill"))
    making.commit(store, video, ("the sea", "a hill", "a road"))
    store.reader().view()
    store.set_preference("local", "language", "ko")
    append_json_line(store.paths.searches, {"text": "sea"})
    (store.paths.uploads / "x.part").write_bytes(b"x")
    export = store.paths.exports / "local" / "x.mp4"
    export.parent.mkdir()
    export.write_bytes(b"x")
    (store.paths.root / "jobs.sqlite-wal").touch()


@pytest.mark.parametrize("mask", [0o000, 0o022], ids=oct)
def test_everything_is_the_owners_alone_under_any_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        store = Store.create(
            tmp_path / "library", profile="offline", models={"name": "offline"}, spaces=making.SPACES, settings=OTHERS
        )
        fill(store)
    assert len(everything(store.paths.root)) > 30
    assert wrong(store.paths.root) == {}


def test_the_group_may_read_on_request(tmp_path: Path) -> None:
    root = tmp_path / "library"
    with umask(0o077):
        store = Store.create(root, profile="offline", models={"name": "offline"}, spaces=making.SPACES, settings=GROUP)
        fill(store)
        (root / ".secret").touch(0o600)
        Store.open(root, GROUP)
    modes = everything(root)
    assert modes.pop(".secret") == 0o600
    assert wrong(root, group=True) == {".secret": "0o0"}
    assert (modes["."], modes["videos"], modes["catalog.duckdb"]) == (0o750, 0o750, 0o640)
    Store.open(root, OTHERS)
    assert wrong(root) == {}


def make_open(root: Path) -> None:
    """As a version made it that left the permissions to the umask."""
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        if path.is_dir():
            os.removexattr(path, permissions.DEFAULT_ACL)


def make_files(store: Store) -> None:
    """A few files and folders of the library."""
    for place in ("videos/a/gen/1/frames/0.webp", "index/text/m/manifest.json", "logs/searches.jsonl", "work/a/x.npy"):
        path = store.paths.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_an_existing_library_is_restricted_once_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = making.new_store(tmp_path / "library")
    make_files(store)
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (store.paths.videos / "link").symlink_to(outside)
    make_open(store.paths.root)
    assert len(wrong(store.paths.root)) > 15
    Store.open(store.paths.root, OTHERS)
    assert wrong(store.paths.root) == {}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    (store.paths.videos / "later").mkdir(0o777)
    assert wrong(store.paths.root) == {}
    monkeypatch.setattr(permissions, "_below", lambda tops: pytest.fail("all files are looked at again"))
    Store.open(store.paths.root, OTHERS)


def test_an_interrupted_restriction_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = making.new_store(tmp_path / "library")
    make_files(store)
    make_open(store.paths.root)

    def interrupted(tops: list[Path]) -> Iterator[Path]:
        yield tops[0]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(permissions, "_below", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Store.open(store.paths.root, OTHERS)
    assert wrong(store.paths.root) != {}
    Store.open(store.paths.root, OTHERS)
    assert wrong(store.paths.root) == {}


def test_a_folder_with_other_files_keeps_its_permissions(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o755)
    (root / "holiday.mp4").write_text("x")
    (root / "holiday.mp4").chmod(0o644)
    make_files(making.new_store(root))
    Store.open(root, OTHERS)
    assert wrong(root) == {".": "0o55", "holiday.mp4": "0o44"}


@pytest.mark.parametrize("how", ["refused", "ignored"])
def test_a_file_system_without_permissions_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    store = making.new_store(tmp_path / "library")
    make_files(store)
    make_open(store.paths.root)

    def chmod(path: Path, mode: int) -> None:
        if how == "refused":
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", chmod)
    monkeypatch.setattr(permissions, "_below", lambda tops: pytest.fail("every file is tried"))
    with caplog.at_level(logging.WARNING, logger="heimdex_core"):
        for _ in range(3):
            Store.open(store.paths.root, OTHERS).videos("local")
    (record,) = caplog.records
    assert "other users of this machine may be able to read the library" in record.getMessage()


def test_without_acls_the_folder_keeps_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "getxattr", unsupported)
    monkeypatch.setattr(os, "setxattr", unsupported)
    store = making.new_store(tmp_path / "library")
    make_files(store)
    assert stat.S_IMODE(store.paths.root.stat().st_mode) == 0o700
    Store.open(store.paths.root, OTHERS)
    top = {path: mode for path, mode in everything(store.paths.root).items() if "/" not in path}
    assert {path: oct(mode) for path, mode in top.items() if mode & 0o077} == {}
