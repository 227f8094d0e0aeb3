"""Raw channel scores by query, so that other weights or another fusion cost no model call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from heimdex_core.search.channels.base import Answer


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Everything that a channel's answer depends on.

    `token` is the view's: it changes with what is visible and with the set of models. `looks_at` is the
    channel's kind and space, whatever it is called in a search.
    """

    looks_at: Hashable
    user_id: str
    text: str
    video_ids: tuple[str, ...] | None
    token: str
    depth: int


class AnswerCache:
    """The last `capacity` answers, least recently used out first. Safe to share between threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._answers: OrderedDict[CacheKey, Answer] = OrderedDict()

    def get(self, key: CacheKey) -> Answer | None:
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None:
                self._answers.move_to_end(key)
            return answer

    def put(self, key: CacheKey, answer: Answer) -> None:
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self._capacity:
                self._answers.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._answers)
