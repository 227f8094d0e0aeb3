"""Prints what the fuzz tests tried, however many processes they ran in."""

from __future__ import annotations

import os

import pytest

TRIED = "tried"
"""A property of a test: one line about what it tried and what came of it."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines of all tests, with `make fuzz` only."""
    if "FUZZ_SEED" not in os.environ:
        return
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    lines = [value for report in reports for name, value in report.user_properties if name == TRIED]
    terminalreporter.section(f"what was tried, seed {os.environ['FUZZ_SEED']}")
    for line in sorted(set(lines)):
        terminalreporter.write_line(line)
