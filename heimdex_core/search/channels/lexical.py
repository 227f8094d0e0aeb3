"""The words themselves: BM25 over transcript, title, tags, descriptions and on-screen text."""

from __future__ import annotations

from heimdex_core.search.channels.base import Answer, Ask
from heimdex_core.search.fusion.base import ScoredScenes


class LexicalChannel:
    name = "lexical"
    space = None
    is_ready = True

    def prepare(self) -> None:
        """Nothing to load."""

    def answer(self, ask: Ask) -> Answer:
        if ask.scene_count == 0:
            return Answer(reason="no_matches")
        found = ask.view.lexical_search(ask.text, k=ask.depth, user_id=ask.user_id, video_ids=ask.video_ids)
        if not found.terms:
            return Answer(reason="no_terms")
        hits = tuple((scene_id, float(score)) for scene_id, score in found.hits)
        # A scene with none of the words has the score 0, so having one tells it apart from the rest.
        scenes = ScoredScenes(hits, base=0.0, unoffered=max(ask.scene_count - len(hits), 0))
        return Answer(scenes, reason=None if hits else "no_matches", terms=tuple(found.terms))
