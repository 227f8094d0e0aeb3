"""Downloading models from a hub into a folder: a plan, then the download, which resumes where it was interrupted.

A repository "org/name" goes to <folder>/org--name. During the download the folder contains `.incomplete` and does not
count as a model; at the end `.files.json` (sizes and checksums) and then `.revision` are written.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import portalocker

from heimdex_core.errors import (
    Cancelled,
    DiskFull,
    DownloadRunning,
    DownloadUnexpected,
    InvalidValue,
    ModelsDiskFull,
    ModelUnsuited,
    UnknownName,
    WeightsMissing,
)
from heimdex_core.files import atomic_write, disk_errors, free_bytes, write_json
from heimdex_core.models import families, locate, profiles
from heimdex_core.models.download.hub import Hub, Listing, RemoteFile, is_whole
from heimdex_core.models.download.plan import (
    FILES_FILE,
    PullFile,
    PullItem,
    PullPlan,
    PullProgress,
    Recorded,
    is_short,
    recorded,
)
from heimdex_core.models.family import HubFiles, ModelFamily, matching, unknown_name
from heimdex_core.models.locate import Repository
from heimdex_core.settings import Settings

PARTS = ".parts"
REPORT_EVERY_S = 0.1
CHECK_DISK_EVERY = 64 << 20
"""Downloaded bytes between two checks of the free space."""

Report = Callable[[PullProgress], None]


class Puller:
    """Plans and runs downloads into `to`, a folder for another machine, or else into the models folder.

    `hub` is None for the one at HF_ENDPOINT or huggingface.co.
    """

    def __init__(self, settings: Settings, *, to: Path | None = None, hub: Hub | None = None) -> None:
        self.settings = settings
        self.folder = to.expanduser() if to else locate.models_folder(settings.models_dir)
        self.hub = hub or Hub()
        self._is_elsewhere = to is not None

    def plan(self, *names: str, again: bool = False) -> PullPlan:
        """What has to be downloaded for `names`: profiles, specs or plain names. Asks the hub for listings only.

        `again` compares every file with the hub's, instead of taking models on this machine as they are. Raises
        UnknownName, HubUnreachable, HubRefused, ModelUnsuited for a repository without a model for its family, and
        DownloadUnexpected where the hub has other files than those whose content is pinned.
        """
        items: dict[str, PullItem] = {}
        for name in names:
            for kind, spec in specs_of(name):
                for item in self._items(kind, spec, name, again):
                    items.setdefault(item.repo, item)
        return PullPlan(names, self.folder, free_bytes(self.folder), tuple(items.values()))

    def pull(
        self,
        plan: PullPlan,
        *,
        report: Report = lambda progress: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Path]:
        """Download what is missing, and return the folder of each repository.

        `report` is called about every REPORT_EVERY_S, `is_cancelled` with every block. Raises ModelsDiskFull, before
        anything is downloaded or when the disk fills up; Cancelled, HubUnreachable, HubRefused, DownloadDamaged,
        DownloadRunning; InvalidValue for a folder that cannot be written. What has arrived is kept.
        """
        needed = plan.bytes_missing + self.settings.min_free_bytes
        if plan.bytes_missing and free_bytes(self.folder) < needed:
            raise self._disk_full(plan, needed)
        work = _Work(plan, report, is_cancelled, lambda: self._check_disk(plan))
        with self._disk_errors(plan):
            return [item.folder if item.is_here else self._pull_item(item, work) for item in plan.items]

    # --- planning -----------------------------------------------------------------------------------

    def _items(self, kind: str, spec: str, name: str, again: bool) -> Iterator[PullItem]:
        needed = families.repositories(kind, spec) if kind else (Repository(spec),)
        if not needed:
            return
        found = None if again else self._found(kind, spec)
        if found is not None:
            yield _complete_item(kind, spec, needed[0], found)
            return
        main_files: set[str] = set()
        for repository in needed:
            if repository.unless in main_files:
                continue
            item, files = self._from_hub(kind, spec, repository, repository is needed[0], name, again)
            main_files = main_files or files
            yield item

    def _found(self, kind: str, spec: str) -> locate.Weights | None:
        """The model on this machine; only inside the folder that is filled, where that is for another machine."""
        if not kind:
            kind, spec = families.on_this_machine(spec, self.folder)
        try:
            found = families.find(kind, spec, self.folder)
        except WeightsMissing:
            return None
        is_inside = found is not None and found.folder.resolve().is_relative_to(self.folder.resolve())
        is_needed = self._is_elsewhere and not is_inside
        return None if found is None or is_needed or is_short(found.folder) else found

    def _from_hub(
        self, kind: str, spec: str, repository: Repository, is_main: bool, name: str, again: bool
    ) -> tuple[PullItem, set[str]]:
        folder = locate.folder_for(repository.repo, self.folder)
        note = recorded(folder)
        # a repaired model keeps its revision, so that vectors made with it still fit
        revision = repository.revision or (note.revision if note and again else None)
        listing = _pinned(repository) or self.hub.listing(repository.repo, revision, name=name)
        family, hub = _family_for(kind, spec, listing)
        chosen = _select(listing, hub, repository, is_main)
        files = tuple(_file(_checked(one, repository), folder, again) for one in listing.files if one.path in chosen)
        known = sum(one.size_bytes for one in files)
        if not kind:
            place = f"{hub.folder_prefix}{os.path.abspath(folder)}" if hub.folder_prefix else repository.repo
            spec = f"{family.name}:{place}"
        return PullItem(
            repo=repository.repo,
            kind=family.kind,
            spec=spec,
            revision=listing.revision,
            licence=listing.licence or repository.licence,
            folder=folder,
            is_here=False,
            files=files,
            bytes_total=known if all(one.remote.size_bytes is not None for one in files) else repository.size_bytes,
            endpoint=repository.endpoint,
        ), {one.path for one in listing.files}

    # --- downloading --------------------------------------------------------------------------------

    def _pull_item(self, item: PullItem, work: _Work) -> Path:
        folder = item.folder
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder, item.repo):
            _write_line(folder / locate.INCOMPLETE_FILE, item.revision)
            (folder / locate.REVISION_FILE).unlink(missing_ok=True)
            checked = {one.remote.path: self._pull_file(item, one, work) for one in item.files}
            shutil.rmtree(folder / PARTS, ignore_errors=True)
            note = Recorded(item.repo, item.spec, item.revision, item.licence, checked)
            write_json(folder / FILES_FILE, note, indent=1)
            _write_line(folder / locate.REVISION_FILE, item.revision)
            (folder / locate.INCOMPLETE_FILE).unlink()
        return folder

    def _pull_file(self, item: PullItem, file: PullFile, work: _Work) -> dict[str, Any]:
        """Download the file unless it is complete; returns its {size_bytes, sha256}."""
        remote, target = file.remote, item.folder / file.remote.path
        part = _part(item.folder, remote)
        work.begin(item.repo, remote.path)
        digest = is_whole(target, remote)
        if digest is None:
            work.count(_size(part) - file.bytes_here)  # the part may have changed since the plan was made
            hub = Hub(item.endpoint, is_other=True) if item.endpoint else self.hub
            digest = hub.fetch(item.repo, item.revision, remote, part, name=item.spec, on_bytes=work.count)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        else:
            work.count(file.size_bytes - file.bytes_here)
        return {"size_bytes": target.stat().st_size, "sha256": digest}

    def _check_disk(self, plan: PullPlan) -> None:
        if free_bytes(self.folder) < self.settings.min_free_bytes:
            raise self._disk_full(plan, self.settings.min_free_bytes)

    @contextmanager
    def _disk_errors(self, plan: PullPlan) -> Iterator[None]:
        try:
            with disk_errors("models", self.folder):
                yield
        except ModelsDiskFull:
            raise
        except DiskFull as error:
            raise self._disk_full(plan, plan.bytes_missing) from error
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
                raise InvalidValue(
                    name="models folder", value=str(self.folder), reason=error.strerror or str(error)
                ) from error
            raise

    def _disk_full(self, plan: PullPlan, needed: int) -> ModelsDiskFull:
        free = free_bytes(self.folder)
        return ModelsDiskFull(what=", ".join(plan.names), needed_bytes=needed, free_bytes=free, folder=str(self.folder))


class _Work:
    """Counts the bytes of all files, reports them at intervals, and stops when it is cancelled."""

    def __init__(
        self, plan: PullPlan, report: Report, is_cancelled: Callable[[], bool], check_disk: Callable[[], None]
    ) -> None:
        self._report, self._is_cancelled, self._check_disk = report, is_cancelled, check_disk
        self._total = plan.bytes_total
        self._done = self._total - plan.bytes_missing
        self._unchecked = 0
        self._reported = 0.0
        self._at = ("", "")

    def begin(self, repo: str, file: str) -> None:
        self._at = (repo, file)
        self._reported = 0.0
        self.count(0)

    def count(self, size: int) -> None:
        self._done += size
        self._unchecked += max(0, size)
        if self._is_cancelled():
            raise Cancelled
        if self._unchecked >= CHECK_DISK_EVERY:
            self._unchecked = 0
            self._check_disk()
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY_S or self._done >= self._total:
            self._reported = now
            self._report(PullProgress(*self._at, self._done, max(self._total, self._done)))


FACES = (("face", "yunet:faces"), ("face_encoder", "sface:faces"))
"""What "faces" stands for: the detector and the recogniser."""


def specs_of(name: str) -> list[tuple[str, str]]:
    """The (kind, spec) of a profile's models, of both models of faces, or of a single model.

    Raises UnknownName, with similar names.
    """
    if name in profiles.PROFILES:
        return list(profiles.profile_choice(name).specs)
    if name == "faces":
        return list(FACES)
    try:
        return [families.by_name(name)]
    except UnknownName as error:
        raise unknown_name("model or profile", name, [*profiles.PROFILES, *families.known_names()]) from error


def _family_for(kind: str, spec: str, listing: Listing) -> tuple[ModelFamily, HubFiles]:
    family = families.family_of(kind, spec) if kind else None
    if family is None or family.hub is None:
        return families.recognised([file.path for file in listing.files])
    return family, family.hub


def _select(listing: Listing, hub: HubFiles, repository: Repository, is_main: bool) -> set[str]:
    """The files to download. Raises ModelUnsuited where the main repository has no model of this family."""
    names = [file.path for file in listing.files]
    found = matching(names, repository.files) if repository.files else hub.select(names, repository.file)
    for alternatives in hub.needs(repository.file) if is_main else ():
        if not found & set(alternatives):
            raise ModelUnsuited(repo=listing.repo, reason=f"it has no {' or '.join(alternatives[:3])}")
    return found


def _pinned(repository: Repository) -> Listing | None:
    """The listing of a repository on a host that is not asked for one; None for one on the hub."""
    if not repository.endpoint:
        return None
    # the approximate size is exact where there is one file
    size = repository.size_bytes if len(repository.files) == 1 else None
    files = tuple(RemoteFile(path, size, repository.sha256[path]) for path in repository.files)
    return Listing(repository.repo, repository.revision or "", repository.licence, files)


def _checked(remote: RemoteFile, repository: Repository) -> RemoteFile:
    """A file with the checksum that is pinned for it. Raises DownloadUnexpected where the hub lists another one."""
    expected = repository.sha256.get(remote.path)
    if expected is None:
        return remote
    if remote.sha256 not in (None, expected):
        reason = f"its sha256 is {remote.sha256[:12]}... instead of {expected[:12]}..."
        raise DownloadUnexpected(file=remote.path, repo=repository.repo, reason=reason)
    return replace(remote, sha256=expected)


def _complete_item(kind: str, spec: str, repository: Repository, found: locate.Weights) -> PullItem:
    note = recorded(found.folder)
    licence = note.licence if note else repository.licence
    size = locate.folder_bytes(found.folder)
    return PullItem(repository.repo, kind, spec, found.revision, licence, found.folder, True, (), size)


def _file(remote: RemoteFile, folder: Path, again: bool) -> PullFile:
    target, part = folder / remote.path, _part(folder, remote)
    size = remote.size_bytes if remote.size_bytes is not None else _size(target)
    # its content is compared before the download
    is_here = is_whole(target, remote) is not None if again else target.is_file() and _size(target) == size
    return PullFile(remote, size, size if is_here else min(size, _size(part)))


def _part(folder: Path, remote: RemoteFile) -> Path:
    """Where a file is downloaded to, before it gets its name."""
    return folder / PARTS / f"{remote.identity[:40]}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _write_line(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(f"{text}\n".encode())


@contextmanager
def _exclusive(folder: Path, repo: str) -> Iterator[None]:
    """Only one download into a folder at a time. Raises DownloadRunning."""
    lock = folder / ".lock"
    with lock.open("a") as file:
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException as error:
            raise DownloadRunning(name=repo, folder=str(folder)) from error
        yield
