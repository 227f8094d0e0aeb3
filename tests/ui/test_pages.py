"""The source of the pages, which Streamlit runs in its own way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).resolve().parents[2] / "pages").glob("*.py"))


def displayed(source: str) -> list[str]:
    """The expressions that Streamlit would write on the page: it displays each bare value but the module docstring."""
    statements = ast.parse(source).body
    bare = [node.value for node in statements if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call)]
    return [ast.unparse(value) for value in bare[1:] if isinstance(value, ast.Constant)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_displays_no_documentation(path: Path) -> None:
    assert displayed(path.read_text(encoding="utf-8")) == []


def test_the_documentation_of_a_constant_is_found() -> None:
    assert displayed('"""A page."""\nSIZE = 5\n"""In metres."""\nshow(SIZE)\n') == ["'In metres.'"]
