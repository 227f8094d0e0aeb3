"""A hub of models: what a repository holds, and one file of it, from where a download stopped.

huggingface_hub finds repositories, builds addresses and headers and tells errors apart. Its own download is not
used: at 2.4 it throws a half file away when it is interrupted, and it compares sizes but no checksums.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from heimdex_core.errors import DownloadDamaged, HubRefused, HubUnreachable
from heimdex_core.models import catalogue
from heimdex_core.models import locate as where

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 15.0
RETRIES = 5
"""Tries without a single byte before it is given up."""
RETRY_WAIT_S = 1.0
_BLOCK = 1 << 20
_WORTH_ANOTHER_TRY = (408, 429, 500, 502, 503, 504)

OnBytes = Callable[[int], None]
"""Called with bytes that arrived; below 0 for bytes that must come again, 0 while waiting. May raise to stop."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. Large ones have a sha256, small ones the id that git gives their content."""

    path: str
    size_bytes: int | None
    sha256: str | None = None
    git_id: str | None = None

    @property
    def identity(self) -> str:
        """A name for the content, so that half of one version is never continued with another."""
        known = self.sha256 or self.git_id
        return known or hashlib.sha256(f"{self.path}:{self.size_bytes}".encode()).hexdigest()


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    repo: str
    revision: str
    licence: str | None
    files: tuple[RemoteFile, ...]


