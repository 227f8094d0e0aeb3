"""Which errors may pass when the same thing is tried again."""

from __future__ import annotations

from heimdex_core.errors import Cancelled, DiskFull, HeimdexError, LibraryBusy, StageFailed

_MAY_PASS = (StageFailed, LibraryBusy, DiskFull)


def may_pass(error: Exception) -> bool:
    """True for a busy catalog, a full disk, or a fault nobody foresaw; false where the answer is final.

    A file that is no video stays none, a missing model stays missing, and who asked to stop is obeyed.
    """
    if isinstance(error, HeimdexError):
        return isinstance(error, _MAY_PASS) and not isinstance(error, Cancelled)
    return True


def as_heimdex_error(error: Exception, stage: str) -> HeimdexError:
    """`error` in words; one from outside the tree becomes StageFailed with its type and message."""
    if isinstance(error, HeimdexError):
        return error
    said = str(error).strip()
    return StageFailed(stage=stage, reason=f"{type(error).__name__}: {said}" if said else type(error).__name__)
