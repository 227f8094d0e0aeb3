"""The words themselves: BM25 over transcript, title, tags, descriptions and on-screen text."""

from __future__ import annotations

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult, ChannelSpec
from heimdex_core.search.fusion.base import ScoredScenes


class LexicalChannel:
    space = None
    is_ready = True

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self) -> None:
        """Nothing to load."""

    def search(self, request: ChannelRequest) -> ChannelResult:
        if request.scene_count == 0:
            return ChannelResult(reason="no_matches")
        found = request.view.lexical_search(
            request.text, k=request.depth, user_id=request.user_id, video_ids=request.video_ids
        )
        if not found.terms:
            return ChannelResult(reason="no_terms")
        hits = tuple((scene_id, float(score)) for scene_id, score in found.hits)
        # A scene with none of the words has the score 0, so having one tells it apart from the rest.
        scenes = ScoredScenes(hits, base=0.0, unoffered=max(request.scene_count - len(hits), 0))
        return ChannelResult(scenes, reason=None if hits else "no_matches", terms=tuple(found.terms))


SPEC = ChannelSpec("lexical", side="words", make=lambda name, space, encoder: LexicalChannel(name))
