"""Searching for the queries of an evaluation: always complete, unfolded, and without a line in the query log."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from heimdex_core import search
from heimdex_core.errors import MoveIncomplete, SearchFailed, UnknownName
from heimdex_core.evaluation.judged_set import JudgedSet
from heimdex_core.library.context import LibraryContext
from heimdex_core.search.filter_text import parse_filters
from heimdex_core.search.fusion import fusion_method
from heimdex_core.search.plan import plan_of
from heimdex_core.search.runner import BROKEN
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import VERSION
from heimdex_core.store.reader import Reader, SetReader
from heimdex_core.types import Provenance, Query, Ranking, RunSettings, Space

CHANNEL_TIMEOUT_S = 60.0
"""A person waits for a search; an evaluation must not depend on how busy the machine is."""
_ATTEMPTS = 3


class EvaluationSearch:
    """Searches of one person for evaluations. What channels found is kept: other weights cost only the fusion."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._searchers: dict[int | None, Searcher] = {}
        """By model set; each keeps the models that it has loaded, as a comparison of sets uses them in turn."""

    @property
    def library_revision(self) -> int:
        """Of what is visible; it grows with every change of videos."""
        return self._context.store.reader().view().snapshot.revision

    def check(self, *settings: RunSettings) -> None:
        """Raise InvalidWeights, UnknownName, InvalidFilter or InvalidValue if a search cannot use these settings.

        Raises MoveIncomplete if a model set that they name lacks videos.
        """
        spaces = {set_id: self._spaces_of(set_id) for set_id in dict.fromkeys(one.model_set for one in settings)}
        for set_id in spaces:
            self._require_all_videos(set_id)
        for one in settings:
            plan_of(spaces[one.model_set], one.spaces).weights(one.weights)
            fusion_method(one.fusion, rrf_k=self._context.settings.rrf_k)
            parse_filters(one.filters)

    def models(
        self, spaces: Sequence[Sequence[str]], model_sets: Sequence[int]
    ) -> list[tuple[int | None, tuple[str, ...]]]:
        """(model set, spaces) of all combinations that exist: spaces belong to a set. Raises UnknownName."""
        by_set = {set_id: self._spaces_of(set_id) for set_id in model_sets or (None,)}
        found = []
        for names in spaces or ((),):
            errors: list[UnknownName] = []
            for set_id, known in by_set.items():
                try:
                    plan_of(known, names)
                except UnknownName as error:
                    errors.append(error)
                else:
                    found.append((set_id, tuple(names)))
            if len(errors) == len(by_set):
                raise errors[0]
        return found

    def _spaces_of(self, set_id: int | None) -> Mapping[str, Space]:
        if set_id is None:
            return self._context.store.reader().view().spaces
        return self._context.store.sets.get(set_id).spaces

    def _require_all_videos(self, set_id: int | None) -> None:
        sets = self._context.store.sets
        if set_id is None or set_id == sets.active().set_id:
            return
        pending = sets.pending(set_id)
        if pending.missing:
            profile = sets.get(set_id).profile
            raise MoveIncomplete(missing=len(pending.missing), total=pending.total, profile=profile)

    def _reader(self, set_id: int | None) -> Reader | SetReader:
        reader = self._context.store.reader()
        return reader if set_id is None else reader.of_set(set_id)

    def _searcher(self, set_id: int | None) -> Searcher:
        with self._lock:
            if set_id not in self._searchers:
                settings = self._context.settings.model_copy(update={"channel_timeout_s": CHANNEL_TIMEOUT_S})
                self._searchers[set_id] = Searcher(self._reader(set_id), self._context.channels.of, settings)
            return self._searchers[set_id]

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
            result = self._searcher(settings.model_set).search(query, user_id=self._context.user_id)
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

    def provenance(self, judged: JudgedSet, set_id: int | None = None) -> Provenance:
        """What a run of now is made with; `set_id` None is the model set in use."""
        view = self._reader(set_id).view()
        model_set = view.snapshot.model_set
        return Provenance(
            code_version=VERSION,
            search_code=search_code(),
            model_set=model_set.set_id,
            models=dict(model_set.choice),
            library_revision=self.library_revision,
            scenes=view.scene_count(self._context.user_id),
            judgements=judged.digest,
        )


@cache
def search_code() -> str:
    """12 hexadecimal digits that change with the source of the search package."""
    digest = hashlib.sha256()
    for path in sorted(Path(search.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
