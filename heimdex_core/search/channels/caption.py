"""What is seen, in words: the query's sentence against the descriptions of the scenes' pictures."""

from __future__ import annotations

from heimdex_core.search.channels.dense import DenseChannel


class CaptionChannel(DenseChannel):
    """Over the vectors of descriptions; the model is the one that reads what is said."""
