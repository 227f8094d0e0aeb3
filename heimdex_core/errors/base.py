"""What every error has, its kinds, and reading one back from JSON."""

from __future__ import annotations

import string
from typing import Any, ClassVar

JsonValue = Any


class HeimdexError(Exception):
    """Base of the tree. ``details`` are JSON values named by the templates."""

    code: ClassVar[str] = "INTERNAL"
    category: ClassVar[str] = "processing"
    message_template: ClassVar[str] = "Something went wrong: {reason}"
    hint_template: ClassVar[str] = (
        "Try again; if it stays, run `python -m heimdex_core doctor` and report what it says."
    )

    def __init__(self, **details: JsonValue) -> None:
        self.details = details
        self.message = fill(self.message_template, details)
        self.hint = fill(self.hint_template, details)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions.
        return (_rebuild, (self.to_dict(),))

    def to_dict(self) -> dict[str, JsonValue]:
        """The error as JSON: code, category, message, hint, details."""
        return {
            "code": self.code,
            "category": self.category,
            "message": self.message,
            "hint": self.hint,
            "details": dict(self.details),
        }

    @staticmethod
    def from_dict(data: dict[str, JsonValue]) -> HeimdexError:
        """The error that `to_dict` described; an unknown code becomes the base class."""
        return _rebuild(data)


def fill(template: str, details: dict[str, JsonValue]) -> str:
    """`template` with its {fields} taken from `details`; a missing one is left visible, never raised."""
    return string.Formatter().vformat(template, (), _Visible(details))


class _Visible(dict[str, Any]):
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
    """Every error class by its code: the base and all the leaves."""
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
