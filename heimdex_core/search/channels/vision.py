"""What is seen: the query as a description, against the scenes' keyframes."""

from __future__ import annotations

from heimdex_core.search.channels.dense import DenseChannel


class VisionChannel(DenseChannel):
    name = "vision"
    warm_up_text = "blue"
