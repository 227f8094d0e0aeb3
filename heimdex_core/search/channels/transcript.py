"""What is said, by meaning: the query's sentence against the scenes' transcripts."""

from __future__ import annotations

from heimdex_core.search.channels.base import Answer, Ask
from heimdex_core.search.channels.dense import DenseChannel


class TranscriptChannel(DenseChannel):
    name = "transcript"
    warm_up_text = "a first sentence"

    def nothing_to_search(self, ask: Ask) -> Answer | None:
        if not self.reader.has_transcripts(ask.user_id, ask.video_ids):
            return Answer(reason="no_transcript")
        return super().nothing_to_search(ask)
