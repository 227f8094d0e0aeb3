"""Every note that the core can write about a video has a text in both languages. The notes are read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui.i18n import texts as texts_in
from ui.i18n import translate
from ui.views.videos import note_text

CORE = Path(__file__).resolve().parents[2] / "heimdex_core"
PACKAGES = ("media", "models", "ingest")
MODULES = ("store/adopt.py",)
"""Those that write notes; the others only pass them on."""
EN, KO = texts_in("en"), texts_in("ko")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def is_notes(node: ast.AST) -> bool:
    """`notes`, `self.notes`, `_notes`, `all_notes`; and `said`, as stages/transcript.py calls its list."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.rpartition("_")[2] in ("notes", "said")


def texts(node: ast.AST) -> Iterator[str]:
    """Strings that an expression can be or contain; of an f-string the part before its first value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from texts(node.values[0])
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from texts(element)
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from (*texts(node.left), *texts(node.right))
    elif isinstance(node, ast.Starred):
        yield from texts(node.value)


def written(tree: ast.AST) -> Iterator[str]:
    """What a file passes as `notes=`, assigns or appends to notes, or returns from a function of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "notes":
            yield from texts(node.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None and any(is_notes(target) for target in targets):
                yield from texts(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_notes(node.func.value):
            for argument in node.args:
                yield from texts(argument)
        elif isinstance(node, ast.FunctionDef) and node.name.lstrip("_") in ("note", "notes"):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from texts(inner.value)
                elif isinstance(inner, ast.Dict):
                    # a table of conditions by their codes
                    yield from (text for key in inner.keys if key is not None for text in texts(key))


def codes() -> set[str]:
    found = set()
    paths = [path for package in PACKAGES for path in (CORE / package).rglob("*.py")]
    for path in (*paths, *(CORE / module for module in MODULES)):
        for text in written(ast.parse(path.read_text(encoding="utf-8"))):
            code = text.partition(":")[0]
            if CODE.fullmatch(code):
                found.add(code)
    return found


def test_the_search_for_notes_finds_them_in_every_form() -> None:
    """Appended, passed, assigned, added, by a condition, with a value, from a table and from a property."""
    known = {"audio_stops", "transcript_no_speech", "subtitles_encoding", "language_unsure", "subtitles_outside"}
    known |= {"transcript_outside", "cut_short", "mirrored", "batch_halved", "text_not_understood"}
    known |= {
        "subtitles_times_mended",
        "subtitles_overlap_mended",
        "damaged_frames",
        "language_unsupported",
        "no_audio",
    }
    assert codes() >= known


@pytest.mark.parametrize("texts", [EN, KO], ids=["en", "ko"])
def test_every_note_has_a_text(texts: dict[str, str]) -> None:
    assert [code for code in sorted(codes()) if f"note.{code}" not in texts] == []


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("audio_broken:3725.3", "audio is damaged from 1:02:05 on"),
        ("subtitles_late:2.5", "subtitles are about 2.5 s later than the speech"),
        ("speech_uncertain:224", translate("en", "note.speech_uncertain", value="3 min 44 s")),
        ("language_unsure:ko:0.43", "language uncertain, assumed to be Korean"),
        ("transcript_language:cy", "speech recognition does not support the language (cy)"),
        ("batch_halved:8", "GPU memory ran out, batch size reduced to 8"),
        ("subtitles_unreadable:archive", "subtitles cannot be read: compressed archive"),
        ("subtitles_unreadable:No such file", "subtitles cannot be read: No such file"),
        ("of_a_newer_core:3", "of a newer core"),
    ],
)
def test_a_note_as_text(note: str, expected: str) -> None:
    assert note_text(note) == expected
