"""Who may read the files of a library: their owner only, or the folder's group too with HEIMDEX_GROUP_READABLE.

The folder keeps all others out, whatever the permissions of what is in it. Where the file system has POSIX ACLs, each
folder also has a default ACL: what any program creates there gets the same permissions, under any umask, and has them
still where the library is copied to. What was there before is changed when the library is opened.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import struct
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from heimdex_core.files import TEMPORARY_PREFIX
from heimdex_core.store.layout import LibraryPaths

log = logging.getLogger(__name__)

DEFAULT_ACL = "system.posix_acl_default"
_FILES = ("library.json", "visible.parquet", "catalog.*", "jobs.*", "*.lock", ".secret*", ".health-*")
"""Names of files in the library's folder itself; the folders are those of LibraryPaths."""
_reported: set[Path] = set()
"""The libraries of which it has been said that their permissions cannot be set."""


def restrict(paths: LibraryPaths, *, group_readable: bool) -> None:
    """Give a library's folder and what is in it the permissions that they should have.

    Once that has been done, it takes some 50 calls of the system. A folder that has other files too is left as it is,
    and so are these. Where permissions cannot be set that is logged once; it is no error.

    Args:
        paths: the library; its folder exists.
        group_readable: whether the group may read; a group that may write still may.
    """
    problems: list[OSError] = []
    own, is_shared = _entries(paths)
    tops = own if is_shared else [paths.root, *own]
    has_changed = [_set_mode(path, group_readable, problems) for path in tops]
    folders = [path for path in tops if path.is_dir() and not path.is_symlink()]
    without_acl = [folder for folder in folders if not _has_acl(folder)]
    if not problems and (any(has_changed) or (without_acl and _set_acl(without_acl[0]))):
        for path in _below([folder for folder in folders if folder != paths.root]):
            _set_mode(path, group_readable, problems)
            if path.is_dir() and not path.is_symlink():
                _set_acl(path)
        for folder in reversed(folders):  # the library's own last: then all is done
            _set_acl(folder)
    if problems and paths.root not in _reported:
        _reported.add(paths.root)
        log.warning("other users of this machine may be able to read the library %s: %s", paths.root, problems[0])


def let_group_read(folder: Path) -> None:
    """Let the group read the files in a folder that it may read; tantivy makes some of them for the owner alone."""
    if folder.stat().st_mode & stat.S_IRGRP:
        for path in folder.iterdir():
            _set_mode(path, True, [])


def _entries(paths: LibraryPaths) -> tuple[list[Path], bool]:
    """(what belongs to the library in its folder, whether there is anything else)."""
    names = {folder.name for folder in paths.folders} | {"backup"}
    own, is_shared = [], False
    with os.scandir(paths.root) as entries:
        for entry in entries:
            if entry.name in names or any(fnmatchcase(entry.name, p) for p in (*_FILES, f"{TEMPORARY_PREFIX}*")):
                own.append(Path(entry.path))
            elif entry.name != "lost+found":  # of the file system
                is_shared = True
    return own, is_shared


def _below(folders: list[Path]) -> Iterator[Path]:
    for top in folders:
        for folder, inner, names in os.walk(top):
            yield from (Path(folder, name) for name in (*inner, *names))


def _set_mode(path: Path, group_readable: bool, problems: list[OSError]) -> bool:
    """Whether a file's or folder's permissions had to be changed; a symbolic link is not followed."""
    try:
        before = path.lstat().st_mode
        if not (stat.S_ISREG(before) or stat.S_ISDIR(before)):
            return False
        is_secret = path.name.startswith(".secret")
        wanted = stat.S_IMODE(before) & (0o7770 if group_readable and not is_secret else 0o7700)
        if group_readable and not is_secret:
            wanted |= 0o050 if stat.S_ISDIR(before) else 0o040
        if wanted == stat.S_IMODE(before):
            return False
        path.chmod(wanted)
        if stat.S_IMODE(path.lstat().st_mode) & 0o007:
            raise OSError(errno.ENOTSUP, "its file system does not keep permissions")
    except FileNotFoundError:  # a temporary file
        return False
    except OSError as error:
        problems.append(error)
        return False
    return True


# --- default ACLs ---------------------------------------------------------------------------------


def _has_acl(folder: Path) -> bool:
    """Whether a folder has the default ACL that it should have; True too where there are no ACLs."""
    try:
        return os.getxattr(folder, DEFAULT_ACL) == _acl(folder)
    except AttributeError:  # not on Linux
        return True
    except OSError as error:
        return error.errno != errno.ENODATA


def _set_acl(folder: Path) -> bool:
    """Give a folder the default ACL that is equal to its own permissions; whether that was possible."""
    try:
        os.setxattr(folder, DEFAULT_ACL, _acl(folder))
    except (AttributeError, OSError):
        return False
    return True


def _acl(folder: Path) -> bytes:
    """The permissions of a folder in the format of Linux (posix_acl_xattr.h): owner, group and others."""
    mode = folder.stat().st_mode
    entries = ((0x01, mode >> 6 & 7), (0x04, mode >> 3 & 7), (0x20, mode & 7))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, 0xFFFFFFFF) for tag, bits in entries)
