"""Heimdex Workbench: find the scene by what is said and what is seen, and cut it.

>>> from heimdex_core import Library
>>> lib = Library.open("data/library")
>>> lib.add("talk.mp4")
>>> lib.search("red car on a bridge", weights={"transcript": 0.3, "vision": 0.7}).to_pandas()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heimdex_core.errors import HeimdexError
from heimdex_core.settings import VERSION, Settings
from heimdex_core.types import Export, Hit, Query, ReelClip, Scene, Segment, Video, VideoState, Word

if TYPE_CHECKING:
    from heimdex_core.library import Library

__version__ = VERSION

__all__ = [
    "Export",
    "HeimdexError",
    "Hit",
    "Library",
    "Query",
    "ReelClip",
    "Scene",
    "Segment",
    "Settings",
    "Video",
    "VideoState",
    "Word",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # Library imports DuckDB, FAISS and the rest; `import heimdex_core` alone stays quick.
    if name == "Library":
        from heimdex_core.library import Library

        return Library
    raise AttributeError(f"module 'heimdex_core' has no attribute {name!r}")
