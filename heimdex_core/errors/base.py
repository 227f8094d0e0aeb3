"""The base class of all errors, the categories, and errors as JSON."""

from __future__ import annotations

import string
from typing import Any, ClassVar

JsonValue = Any

MAX_DETAIL_CHARS = 5_000
"""Longer details are cut: some quote what was given."""


class HeimdexError(Exception):
    """Base class of all errors.

    Args:
        details: JSON values, one for each {field} of the templates.
    """

    code: ClassVar[str] = "INTERNAL"
    category: ClassVar[str] = "processing"
    message_template: ClassVar[str] = "Something went wrong: {reason}"
    hint_template: ClassVar[str] = (
        "Try again. If it keeps happening, run `python -m heimdex_core doctor` and report its output."
    )

    def __init__(self, **details: JsonValue) -> None:
        self.details = {name: _shown(value) for name, value in details.items()}
        self.video_id: str | None = None
        """The video in the library that could not be indexed, where `Library.add` has kept one."""
        self.message = fill(self.message_template, self.details)
        self.hint = fill(self.hint_template, self.details)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions.
        return (_rebuild, (self.to_dict(),))

    def to_dict(self) -> dict[str, JsonValue]:
        """The error as JSON values: code, category, message, hint and details."""
        return {
            "code": self.code,
            "category": self.category,
            "message": self.message,
            "hint": self.hint,
            "details": dict(self.details),
        }

    def for_members(self) -> HeimdexError:
        """The error as users of a shared library are told of it who are no admins; usually the same."""
        return self

    @staticmethod
    def from_dict(data: dict[str, JsonValue]) -> HeimdexError:
        """The inverse of `to_dict`. An unknown code gives an error of the base class with the same message and hint."""
        return _rebuild(data)


def fill(template: str, details: dict[str, JsonValue]) -> str:
    """Replace the {fields} of `template` by the values of `details`. A field without a value stays as it is."""
    return string.Formatter().vformat(template, (), _KeepMissing(details))


def printable(text: str) -> str:
    """A text that can be printed, stored and sent: what is not Unicode becomes escapes, "caf\\xe9.mp4".

    Names of files may be any bytes; Python keeps those that are not UTF-8 as half characters.
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        pass
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()


def _shown(value: JsonValue) -> JsonValue:
    """A detail as messages show it: printable, and not endless."""
    if not isinstance(value, str):
        return value
    return printable(value if len(value) <= MAX_DETAIL_CHARS else f"{value[:MAX_DETAIL_CHARS]}...")


class _KeepMissing(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _rebuild(data: dict[str, JsonValue]) -> HeimdexError:
    found = error_classes().get(str(data.get("code")), HeimdexError)
    error = found(**dict(data.get("details") or {}))
    if found is HeimdexError and data.get("message"):
        error.message = str(data["message"])
        error.hint = str(data.get("hint") or error.hint)
    return error


def error_classes() -> dict[str, type[HeimdexError]]:
    """Every error class that has a code of its own, by that code."""
    found: dict[str, type[HeimdexError]] = {HeimdexError.code: HeimdexError}
    todo: list[type[HeimdexError]] = [HeimdexError]
    while todo:
        for cls in todo.pop().__subclasses__():
            todo.append(cls)
            if "code" in cls.__dict__:
                found[cls.code] = cls
    return found


class ValidationError(HeimdexError):
    category = "validation"


class ProcessingError(HeimdexError):
    category = "processing"


class StorageError(HeimdexError):
    category = "storage"


class ModelError(HeimdexError):
    category = "model"


class AccessError(HeimdexError):
    category = "access"


class LimitError(HeimdexError):
    category = "limit"
