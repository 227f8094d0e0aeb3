"""Searching for the queries of an evaluation: always complete, unfolded, and without a line in the query log."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from heimdex_core import search
from heimdex_core.errors import SearchFailed
from heimdex_core.evaluation.judged_set import JudgedSet
from heimdex_core.library.context import LibraryContext
from heimdex_core.search.filter_text import parse_filters
from heimdex_core.search.fusion import fusion_method
from heimdex_core.search.plan import plan_of
from heimdex_core.search.searcher import BROKEN, Searcher
from heimdex_core.settings import VERSION
from heimdex_core.types import Provenance, Query, Ranking, RunSettings

CHANNEL_TIMEOUT_S = 60.0
"""A person waits for a search; an evaluation must not depend on how busy the machine is."""
_ATTEMPTS = 3


class EvaluationSearch:
    """Searches of one person for evaluations. What channels found is kept: other weights cost only the fusion."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        settings = context.settings.model_copy(update={"channel_timeout_s": CHANNEL_TIMEOUT_S})
        self._searcher = Searcher(context.store.reader(), context.models.of, settings)

    @property
    def library_revision(self) -> int:
        """Of what is visible; it grows with every change of videos."""
        return self._context.store.reader().view().snapshot.revision

    def check(self, settings: RunSettings) -> None:
        """Raise InvalidWeights, UnknownName, InvalidFilter or InvalidValue if a search cannot use these settings."""
        plan_of(self._context.store.reader().view().spaces, settings.spaces).weights(settings.weights)
        fusion_method(settings.fusion, rrf_k=self._context.settings.rrf_k)
        parse_filters(settings.filters)

    def ranking(self, text: str, settings: RunSettings, depth: int | None = None) -> Ranking:
        """The first scenes for a query. Raises SearchFailed if a channel that counts does not answer, InvalidQuery."""
        query = Query(
            text=text,
            weights=settings.weights,
            fusion=settings.fusion,
            spaces=settings.spaces,
            filters=parse_filters(settings.filters),
            limit=depth or settings.depth,
            collapse=False,
            keyframe_temperature=settings.temperature,
        )
        for _ in range(_ATTEMPTS):
            result = self._searcher.search(query, user_id=self._context.user_id)
            broken = {
                name: state
                for name, state in result.channels.items()
                if state.reason in BROKEN and result.weights.get(name, 0.0) > 0
            }
            if not broken:
                return tuple((hit.scene_id, hit.score) for hit in result.hits)
        raise SearchFailed(
            reasons="; ".join(f"{name}: {state.reason} ({state.detail})" for name, state in broken.items())
        )

    def provenance(self, judged: JudgedSet) -> Provenance:
        """What a run of now is made with."""
        view = self._context.store.reader().view()
        model_set = view.snapshot.model_set
        return Provenance(
            code_version=VERSION,
            search_code=search_code(),
            model_set=model_set.set_id,
            models=dict(model_set.choice),
            library_revision=self.library_revision,
            scenes=len(view.scene_ids(self._context.user_id)),
            judgements=judged.digest,
        )


@cache
def search_code() -> str:
    """12 hexadecimal digits that change with the source of the search package."""
    digest = hashlib.sha256()
    for path in sorted(Path(search.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
