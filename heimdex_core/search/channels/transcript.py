"""What is said, by meaning: the query's sentence against the scenes' transcripts."""

from __future__ import annotations

from heimdex_core.search.channels.base import Answer, Ask
from heimdex_core.search.channels.dense import DenseChannel

WARM_UP_TEXT = "a first sentence"


class TranscriptChannel(DenseChannel):
    """Over the vectors of what is said."""

    def nothing_to_search(self, ask: Ask) -> Answer | None:
        if not ask.view.has_transcripts(ask.user_id, ask.video_ids):
            return Answer(reason="no_transcript")
        return super().nothing_to_search(ask)
