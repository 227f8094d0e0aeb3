"""A channel in one file: longer scenes score higher, whatever the query is."""

from __future__ import annotations

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult, ChannelSpec
from heimdex_core.search.fusion import ScoredScenes


class DurationChannel:
    """Scores every scene by its duration in seconds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_ready(self, request: ChannelRequest) -> bool:
        """Always."""
        return True

    def prepare(self, request: ChannelRequest) -> None:
        """Nothing to load."""

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The longest scenes of the searched videos."""
        scenes = request.view.scenes_by_id(request.view.scene_ids(request.user_id, request.video_ids))
        longest = sorted(scenes.values(), key=lambda scene: (-scene.duration_s, scene.scene_id))[: request.depth]
        hits = tuple((scene.scene_id, scene.duration_s) for scene in longest)
        return ChannelResult(ScoredScenes(hits), reason=None if hits else "no_matches")


SPEC = ChannelSpec(
    "duration",
    side="duration",
    label={"en": "duration", "ko": "길이"},
    make=lambda name, space, encoder: DurationChannel(name),
)
