"""Every word the app shows, by key, in English and Korean.

`t("search.placeholder")` speaks the language of the person whose page is being drawn; `translate`
takes the language. Plural forms are two keys, `<key>.one` and `<key>.other`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import error_classes, fill
from heimdex_core.ingest import stages
from ui import state
from ui.languages import DEFAULT_LANGUAGE, LANGUAGES

_LOG = logging.getLogger(__name__)


@lru_cache(maxsize=len(LANGUAGES))
def words(language: str) -> Mapping[str, str]:
    """All texts of one language by key. The English ones of errors and stages are those of the core."""
    path = Path(__file__).with_name(f"{language}.json")
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    labels = {f"stage.{spec.name}": spec.label[language] for spec in stages.SPECS}
    errors: dict[str, str] = {}
    if language == "en":
        for code, cls in error_classes().items():
            errors |= {f"error.{code}.message": cls.message_template, f"error.{code}.hint": cls.hint_template}
    return errors | labels | texts


def pick_language(*wishes: str | None) -> str:
    """The first of `wishes` (such as "ko-KR") that we speak, else English."""
    for wish in wishes:
        language = (wish or "").replace("_", "-").split("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT_LANGUAGE


def translate(language: str, key: str, **values: Any) -> str:
    """The text of `key` with its {fields} filled; a key that is not there is logged and shown as itself."""
    text = words(language if language in LANGUAGES else DEFAULT_LANGUAGE).get(key)
    if text is None:
        _LOG.error("no text for the key %s in %s", key, language)
        return key
    return fill(text, values)


def t(key: str, **values: Any) -> str:
    """`translate` into the language of the person whose page is being drawn."""
    return translate(state.language(), key, **values)


def tn(key: str, count: float, **values: Any) -> str:
    """`t` in the form for `count`, which is also filled in as {n}."""
    return t(f"{key}.one" if count == 1 else f"{key}.other", n=count, **values)


def known(key: str) -> bool:
    """Whether there is a text for `key`."""
    return key in words(DEFAULT_LANGUAGE)


def t_or(key: str, otherwise: str, **values: Any) -> str:
    """`t` where the key may be one that a newer core made up; then `otherwise`."""
    return t(key, **values) if known(key) else otherwise


def describe_error(error: Mapping[str, Any], language: str) -> tuple[str, str]:
    """(message, hint) of an error dict in `language`, by its code and details."""
    code = str(error.get("code") or "INTERNAL")
    if not known(f"error.{code}.message"):
        return str(error.get("message") or code), str(error.get("hint") or "")
    details = readable(error.get("details") or {}, language)
    return (
        translate(language, f"error.{code}.message", **details),
        translate(language, f"error.{code}.hint", **details),
    )


def readable(details: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Details as a person reads them: *_bytes as sizes, *_s from a minute on as a clock."""
    found: dict[str, Any] = {}
    for name, value in details.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            found[name] = value
        elif name.endswith("_bytes"):
            found[name] = fmt.limit_size(value) if name.startswith("limit") else fmt.size(value)
        elif name.endswith("_s"):
            short = f"{value:.1f}".removesuffix(".0")
            found[name] = fmt.clock(value) if value >= 60 else translate(language, "unit.seconds", n=short)
        else:
            found[name] = value
    return found