class Hub:
    """The hub at `endpoint`, else at HF_ENDPOINT, else huggingface.co. `name` is what the person asked for."""

    def __init__(self, endpoint: str | None = None, *, retry_wait_s: float = RETRY_WAIT_S) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self._retry_wait_s = retry_wait_s

    def listing(self, repo: str, revision: str | None, *, name: str) -> Listing:
        """What `repo` holds. Raises HubUnreachable, HubRefused, and UnknownName with the nearest names."""
        from huggingface_hub import HfApi

        with self._in_words(repo, name, is_listing=True):
            try:
                info = HfApi(endpoint=self.endpoint).model_info(
                    repo, revision=revision, timeout=TIMEOUT_S, files_metadata=True
                )
            except (KeyError, TypeError) as error:
                raise ValueError(f"no model in it: {error!r}") from error
        licence = info.card_data.to_dict().get("license") if info.card_data else None
        files = tuple(
            RemoteFile(one.rfilename, one.size, one.lfs.sha256 if one.lfs else None, None if one.lfs else one.blob_id)
            for one in info.siblings or ()
            if _is_inside(one.rfilename)
        )
        return Listing(repo, str(info.sha or revision or ""), str(licence) if licence else None, files)

    def fetch(self, listing: Listing, file: RemoteFile, part: Path, *, name: str, on_bytes: OnBytes) -> str:
        """Bring the file to `part`, whole and checked, and return its sha256.

        What lies there already is kept and continued, also after an error. Raises HubUnreachable, HubRefused, and
        DownloadDamaged, after which `part` is gone.
        """
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(listing.repo, file.path, revision=listing.revision, endpoint=self.endpoint)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as target:
            digests = _Digests(file, part)
            with self._in_words(listing.repo, name):
                self._stream(url, target, digests, file, on_bytes)
            target.flush()
            os.fsync(target.fileno())
        wrong = digests.what_is_wrong()
        if wrong:
            part.unlink()
            raise DownloadDamaged(name=name, file=file.path, reason=wrong)
        return digests.sha256.hexdigest()

    def _stream(self, url: str, target: IO[bytes], digests: _Digests, file: RemoteFile, on_bytes: OnBytes) -> None:
        """Ask again and again from where it stopped, until the file is whole or nothing comes any more."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError

        left = RETRIES
        while digests.size != file.size_bytes:
            before = digests.size
            try:
                self._ask(url, target, digests, on_bytes)
            except (httpx2.TransportError, HfHubHTTPError) as error:
                left = RETRIES if digests.size > before else left - 1
                if left <= 0 or not _may_pass(error):
                    raise
                self._wait(on_bytes)
            else:
                if file.size_bytes is None or digests.size >= file.size_bytes:
                    return
                left -= 1
                if left <= 0:
                    return  # the size will be found wrong

    def _ask(self, url: str, target: IO[bytes], digests: _Digests, on_bytes: OnBytes) -> None:
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        # as it is on the disk: compressed on the way its bytes could not be counted
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if digests.size:
            headers["Range"] = f"bytes={digests.size}-"
        with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT_S) as response:
            if response.status_code == 416 or (response.status_code < 300 and not _continues(response, digests.size)):
                on_bytes(-digests.size)
                target.truncate(0)
                digests.restart()
            if response.status_code == 416:
                return
            hf_raise_for_status(response)
            for piece in response.iter_bytes():
                target.write(piece)
                digests.update(piece)
                on_bytes(len(piece))

    def _wait(self, on_bytes: OnBytes) -> None:
        until = time.monotonic() + self._retry_wait_s
        while time.monotonic() < until:
            on_bytes(0)  # a person who cancels does not wait
            time.sleep(min(0.1, self._retry_wait_s))

    @contextmanager
    def _in_words(self, repo: str, name: str, *, is_listing: bool = False) -> Iterator[None]:
        import httpx2
        from huggingface_hub import errors

        try:
            yield
        except errors.GatedRepoError as error:
            raise HubRefused(endpoint=self.endpoint, repo=repo, reason="its terms must be accepted first") from error
        except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
            raise where.unknown("model on the hub", name, _names()) from error
        except errors.RevisionNotFoundError as error:
            raise HubRefused(endpoint=self.endpoint, repo=repo, reason="it has not the revision wanted") from error
        except errors.HfHubHTTPError as error:
            if is_listing and error.response.status_code in (401, 404):
                # who is not logged in is not told whether it exists, and mirrors say so in their own way
                raise where.unknown("model on the hub", name, _names()) from error
            reason = f"it answered {error.response.status_code}"
            if _may_pass(error):
                raise HubUnreachable(endpoint=self.endpoint, name=name, reason=reason) from error
            raise HubRefused(endpoint=self.endpoint, repo=repo, reason=reason) from error
        except (httpx2.TransportError, errors.OfflineModeIsEnabled) as error:
            reason = str(error).split("\n", 1)[0] or type(error).__name__
            raise HubUnreachable(endpoint=self.endpoint, name=name, reason=reason) from error
        except (httpx2.InvalidURL, httpx2.DecodingError, ValueError) as error:
            reason = f"it does not answer as a hub does ({str(error)[:80]})"
            raise HubUnreachable(endpoint=self.endpoint, name=name, reason=reason) from error


class _Digests:
    """Checksums of what has arrived so far, counted along."""

    def __init__(self, file: RemoteFile, part: Path, on_bytes: OnBytes | None = None) -> None:
        self._file = file
        self.restart()
        with part.open("rb") as there:
            while piece := there.read(_BLOCK):
                self.update(piece)
                if on_bytes:
                    on_bytes(len(piece))

    def restart(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        # git's id of a file is the SHA-1 of its size and content: a name, not a protection
        self._git = hashlib.sha1(f"blob {self._file.size_bytes}\0".encode(), usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        self.size += len(piece)
        self.sha256.update(piece)
        if self._file.git_id:
            self._git.update(piece)

    def what_is_wrong(self) -> str | None:
        """In words; None where all that is known of the file holds."""
        file = self._file
        if file.size_bytes is not None and self.size != file.size_bytes:
            return f"it has {self.size} bytes, {file.size_bytes} are expected"
        if file.sha256 and self.sha256.hexdigest() != file.sha256:
            return f"its sha256 is {self.sha256.hexdigest()[:12]}..., {file.sha256[:12]}... is expected"
        if file.git_id and self._git.hexdigest() != file.git_id:
            return "its content is another one than the repository lists"
        return None


def is_whole(path: Path, file: RemoteFile, on_bytes: OnBytes | None = None) -> str | None:
    """The sha256 of a file on the disk that is the one of the repository; None where it is another or not there."""
    if not path.is_file() or file.size_bytes not in (None, path.stat().st_size):
        return None
    digests = _Digests(file, path, on_bytes)
    return None if digests.what_is_wrong() else digests.sha256.hexdigest()


def _is_inside(path: str) -> bool:
    """False for a name that would lead out of the folder that it is put into."""
    return not any(part in ("", ".", "..") for part in path.split("/")) and "\\" not in path and ":" not in path


def _continues(response: httpx2.Response, size: int) -> bool:
    """True where the answer begins at byte `size`; a hub may ignore that it was asked for a part."""
    if size == 0:
        return True
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {size}-")


def _may_pass(error: Any) -> bool:
    """True for what a second try can mend."""
    response = getattr(error, "response", None)
    return response is None or response.status_code in _WORTH_ANOTHER_TRY


def _names() -> list[str]:
    return [*catalogue.known_names(), *where.PINNED]
