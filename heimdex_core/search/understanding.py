"""What a query asks for: its text in parts, its filters in one list, the videos that it names, the example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from heimdex_core.errors import InvalidQuery, InvalidValue
from heimdex_core.search.filter_text import condition_pairs
from heimdex_core.search.order import named_videos
from heimdex_core.search.people import PeopleView
from heimdex_core.search.query_language import ParsedText, normalise, parse
from heimdex_core.search.sequence import check
from heimdex_core.types import NO_FILTERS, Conditions, Example, Filters, Query, Then, VisibleVideo

SORTS = ("score", "time", "newest")


@dataclass(frozen=True)
class Understood:
    """A query, checked and taken apart."""

    text: ParsedText
    filters: Filters
    """Those that were given beside the text, `Query.video_ids` among them."""
    named_videos: tuple[str, ...]
    """Ids of the videos whose file name the text has."""
    is_listing: bool
    """Whether nothing is looked for, so that all scenes that pass the filters are listed."""
    notes: tuple[str, ...]
    """Codes of notes.NOTES."""
    then: ParsedText | None = None
    """What has to follow in the same video."""
    wanted_by_then: tuple[str, ...] = ()
    """The ids of people whose scenes come first among those that follow."""
    people: PeopleView | None = None
    """The user's people, where the query names any; None where it does not, or people are turned off."""
    wanted_people: tuple[str, ...] = ()
    """The ids of people whose scenes come first."""
    named_people: tuple[str, ...] = ()
    """The ids of all people who should be seen: by a filter or first."""

    @property
    def conditions(self) -> Conditions:
        """What every hit fulfils."""
        filters, without, excluded = self.all_filters(), self.text.without, self.text.excluded
        return Conditions(filters, without, excluded, condition_pairs(filters, without, excluded))

    def all_filters(self, *, without: str | None = None) -> tuple[Filters, ...]:
        """What a scene has to pass, but without the filter of one name that was given beside the text."""
        given = replace(self.filters, **{without: getattr(NO_FILTERS, without)}) if without else self.filters
        named = (Filters(video_ids=self.named_videos),) if self.is_listing and self.named_videos else ()
        return tuple(one for one in (given, *self.text.filters, *named) if one)

    def filters_of_then(self) -> tuple[Filters, ...]:
        """What a scene that follows has to pass."""
        return tuple(one for one in (self.filters, *(self.then.filters if self.then else ())) if one)


def understand(
    query: Query,
    videos: Sequence[VisibleVideo],
    *,
    max_chars: int,
    people: Callable[[], PeopleView | None] = lambda: None,
) -> Understood:
    """Check a query and take it apart.

    Args:
        query: what is asked.
        videos: the user's videos, newest first; their file names may be in the text.
        max_chars: the most characters that the text may have.
        people: gives the user's people, None where they are turned off; called where the query names somebody.

    Raises InvalidQuery for a text that is too long, or empty where nothing else says what is wanted; InvalidValue.
    """
    text = normalise(query.text)
    _check(query, len(text), max_chars)
    named, rest = named_videos(text, videos)
    parsed = parse(rest)
    filters = query.filters if query.video_ids is None else _within(query.filters, query.video_ids)
    then = _parsed_then(query.then, max_chars) if query.then is not None else None
    texts = [parsed] if then is None else [parsed, then]
    named_people = _NamedPeople.of(filters, texts, people)
    parsed = named_people.with_unknown_as_text(parsed)
    wanted = named_people.ids(parsed.people)
    wants_something = bool(filters or parsed.filters or parsed.excluded or parsed.without or named)
    is_listing = not parsed.plain and not wanted and query.example in (None, Example())
    if is_listing and not wants_something:
        raise InvalidQuery(length=0, minimum=1, maximum=max_chars)
    notes = [
        *(["listing"] if is_listing and not named else []),
        *named_people.notes,
        *(["unclosed_quote"] if parsed.is_unclosed else []),
    ]
    if then is not None:
        then = named_people.with_unknown_as_text(then)
        if not then.plain and not named_people.ids(then.people):
            raise InvalidQuery(length=0, minimum=1, maximum=max_chars)
    seen = (name for one in (filters, *parsed.filters) for name in one.people)
    return Understood(
        parsed,
        filters,
        named,
        is_listing,
        tuple(notes),
        then,
        wanted_by_then=named_people.ids(then.people) if then is not None else (),
        people=named_people.people,
        wanted_people=wanted,
        named_people=named_people.ids((*seen, *parsed.people)),
    )


def _check(query: Query, length: int, max_chars: int) -> None:
    """Raise InvalidQuery for a text of so many characters, InvalidValue for what is out of range."""
    if length > max_chars:
        raise InvalidQuery(length=length, minimum=1, maximum=max_chars)
    if query.limit < 1:
        raise InvalidValue(name="limit", value=query.limit, reason="it must be at least 1")
    if query.offset < 0:
        raise InvalidValue(name="offset", value=query.offset, reason="it must not be negative")
    if query.sort not in SORTS:
        raise InvalidValue(name="sort", value=str(query.sort)[:80], reason=f"it must be one of {', '.join(SORTS)}")
    temperature = query.keyframe_temperature
    if temperature is not None and not temperature >= 0:  # also refuses NaN
        raise InvalidValue(name="keyframe_temperature", value=temperature, reason="it must be 0 or more")


@dataclass(frozen=True)
class _NamedPeople:
    """The people whom a query names."""

    people: PeopleView | None
    known: Mapping[str, str | None]
    """The id of the person by name; None for a name that nobody has."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, filters: Filters, texts: Sequence[ParsedText], people: Callable[[], PeopleView | None]) -> Self:
        """Look up whom the filters and the texts name; nothing is looked up where they name nobody."""
        asked = [filters, *(one for text in texts for one in (*text.filters, *text.without))]
        names = [*(name for one in asked for name in one.people), *(name for text in texts for name in text.people)]
        if not names:
            return cls(None, {})
        found = people()
        if found is None:
            return cls(None, dict.fromkeys(names), ("people_off",))
        known = {name: found.person_named(name) for name in names}
        note = "unknown_person" if found.has_people else "nobody_known"
        return cls(found, known, (note,) if None in known.values() else ())

    def ids(self, names: Iterable[str]) -> tuple[str, ...]:
        """The ids of people by their names, each once, without those whom nobody knows."""
        found = (self.known[name] for name in names)
        return tuple(dict.fromkeys(person_id for person_id in found if person_id is not None))

    def with_unknown_as_text(self, parsed: ParsedText) -> ParsedText:
        """The text, where a name that nobody has and that should come first counts as text."""
        unknown = [name for name in parsed.people if self.known[name] is None]
        if not unknown:
            return parsed
        plain, lookup = (" ".join([*unknown, text]).strip() for text in (parsed.plain, parsed.lookup))
        return replace(parsed, plain=plain, lookup=lookup)


def _parsed_then(then: Then, max_chars: int) -> ParsedText:
    """What has to follow. Raises InvalidValue, InvalidQuery for a text that is too long."""
    check(then)
    length = len(normalise(then.text))
    if length > max_chars:
        raise InvalidQuery(length=length, minimum=1, maximum=max_chars)
    return parse(then.text)


def _within(filters: Filters, video_ids: tuple[str, ...]) -> Filters:
    """The filters for these videos only."""
    chosen = video_ids if filters.video_ids is None else [one for one in filters.video_ids if one in set(video_ids)]
    return replace(filters, video_ids=tuple(dict.fromkeys(chosen)))
