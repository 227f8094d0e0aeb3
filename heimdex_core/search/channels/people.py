"""The channel of people: scenes of people whom the query names, by how similar their faces are to the person."""

from __future__ import annotations

import numpy as np

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult, ChannelSpec
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.hits import Hits, SceneRows


class PeopleChannel:
    """Finds the scenes in which any of the wanted people is seen. Abstains where nobody is wanted."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_ready(self, request: ChannelRequest) -> bool:
        """Always: no model is needed."""
        return True

    def prepare(self, request: ChannelRequest) -> None:
        """Nothing is loaded."""

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The scenes with the largest cosines; 1 for a face that somebody has assigned by hand."""
        people = request.people
        if people is None or not request.person_ids:
            return ChannelResult(reason="no_person")
        table = request.view.scene_table(request.user_id)
        scores = people.scores(table, request.person_ids)
        rows = np.array(sorted(scores, key=lambda row: (-scores[row], row)), dtype=np.int64)
        if request.video_ids is not None:
            rows = rows[table.of_videos(request.video_ids)[rows]]
        if request.scene_ids is not None:
            rows = rows[request.scene_ids.has_rows(rows)]
        rows = rows[: request.depth]
        hits = Hits(SceneRows(table, rows), [scores[row] for row in rows.tolist()])
        scenes = ScoredScenes(hits, base=0.0, unoffered=max(request.scene_count - len(hits), 0), lowest=0.0)
        return ChannelResult(scenes, reason=None if hits else "no_matches")


SPEC = ChannelSpec(
    "people",
    side="people",
    label={"en": "people", "ko": "인물"},
    make=lambda name, space, encoder: PeopleChannel(name),
    is_on_request=True,
)
