"""What a search gives back: hits with their reasons, as Python, pandas, JSON or a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from heimdex_core.types import ChannelState, Hit, Query

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SearchResult:
    """One page of hits. `total` counts all scenes found, before paging.

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
    """The set of models that answered."""
    spaces: tuple[str, ...] = ()
    """The full names of the spaces that were asked for."""
    thumbnails: Mapping[str, Path] = field(default_factory=dict, repr=False)
    """Picture of each hit on this page, by scene_id."""

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

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `search --json`."""
        return {
            "query": self.query.text,
            "fusion": self.fusion,
            "hits": [_hit_json(hit) for hit in self.hits],
            "channels": {name: _state_json(state) for name, state in self.channels.items()},
            "timing_ms": {name: round(value, 3) for name, value in self.timing_ms.items()},
        }

    def _repr_html_(self) -> str:
        from heimdex_core.search.html import draw

        return draw(self)


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


def _state_json(state: ChannelState) -> dict[str, Any]:
    """`error` only where there is one."""
    about: dict[str, Any] = {"active": state.active, "reason": state.reason, "space": state.space}
    return about if state.error is None else {**about, "error": state.error}


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "scene_id": hit.scene_id,
        "video_id": hit.scene.video_id,
        "start_s": hit.scene.start_s,
        "end_s": hit.scene.end_s,
        "score": hit.score,
        "transcript": hit.scene.transcript,
        "channels": {
            name: {
                "score": part.score,
                "rank": part.rank,
                "weight": part.weight,
                "contribution": part.contribution,
            }
            for name, part in hit.channels.items()
        },
    }
