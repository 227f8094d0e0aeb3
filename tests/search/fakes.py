"""A small library in memory: the reader and the models that a Searcher needs. Encoders record their calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from heimdex_core.models.base import QueryVector
from heimdex_core.store import analysis
from heimdex_core.store.hits import Hits, KeyframeMatches, Keyframes
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.scene_set import Part, SceneTable
from heimdex_core.store.sidecar import scenes_table
from heimdex_core.types import Scene, Space, make_scene_id

TEXT = Space("text/fake", "text", "fake", "1", 2)
VISION = Space("vision/fake", "vision", "fake", "1", 2)


def scene(video: str, index: int, transcript: str = "", **more) -> Scene:
    start = 10.0 * index
    return Scene(
        scene_id=make_scene_id(video, start, start + 10.0),
        video_id=video,
        index=index,
        start_s=start,
        end_s=start + 10.0,
        transcript=transcript,
        **more,
    )


@dataclass
class FakeEncoder:
    space: Space
    answer: QueryVector = field(default_factory=lambda: QueryVector(np.array([1.0, 0.0], np.float32)))
    encoded: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def encode_query(self, text: str) -> QueryVector:
        self.encoded.append(text)
        if text not in ("a first sentence", "blue"):  # not while warming up
            self.before()
        return self.answer


class FakeModels:
    def __init__(self) -> None:
        self.spaces = {"text": TEXT, "vision": VISION}
        self.text_encoder, self.vision_encoder = FakeEncoder(TEXT), FakeEncoder(VISION)
        self.load: Callable[[], None] = lambda: None

    def text(self) -> FakeEncoder:
        self.load()
        return self.text_encoder

    def vision(self) -> FakeEncoder:
        return self.vision_encoder

    def encoder(self, space_name: str) -> FakeEncoder:
        return self.text() if space_name == self.text_encoder.space.name else self.vision()

    def queries(self) -> list[str]:
        """The encoded queries, without those that warm up the encoders."""
        encoded = self.text_encoder.encoded + self.vision_encoder.encoded
        return [text for text in encoded if text not in ("a first sentence", "blue")]


@dataclass(frozen=True)
class FakeVideo:
    video_id: str
    title: str
    generation: int = 1
    filename: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class FakeLexical:
    hits: Hits
    terms: tuple[str, ...]


class Cosines(dict[str, dict[str, float]]):
    """Cosine similarities by space; called as View.vectors it has no vectors, so that no scenes look the same."""

    def __call__(self, space, scene_ids):
        return np.zeros(0, np.int64), np.zeros((0, space.dim), np.float32)


def hits_of(found):
    """(scene_id, score) as a view returns it."""
    return Hits([scene_id for scene_id, _ in found], [score for _, score in found])


class FakeReader:
    """A reader that is also its view. `vectors` is {name of a space: {scene_id: cosine similarity}}."""

    set_id = 1
    is_current = True

    def __init__(self, scenes: list[Scene], *, titles: dict[str, str] | None = None, owner: str = "local") -> None:
        self.all = scenes
        self.titles = titles or {s.video_id: f"title of {s.video_id}" for s in scenes}
        self.owner = owner
        self.token = "1"  # noqa: S105
        self.spaces = {"text": TEXT, "vision": VISION}
        self.vectors = Cosines({TEXT.name: {}, VISION.name: {}})
        self.frames = Path("/nowhere")
        self.lock = threading.Lock()

    def view(self) -> FakeReader:
        return self

    def hold(self, spaces, *, words=False) -> None:
        """Everything is in memory."""

    def _seen(self, user_id: str, video_ids: tuple[str, ...] | None) -> list[Scene]:
        mine = self.all if user_id == self.owner else []
        return [s for s in mine if video_ids is None or s.video_id in video_ids]

    def scene_ids(self, user_id, video_ids=None):
        return [s.scene_id for s in self._seen(user_id, video_ids)]

    def scenes_by_id(self, ids):
        return {s.scene_id: s for s in self.all if s.scene_id in set(ids)}

    def scene_count(self, user_id, video_ids=None):
        return len(self._seen(user_id, video_ids))

    def scene_table(self, user_id):
        videos = self.visible_videos(user_id)
        parts = []
        for video in videos:
            own = self._seen(user_id, (video.video_id,))
            parts.append(Part(SceneColumns.of(scenes_table(own)), range(len(own))))
        return SceneTable(videos, parts)

    def visible_videos(self, user_id):
        return [FakeVideo(v, t) for v, t in self.titles.items()] if user_id == self.owner else []

    def video_titles(self, user_id, video_ids):
        return {v.video_id: v.title for v in self.visible_videos(user_id) if v.video_id in video_ids}

    def has_transcripts(self, user_id, video_ids=None):
        return any(s.transcript for s in self._seen(user_id, video_ids))

    def vector_search(self, space, vector, *, k, user_id, video_ids=None, scene_ids=None):
        ids = set(self.scene_ids(user_id, video_ids))
        found = [(i, s) for i, s in self.vectors[space.name].items() if i in ids]
        return hits_of(sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k])

    def has_word(self, word, *, user_id):
        return len(self.lexical_search(word, k=1, user_id=user_id).hits) > 0

    def scenes_with_similar_word(self, word, *, edits, k, user_id):
        return []

    def keyframe_search(self, space, vector, *, temperature, **limits):
        found = self.vector_search(space, vector, **limits)
        return KeyframeMatches(found, Keyframes.of([None] * len(found)))

    def lexical_search(self, text, *, k, user_id, video_ids=None, scene_ids=None, filters=()):
        terms = analysis.parse_query(text).terms
        found = []
        for s in self._seen(user_id, video_ids):
            count = len([t for t in analysis.terms(s.transcript) if t in terms])
            if count:
                found.append((s.scene_id, float(count)))
        return FakeLexical(hits_of(sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]), terms)

    def word_coverage(self, words, *, scene_ids, user_id, least=0.0):
        seen = [s for s in self._seen(user_id, None) if s.scene_id in scene_ids]
        known = {s.scene_id: {(t,) for t in analysis.terms(s.transcript)} for s in seen}
        shares = {i: sum(any(s in own for s in word) for word in words) / len(words) for i, own in known.items()}
        return {i: share for i, share in shares.items() if share and share >= least}

    def sample_vectors(self, space, count, *, outside=None):
        return np.zeros((0, space.dim), np.float32)

    def frame_path(self, scene, name):
        return self.frames / name

    def frame_file(self, scene, name):
        return lambda: self.frame_path(scene, name)
