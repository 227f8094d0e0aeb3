"""The lexical channel: BM25 over transcript, title, tags, captions and on-screen text."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult, ChannelSpec
from heimdex_core.search.closeness import Closeness
from heimdex_core.search.coverage import CLOSE_SHARE, STRONG_SHARE, content_words
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.search.spelling import corrected, corrections
from heimdex_core.store import morphemes
from heimdex_core.store.analysis import parse_query

_FIRST = 50
"""Of so many of the best scenes it is looked first whether any is close."""


class LexicalChannel:
    """Finds the scenes that contain words of the query, scored by BM25. Quoted phrases must occur."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_ready(self, request: ChannelRequest) -> bool:
        """Whether the words can be analysed: for Korean ones a model has to be loaded."""
        return morphemes.is_ready(request.lookup or request.text)

    def prepare(self, request: ChannelRequest) -> None:
        """Load what Korean words need."""
        if not self.is_ready(request):
            morphemes.load()

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The scenes with the query's words; abstains where the query has no word to look up."""
        if request.scene_count == 0:
            return ChannelResult(reason="no_matches")
        lookup = request.lookup or request.text
        if parse_query(lookup).has_only_stop_words:
            return ChannelResult(reason="stop_words")
        words = corrections(request.view, lookup, request.user_id)
        found = request.view.lexical_search(
            corrected(lookup, words),
            k=request.depth,
            user_id=request.user_id,
            video_ids=request.video_ids,
            scene_ids=request.scene_ids,
            filters=request.filters,
        )
        if not found.terms:
            return ChannelResult(reason="no_terms")
        hits = found.hits
        # BM25 gives a scene without any of the words a score of 0, so a single match is not a flat result.
        scenes = ScoredScenes(hits, base=0.0, unoffered=max(request.scene_count - len(hits), 0), lowest=0.0)
        return ChannelResult(
            scenes,
            reason=None if len(hits) else "no_matches",
            terms=tuple(found.terms),
            corrected=words,
            closeness=_closeness(request, lookup, hits.scenes),
        )


def _closeness(request: ChannelRequest, lookup: str, found: Sequence[str]) -> Closeness | None:
    """By the share of the content words that a scene has; words that were looked up instead of others do not count.

    The shares of all that was found take as long as the search, and the best scenes have most words, so these are
    looked at first, and the others only where none of these is close.
    """
    words = content_words(lookup)
    if not words or request.example is not None:
        return None

    def any_close(scene_ids: Sequence[str]) -> bool:
        return bool(request.view.word_coverage(words, scene_ids=scene_ids, user_id=request.user_id, least=CLOSE_SHARE))

    return Closeness(CLOSE_SHARE, STRONG_SHARE, words, any_close(found[:_FIRST]) or any_close(found[_FIRST:]))


SPEC = ChannelSpec(
    "lexical",
    side="words",
    label={"en": "keywords", "ko": "단어 그대로 일치"},
    make=lambda name, space, encoder: LexicalChannel(name),
)
