"""What else is known about a scene: how it was made, the text in its pictures, and which scenes look the same."""

from __future__ import annotations

from typing import Any

from heimdex_core.ingest.generation import provenance_of
from heimdex_core.library.arguments import Count, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.search.duplicates import threshold_of
from heimdex_core.store.screen_text import read_screen_text
from heimdex_core.types import FrameText, Scene


class SceneDetails:
    """Details of the scenes of one person's videos."""

    def __init__(self, context: LibraryContext) -> None:
        self._store = context.store
        self._user_id = context.user_id

    @checked
    def provenance(self, video_id: str) -> dict[str, Any]:
        """How the present generation of a video was made; empty while there is none. Raises VideoNotFound.

        Returns {generation, created_at, models: {choice, used: {stage or space: model@revision}}, params, fingerprints,
        stages, ...} as in its provenance.json.
        """
        video = self._store.video(self._user_id, video_id)
        made = provenance_of(self._store, video_id, video.generation)
        return {"generation": video.generation, **made} if made else {}

    @checked
    def screen_text(self, scene_id: str) -> list[FrameText]:
        """The text that was read in a scene's keyframes, with its places; empty without any, or without a reader.

        Raises SceneNotFound, LibraryDamaged.
        """
        view = self._store.reader().view()
        scene = view.scene(self._user_id, scene_id)
        generation = view.snapshot.visible[scene.video_id].generation
        return read_screen_text(self._store.paths.generation(scene.video_id, generation), scene.scene_id)

    @checked
    def duplicates(self, scene_id: str, *, limit: Count = 50) -> list[Scene]:
        """The scenes of all the person's videos that look the same as one, most similar first.

        Args:
            scene_id: of the scene.
            limit: scenes at most.

        Raises SceneNotFound, LibraryDamaged.
        """
        view = self._store.reader().view()
        scene = view.scene(self._user_id, scene_id)
        space = view.spaces["vision"]
        vector = view.vector(space, scene.scene_id)
        if vector is None or limit < 1:
            return []
        found = view.vector_search(space, vector, k=limit + 1, user_id=self._user_id)
        least = threshold_of(space)
        ids = [other for other, score in found if score >= least and other != scene.scene_id][:limit]
        scenes = view.scenes_by_id(ids)
        return [scenes[other] for other in ids if other in scenes]
