"""How many requests one token may send: the generic cell rate algorithm of ITU-T I.371, which needs one number a token.

A token may send as many requests at once as it may send in a minute; after that they are spread evenly.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from cachetools import LRUCache

from heimdex_core.errors import RateLimited

_KEPT_KEYS = 20_000


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
