"""What a request looks for in one space, as a vector: its text, moved by its example (search/examples.py)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heimdex_core.models.base import Image, QueryVector, Vectors
from heimdex_core.search.channels.base import ChannelRequest, ChannelResult
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.examples import moved
from heimdex_core.types import Space

SAMPLE = 500
"""Scenes that the parts of an example are scaled by."""


@dataclass(frozen=True)
class RequestVector:
    """What is looked for in one space."""

    vector: Vectors | None
    """(d,); None where there is nothing to look for."""
    text: QueryVector | None
    """The text as the model encodes it; None where there is none."""
    by_example: bool
    """Whether a scene or a picture is part of the vector."""
    encode_ms: float

    @property
    def used_words(self) -> tuple[str, ...]:
        """The words of the text that the model used."""
        return self.text.used_words if self.text is not None else ()

    def abstention(self) -> ChannelResult:
        """The result of a channel that has no vector."""
        if self.text is None:
            return ChannelResult(reason="no_text", encode_ms=self.encode_ms)
        detail = ", ".join(self.text.unknown_words)
        return ChannelResult(reason=self.text.reason or "no_known_words", detail=detail, encode_ms=self.encode_ms)


def vector_of(request: ChannelRequest, space: Space, encoder: SharedEncoder) -> RequestVector:
    """The vector of a request in a space. Raises what the model and the view raise."""
    started = time.perf_counter()
    text = encoder.encode(request.text, request.user_id) if request.text else None
    asked = [text.vector] if text is not None and text.vector is not None else []
    example = request.example
    image = image_of(request, space)
    if image is not None:
        asked.append(encoder.encode_image(image))
    liked = _scenes(request, space, example.liked if example is not None else ())
    disliked = _scenes(request, space, example.disliked if example is not None else ())
    encode_ms = (time.perf_counter() - started) * 1000
    by_example = image is not None or len(liked) > 0 or len(disliked) > 0
    if not asked and not len(liked):
        return RequestVector(None, text, by_example=False, encode_ms=encode_ms)
    vector = asked[0] if not by_example else moved(asked, liked, disliked, request.view.sample_vectors(space, SAMPLE))
    return RequestVector(vector, text, by_example=by_example, encode_ms=encode_ms)


def is_ready(request: ChannelRequest, space: Space, encoder: SharedEncoder) -> bool:
    """Whether `vector_of` has nothing to load."""
    reads_text = encoder.is_ready or not request.text
    return reads_text and (image_of(request, space) is None or encoder.reads_images)


def prepare(request: ChannelRequest, space: Space, encoder: SharedEncoder) -> None:
    """Load what `vector_of` needs: the text tower of the model, the image tower, or both."""
    if request.text:
        encoder.prepare()
    if image_of(request, space) is not None and not encoder.reads_images:
        encoder.encode_image(np.full((8, 8, 3), 128, np.uint8))


def image_of(request: ChannelRequest, space: Space) -> Image | None:
    """The picture that is compared in a space; None in a space of texts."""
    is_vision = space.kind == "vision"
    return request.example.image if request.example is not None and is_vision else None


def _scenes(request: ChannelRequest, space: Space, scene_ids: Sequence[str]) -> Vectors:
    if not scene_ids:
        return np.zeros((0, space.dim), dtype=np.float32)
    return request.view.vectors(space, scene_ids)[1]
