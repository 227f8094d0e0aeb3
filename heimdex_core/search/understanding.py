"""What a query asks for: its text in parts, its filters in one list, the videos that it names, the example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from heimdex_core.errors import InvalidQuery, InvalidValue
from heimdex_core.search.order import named_videos
from heimdex_core.search.people import PeopleView
from heimdex_core.search.query_language import ParsedText, normalise, parse
from heimdex_core.search.sequence import check
from heimdex_core.types import NO_FILTERS, Example, Filters, Query, Then, VisibleVideo

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
    people: PeopleView | None = None
    """The user's people, where the query names any; None where it does not, or people are turned off."""
    wanted_people: tuple[str, ...] = ()
    """The ids of people whose scenes come first."""

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
    if len(text) > max_chars:
        raise InvalidQuery(length=len(text), minimum=1, maximum=max_chars)
    if query.limit < 1:
        raise InvalidValue(name="limit", value=query.limit, reason="it must be at least 1")
    if query.offset < 0:
        raise InvalidValue(name="offset", value=query.offset, reason="it must not be negative")
    if query.sort not in SORTS:
        raise InvalidValue(name="sort", value=str(query.sort)[:80], reason=f"it must be one of {', '.join(SORTS)}")
    temperature = query.keyframe_temperature
    if temperature is not None and not temperature >= 0:  # also refuses NaN
        raise InvalidValue(name="keyframe_temperature", value=temperature, reason="it must be 0 or more")
    named, rest = named_videos(text, videos)
    parsed = parse(rest)
    filters = query.filters if query.video_ids is None else _within(query.filters, query.video_ids)
    named_people = _NamedPeople.of((filters, *parsed.filters), parsed.people, people)
    parsed = named_people.with_unknown_as_text(parsed)
    wants_something = bool(filters or parsed.filters or parsed.excluded or named)
    is_listing = not parsed.plain and query.example in (None, Example())
    if is_listing and not wants_something:
        raise InvalidQuery(length=0, minimum=1, maximum=max_chars)
    notes = [
        *(["listing"] if is_listing and not named else []),
        *named_people.notes,
        *(["unclosed_quote"] if parsed.is_unclosed else []),
    ]
    then = _understand_then(query.then, max_chars) if query.then is not None else None
    found = named_people
    return Understood(parsed, filters, named, is_listing, tuple(notes), then, found.people, found.wanted)


@dataclass(frozen=True)
class _NamedPeople:
    """The people whom a query names."""

    people: PeopleView | None
    wanted: tuple[str, ...]
    unknown: tuple[str, ...]
    """Names of people whose scenes should come first, and who are nobody's name."""
    notes: tuple[str, ...]

    @classmethod
    def of(cls, filters: Sequence[Filters], first: Sequence[str], people: Callable[[], PeopleView | None]) -> Self:
        asked = [name for one in filters for name in one.people]
        if not asked and not first:
            return cls(None, (), (), ())
        found = people()
        if found is None:
            return cls(None, (), tuple(first), ("people_off",))
        known = {name: found.person_named(name) for name in (*asked, *first)}
        has_unknown = None in known.values()
        note = "unknown_person" if found.has_people else "nobody_known"
        return cls(
            found,
            tuple(person_id for name in first if (person_id := known[name]) is not None),
            tuple(name for name in first if known[name] is None),
            (note,) if has_unknown else (),
        )

    def with_unknown_as_text(self, parsed: ParsedText) -> ParsedText:
        """What is looked for, where a name that nobody has counts as text."""
        if not self.unknown:
            return parsed
        plain, lookup = (" ".join([*self.unknown, text]).strip() for text in (parsed.plain, parsed.lookup))
        return replace(parsed, plain=plain, lookup=lookup)


def _understand_then(then: Then, max_chars: int) -> ParsedText:
    check(then)
    parsed, length = parse(then.text), len(normalise(then.text))
    if not parsed.plain or length > max_chars:
        raise InvalidQuery(length=length if parsed.plain else 0, minimum=1, maximum=max_chars)
    return parsed


def _within(filters: Filters, video_ids: tuple[str, ...]) -> Filters:
    """The filters for these videos only."""
    chosen = video_ids if filters.video_ids is None else [one for one in filters.video_ids if one in set(video_ids)]
    return replace(filters, video_ids=tuple(dict.fromkeys(chosen)))
