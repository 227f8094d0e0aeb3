"""What the app keeps in memory between runs is kept by user: nothing of one is shown to another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHES = {"lru_cache", "cache", "cache_data", "cache_resource", "cached"}
BY_USER = {"library", "user_id"}
"""Parameters that tell users apart: the app has one Library for each user (ui/resources.py)."""
OF_NOBODY = {
    # ui/resources.py, ui/server/routes.py: what the process has once; who asks is said by each link
    "process_library", "links", "supervisor", "_downloads", "load_query_encoders", "_files", "_sprites",
    "_short_frames", "_face_server", "_health",
    # the configuration, texts and pictures of the app itself
    "is_configured", "_log_once", "page_icon", "index_page", "texts",
}  # fmt: skip


def cached_functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions whose results are kept."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            called = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
            names = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in called}
            if names & CACHES:
                yield node


def found_in_the_app() -> dict[str, set[str]]:
    """The parameters of each, by its name."""
    found = {}
    for path in [*(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"]:
        for function in cached_functions(ast.parse(path.read_text(encoding="utf-8"))):
            # Streamlit leaves parameters that begin with an underscore out of the key
            found[function.name] = {one.arg for one in function.args.args if not one.arg.startswith("_")}
    return found


def test_every_cache_tells_users_apart() -> None:
    found = found_in_the_app()
    assert [name for name, keys in found.items() if not keys & BY_USER and name not in OF_NOBODY] == []
    assert sorted(OF_NOBODY - found.keys()) == []
    assert len(found) > len(OF_NOBODY) + 5


def test_a_cache_for_everybody_is_found() -> None:
    source = "@st.cache_data(ttl=5)\ndef titles(_library):\n    ...\n\n@cache\ndef one(user_id): ...\n"
    assert [one.name for one in cached_functions(ast.parse(source))] == ["titles", "one"]
