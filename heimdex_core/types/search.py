"""A query, what each channel says to it, the hits, and the result of a search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from heimdex_core.errors import InvalidFilter
from heimdex_core.types.library import Scene
from heimdex_core.types.values import Json

if TYPE_CHECKING:
    import pandas as pd


Sort = Literal["score", "time", "newest"]
"""Best first; in the order of adding and of playing; the videos added last first, each with its best scenes first."""

Owner = Literal["mine", "shared"]
"""Whose videos: the user's own, or those that others share with them."""

Strength = Literal["strong", "fair", "weak"]


@dataclass(frozen=True)
class Filters:
    """Which scenes are searched. A scene must pass every filter; the defaults let all scenes pass."""

    video_ids: tuple[str, ...] | None = None
    """Scenes of these videos; None for all."""
    title: str = ""
    """A part of the video's title, in any case."""
    filename: str = ""
    """A part of the name that the video's file had, in any case."""
    added_from: date | None = None
    """The first UTC day on which the video was added."""
    added_to: date | None = None
    """The last such day."""
    min_s: float | None = None
    """The least length of the scene, in seconds."""
    max_s: float | None = None
    """The greatest length of the scene, in seconds."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of what is said, any of them; empty for all."""
    has_speech: bool | None = None
    """Whether the scene has a transcript."""
    tags: tuple[str, ...] = ()
    """Tags that the scene has, all of them, in any case."""
    on_screen: str = ""
    """A word or phrase that can be read in the picture."""
    people: tuple[str, ...] = ()
    """Names of the user's people who are seen, all of them, in any case; no scene passes for a name that nobody has."""

    owner: Owner | None = None
    """Whose videos; None for all that the user sees."""
    collections: tuple[str, ...] = ()
    """Ids or titles (in any case) of collections that the video is in, any of them."""

    def __post_init__(self) -> None:
        """Raise InvalidFilter for another owner, and limits that are no numbers, negative, or the wrong way round."""
        for name in ("video_ids", "languages", "tags", "people", "collections"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InvalidFilter(filter=f"{name}={value}"[:80], reason="several values are needed, not one text")
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        if self.owner not in (None, "mine", "shared"):
            raise InvalidFilter(filter=f"owner={self.owner}"[:80], reason="it is mine or shared")
        for name, length in (("min_s", self.min_s), ("max_s", self.max_s)):
            if length is not None and not (math.isfinite(length) and length >= 0):
                raise InvalidFilter(filter=f"{name}={length}", reason="a length is a number of seconds, 0 or more")
        if self.min_s is not None and self.max_s is not None and self.min_s > self.max_s:
            limits = f"min_s={self.min_s:g} max_s={self.max_s:g}"
            raise InvalidFilter(filter=limits, reason="the least length is above the greatest")
        if self.added_from is not None and self.added_to is not None and self.added_from > self.added_to:
            days = f"added_from={self.added_from} added_to={self.added_to}"
            raise InvalidFilter(filter=days, reason="the first day is after the last")

    def __bool__(self) -> bool:
        """Whether anything is filtered."""
        return self != NO_FILTERS


NO_FILTERS = Filters()


@dataclass(frozen=True)
class Conditions:
    """What every hit of a search fulfils, whatever its score is."""

    filters: tuple[Filters, ...] = ()
    """A hit passes all of them: those in the text and those beside it."""
    without: tuple[Filters, ...] = ()
    """It passes none of these."""
    excluded: tuple[str, ...] = ()
    """Words and phrases that it does not have, as they were typed."""
    texts: tuple[str, ...] = ()
    """All of that as NAME=VALUE, with a minus what a hit must not have: "person=Anna", "-lang=ko", "-boat"."""


@dataclass(frozen=True)
class Example:
    """What a search is given instead of a text, or beside it."""

    scene_ids: tuple[str, ...] = ()
    """Scenes to find similar ones to."""
    less_like: tuple[str, ...] = ()
    """Scenes that the found ones should not be similar to."""
    image: Path | None = None
    """The file of a picture."""
    box: tuple[float, float, float, float] | None = None
    """The part of the picture: left, top, right and bottom as parts of its width and height, 0 to 1."""


@dataclass(frozen=True)
class Then:
    """What has to follow a found scene in the same video."""

    text: str
    within_s: float
    """The longest time from the end of the first scene to the beginning of the second, in seconds."""


@dataclass(frozen=True)
class Query:
    """A search. `weights` None means the person's saved ones, else the defaults."""

    text: str = ""
    weights: Mapping[str, float] | None = None
    fusion: str | None = None
    video_ids: tuple[str, ...] | None = None
    """The same as `filters.video_ids`; where both are given a video must be in both."""
    limit: int = 20
    offset: int = 0
    spaces: tuple[str, ...] = ()
    """Spaces that take the place of their kind's first one, by name or by the part after the stroke."""
    filters: Filters = NO_FILTERS
    sort: Sort = "score"
    group_by_video: bool = False
    """Whether the hits of a video stand together, the video with the first hit first."""
    example: Example | None = None
    then: Then | None = None
    collapse: bool = True
    """Whether nearly identical scenes are folded under the best of them."""
    facets: bool = False
    """Whether the choices of the filters are counted."""
    view_token: str | None = None
    """SearchResult.view_token of the first page, so that the next pages neither repeat nor skip a scene while videos
    are added. Where videos were changed or removed since, the library is searched as it is now."""
    keyframe_temperature: float | None = None
    """How the keyframes of a scene are averaged, 0 (the best one counts) or more; None as in the settings."""


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
class SeenPerson:
    """A person whom the query names, where a scene shows them best."""

    person_id: str
    name: str
    time_s: float
    """The time in the video of the keyframe, in seconds."""
    similarity: float
    """The cosine of the face to the person, -1 to 1."""
    is_by_hand: bool = False
    """Whether somebody has said who it is; else the face was matched."""
    keyframe: str | None = None
    """The file name of the keyframe in the frames folder; None where the video was indexed again since."""


@dataclass(frozen=True, slots=True)
class Hit:
    scene: Scene
    video_title: str
    score: float
    rank: int
    channels: Mapping[str, ChannelScore]
    matched_words: tuple[str, ...] = ()
    """Words of the transcript, title, tags, caption or on-screen text that matched the query, as written there."""
    matched_on_screen: tuple[str, ...] = ()
    """Those of the on-screen text."""
    transcript_spans: tuple[tuple[int, int], ...] = ()
    """[start, end) character positions in the scene's transcript of the words that matched."""
    strength: Strength | None = None
    """How far the best channel's score stands out from those of other queries; None where no channel can tell."""
    is_close: bool = True
    """Whether any channel found the scene close to the query; True where no channel can tell."""
    keyframe_s: float | None = None
    """The time in the video of the keyframe that matched, in seconds; None where no picture was compared. Where only
    people were looked for, it is the one in `people`."""
    keyframe: str | None = None
    """The file name of that keyframe in the frames folder."""
    duplicates: tuple[str, ...] = ()
    """Ids of nearly identical scenes that are folded under this hit, best first."""
    then: str | None = None
    """The id of the scene that follows, where the query asked for one."""
    people: tuple[SeenPerson, ...] = ()
    """The people whom the query names, each where the scene shows them best; without those who are not seen in it."""

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
    nothing_close: bool = False
    """Whether no channel found anything close to the query; the hits are the nearest all the same."""
    corrected: Mapping[str, str] = field(default_factory=dict)
    """Words that occur nowhere, and the similar word that the lexical channel looked up instead, by the word."""
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Found scenes by choice of "video_ids", "languages", "has_speech" ("true", "false") and "tags", most first. The
    filter of the same name is left out of its own counts. Empty unless Query.facets is set."""
    notes: tuple[str, ...] = ()
    """What a person should know about the search: codes of search.notes.NOTES."""
    view_token: str = ""
    """Names the state of the library that was searched (Query.view_token)."""
    named_videos: tuple[str, ...] = ()
    """Ids of videos whose file name the query has; their scenes come first."""
    conditions: Conditions = Conditions()
    """What every hit fulfils."""
    is_listing: bool = False
    """Whether nothing else was asked for: all scenes that fulfil the conditions are found, with a score of 0."""

    @property
    def order(self) -> Sort:
        """The order of the hits. Scenes without scores have the video that was added last first."""
        return "newest" if self.is_listing and self.query.sort == "score" else self.query.sort

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
            *("tags", "on_screen_text", "matched_words"),
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
        "on_screen_text": hit.scene.on_screen_text,
        "matched_words": ", ".join(hit.matched_words),
    }
    for name, part in hit.channels.items():
        row |= {f"{name}_score": part.score, f"{name}_rank": part.rank, f"{name}_contribution": part.contribution}
    return row
