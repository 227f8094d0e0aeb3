"""The query sets of a library with their grades, and the sample's, which comes with the software."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from heimdex_core.errors import NoJudgements, SceneNotFound, UnknownName
from heimdex_core.evaluation.judged_set import JudgedSet, from_file, from_judgements
from heimdex_core.evaluation.judgements import VideoScenes, read_queries
from heimdex_core.library.context import LibraryContext
from heimdex_core.store.view import View
from heimdex_core.types import DEFAULT_QUERY_SET, QuerySet, SceneJudgement, make_scene_id

SAMPLE_SET = "sample"
"""The name of the set that comes with the software; it cannot be changed."""

_SAMPLE_FOLDER = Path(__file__).resolve().parents[2] / "data" / "sample"
_SAMPLE_FILES = ("judged.json", "queries.json")
"""The first one whose videos are all in the library is used."""


class JudgedSets:
    """Query sets of one person, with the judgements by the scenes of today."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._records = context.store.judgements

    def names(self) -> list[str]:
        return [one.name for one in self._records.query_sets(self._context.user_id)]

    def query_set(self, name: str) -> QuerySet:
        """A stored set. Raises UnknownName."""
        for one in self._records.query_sets(self._context.user_id):
            if one.name == name:
                return one
        raise UnknownName(kind="query set", name=name, known=", ".join([*self.names(), SAMPLE_SET]))

    def judgements(
        self,
        query_set: str | None = None,
        *,
        query: str | None = None,
        judge: str | None = None,
        limit: int | None = None,
        after: tuple[datetime, str] | None = None,
    ) -> list[SceneJudgement]:
        """Judgements with the scenes that they are of now."""
        found = self._records.of_user(
            self._context.user_id, query_set, query=query, judge=judge, limit=limit, after=after
        )
        return self.located(found)

    def located(self, judgements: list[SceneJudgement]) -> list[SceneJudgement]:
        """The same judgements with their scenes of today."""
        view = self._context.store.reader().view()
        return [replace(one, scene_id=self._scene_id(view, one)) for one in judgements]

    def _scene_id(self, view: View, one: SceneJudgement) -> str | None:
        try:
            wanted = make_scene_id(one.video_id, one.start_ms / 1000, one.end_ms / 1000)
            return view.scene(self._context.user_id, wanted).scene_id
        except SceneNotFound:
            return None

    def load(self, name: str | None) -> JudgedSet:
        """A set with its grades.

        Without a name: the default set if it has a relevant scene, else the first set that has one, else the sample's.
        Raises UnknownName; without a name NoJudgements, if the sample is not in the library either.
        """
        if name == SAMPLE_SET and (sample := self._sample()) is not None:
            return sample
        if name is not None:
            return from_judgements(self.query_set(name), self.judgements(name))
        sets = self._records.query_sets(self._context.user_id)
        for one in sorted(sets, key=lambda one: (one.name != DEFAULT_QUERY_SET, one.name)):
            judged = from_judgements(one, self.judgements(one.name))
            if judged.scored:
                return judged
        if (sample := self._sample()) is None:
            raise NoJudgements(query_set=DEFAULT_QUERY_SET, queries=sum(len(one.queries) for one in sets))
        return sample

    def _sample(self) -> JudgedSet | None:
        """The sample's set; None if its videos are not in the library."""
        view, user_id = self._context.store.reader().view(), self._context.user_id
        videos = [
            VideoScenes(video.title, video.filename, tuple(view.scenes(user_id, video.video_id)))
            for video in view.visible_videos(user_id)
        ]
        names = {video.filename for video in videos}
        for file in _SAMPLE_FILES:
            path = _SAMPLE_FOLDER / file
            if not path.is_file():
                continue
            queries = read_queries(path)
            if {judged.video for query in queries for judged in query.relevant} <= names:
                return from_file(SAMPLE_SET, queries, videos)
        return None
