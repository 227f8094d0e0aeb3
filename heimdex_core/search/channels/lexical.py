"""The lexical channel: BM25 over transcript, title, tags, captions and on-screen text."""

from __future__ import annotations

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult, ChannelSpec
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.analysis import parse_query


class LexicalChannel:
    """Finds the scenes that contain words of the query, scored by BM25. Quoted phrases must occur."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_ready(self, request: ChannelRequest) -> bool:
        """Always: the index is opened by the view."""
        return True

    def prepare(self, request: ChannelRequest) -> None:
        """Nothing to load."""

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The scenes with the query's words; abstains where the query has no word to look up."""
        if request.scene_count == 0:
            return ChannelResult(reason="no_matches")
        if parse_query(request.text).has_only_stop_words:
            return ChannelResult(reason="stop_words")
        found = request.view.lexical_search(
            request.text, k=request.depth, user_id=request.user_id, video_ids=request.video_ids
        )
        if not found.terms:
            return ChannelResult(reason="no_terms")
        hits = tuple((scene_id, float(score)) for scene_id, score in found.hits)
        # BM25 gives a scene without any of the words a score of 0, so a single match is not a flat result.
        scenes = ScoredScenes(hits, base=0.0, unoffered=max(request.scene_count - len(hits), 0))
        return ChannelResult(scenes, reason=None if hits else "no_matches", terms=tuple(found.terms))


SPEC = ChannelSpec(
    "lexical",
    side="words",
    label={"en": "keywords", "ko": "단어 그대로 일치"},
    make=lambda name, space, encoder: LexicalChannel(name),
)
