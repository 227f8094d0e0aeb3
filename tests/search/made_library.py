"""A library of made-up scenes in a real store, with encoders that return a fixed vector for each query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.models.base import QueryVector
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Query, Scene, SearchResult, Video, make_scene_id
from tests.store.making import SPACES, TEXT, VISION, make_transcript, new_store, register

SETTINGS = Settings(_env_file=None, channel_timeout_s=60)


class FixedEncoder:
    """Gives each text a vector that depends on nothing but the text."""

    def __init__(self, space: Any) -> None:
        self.space = space
        self.encoded: list[str] = []
        self.answer: Callable[[str], QueryVector] = self.fixed

    def encode_query(self, text: str) -> QueryVector:
        self.encoded.append(text)
        return self.answer(text)

    def fixed(self, text: str) -> QueryVector:
        """A unit vector (d,)."""
        numbers = np.random.default_rng(sum(text.encode())).normal(size=self.space.dim)
        return QueryVector((numbers / np.linalg.norm(numbers)).astype(np.float32))


class FixedModels:
    def __init__(self) -> None:
        self.spaces = SPACES
        self.encoders = {space.name: FixedEncoder(space) for space in SPACES.values()}

    def encoder(self, space_name: str) -> FixedEncoder:
        return self.encoders[space_name]

    @property
    def encoded(self) -> list[str]:
        """The queries that models received, without those that warm them up."""
        texts = (text for encoder in self.encoders.values() for text in encoder.encoded)
        return [text for text in texts if text not in ("a first sentence", "blue")]


def scenes_of(video_id: str, rows: Iterable[tuple[str, float, dict[str, Any]]]) -> list[Scene]:
    """Scenes one after another: (transcript, length in seconds, other fields of Scene)."""
    scenes: list[Scene] = []
    start_s = 0.0
    for index, (transcript, length_s, more) in enumerate(rows):
        scene_id = make_scene_id(video_id, start_s, start_s + length_s)
        scenes.append(Scene(scene_id, video_id, index, start_s, start_s + length_s, transcript=transcript, **more))
        start_s += length_s
    return scenes


class MadeLibrary:
    def __init__(self, root: Path, *, seed: int = 1, **changed: Any) -> None:
        """`changed` are settings."""
        self.store: Store = new_store(root)
        self.models = FixedModels()
        self.logged: list[dict[str, Any]] = []
        self._random = np.random.default_rng(seed)
        models: Any = self.models
        settings = SETTINGS.model_copy(update=changed)
        self.searcher = Searcher(
            self.store.reader(), ChannelSets(lambda set_id: models).of, settings, log=self.logged.append
        )

    def add(self, name: str, rows: Sequence[tuple[str, float, dict[str, Any]]], *, user_id: str = "local") -> Video:
        """An indexed video; scenes with a transcript have a text vector, and all have one of the picture."""
        video = register(self.store, name, user_id=user_id)
        folder = self.store.new_staging(video.video_id)
        scenes = scenes_of(video.video_id, rows)
        sidecar.write_scenes(folder, scenes)
        sidecar.write_words(folder, make_transcript(scenes), scenes)
        for space, some in ((TEXT, [scene for scene in scenes if scene.transcript]), (VISION, scenes)):
            vectors = self._random.normal(size=(len(some), space.dim)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            sidecar.write_vectors(folder, space, [scene.scene_id for scene in some], vectors)
        sidecar.write_provenance(folder, {"made": "up"})
        n = self.store.next_generation(video.video_id)
        return self.store.commit_generation(
            video.video_id, folder, n=n, spaces=SPACES.values(), transcript_source="subtitles"
        )

    def search(self, text: str = "", *, user_id: str = "local", **query: Any) -> SearchResult:
        return self.searcher.search(Query(text, **{"limit": 1000, "collapse": False, **query}), user_id=user_id)
