"""How many threads each kind of work gets.

By default torch and CTranslate2 each use every core. Two of them at once then wait for each other at every step and
are several times slower than with one thread each.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from heimdex_core.errors import InvalidValue

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Work = Literal["query", "speech", "vision", "text"]
MOST_FOR_A_QUERY = 4
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_BLAS_LOCK = threading.Lock()


def threads_for(work: Work, *, asked: int = 0, cores: int | None = None) -> int:
    """Threads for one kind of work: `asked` (HEIMDEX_WORKER_THREADS) if it is above 0, else a share of the cores.

    A query shares the machine with a worker. Speech and vision run at the same time, so each gets half of the cores.
    Sentences are embedded when the other two are done. Raises InvalidValue for any other kind of work.
    """
    if asked > 0:
        return asked
    available = cores if cores is not None else usable_cores()
    shares: dict[Work, int] = {
        "query": min(MOST_FOR_A_QUERY, available // 2),
        "speech": available // 2,
        "vision": available - available // 2,
        "text": available // 2,
    }
    if work not in shares:
        raise InvalidValue(name="work", value=work, reason=f"it is one of {', '.join(shares)}")
    return max(1, shares[work])


@lru_cache(maxsize=1)
def usable_cores() -> int:
    """Cores that this process may use: those of its affinity, limited by its container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota = _QUOTA.read_text(encoding="ascii")
    except OSError:
        return affinity
    return cores_within(affinity, quota)


def cores_within(cores: int, cpu_max: str) -> int:
    """`cores`, limited by a cgroup's cpu.max ("max 100000", or "150000 100000": quota and period); at least 1."""
    parts = cpu_max.split()
    if len(parts) != 2 or not (parts[0].isdigit() and parts[1].isdigit()) or int(parts[1]) == 0:
        return cores
    return max(1, min(cores, int(parts[0]) // int(parts[1])))


def use_blas_threads(count: int) -> None:
    """Set the threads of numpy's matrix products, for the whole process."""
    with _BLAS_LOCK:
        blas = _blas()
        if any(library["num_threads"] != count for library in blas.info()):
            blas.limit(limits=count)


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    import numpy  # noqa: F401 - its library has to be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def use_torch_threads(count: int) -> None:
    """Set torch's threads for the calling thread: OpenMP keeps the number per thread."""
    import torch

    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
