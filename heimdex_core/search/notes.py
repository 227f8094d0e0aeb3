"""What a person should know about how a search was understood, and why a listed scene is there, in English.

NOTES has the codes of SearchResult.notes. The app has the texts of other languages.
"""

from __future__ import annotations

from heimdex_core.formatting import precise
from heimdex_core.types import SearchResult, SeenPerson, Sort

NOTES: dict[str, str] = {
    "listing": "all scenes that pass the filters are listed",
    "nobody_known": "nobody is known yet, so no scene shows this person",
    "unknown_person": "no person has this name, so no scene shows this person",
    "people_off": "searching for people is turned off in this library",
    "unclosed_quote": "a quotation mark without a second one was left out",
}

_LISTED_FROM: dict[Sort, str] = {"newest": "the most recently added video", "time": "the video that was added first"}
_MOST_SHOWN = 8


def note_texts(result: SearchResult) -> list[str]:
    """The notes of a search; that of a listing, where there are scenes, with what they fulfil and with their order."""
    notes = [note for note in result.notes if note != "listing" or result.total]
    return [_listing_text(result) if note == "listing" else NOTES.get(note, note) for note in notes]


def seen_text(person: SeenPerson) -> str:
    """Where a hit shows a person: "Anna at 0:03.0 (similarity 0.87)"."""
    how = "confirmed" if person.is_by_hand else f"similarity {person.similarity:.2f}"
    return f"{person.name} at {precise(person.time_s)} ({how})"


def _listing_text(result: SearchResult) -> str:
    texts, first = result.conditions.texts, _LISTED_FROM[result.order]
    shown = ", ".join(texts[:_MOST_SHOWN]) + (
        f" and {len(texts) - _MOST_SHOWN} more" if len(texts) > _MOST_SHOWN else ""
    )
    return f"all scenes that fit {shown} are listed, from {first} on, each from its beginning"
