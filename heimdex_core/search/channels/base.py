"""What a channel takes and gives. A channel either offers scored scenes or says why it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.types import Json

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
class Ask:
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
class Answer:
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

    def answer(self, ask: Ask) -> Answer:
        """The channel's best `ask.depth` scenes. Errors of models and store come through."""
        ...
