"""The texts of the app, by key, in English and Korean.

`t("search.placeholder")` gives the text in the language of the page that is being drawn, `translate` in a given one.
A text that depends on a number has two keys, `<key>.one` and `<key>.other`. A Korean text names a particle after a
field as a pair of its forms (ui/i18n/particles.py). The labels of stages and channels and the English texts of errors
and notes of exports come from the core; en.json has an error text only where the app needs another one.
"""

from __future__ import annotations

import json
import logging
import re
import string
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import PROBLEMS, HeimdexError, LibraryBusy, LibraryNotFound, error_classes, fill
from heimdex_core.export.notes import NOTES as EXPORT_NOTES
from heimdex_core.ingest import stages
from heimdex_core.search import channels
from ui import state
from ui.i18n import particles

LANGUAGES: dict[str, str] = {"en": "English", "ko": "한국어"}
DEFAULT_LANGUAGE = "en"

SPEECH_LANGUAGES = ("auto", "en", "ko", "ja", "zh", "es", "fr", "de")
"""The spoken languages that the pages offer, by Whisper's codes; "auto" detects the language of each video."""

_SHOWS_REASON = frozenset(
    {
        "FOLDER_NOT_WATCHABLE",
        "INVALID_FILTER",
        "INVALID_SQL",
        "INVALID_VALUE",
        "INVALID_WEIGHTS",
        "RELINK_REFUSED",
        "RENDER_CHECK_FAILED",
        "RENDER_FAILED",
        "TRAY_CONFLICT",
    }
)
"""Errors whose reason tells the user what to change. Other reasons are technical and only in the log."""
_PROFILES = ("profile", "asked", "pinned")
"""Details that name a profile: a label in messages, the name itself in hints, whose commands need it."""
_POSITIONS = ("at_s", "start_s", "end_s")
"""Details that are positions in a video, in seconds. Others that end in _s are lengths of time."""
_NEAR_A_LIMIT = ("scene_duration_s", "max_duration_s")
"""Lengths in seconds that may differ by less than a tenth."""
_UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_LOG = logging.getLogger(__name__)


@lru_cache(maxsize=len(LANGUAGES))
def texts(language: str) -> Mapping[str, str]:
    """All texts of one language by key."""
    path = Path(__file__).with_name(f"{language}.json")
    own: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    labels = {f"stage.{stage.name}": stage.label[language] for stage in stages.SPECS}
    labels |= {f"channel.{channel.kind}": channel.label[language] for channel in channels.CHANNELS}
    errors: dict[str, str] = {}
    if language == "en":
        errors |= {f"problem.{problem}": text for problem, text in PROBLEMS.items()}
        errors |= {f"export_note.{note}": text for note, text in EXPORT_NOTES.items()}
        for code, cls in error_classes().items():
            errors[f"error.{code}.message"] = app_template(code, cls.message_template)
            errors[f"error.{code}.hint"] = app_template(code, cls.hint_template)
    return errors | labels | own


def app_template(code: str, template: str) -> str:
    """The template of an error class for the app: without units, which the values have, and technical reasons."""
    text = re.sub(r"(\{(?:\w+_s|\w+_bytes|seconds|hours_\w+)\}) (?:s|bytes|hours)\b", r"\1", template)
    return text if code in _SHOWS_REASON else re.sub(r": \{reasons?\}$", ".", text)


