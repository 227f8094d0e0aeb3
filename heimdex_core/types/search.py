"""A query, what each channel says to it, the hits, and the result of a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from heimdex_core.types.library import Scene
from heimdex_core.types.values import Json

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass(frozen=True)
class SearchResult:
    """One page of hits. `total` counts all scenes found, before paging, and `total_videos` the videos they are in.

    `weights` are the asked ones by channel, normalised; what each channel counted in the end, after
    others abstained, is in `channels`, which stand in the order transcript, vision, caption, lexical.
    `timing_ms` has "encode", one entry per channel that was run, "fuse", "load" and "total". `cached` is
    True where no channel had to be run.
    """

    query: Query
    fusion: str
    weights: Mapping[str, float]
    hits: tuple[Hit, ...]
    total: int
    channels: Mapping[str, ChannelState]
    timing_ms: Mapping[str, float]
    cached: bool
    set_id: int = 1
    """The model set that answered."""
    spaces: tuple[str, ...] = ()
    """The full names of the spaces that were asked for."""
    terms: tuple[str, ...] = ()
    """The index terms of the query, for marking what matched (search/matching.py)."""
    thumbnails: Mapping[str, Path] = field(default_factory=dict, repr=False)
    """Picture of each hit on this page, by scene_id."""
    total_videos: int = 0

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def to_pandas(self) -> pd.DataFrame:
        """One row per hit; <channel>_score, _rank and _contribution are missing where it did not offer the scene."""
        import pandas as pd

        columns = [
            *("rank", "score", "scene_id", "video_id", "video_title", "start_s", "end_s", "transcript"),
            *("tags", "matched_words"),
            *(f"{name}_{part}" for name in self.channels for part in ("score", "rank", "contribution")),
        ]
        return pd.DataFrame([_row(hit) for hit in self.hits], columns=columns)


def _row(hit: Hit) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": hit.rank,
        "score": hit.score,
        "scene_id": hit.scene_id,
        "video_id": hit.scene.video_id,
        "video_title": hit.video_title,
        "start_s": hit.scene.start_s,
        "end_s": hit.scene.end_s,
        "transcript": hit.scene.transcript,
        "tags": ", ".join(hit.scene.tags),
        "matched_words": ", ".join(hit.matched_words),
    }
    for name, part in hit.channels.items():
        row |= {f"{name}_score": part.score, f"{name}_rank": part.rank, f"{name}_contribution": part.contribution}
    return row
