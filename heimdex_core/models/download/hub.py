"""A hub of models: the listing of a repository, and the download of one file, resumed where it was interrupted.

huggingface_hub finds repositories, builds URLs and headers and classifies errors. Its own download is not used: as of
2.4 it discards a partial file when it is interrupted, and it compares sizes but no checksums.
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
from urllib.parse import quote, urljoin, urlsplit

from heimdex_core.errors import DownloadDamaged, HubRefused, HubUnreachable
from heimdex_core.models import families
from heimdex_core.models.family import unknown_name

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 15.0
RETRIES = 5
"""Attempts without a single byte before the download fails."""
RETRY_WAIT_S = 1.0
MOST_REDIRECTS = 5
_BLOCK = 1 << 20
_TEMPORARY = (408, 429, 500, 502, 503, 504)

OnBytes = Callable[[int], None]
"""Called with the bytes that arrived: negative for bytes to be sent again, 0 while waiting. May raise to stop."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. Large files have a sha256, small ones the id that git gives their content."""

    path: str
    size_bytes: int | None
    sha256: str | None = None
    git_id: str | None = None

    @property
    def identity(self) -> str:
        """Identifies the content, so that a part of one version is never continued with another."""
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
    """The model hub at the URL `endpoint`, else at HF_ENDPOINT, else at huggingface.co.

    In all methods `name` is what the user asked for, for errors. With `is_other` it is another host with addresses of
    the same form, which does not get the hub's token.
    """

    def __init__(
        self, endpoint: str | None = None, *, retry_wait_s: float = RETRY_WAIT_S, is_other: bool = False
    ) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self._retry_wait_s = retry_wait_s
        self._token = False if is_other else None

    def listing(self, repo: str, revision: str | None, *, name: str) -> Listing:
        """The files of `repo` at a commit, or at the newest one. Raises HubUnreachable, HubRefused, UnknownName."""
        from huggingface_hub import ModelInfo

        with self._hub_errors(repo, name, is_listing=True):
            try:
                info = ModelInfo(**self._listed(repo, revision))
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"the answer describes no model: {error!r}") from error
        licence = info.card_data.to_dict().get("license") if info.card_data else None
        files = tuple(
            RemoteFile(one.rfilename, one.size, one.lfs.sha256 if one.lfs else None, None if one.lfs else one.blob_id)
            for one in info.siblings or ()
            if is_inside(one.rfilename)
        )
        return Listing(repo, str(info.sha or revision or ""), str(licence) if licence else None, files)

    def _listed(self, repo: str, revision: str | None) -> Any:
        """The hub's description of a repository. Only this hub is asked, because the checksums are those it gives.

        huggingface_hub's own call follows the hub to any other host.
        """
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = f"{self.endpoint}/api/models/{repo}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
        for _ in range(MOST_REDIRECTS):
            response = get_session().get(
                url, params={"blobs": True}, headers=build_hf_headers(), timeout=TIMEOUT_S, follow_redirects=False
            )
            if not response.has_redirect_location:
                hf_raise_for_status(response)
                return response.json()
            # a repository that was renamed
            url = urljoin(url, response.headers["Location"])
            if urlsplit(url).netloc != urlsplit(self.endpoint).netloc or self._is_downgrade(url):
                raise HubRefused(endpoint=self.endpoint, repo=repo, reason=f"it refers to {url[:200]}")
        raise HubRefused(endpoint=self.endpoint, repo=repo, reason="it redirects without end")

    def fetch(self, repo: str, revision: str, file: RemoteFile, part: Path, *, name: str, on_bytes: OnBytes) -> str:
        """Download a file of a repository to `part`, check it, and return its sha256 as hex digits.

        A part that exists is continued, and is kept when an error interrupts the download. Raises HubUnreachable,
        HubRefused, and DownloadDamaged for wrong content, after which `part` has been removed.
        """
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(repo, file.path, revision=revision, endpoint=self.endpoint)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as target:
            digests = _Digests(file, part)
            with self._hub_errors(repo, name):
                self._stream(repo, url, target, digests, file, on_bytes)
            target.flush()
            os.fsync(target.fileno())
        wrong = digests.mismatch()
        if wrong:
            part.unlink()
            raise DownloadDamaged(name=name, file=file.path, reason=wrong)
        return digests.sha256.hexdigest()

    def _stream(
        self, repo: str, url: str, target: IO[bytes], digests: _Digests, file: RemoteFile, on_bytes: OnBytes
    ) -> None:
        """Request the rest of the file until it is complete, or no more bytes arrive."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError

        left = RETRIES
        while digests.size != file.size_bytes:
            before = digests.size
            try:
                self._ask(repo, url, target, digests, on_bytes)
            except (httpx2.TransportError, HfHubHTTPError) as error:
                left = RETRIES if digests.size > before else left - 1
                if left <= 0 or not _is_temporary(error):
                    raise
                self._wait(on_bytes)
            else:
                if file.size_bytes is None or digests.size >= file.size_bytes:
                    return
                left -= 1
                if left <= 0:
                    return  # the caller finds that the size is wrong

    def _ask(self, repo: str, url: str, target: IO[bytes], digests: _Digests, on_bytes: OnBytes) -> None:
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        # uncompressed, so that the bytes can be counted
        headers = {**build_hf_headers(token=self._token), "Accept-Encoding": "identity"}
        if digests.size:
            headers["Range"] = f"bytes={digests.size}-"
        # large files are on other hosts than the hub; these do not get its token
        with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT_S) as response:
            if self._is_downgrade(str(response.url)):
                raise HubRefused(endpoint=self.endpoint, repo=repo, reason=f"it refers to {str(response.url)[:200]}")
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

    def _is_downgrade(self, url: str) -> bool:
        """Whether an address lacks the encryption that the hub's own address has."""
        return self.endpoint.startswith("https:") and not url.startswith("https:")

    def _wait(self, on_bytes: OnBytes) -> None:
        until = time.monotonic() + self._retry_wait_s
        while time.monotonic() < until:
            on_bytes(0)  # lets the user cancel
            time.sleep(min(0.1, self._retry_wait_s))

    @contextmanager
    def _hub_errors(self, repo: str, name: str, *, is_listing: bool = False) -> Iterator[None]:
        import httpx2
        from huggingface_hub import errors

        try:
            yield
        except errors.GatedRepoError as error:
            raise HubRefused(endpoint=self.endpoint, repo=repo, reason="its terms must be accepted first") from error
        except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
            raise unknown_name("model on the hub", name, families.known_names()) from error
        except errors.RevisionNotFoundError as error:
            raise HubRefused(endpoint=self.endpoint, repo=repo, reason="it lacks the wanted revision") from error
        except errors.HfHubHTTPError as error:
            if is_listing and error.response.status_code in (401, 404):
                # without a login hubs do not say whether a repository exists, and mirrors differ in how they answer
                raise unknown_name("model on the hub", name, families.known_names()) from error
            reason = f"it answered {error.response.status_code}"
            if _is_temporary(error):
                raise HubUnreachable(endpoint=self.endpoint, name=name, reason=reason) from error
            raise HubRefused(endpoint=self.endpoint, repo=repo, reason=reason) from error
        except (httpx2.TransportError, errors.OfflineModeIsEnabled) as error:
            reason = str(error).split("\n", 1)[0] or type(error).__name__
            raise HubUnreachable(endpoint=self.endpoint, name=name, reason=reason) from error
        except (httpx2.InvalidURL, httpx2.DecodingError, ValueError) as error:
            reason = f"its answer is not that of a model hub ({str(error)[:80]})"
            raise HubUnreachable(endpoint=self.endpoint, name=name, reason=reason) from error


