"""How many threads each kind of work gets, chosen on purpose.

Left to themselves torch and CTranslate2 each take every core; two of them at once then wait for each
other at every step and are several times slower than one thread each.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from heimdex_core.errors import InvalidValue

Purpose = Literal["query", "speech", "vision", "text"]
MOST_FOR_A_QUERY = 4
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def threads_for(purpose: Purpose, *, asked: int = 0, cores: int | None = None) -> int:
    """Threads for one kind of work; `asked` above 0 (HEIMDEX_WORKER_THREADS) decides.

    A query shares the machine with a worker. Speech runs beside the picture, so each gets a half and the
    sum is never more than the cores. Sentences are embedded when the other two are done.
    """
    if asked > 0:
        return asked
    there = cores if cores is not None else usable_cores()
    shares: dict[Purpose, int] = {
        "query": min(MOST_FOR_A_QUERY, there // 2),
        "speech": there // 2,
        "vision": there - there // 2,
        "text": there // 2,
    }
    if purpose not in shares:
        raise InvalidValue(name="purpose", value=purpose, reason=f"it is one of {', '.join(shares)}")
    return max(1, shares[purpose])


@lru_cache(maxsize=1)
def usable_cores() -> int:
    """Cores that this process may use: its affinity, and no more than its container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota = _QUOTA.read_text(encoding="ascii")
    except OSError:
        return affinity
    return cores_within(affinity, quota)


def cores_within(cores: int, cpu_max: str) -> int:
    """`cores`, or fewer where a cgroup's cpu.max ("max 100000", "150000 100000") gives less; at least 1."""
    parts = cpu_max.split()
    if len(parts) != 2 or not (parts[0].isdigit() and parts[1].isdigit()) or int(parts[1]) == 0:
        return cores
    return max(1, min(cores, int(parts[0]) // int(parts[1])))


def use_torch_threads(count: int) -> None:
    """Set torch's threads for what the calling thread does next: OpenMP keeps the number per thread."""
    import torch

    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
