"""Searching by example: what scenes, a picture and a text together look for in one space.

Liked and disliked scenes move the query by Rocchio's formula ("Relevance feedback in information retrieval", 1971),
with the weights of Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008), section 9.1.1:

    q' = a q + b mean(liked) - c mean(disliked),  a = 1, b = 0.75, c = 0.15

A text and pictures lie in different parts of a joint space, where texts differ less in their cosines with scenes than
pictures do (Liang et al., "Mind the Gap", NeurIPS 2022): added as they are, the pictures alone would decide. So every
part is first divided by the standard deviation of its cosines with a sample of the scenes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.errors import InvalidValue
from heimdex_core.models.base import Image, Vectors
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.search.pictures import read_picture
from heimdex_core.store.hits import Hits
from heimdex_core.types import Example

if TYPE_CHECKING:
    from heimdex_core.store.view import View

QUERY_WEIGHT, LIKED_WEIGHT, DISLIKED_WEIGHT = 1.0, 0.75, 0.15
MAX_SCENES = 200
"""Liked and disliked scenes of one search."""
LEAST_SAMPLE = 8
"""With fewer scenes the standard deviations say little, and the parts are added as they are."""


@dataclass(frozen=True)
class ResolvedExample:
    """An example whose scenes exist and whose picture has been read."""

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    image: Image | None = None
    hidden: frozenset[str] = frozenset()
    """Scenes that are not offered: the example itself, where there is nothing else to find it by."""

    @property
    def key(self) -> Hashable:
        """What the result of a search depends on."""
        pixels = None if self.image is None else hashlib.sha256(self.image.tobytes()).hexdigest()
        return (self.liked, self.disliked, pixels, self.image.shape if self.image is not None else None, self.hidden)


def resolve(view: View, example: Example | None, text: str, user_id: str) -> ResolvedExample | None:
    """Look up an example's scenes and read its picture; None where nothing is given.

    Args:
        view: the view that is searched.
        example: a box without a picture is cut out of the best keyframe of the only scene.
        text: what is looked for besides; may be empty.
        user_id: whose scenes.

    Raises SceneNotFound, FileUnreadable, NotAnImage, ImageTooLarge, InvalidValue.
    """
    if example is None or example == Example():
        return None
    if len(example.scene_ids) + len(example.less_like) > MAX_SCENES:
        count = len(example.scene_ids) + len(example.less_like)
        raise InvalidValue(name="example", value=count, reason=f"at most {MAX_SCENES} scenes can be used")
    scenes = [view.scene(user_id, scene_id) for scene_id in dict.fromkeys(example.scene_ids)]
    liked = tuple(dict.fromkeys(scene.scene_id for scene in scenes))
    disliked = tuple(dict.fromkeys(view.scene(user_id, scene_id).scene_id for scene_id in example.less_like))
    if both := set(liked) & set(disliked):
        raise InvalidValue(name="example", value=min(both), reason="the scene is both liked and disliked")
    if not (liked or text or example.image is not None):
        raise InvalidValue(name="example", value="", reason="a text, a picture or a scene to look for is needed")
    if example.box is None:
        image = read_picture(example.image) if example.image is not None else None
        return ResolvedExample(liked, disliked, image, frozenset() if text else frozenset(liked))
    if example.image is not None:
        return ResolvedExample(liked, disliked, read_picture(example.image, example.box))
    if len(scenes) != 1 or not scenes[0].keyframes:
        raise InvalidValue(name="box", value=example.box, reason="it needs a picture, or one scene with a keyframe")
    best = max(scenes[0].keyframes, key=lambda keyframe: keyframe.score)
    return ResolvedExample((), disliked, read_picture(view.frame_path(scenes[0], best.file), example.box))


def moved(asked: Sequence[Vectors], liked: Vectors, disliked: Vectors, sample: Vectors) -> Vectors:
    """Rocchio's formula.

    Args:
        asked: (d,) vectors of the text and of the picture, those that there are; they count equally.
        liked: (n, d); n may be 0.
        disliked: (m, d); m may be 0.
        sample: (s, d) vectors of scenes, which the parts are scaled by.

    Returns (d,) of length 1. There must be something that is asked for or liked.
    """
    parts: list[tuple[float, Vectors]] = [(QUERY_WEIGHT / len(asked), vector) for vector in asked]
    if len(liked):
        parts.append((LIKED_WEIGHT, liked.mean(axis=0)))
    if len(disliked):
        parts.append((-DISLIKED_WEIGHT, disliked.mean(axis=0)))
    whole = np.sum([weight * vector / _spread(vector, sample) for weight, vector in parts], axis=0)
    length = float(np.linalg.norm(whole))
    # What is liked and what is disliked may cancel out; then there is nothing better than the first part.
    return np.asarray(whole / length if length > 1e-6 else parts[0][1], dtype=np.float32)


def by_example(nearest: Hits, hidden: frozenset[str]) -> ScoredScenes:
    """The scenes that a dense channel returns for an example.

    Nearly all pictures are a little alike, and no threshold of a text applies. So every scene in a direction that is
    not opposite is offered, and the median score is taken as that of a scene that has nothing to do with the example.
    """
    is_offered = nearest.scores > 0
    if hidden:
        is_offered &= [scene_id not in hidden for scene_id in nearest.scenes]
    hits = nearest.take(np.flatnonzero(is_offered))
    middle = float(np.median(hits.scores)) if len(hits) >= LEAST_SAMPLE else None
    return ScoredScenes(hits, background_score=middle if middle is not None and middle < hits.scores.max() else None)


def _spread(vector: Vectors, sample: Vectors) -> float:
    """Standard deviation of the vector's inner products with the sample; its length where that says nothing."""
    if len(sample) < LEAST_SAMPLE:
        return float(np.linalg.norm(vector)) or 1.0
    return float(np.std(sample @ vector)) or 1.0