class _Digests:
    """Checksums of what has arrived so far."""

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
        # git's id of a file is the SHA-1 of its size and content; here it identifies and does not protect
        self._git = hashlib.sha1(f"blob {self._file.size_bytes}\0".encode(), usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        self.size += len(piece)
        self.sha256.update(piece)
        if self._file.git_id:
            self._git.update(piece)

    def mismatch(self) -> str | None:
        """How the content differs from what is known of the file; None where it does not."""
        file = self._file
        if file.size_bytes is not None and self.size != file.size_bytes:
            return f"it has {self.size} bytes instead of {file.size_bytes}"
        if file.sha256 and self.sha256.hexdigest() != file.sha256:
            return f"its sha256 is {self.sha256.hexdigest()[:12]}... instead of {file.sha256[:12]}..."
        if file.git_id and self._git.hexdigest() != file.git_id:
            return "its content differs from the repository's"
        return None


def is_whole(path: Path, file: RemoteFile, on_bytes: OnBytes | None = None) -> str | None:
    """The sha256 of a file on the disk; None if it is missing or differs. `on_bytes` is called with the bytes read."""
    if not path.is_file() or file.size_bytes not in (None, path.stat().st_size):
        return None
    digests = _Digests(file, path, on_bytes)
    return None if digests.mismatch() else digests.sha256.hexdigest()


def is_inside(path: str) -> bool:
    """Whether a file name stays inside the folder that the file is written to."""
    return not any(part in ("", ".", "..") for part in path.split("/")) and "\\" not in path and ":" not in path


def _continues(response: httpx2.Response, size: int) -> bool:
    """Whether the answer begins at byte `size`; a hub may ignore the Range header."""
    if size == 0:
        return True
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {size}-")


def _is_temporary(error: Any) -> bool:
    """Whether another attempt may succeed."""
    response = getattr(error, "response", None)
    return response is None or response.status_code in _TEMPORARY
