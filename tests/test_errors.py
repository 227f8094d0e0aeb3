"""The error classes: complete, and the same after JSON and pickle."""

import json
import pickle
import string

import pytest

from heimdex_core.errors import EmptyFile, HeimdexError, error_classes, fill

CATEGORIES = {"validation", "processing", "storage", "model", "access", "limit"}
LEAVES = sorted(error_classes().items())


def details_for(cls: type[HeimdexError]) -> dict[str, str]:
    templates = cls.message_template + cls.hint_template
    return {name: f"<{name}>" for _, name, _, _ in string.Formatter().parse(templates) if name}


@pytest.mark.parametrize(("code", "cls"), LEAVES)
def test_a_class_is_complete(code: str, cls: type[HeimdexError]) -> None:
    error = cls(**details_for(cls))
    assert cls.category in CATEGORIES
    assert code == code.upper()
    assert error.message
    assert error.hint.endswith((".", "?"))
    assert "{" not in error.message + error.hint


@pytest.mark.parametrize(("code", "cls"), LEAVES)
def test_an_error_is_the_same_after_json_and_pickle(code: str, cls: type[HeimdexError]) -> None:
    error = cls(**details_for(cls))
    for copy in (HeimdexError.from_dict(json.loads(json.dumps(error.to_dict()))), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert type(copy) is cls
        assert copy.to_dict() == error.to_dict()


def test_an_unknown_code_keeps_message_and_hint() -> None:
    copy = HeimdexError.from_dict({"code": "FROM_THE_FUTURE", "message": "m", "hint": "h", "details": {}})
    assert (copy.message, copy.hint) == ("m", "h")


def test_a_missing_detail_is_shown_as_its_name() -> None:
    assert EmptyFile().message == "{filename} is empty (0 bytes)."
    assert fill("{a} of {b}", {"a": 1}) == "1 of {b}"
