"""How many requests one token may send: the generic cell rate algorithm of ITU-T I.371, which needs one number a token.

A token may send as many requests at once as it may send in a minute; after that they are spread evenly.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping

from cachetools import LRUCache

from heimdex_core.errors import HeimdexError, RateLimited

_KEPT_KEYS = 20_000
EXCHANGED_AFTER_S = 2.0
_LOG = logging.getLogger(__name__)


class RateLimiter:
    """Counts in this process. Safe to share between threads.

    Args:
        per_minute: requests of one key; 0 for no limit.
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._interval_s = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._due: LRUCache[str, float] = LRUCache(_KEPT_KEYS)
        """When the requests of a key so far would have ended, had they been spread evenly."""

    def take(self, key: str) -> None:
        """Count one request. Raises RateLimited, which says after how many seconds the next one is allowed."""
        if not self._interval_s:
            return
        with self._lock:
            now = self._clock()
            due = max(self._due.get(key, now), now)
            early_s = due + self._interval_s - now - 60.0
            if early_s > 1e-6:
                raise RateLimited(retry_after_s=math.ceil(early_s))
            self._due[key] = due + self._interval_s

    def charge(self, key: str, requests: int) -> None:
        """Count requests that were answered elsewhere."""
        with self._lock:
            now = self._clock()
            self._due[key] = max(self._due.get(key, now), now) + requests * self._interval_s


def _in_a_thread(after_s: float, do: Callable[[], None]) -> None:
    timer = threading.Timer(after_s, do)
    timer.daemon = True
    timer.start()


class SharedRateLimiter(RateLimiter):
    """The same for all processes that share a table, approximately: they tell each other what they count.

    A request waits for nothing. Some seconds after it, a thread adds what this process has counted meanwhile to the
    table, and charges the tokens with what the others have added. So a token may send as many requests as the limit to
    each process before they know of each other; it has to make up for it afterwards, so that over some minutes the
    limit holds. While the table cannot be reached each process counts for itself.

    Args:
        per_minute, clock: as of RateLimiter.
        exchange: adds requests by key to those of this minute; (number of the minute, requests of all processes in it).
        later: calls a function after some seconds.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float],
        exchange: Callable[[Mapping[str, int]], Mapping[str, tuple[int, int]]],
        later: Callable[[float, Callable[[], None]], None] = _in_a_thread,
    ) -> None:
        super().__init__(per_minute, clock)
        self._exchange = exchange
        self._later = later
        self._new: Counter[str] = Counter()
        self._is_planned = False
        self._known: LRUCache[str, tuple[int, int]] = LRUCache(_KEPT_KEYS)
        """By key: a minute, and how many requests of it were charged here, both of this process and of others."""

    def take(self, key: str) -> None:
        """Count one request. Raises RateLimited."""
        super().take(key)
        if not self._interval_s:
            return
        with self._lock:
            if key in self._new or len(self._new) < _KEPT_KEYS:
                self._new[key] += 1
            if self._is_planned:
                return
            self._is_planned = True
        self._later(EXCHANGED_AFTER_S, self._tell)

    def _tell(self) -> None:
        with self._lock:
            own, self._new = self._new, Counter()
        try:
            self._charge_others(own, self._exchange(own))
        except HeimdexError as error:
            _LOG.warning("requests are counted in this process alone for now: %s", error)
        with self._lock:
            self._is_planned = bool(self._new)
        if self._is_planned:
            self._later(EXCHANGED_AFTER_S, self._tell)

    def _charge_others(self, own: Mapping[str, int], found: Mapping[str, tuple[int, int]]) -> None:
        for key, (minute, requests) in found.items():
            known_minute, charged = self._known.get(key, (minute, 0))
            charged = own[key] + (charged if known_minute == minute else 0)
            if requests > charged:
                self.charge(key, requests - charged)
            self._known[key] = minute, max(requests, charged)
