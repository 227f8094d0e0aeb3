"""What a channel receives and returns. A channel returns scored scenes, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from heimdex_core.search.closeness import Closeness
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.hits import Keyframes
from heimdex_core.types import Filters, Json

if TYPE_CHECKING:
    from heimdex_core.search.examples import ResolvedExample
    from heimdex_core.search.people import PeopleView
    from heimdex_core.store.scene_set import SceneSet
    from heimdex_core.store.view import View

REASONS: dict[str, str] = {
    "no_known_words": "the model doesn't know these words",
    "language": "this language is not supported",
    "no_transcript": "no transcript to search",
    "no_terms": "no words to look up",
    "no_text": "nothing to look for",
    "not_asked": "not needed for filters or people alone",
    "stop_words": "the query has only very common words, which are looked up in quotation marks only",
    "no_matches": "no matching scene",
    "no_person": "nobody is named",
    "flat": "the same score for every scene",
    "weight_zero": "weight 0",
    "failed": "failed",
    "timeout": "took too long",
}
"""Why a channel takes no part in a search: code and English text. The app has the texts of other languages."""


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """One query, as every channel of a search receives it."""

    view: View
    """The state of the library that is searched, the same one for all channels."""
    text: str
    """The query in NFC for models: without operators and surplus white space. Empty only beside an example."""
    user_id: str
    video_ids: tuple[str, ...] | None
    """The only videos to search; None for all of the user's videos."""
    depth: int
    """The most scenes that a channel may return."""
    scene_count: int
    """How many scenes are searched, after filters and excluded words."""
    scene_ids: SceneSet | None = None
    """The only scenes to search, without those that have an excluded word; None for all of the videos."""
    filters: tuple[Filters, ...] = ()
    """What all of `scene_ids` pass."""
    lookup: str = ""
    """What is looked up word by word: the query with its quoted phrases, but without filters and excluded words."""
    example: ResolvedExample | None = None
    """The scenes and the picture to find similar scenes to."""
    temperature: float = 0.0
    """How the keyframes of a scene are averaged (search/keyframes.py)."""
    people: PeopleView | None = None
    """The user's people, where the query names any."""
    person_ids: tuple[str, ...] = ()
    """Those whose scenes come first."""


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """The scenes that a channel found, or the reason why it takes no part."""

    scenes: ScoredScenes = ScoredScenes(())
    reason: str | None = None
    """One of REASONS; None where there are scenes."""
    detail: str = ""
    """Details of the reason, for example the words that the model does not know."""
    used_words: tuple[str, ...] = ()
    """The words of the query that the model used, where it reports them."""
    terms: tuple[str, ...] = ()
    """The index terms that were looked up (lexical channel only)."""
    corrected: Mapping[str, str] = field(default_factory=dict)
    """Words that occur nowhere, with the similar word that was looked up instead (lexical channel only)."""
    keyframes: Keyframes | None = None
    """The file names of the keyframes of `scenes` that matched best; None where no pictures were compared."""
    encode_ms: float = 0.0
    """Time spent encoding the query, in milliseconds."""
    error: Json | None = None
    """HeimdexError.to_dict() of the error that occurred, if it was one."""
    closeness: Closeness | None = None
    """From which score on a scene is close to the query; None where that is not known."""

    @property
    def is_close(self) -> bool | None:
        """Whether any of the scenes is close; None where that is not known."""
        if not self.scenes.hits:
            return False
        return None if self.closeness is None else self.closeness.has_close(self.scenes)


class Channel(Protocol):
    """One way of finding scenes."""

    name: str

    def is_ready(self, request: ChannelRequest) -> bool:
        """Whether everything that `prepare` loads is loaded."""
        ...

    def prepare(self, request: ChannelRequest) -> None:
        """Load what the request needs. This may take long and does not count against the time limit."""
        ...

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The channel's best `request.depth` scenes. Errors of models and of the store are raised as they are."""
        ...


@dataclass(frozen=True)
class ChannelSpec:
    """A kind of channel, registered in channels/__init__.py."""

    kind: str
    """The channel's name, for example in `weights`. It is stored in saved preferences, so it must not change."""
    side: str
    """The kind of evidence: "said", "seen", "words", "people". Who abstains gives the weight to the own side."""
    label: Mapping[str, str]
    """What people read, by language ("en", "ko")."""
    make: Callable[..., Channel]
    """Creates the channel from its name in the search, its Space and the SharedEncoder of that, both None without a
    space_role; and where the model set has a space of the second role, from that one and its encoder as well."""
    space_role: str | None = None
    """The role of the space that is searched, which is also the prefix of such spaces' names; None for no space."""
    second_role: str | None = None
    """The role of a space that is searched besides, by a channel that can; None for no such space."""
    warm_up_text: str = ""
    """The first query for the encoder after loading, so that a user's first query is not slowed down."""
    shares_weight_of: str | None = None
    """The kind that gives up half of its weight to this one; None where this kind has a weight of its own."""
    is_on_request: bool = False
    """Whether only searches have it that ask for it: by naming a person."""
