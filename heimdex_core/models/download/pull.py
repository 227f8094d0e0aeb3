"""Bringing models from a hub into a folder: what it takes, then the download, which goes on where it stopped.

A repository "org/name" comes into <folder>/org--name. While it is under way the folder holds `.incomplete`, and
nobody takes it for a model; at the end `.files.json` (sizes and checksums) and then `.revision` are written.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import portalocker

from heimdex_core.errors import Cancelled, DownloadRunning, InvalidValue, ModelsDiskFull, UnknownName, WeightsMissing
from heimdex_core.files import atomic_write, free_bytes, is_disk_full, write_json
from heimdex_core.models import catalogue, profiles
from heimdex_core.models import locate as where
from heimdex_core.models.catalogue import Wanted
from heimdex_core.models.download.file_selection import pick
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
from heimdex_core.models.weights import folder_bytes
from heimdex_core.settings import Settings

PARTS = ".parts"
REPORT_EVERY_S = 0.1
LOOK_AT_DISK_EVERY = 64 << 20


Report = Callable[[PullProgress], None]


class Puller:
    """Plans and does downloads into `to`, else HEIMDEX_MODELS_DIR, else this person's folder."""

    def __init__(self, settings: Settings, *, to: Path | None = None, hub: Hub | None = None) -> None:
        self.settings = settings
        self.folder = to.expanduser() if to else where.models_folder(settings.models_dir)
        self.hub = hub or Hub()
        self._is_elsewhere = to is not None

    def plan(self, *names: str, again: bool = False) -> PullPlan:
        """What it takes to have the models `names`: profiles, specs or plain names. Asks the hub, fetches no weights.

        What is on this machine is not fetched again, unless it is `again`: then every file is compared with the
        hub's. Raises UnknownName, HubUnreachable, HubRefused, ModelUnsuited.
        """
        items: dict[str, PullItem] = {}
        for name in names:
            for kind, spec in specs_of(name):
                for item in self._items(kind, spec, name, again):
                    items.setdefault(item.repo, item)
        return PullPlan(names, self.folder, free_bytes(self.folder), tuple(items.values()))

    def pull(
        self, plan: PullPlan, *, report: Report | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> list[Path]:
        """Fetch what the plan lacks, and return the folder of each repository.

        Raises ModelsDiskFull before anything is fetched or when others fill the disk meanwhile, Cancelled,
        HubUnreachable, DownloadDamaged, DownloadRunning. What has arrived is kept.
        """
        needed = plan.bytes_missing + self.settings.min_free_bytes
        if plan.bytes_missing and free_bytes(self.folder) < needed:
            raise self._disk_full(plan, needed)
        work = _Work(plan, report or (lambda progress: None), is_cancelled or (lambda: False), self._watch_disk(plan))
        with self._disk_errors(plan):
            return [item.folder if item.is_here else self._pull_item(item, work) for item in plan.items]

    # --- planning -----------------------------------------------------------------------------------

    def _items(self, kind: str, spec: str, name: str, again: bool) -> Iterator[PullItem]:
        wanted = catalogue.wanted(kind, spec) if kind else (Wanted(spec, kind, spec),)
        if not wanted:
            return
        here = None if again else self._here(kind, spec)
        if here is not None:
            yield _here_item(wanted[0], here)
            return
        main_files: set[str] = set()
        for one in wanted:
            if one.unless in main_files:
                continue
            item, files = self._from_hub(one, name, again)
            main_files = main_files or files
            yield item

    def _here(self, kind: str, spec: str) -> where.Weights | None:
        """Where the model lies; only under the folder that is filled, where that is to be taken elsewhere."""
        if not kind:
            guesses = (self._here("text", f"sentence:{spec}"), self._here("speech", f"whisper:{spec}"))
            return next((found for found in guesses if found), None)
        try:
            found = catalogue.find(kind, spec, self.folder)
        except WeightsMissing:
            return None
        is_inside = found is not None and found.folder.resolve().is_relative_to(self.folder.resolve())
        is_needed = self._is_elsewhere and not is_inside
        return None if found is None or is_needed or is_short(found.folder) else found

    def _from_hub(self, wanted: Wanted, name: str, again: bool) -> tuple[PullItem, set[str]]:
        folder = where.folder_for(wanted.repo, self.folder)
        note = recorded(folder)
        # what is mended keeps its revision, so that vectors made with it still fit
        revision = wanted.revision or (note.revision if note and again else None)
        listing = self.hub.listing(wanted.repo, revision, name=name)
        kind, files = pick(listing, wanted)
        trusted = _checked_before(folder, listing.revision) and not again
        found = tuple(_file(one, folder, trusted) for one in files)
        known = sum(one.size_bytes for one in found)
        spec = wanted.spec
        if not wanted.kind:
            spec = f"{catalogue.FAMILY_OF[kind]}:{wanted.repo if kind != 'vision' else f'local-dir:{folder}'}"
        return PullItem(
            repo=wanted.repo,
            kind=kind,
            spec=spec,
            revision=listing.revision,
            licence=listing.licence or wanted.licence,
            folder=folder,
            is_here=False,
            files=found,
            bytes_total=known if all(one.remote.size_bytes is not None for one in found) else wanted.size_bytes,
        ), {one.path for one in listing.files}

    # --- fetching -----------------------------------------------------------------------------------

    def _pull_item(self, item: PullItem, work: _Work) -> Path:
        folder = item.folder
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder, item.repo):
            _note(folder / where.INCOMPLETE_FILE, item.revision)
            (folder / where.REVISION_FILE).unlink(missing_ok=True)
            checked = {one.remote.path: self._pull_file(item, one, work) for one in item.files}
            shutil.rmtree(folder / PARTS, ignore_errors=True)
            note = Recorded(item.repo, item.spec, item.revision, item.licence, checked)
            write_json(folder / FILES_FILE, note, indent=1)
            _note(folder / where.REVISION_FILE, item.revision)
            (folder / where.INCOMPLETE_FILE).unlink()
        return folder

    def _pull_file(self, item: PullItem, file: PullFile, work: _Work) -> dict[str, Any]:
        """{size_bytes, sha256} of the file, which is whole and in its place."""
        remote, target = file.remote, item.folder / file.remote.path
        part = item.folder / PARTS / f"{remote.identity[:40]}.part"
        work.begin(item.repo, remote.path)
        digest = is_whole(target, remote)
        if digest is None:
            work.count(_size(part) - file.bytes_here)  # a part that came or went since the plan was made
            listing = Listing(item.repo, item.revision, item.licence, ())
            digest = self.hub.fetch(listing, remote, part, name=item.spec, on_bytes=work.count)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        else:
            work.count(file.size_bytes - file.bytes_here)
        return {"size_bytes": target.stat().st_size, "sha256": digest}

    def _watch_disk(self, plan: PullPlan) -> Callable[[], None]:
        def look() -> None:
            if free_bytes(self.folder) < self.settings.min_free_bytes:
                raise self._disk_full(plan, self.settings.min_free_bytes)

        return look

    @contextmanager
    def _disk_errors(self, plan: PullPlan) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if is_disk_full(error):
                raise self._disk_full(plan, plan.bytes_missing) from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
                raise InvalidValue(
                    name="models folder", value=str(self.folder), reason=error.strerror or str(error)
                ) from error
            raise

    def _disk_full(self, plan: PullPlan, needed: int) -> ModelsDiskFull:
        free = free_bytes(self.folder)
        return ModelsDiskFull(what=", ".join(plan.names), needed_bytes=needed, free_bytes=free, folder=str(self.folder))


