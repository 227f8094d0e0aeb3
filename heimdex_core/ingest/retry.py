"""Which errors may pass when the same thing is tried again, and how others are told."""

from __future__ import annotations

from heimdex_core.errors import DiskFull, HeimdexError, LibraryBusy, StageFailed

_MAY_PASS = (StageFailed, LibraryBusy, DiskFull)


def may_pass(error: Exception) -> bool:
    """True for a busy library, a full disk, or a fault nobody foresaw; false where the answer is final."""
    return isinstance(error, _MAY_PASS) or not isinstance(error, HeimdexError)


def in_words(error: Exception, stage: str) -> HeimdexError:
    """`error` itself, or StageFailed with the type and message of one from outside the tree."""
    if isinstance(error, HeimdexError):
        return error
    said = str(error).strip()
    return StageFailed(stage=stage, reason=f"{type(error).__name__}: {said}"[:500] if said else type(error).__name__)
