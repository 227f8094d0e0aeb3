"""What a channel takes and gives. A channel either offers scored scenes or says why it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.types import Json, Space

if TYPE_CHECKING:
    from heimdex_core.store.view import View

REASONS: tuple[str, ...] = (
    "no_known_words",  # the model knows none of the query's words
    "language",  # the model does not read the query's language
    "no_transcript",  # nothing is said in the videos that are searched
    "no_terms",  # the query has no word to look up
    "no_matches",  # nothing is near enough
    "flat",  # every scene is equally near: it tells nothing apart
    "weight_zero",  # not asked
    "failed",
    "timeout",
)
"""Why a channel takes no part; the application has a sentence for each."""


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """A query as the channels see it: everything is looked up in `view`, the same one for all channels.

    `scene_count` is how many scenes are searched.
    """

    view: View
    text: str
    user_id: str
    video_ids: tuple[str, ...] | None
    depth: int
    scene_count: int


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """A channel's scenes, or `reason` (one of REASONS) and what there is to say about it."""

    scenes: ScoredScenes = ScoredScenes(())
    reason: str | None = None
    detail: str = ""
    used_words: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    """The index terms that were looked up (lexical)."""
    encode_ms: float = 0.0
    error: Json | None = None
    """What went wrong, where that is an error that people are told in words (HeimdexError.to_dict)."""


class Channel(Protocol):
    """One way of finding scenes."""

    name: str

    @property
    def is_ready(self) -> bool:
        """True where `prepare` has nothing left to load."""
        ...

    def prepare(self) -> None:
        """Load what is needed. May take long, and is not counted against the time limit."""
        ...

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The channel's best `request.depth` scenes. Errors of models and store come through."""
        ...


@dataclass(frozen=True)
class ChannelSpec:
    """A kind of channel. Adding one: a file with its class and its spec, and a line in channels/__init__.py."""

    kind: str
    """Its name, for example in `weights`; kept in saved preferences."""
    side: str
    """Channels of one side ("said", "seen", "words") tell of the same thing, and stand in for one another."""
    make: Callable[[str, Space | None, SharedEncoder | None], Channel]
    """Makes a channel from its name in the search, the space that it looks in and the encoder of that space."""
    space_role: str | None = None
    """The role of the space that it looks in, also the first part of such spaces' names; None for no space."""
    warm_up_text: str = ""
    """A first query for the encoder, so that loading is over when a person's query comes."""
    shares_weight_of: str | None = None
    """The kind that gives it half of its weight, where it has none of its own."""
