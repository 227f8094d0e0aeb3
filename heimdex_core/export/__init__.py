"""Exports: a checked plan (plan.py), one file for each kind (reel.py, short.py), and rendering (render.py).

To add a kind, write one file with its ExportKind and add that to KINDS.
"""

from __future__ import annotations

from heimdex_core.errors import UnknownName
from heimdex_core.export import reel, short
from heimdex_core.export.kind import ExportKind

KINDS: tuple[ExportKind, ...] = (reel.KIND, short.KIND)


def export_kind(name: str) -> ExportKind:
    """The kind of that name. Raises UnknownName."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise UnknownName(kind="export kind", name=name, known=", ".join(kind.name for kind in KINDS))
