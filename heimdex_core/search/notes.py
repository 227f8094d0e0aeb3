"""What a person should know about how a search was understood: codes of SearchResult.notes, with their English texts.

The app has the texts of other languages.
"""

from __future__ import annotations

NOTES: dict[str, str] = {
    "listing": "nothing to look for: all scenes that the filters leave are listed",
    "nobody_known": "nobody is known yet, so no scene shows this person",
    "unknown_person": "no person has this name, so no scene shows this person",
    "people_off": "searching for people is turned off in this library",
    "unclosed_quote": "a quotation mark without a second one was left out",
}
