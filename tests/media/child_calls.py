"""Calling functions of child_targets in a child process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.types import WorkContext

MEMORY_BYTES = 600_000_000


def call(
    function: Callable[[Any, WorkContext], Any],
    argument: Any = None,
    *,
    context: WorkContext | None = None,
    memory_bytes: int = MEMORY_BYTES,
    stall_s: float = 20.0,
    scratch: Path | None = None,
) -> Any:
    """What `function` returns, run in a child."""
    return run_in_child(
        f"{function.__module__}:{function.__name__}",
        argument,
        filename="clip.mp4",
        limits=ChildLimits(memory_bytes, stall_s),
        context=context,
        scratch=scratch,
    )