def pick_language(*preferred: str | None) -> str:
    """The first of `preferred`, such as "ko-KR", that the app has, else English."""
    for one in preferred:
        language = (one or "").replace("_", "-").split("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT_LANGUAGE


def translate(language: str, key: str, **values: Any) -> str:
    """The text of `key` with its {fields} filled. A missing key is logged and returned as it is."""
    text = texts(language if language in LANGUAGES else DEFAULT_LANGUAGE).get(key)
    if text is None:
        _LOG.error("no text for the key %s in %s", key, language)
        return key
    return fill_korean(text, values) if language == "ko" else fill(text, values)


def fill_korean(template: str, values: Mapping[str, Any]) -> str:
    """`errors.fill` for a template whose own text, not its values, names particles as pairs."""
    done = ""
    for literal, field, spec, conversion in string.Formatter().parse(template):
        done += particles.resolve(literal, done)
        if field is not None:
            shown = f"{{{field}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}"
            done += fill(shown, dict(values))
    return done


def t(key: str, **values: Any) -> str:
    """`translate` into the language of the page that is being drawn."""
    return translate(state.language(), key, **values)


def tn(key: str, count: float, **values: Any) -> str:
    """`t` in the form for `count`, which is also filled in as {n}."""
    return t(f"{key}.one" if count == 1 else f"{key}.other", n=number(count), **values)


def has_text(key: str) -> bool:
    """Whether there is a text for `key`."""
    return key in texts(DEFAULT_LANGUAGE)


def t_or(key: str, fallback: str, **values: Any) -> str:
    """`t` for a key that a newer version of the core may have added; `fallback` if there is no text for it."""
    return t(key, **values) if has_text(key) else fallback


def profile_label(profile: str) -> str:
    """The name of a profile of models: "Basic" for "offline". Other names stay as they are."""
    return t_or(f"profile.{profile}", profile)


# --- numbers --------------------------------------------------------------------------------------


def number(value: float) -> str:
    """A number with its thousands separated, as both languages do: 1,234."""
    return f"{value:,}"


def duration(seconds: float, *, parts: int = 2, language: str | None = None) -> str:
    """A duration in words: "3 min 44 s", "1 h 2 min", "0.8 s".

    Args:
        seconds: less than 60 are shown with at most one decimal, more are rounded to the last unit shown.
        parts: how many of days, hours, minutes and seconds are shown, from the largest that is not 0. Days are shown
            from two on.
        language: by default that of the page that is being drawn.
    """
    language = language or state.language()
    if round(max(seconds, 0.0), 1) < 60:
        return translate(language, "unit.seconds", n=f"{max(seconds, 0.0):.1f}".removesuffix(".0"))
    units = {name: unit_s for name, unit_s in _UNITS.items() if unit_s <= seconds + 0.5}
    if seconds < 2 * _UNITS["days"]:
        units.pop("days", None)
    names = list(units)[:parts]
    last_s = units[names[-1]]
    left = round(seconds / last_s) * last_s
    shown = []
    for name in names:
        count, left = divmod(left, units[name])
        if count:
            shown.append(translate(language, f"unit.{name}", n=number(count)))
    return " ".join(shown)


def time_left(seconds: float) -> str:
    """A remaining time that is an estimate: in seconds, minutes, or hours and minutes."""
    return t("progress.left", time=duration(max(1, round(seconds)), parts=1 if seconds < 3600 else 2))


# --- errors ---------------------------------------------------------------------------------------


def describe_error(error: Mapping[str, Any], language: str) -> tuple[str, str]:
    """(message, hint) of an error dict in `language`, from its code and details.

    On the page of a user who is no admin of a shared library it says nothing of the server's processes and folders.
    """
    if error.get("code") in (LibraryBusy.code, LibraryNotFound.code) and state.is_member():
        error = HeimdexError.from_dict(dict(error)).for_members().to_dict()
    code = str(error.get("code") or "INTERNAL")
    if not has_text(f"error.{code}.message"):
        return str(error.get("message") or code), str(error.get("hint") or "")
    details = format_details(error.get("details") or {}, language)
    named = {name: _profile_name(details[name], language) for name in _PROFILES if name in details}
    return (
        translate(language, f"error.{code}.message", **(details | named)),
        translate(language, f"error.{code}.hint", **details),
    )


def format_details(details: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The details of an error for display: sizes and durations with units, names of stages and states as labels.

    Where they name a known problem, or clips with one, `reason` and `failures` are the texts for these.
    """
    texts = {name: _format_detail(name, value, language) for name, value in details.items()}
    if "problem" in details:
        texts["reason"] = _problem_text(details, language)
    if "clips" in details:
        texts["failures"] = " ".join(clip_text(clip, language) for clip in details["clips"])
    return texts


def _named_thing(what: str, language: str) -> str:
    """The core's "The search index" or "the index of text/e5" in `language`; names of files stay as they are."""
    slug = re.sub(r"^(the|an?|this) ", "", what.lower()).replace(" ", "_").replace("'", "")
    if has_text(f"what.{slug}"):
        text = translate(language, f"what.{slug}")
    else:
        kind, _, name = what.rpartition(" ")
        slug = re.sub(r"^(the|an?|this) ", "", kind.lower()).replace(" ", "_")
        text = translate(language, f"what.{slug}", name=name) if kind and has_text(f"what.{slug}") else what
    return text[:1].upper() + text[1:] if what[:1].isupper() else text


def _profile_name(profile: Any, language: str) -> Any:
    key = f"profile.{profile}"
    return translate(language, key) if has_text(key) else profile


def clip_text(clip: Mapping[str, Any], language: str) -> str:
    """A clip that cannot be rendered (errors.ClipsFailed): its number, title and times, and what is wrong with it."""
    values = {**clip, "reason": _problem_text(clip, language)}
    return translate(language, "clip.failed" if clip.get("title") else "clip.failed_untitled", **values)


def _problem_text(details: Mapping[str, Any], language: str) -> str:
    problem = str(details["problem"])
    known = has_text(f"problem.{problem}")
    return translate(language, f"problem.{problem}", **details) if known else str(details.get("reason") or problem)


def _format_detail(name: str, value: Any, language: str) -> Any:
    if name in ("stage", "state", "kind"):
        key = f"{name}.{str(value).replace(' ', '_')}"
        return translate(language, key) if has_text(key) else value
    if name == "what":
        return _named_thing(str(value), language)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if name.endswith("_bytes"):
        return fmt.limit_size(value) if name.startswith("limit") else fmt.size(value)
    if name in _POSITIONS:
        return fmt.precise(value)
    if name.startswith("hours_"):
        return duration(max(60.0, value * 3600), language=language)
    if name in _NEAR_A_LIMIT:
        return translate(language, "unit.seconds", n=f"{value:.2f}".rstrip("0").rstrip("."))
    if name.endswith("_s") or name == "seconds":
        return duration(value, parts=3, language=language)
    return value
