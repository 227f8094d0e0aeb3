"""The parts of the evaluation page: query sets, judging, runs and sweeps."""

from __future__ import annotations

VIEWS = ("set", "judge", "runs", "sweeps")
"""The views of the page, in the order of its navigation."""
