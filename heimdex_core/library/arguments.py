"""Checking what callers give to the public methods of a library, so that wrong values are refused in words.

The annotations say what is taken: `@checked` compares the arguments with them, and raises InvalidValue for a value of
another type, for a number that is not finite and for text that is not Unicode.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache, wraps
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, ParamSpec, TypeVar, cast

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, validate_call

from heimdex_core.errors import InvalidValue, printable

P = ParamSpec("P")
R = TypeVar("R")

MAX_TEXT_CHARS = 1_000_000

# With a limit of its length, pydantic also looks whether text is Unicode.
_CONFIG = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False, str_max_length=MAX_TEXT_CHARS)
_OF_THE_CALL = frozenset({
    "arguments_type", "missing_argument", "unexpected_keyword_argument", "unexpected_positional_argument",
    "missing_keyword_only_argument", "missing_positional_only_argument", "multiple_argument_values",
})  # fmt: skip
"""What pydantic calls a wrong number of arguments, or a name that the method does not have."""

MAX_COUNT = 2**31 - 1


def _as_path(value: Any) -> Any:
    """Names of files may be any bytes, so a path is no text that has to be Unicode."""
    if isinstance(value, str | bytes):
        value = Path(os.fsdecode(value))
    if isinstance(value, Path):
        if "\0" in str(value):
            raise ValueError("a path has no null characters")
        try:
            os.fsencode(value)
        except UnicodeEncodeError as error:
            raise ValueError("it is not Unicode text, and no name of a file either") from error
    return value


AnyPath = Annotated[str | Path, BeforeValidator(_as_path)]
"""The path of a file or folder, also one that is not UTF-8."""

OnePath = Annotated[Path, BeforeValidator(_as_path)]
"""The same, where only a Path is taken."""


def _as_names(value: Any) -> Any:
    if isinstance(value, str | bytes):
        raise ValueError("several names are needed, not one text")
    try:
        names = tuple(value)
    except TypeError as error:
        raise ValueError("it is not iterable") from error
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is not text"[:200])
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError("it is not Unicode text") from error
    return names


Names = Annotated[Iterable[str], PlainValidator(_as_names)]
"""Ids or names, in any iterable but one text."""

Count = Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT)]
"""A number that the catalog can take; the method says which ones make sense."""

After = tuple[AwareDatetime, str]
"""Where a page of a list goes on: the time and the id of the last item of the page before."""

AfterName = tuple[str, str]
"""The same for a list by name: the name and the id."""


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a method. Raises InvalidValue, or TypeError for a wrong number of arguments."""

    @cache  # made at the first call: most of the methods are never called in one process
    def call() -> Callable[P, R]:
        return validate_call(config=_CONFIG)(_without_result(method))

    @wraps(method)
    def checking(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call()(*args, **kwargs)
        except ValidationError as error:
            if error.title != method.__qualname__:
                raise  # of something that the method does
            fault = error.errors(include_url=False)[0]
            place = _name_of(method, fault["loc"])
            if fault["type"] in _OF_THE_CALL:
                raise TypeError(f"{method.__qualname__}: {fault['msg']} ({place})") from None
            given = fault["input"]
            value = printable(given) if isinstance(given, str) else repr(given)
            is_text = fault["type"] == "string_unicode"
            reason = "it is not Unicode text" if is_text else fault["msg"].removeprefix("Value error, ")
            raise InvalidValue(name=place, value=value[:80], reason=reason) from None

    return checking


def _name_of(method: Callable[..., Any], place: tuple[int | str, ...]) -> str:
    """The argument that a fault is in; pydantic counts positional ones."""
    names = list(signature(method).parameters)
    first = place[0] if place else method.__name__
    return names[first] if isinstance(first, int) and first < len(names) else str(first)


def _without_result(method: Callable[P, R]) -> Callable[P, R]:
    """The same function without the type of its result, which may be imported only for type checkers."""
    copy = FunctionType(method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__)
    copy.__kwdefaults__ = method.__kwdefaults__
    copy.__module__, copy.__qualname__ = method.__module__, method.__qualname__
    copy.__annotations__ = {name: kind for name, kind in method.__annotations__.items() if name != "return"}
    return cast(Callable[P, R], copy)
