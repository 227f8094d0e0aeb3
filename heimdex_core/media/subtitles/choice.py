"""Which of several subtitles is used: the whole dialogue, in the spoken language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Reason = Literal["only", "dialogue", "language", "default", "first"]

COMPLETE_ROLES = ("full", "hearing_impaired")
"""The roles of subtitles that hold the whole dialogue; the others are "description", "lyrics", "signs", "forced" and
"commentary"."""

# A track with less than a quarter of the lines of another one holds signs, whatever its title says.
_PARTIAL_SHARE = 0.25
# "Forced" is also set by mistake: a track with so many lines is the dialogue.
_DIALOGUE_LINES, _DIALOGUE_LINES_PER_MIN = 30, 4.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Subtitles that could be used.

    `language` is an ISO 639-1 code, `line_count` is None where the lines were not read. `is_original` marks the
    captions of the spoken language beside their machine translations.
    """

    name: str
    language: str | None = None
    role: str = "full"
    is_default: bool = False
    is_original: bool = False
    line_count: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The index of the chosen candidate, and what it has before the next best."""

    index: int
    reason: Reason


def choose_subtitles(
    candidates: Sequence[Candidate], language: str | None = None, *, duration_s: float | None = None
) -> Choice | None:
    """The subtitles to use, or None where none hold the dialogue.

    Args:
        candidates: the preferred one first among equals.
        language: of the speech, an ISO 639-1 code; None where it is not known.
        duration_s: of the video.
    """
    if language is None:
        language = next((c.language for c in candidates if c.is_original), None)
    most = max((c.line_count or 0 for c in candidates if c.role in COMPLETE_ROLES), default=0)
    whole = [n for n, c in enumerate(candidates) if _is_whole(c, most, duration_s)]
    if not whole:
        return None
    ranked = sorted(whole, key=lambda n: (*_key(candidates[n], language), n))
    best = ranked[0]
    return Choice(best, _reason(candidates, best, ranked[1:], language))


def _is_whole(candidate: Candidate, most: int, duration_s: float | None) -> bool:
    count = candidate.line_count
    if candidate.role in COMPLETE_ROLES:
        return count is None or count >= _PARTIAL_SHARE * most
    if candidate.role != "forced" or count is None or not duration_s:
        return False
    return count >= max(_DIALOGUE_LINES, _DIALOGUE_LINES_PER_MIN * duration_s / 60, most)


def _key(candidate: Candidate, language: str | None) -> tuple[Any, ...]:
    own = candidate.language
    # without a spoken language, subtitles that name none are those of the video itself
    far = (own is not None) if language is None else 1 if own is None else 2 * (own != language)
    role = COMPLETE_ROLES.index(candidate.role) if candidate.role in COMPLETE_ROLES else len(COMPLETE_ROLES)
    return (far, not candidate.is_original, role, not candidate.is_default)


def _reason(candidates: Sequence[Candidate], best: int, others: Sequence[int], language: str | None) -> Reason:
    if len(candidates) == 1:
        return "only"
    if not others:
        return "dialogue"
    mine, next_best = (_key(candidates[n], language) for n in (best, others[0]))
    if mine[:2] != next_best[:2] and language is not None:
        return "language"
    if mine[2] != next_best[2]:
        return "dialogue"
    return "default" if mine[3] != next_best[3] else "first"


def note(reason: Reason, name: str) -> str:
    """What was chosen and why, as a note on the video."""
    codes: dict[str, Reason] = {
        "subtitles_from": "only",
        "subtitles_chosen_dialogue": "dialogue",
        "subtitles_chosen_language": "language",
        "subtitles_chosen_default": "default",
        "subtitles_chosen_first": "first",
    }
    return f"{next(code for code, why in codes.items() if why == reason)}:{in_note(name)}"


def in_note(name: str) -> str:
    """A name as the value of a note, where a colon would end it."""
    return name.replace(":", "-")
