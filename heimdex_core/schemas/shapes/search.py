"""Scenes, and what a search has found."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from heimdex_core import types
from heimdex_core.schemas.shapes.base import Moment, Shape
from heimdex_core.types import Json, to_json


class Keyframe(Shape):
    """A frame that stands for its scene."""

    time_s: float
    brightness: float
    sharpness: float
    score: float
    file: str


class Scene(Shape):
    """A stretch of a video, [start_s, end_s), and what is known of it."""

    scene_id: str
    video_id: str
    index: int
    start_s: float
    end_s: float
    divided: bool
    transcript: str
    language: str | None
    tags: tuple[str, ...]
    on_screen_text: str
    caption: str
    keyframes: tuple[Keyframe, ...]
    thumbnail: str | None = Field(description="where its picture is: a link of the API, a path of the command line")
    speech_ratio: float
    motion: float
    brightness: float
    dominant_colours: tuple[str, ...]
    near_duplicate_group: int | None
    created_at: Moment | None

    @classmethod
    def of(cls, found: types.Scene, thumbnail: str | None) -> Scene:
        return cls.model_validate({**to_json(found), "thumbnail": thumbnail})


class Channel(Shape):
    """Whether a channel took part; `reason` is a code where it did not, and `error` says why it failed."""

    active: bool
    reason: str | None
    space: str | None
    error: Json | None = None
    weight: float = 0.0


class ChannelPart(Shape):
    """One channel's part in a hit; score and rank are null where it did not offer the scene."""

    score: float | None
    rank: int | None
    weight: float
    contribution: float


class SeenPerson(Shape):
    """A person whom the query names, where a scene shows them best."""

    person_id: str
    name: str
    time_s: float
    """Of the keyframe, in seconds of the video."""
    similarity: float
    """The cosine of the face to the person, -1 to 1."""
    is_by_hand: bool
    """Whether somebody has said who it is; else the face was matched."""
    keyframe: str | None


class Hit(Shape):
    """A scene that was found, with the reasons."""

    scene_id: str
    video_id: str
    start_s: float
    end_s: float
    score: float
    strength: str | None
    keyframe_s: float | None
    duplicates: tuple[str, ...]
    then: str | None
    transcript: str
    channels: dict[str, ChannelPart]
    rank: int = 0
    video_title: str = ""
    is_close: bool = True
    on_screen_text: str = ""
    matched_words: tuple[str, ...] = ()
    matched_on_screen: tuple[str, ...] = ()
    """Those of `matched_words` that can be read in the picture."""
    transcript_spans: tuple[tuple[int, int], ...] = ()
    tags: tuple[str, ...] = ()
    thumbnail: str | None = None
    people: tuple[SeenPerson, ...] = ()
    """The people whom the query names, each where the scene shows them best."""

    @classmethod
    def of(cls, hit: types.Hit, thumbnail: str | None) -> Hit:
        return cls(
            scene_id=hit.scene_id,
            video_id=hit.scene.video_id,
            start_s=hit.scene.start_s,
            end_s=hit.scene.end_s,
            score=hit.score,
            strength=hit.strength,
            keyframe_s=hit.keyframe_s,
            duplicates=hit.duplicates,
            then=hit.then,
            transcript=hit.scene.transcript,
            channels={
                name: ChannelPart(score=part.score, rank=part.rank, weight=part.weight, contribution=part.contribution)
                for name, part in hit.channels.items()
            },
            rank=hit.rank,
            video_title=hit.video_title,
            is_close=hit.is_close,
            on_screen_text=hit.scene.on_screen_text,
            matched_words=hit.matched_words,
            matched_on_screen=hit.matched_on_screen,
            transcript_spans=hit.transcript_spans,
            tags=hit.scene.tags,
            thumbnail=thumbnail,
            people=tuple(SeenPerson.model_validate(to_json(person)) for person in hit.people),
        )


class SearchResult(Shape):
    """A page of hits, best first; `total` counts all that were found."""

    query: str
    fusion: str
    total: int
    nothing_close: bool
    corrected: dict[str, str]
    notes: tuple[str, ...]
    hits: tuple[Hit, ...]
    channels: dict[str, Channel]
    timing_ms: dict[str, float]
    total_videos: int = 0
    weights: dict[str, float] = {}
    facets: dict[str, dict[str, int]] = {}
    view_token: str = Field("", description="sent with the next pages, so that they fit this one")
    cached: bool = False
    conditions: tuple[str, ...] = Field(
        (), description="what every hit fulfils: filters as NAME=VALUE, and with a minus what it must not have"
    )
    order: str = Field("score", description="best first; without anything to compare it is newest, or time")

    @classmethod
    def of(cls, found: types.SearchResult, thumbnails: Mapping[str, str] | None = None) -> SearchResult:
        """`thumbnails` are links by scene_id."""
        links = thumbnails or {}
        return cls(
            query=found.query.text,
            fusion=found.fusion,
            total=found.total,
            nothing_close=found.nothing_close,
            corrected=dict(found.corrected),
            notes=found.notes,
            hits=tuple(Hit.of(hit, links.get(hit.scene_id)) for hit in found.hits),
            channels={
                name: Channel(
                    active=state.active, reason=state.reason, space=state.space, error=state.error, weight=state.weight
                )
                for name, state in found.channels.items()
            },
            timing_ms={name: round(value, 3) for name, value in found.timing_ms.items()},
            total_videos=found.total_videos,
            weights=dict(found.weights),
            facets={name: dict(counts) for name, counts in found.facets.items()},
            view_token=found.view_token,
            cached=found.cached,
            conditions=found.conditions.texts,
            order=found.order,
        )
