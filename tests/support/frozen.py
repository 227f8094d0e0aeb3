"""A library as version 1 left it, to open with every later one: tests/fixtures/library_v1.tar.xz (54 KB).

Two indexed clips of two seconds and one that was waiting, all on the offline profile:

    spoken       a blue and a green scene; its few words are recognised, roughly
    subtitled    a red and a yellow scene with a subtitle each
    waiting      its job is queued (application version 2) and its work folder has the first three stages

Also a tray of two clips, a rendered reel, saved weights, and a log of searches.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "library_v1.tar.xz"
SPOKEN, SUBTITLED, WAITING = (
    "073b9921-5382-427b-ad98-043107ec4551",
    "ead39418-5bbc-4df8-9fee-96759bbac76d",
    "f98555d8-e9f5-44b2-a07d-ae9cd118dbb1",
)


def frozen_library(root: Path) -> Path:
    """The library, unpacked into the new folder `root`."""
    root.mkdir(parents=True)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
    return root
