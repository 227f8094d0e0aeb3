"""What the routes of the API share: the library, its links, the limit of requests, and who a token is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import LRUCache

from heimdex_core.api.links import Links
from heimdex_core.api.oidc import BearerTokens
from heimdex_core.api.partials import WRITERS, Writers
from heimdex_core.api.rate_limit import RateLimiter, SharedRateLimiter
from heimdex_core.errors import LinkInvalid, TokenInvalid
from heimdex_core.jobs.client import JobQueue
from heimdex_core.library import Library
from heimdex_core.types import Principal

TOKEN_PREFIX = "hdx_"  # noqa: S105 - it only tells the kinds of tokens apart
_KEPT_USERS = 64


def limiter_of(library: Library) -> RateLimiter:
    """The limit of the settings, of all servers together where they share a database."""
    per_minute, requests = library.settings.api_requests_per_minute, library.requests
    if requests.are_counted_together:
        return SharedRateLimiter(per_minute, time.monotonic, requests.count)
    return RateLimiter(per_minute, time.monotonic)


@dataclass
class Services:
    """One for the life of a server. Safe to share between threads.

    Attributes:
        library: returns the library of the process, as its single user sees it. Called for every request, since the
            app may have to open it again.
        links: returns the signer of its links.
        poll_s: how often a stream of events looks for something new, in seconds.
        stream_s: how long a stream of events lasts at most; clients connect again.
        writers: which requests write to which unfinished uploads.
        limiter: how many requests a token may send; None for the limit of the settings.
    """

    library: Callable[[], Library]
    links: Callable[[], Links]
    poll_s: float = 1.0
    stream_s: float = 600.0
    writers: Writers = WRITERS
    limiter: RateLimiter | None = None
    _users: LRUCache[tuple[Library, str], Library] = field(default_factory=lambda: LRUCache(_KEPT_USERS))
    _bearer_tokens: BearerTokens | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def require_allowance(self, key: str) -> None:
        """Count a request of a token, or of an address. Raises RateLimited."""
        with self._lock:
            if self.limiter is None:
                self.limiter = limiter_of(self.library())
        self.limiter.take(key)

    def principal(self, token: str) -> Principal:
        """Whose token it is. Raises TokenInvalid, TokenExpired, EmailNotVerified, SignInUnavailable."""
        library = self.library()
        if token.startswith(TOKEN_PREFIX):
            return library.accounts.authenticate(token)
        if library.settings.oidc_issuer is None:
            raise TokenInvalid()
        with self._lock:
            if self._bearer_tokens is None:
                self._bearer_tokens = BearerTokens.of(library.settings)
        return self._bearer_tokens.principal(token, library.accounts.sign_in)

    def library_of(self, user_id: str) -> Library:
        """The library as a user sees it, with the queue of jobs. Raises TokenInvalid where there is no such user."""
        base = self.library()
        if user_id == base.user_id:
            return base
        if not base.accounts.is_admitted(user_id):
            raise TokenInvalid()
        with self._lock:
            found = self._users.get((base, user_id))
            if found is None:
                found = base.as_user(user_id)
                found.queue = base.queue.as_user(found) if isinstance(base.queue, JobQueue) else base.queue
                self._users[base, user_id] = found
            return found

    def library_of_link(self, user_id: str) -> Library:
        """The same for a signed link. Raises LinkInvalid where there is no such user any more."""
        try:
            return self.library_of(user_id)
        except TokenInvalid as error:
            raise LinkInvalid() from error
