"""The texts of the app, by key, in English and Korean.

`t("search.placeholder")` gives the text in the language of the page that is being drawn, `translate` in a given one.
A text that depends on a number has two keys, `<key>.one` and `<key>.other`. The labels of stages and channels and the
English texts of errors come from the core; en.json has an error text only where the app needs another one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import PROBLEMS, error_classes, fill
from heimdex_core.ingest import stages
from heimdex_core.search import channels
from ui import state

LANGUAGES: dict[str, str] = {"en": "English", "ko": "한국어"}
DEFAULT_LANGUAGE = "en"

SPEECH_LANGUAGES = ("auto", "en", "ko", "ja", "zh", "es", "fr", "de")
"""The spoken languages that the pages offer, by Whisper's codes; "auto" detects the language of each video."""

_SHOWS_REASON = frozenset(
    {
        "FOLDER_NOT_WATCHABLE",
        "INVALID_REEL",
        "INVALID_SQL",
        "INVALID_VALUE",
        "INVALID_WEIGHTS",
        "RENDER_CHECK_FAILED",
        "RENDER_FAILED",
    }
)
"""Errors whose reason tells the user what to change. Other reasons are technical and only in the log."""
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
        for code, cls in error_classes().items():
            errors[f"error.{code}.message"] = app_template(code, cls.message_template)
            errors[f"error.{code}.hint"] = app_template(code, cls.hint_template)
    return errors | labels | own


def app_template(code: str, template: str) -> str:
    """The template of an error class for the app: without units, which the values have, and technical reasons."""
    text = re.sub(r"(\{\w+_(?:s|bytes)\}) (?:s|bytes)\b", r"\1", template)
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
    return fill(text, values)


def t(key: str, **values: Any) -> str:
    """`translate` into the language of the page that is being drawn."""
    return translate(state.language(), key, **values)


def tn(key: str, count: float, **values: Any) -> str:
    """`t` in the form for `count`, which is also filled in as {n}."""
    return t(f"{key}.one" if count == 1 else f"{key}.other", n=count, **values)


def has_text(key: str) -> bool:
    """Whether there is a text for `key`."""
    return key in texts(DEFAULT_LANGUAGE)


def t_or(key: str, fallback: str, **values: Any) -> str:
    """`t` for a key that a newer version of the core may have added; `fallback` if there is no text for it."""
    return t(key, **values) if has_text(key) else fallback


def describe_error(error: Mapping[str, Any], language: str) -> tuple[str, str]:
    """(message, hint) of an error dict in `language`, from its code and details."""
    code = str(error.get("code") or "INTERNAL")
    if not has_text(f"error.{code}.message"):
        return str(error.get("message") or code), str(error.get("hint") or "")
    details = format_details(error.get("details") or {}, language)
    return (
        translate(language, f"error.{code}.message", **details),
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
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if name.endswith("_bytes"):
        return fmt.limit_size(value) if name.startswith("limit") else fmt.size(value)
    if name.endswith("_s"):
        seconds = f"{value:.1f}".removesuffix(".0")
        return fmt.clock(value) if value >= 60 else translate(language, "unit.seconds", n=seconds)
    return value
