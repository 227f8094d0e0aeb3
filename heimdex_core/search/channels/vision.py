"""What is seen: the query as a description, against the scenes' keyframes."""

from __future__ import annotations

from heimdex_core.search.channels.dense import DenseChannel

WARM_UP_TEXT = "blue"


class VisionChannel(DenseChannel):
    """Over the vectors of pictures."""
