"""A query, what each channel says to it, and the hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heimdex_core.types.library import Scene
from heimdex_core.types.values import Json


@dataclass(frozen=True)
class Query:
    """A search. `weights` None means the person's saved ones, else the defaults."""

    text: str
    weights: Mapping[str, float] | None = None
    fusion: str | None = None
    video_ids: tuple[str, ...] | None = None
    limit: int = 20
    offset: int = 0
    spaces: tuple[str, ...] = ()
    """Spaces that take the place of their kind's first one, by name or by the part after the stroke."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Whether a channel took part; `reason` is a machine code where it did not.

    `kind` is "transcript", "vision", "caption" or "lexical"; `space` the name of the space that it looks in.
    `error` is the error as JSON where the channel failed for a known one.
    """

    active: bool
    weight: float = 0.0
    """Normalised over the active channels; 0 when it abstains."""
    reason: str | None = None
    detail: str = ""
    used_words: tuple[str, ...] = ()
    kind: str = ""
    space: str | None = None
    error: Json | None = None


@dataclass(frozen=True, slots=True)
class ChannelScore:
    """One channel's part in a hit. score and rank are None where the channel did not offer the scene."""

    score: float | None
    rank: int | None
    weight: float
    normalised: float
    contribution: float
    """What it added to the hit's score, in the units of that score."""


@dataclass(frozen=True, slots=True)
class Hit:
    scene: Scene
    video_title: str
    score: float
    rank: int
    channels: Mapping[str, ChannelScore]
    matched_words: tuple[str, ...] = ()
    """Words of the transcript, title, tags or on-screen text that matched the query, as written there."""
    transcript_spans: tuple[tuple[int, int], ...] = ()
    """[start, end) character positions in the scene's transcript of the words that matched."""

    @property
    def scene_id(self) -> str:
        return self.scene.scene_id
