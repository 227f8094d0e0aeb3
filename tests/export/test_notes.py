"""Every note that an export can have has an English text; tests/ui/test_i18n.py looks for the Korean ones."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import heimdex_core.export
import heimdex_core.media
from heimdex_core.export import fast
from heimdex_core.export.notes import NOTES, note_text
from heimdex_core.media import copying


def written_codes() -> dict[str, str]:
    """The values of all constants called NOTE_..., by code with the module."""
    found: dict[str, str] = {}
    for package in (heimdex_core.export, heimdex_core.media):
        for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(one.name)
            found |= {value: one.name for name, value in vars(module).items() if name.startswith("NOTE_")}
    return found


def reasons(module: ModuleType) -> set[str]:
    """The words that functions of a module return, also as one of two."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        value = node.value if isinstance(node, ast.Return) else None
        for branch in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
            if isinstance(branch, ast.Constant) and isinstance(branch.value, str) and branch.value:
                found.add(branch.value)
    return found


def test_every_note_has_a_text() -> None:
    codes = written_codes()
    assert {"no_sound", "caption_letters_left_out", "frames_copied", "loudness_not_reached"} <= set(codes)
    assert [code for code in codes if code not in NOTES] == []


def test_every_reason_why_nothing_was_copied_has_a_text() -> None:
    found = reasons(copying) | reasons(fast) | {"failed"}
    assert {"codec", "size", "rate", "colours", "keyframes", "crossfade", "drawing"} <= found
    assert [reason for reason in sorted(found) if f"rendered_exactly.{reason}" not in NOTES] == []


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("frames_copied:48/55", "48 of 55 frames were copied, the others encoded."),
        (
            "caption_letters_left_out:𒀀ꙮ",
            "No font here has these characters, so captions leave them out: 𒀀ꙮ",
        ),
        ("rendered_exactly:rate", "Every frame was encoded: the sources have another or no constant frame rate."),
        ("rendered_exactly:unheard_of", "Every frame was encoded, because none could be copied."),
        ("of_a_newer_version:3", "of a newer version"),
    ],
)
def test_a_note_as_text(note: str, expected: str) -> None:
    assert note_text(note) == expected