class _Work:
    """Counts bytes over all files; reports now and then; stops when that is asked for."""

    def __init__(
        self, plan: PullPlan, report: Report, is_cancelled: Callable[[], bool], look_at_disk: Callable[[], None]
    ) -> None:
        self._report, self._is_cancelled, self._look_at_disk = report, is_cancelled, look_at_disk
        self._total = plan.bytes_total
        self._done = self._total - plan.bytes_missing
        self._unlooked = 0
        self._reported = 0.0
        self._at = ("", "")

    def begin(self, repo: str, file: str) -> None:
        self._at = (repo, file)
        self._reported = 0.0
        self.count(0)

    def count(self, size: int) -> None:
        self._done += size
        self._unlooked += max(0, size)
        if self._is_cancelled():
            raise Cancelled
        if self._unlooked >= LOOK_AT_DISK_EVERY:
            self._unlooked = 0
            self._look_at_disk()
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY_S or self._done >= self._total:
            self._reported = now
            self._report(PullProgress(*self._at, self._done, max(self._total, self._done)))


def specs_of(name: str) -> list[tuple[str, str]]:
    """(kind, spec) of a profile's models, or of the one model that is named. UnknownName, with the nearest names."""
    if name in profiles.PROFILES:
        return list(profiles.PROFILES[name].items())
    try:
        return [catalogue.by_name(name)]
    except UnknownName as error:
        raise where.unknown("model or profile", name, [*profiles.PROFILES, *catalogue.known_names()]) from error


def _here_item(wanted: Wanted, found: where.Weights) -> PullItem:
    note = recorded(found.folder)
    licence = note.licence if note else wanted.licence
    size = folder_bytes(found.folder)
    return PullItem(wanted.repo, wanted.kind, wanted.spec, found.revision, licence, found.folder, True, (), size)


def _file(remote: RemoteFile, folder: Path, trusted: bool) -> PullFile:
    target, part = folder / remote.path, folder / PARTS / f"{remote.identity[:40]}.part"
    size = remote.size_bytes if remote.size_bytes is not None else _size(target)
    is_here = target.is_file() and _size(target) == size if trusted else is_whole(target, remote) is not None
    return PullFile(remote, size, size if is_here else min(size, _size(part)))


def _checked_before(folder: Path, revision: str) -> bool:
    """True where files in place are of this revision and were checked when they arrived."""
    try:
        return (folder / where.INCOMPLETE_FILE).read_text(encoding="utf-8").strip() == revision
    except OSError:
        return False


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _note(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(f"{text}\n".encode())


@contextmanager
def _only_one(folder: Path, repo: str) -> Iterator[None]:
    """One download into a folder at a time. Raises DownloadRunning."""
    lock = folder / ".lock"
    with lock.open("a") as file:
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException as error:
            raise DownloadRunning(name=repo, folder=str(folder)) from error
        yield
