"""The import directions of docs/architecture.md, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOUNDATION = {"types", "errors", "settings"}
DOOR = {"library", "library_models", "library_reels", "door", "moves", "admission", "intake", "upkeep", "doctor"}
MAY_IMPORT = {
    "types": {"errors"},
    "errors": set(),
    "settings": {"errors"},
    "media": FOUNDATION,
    "models": FOUNDATION,
    "store": FOUNDATION,
    "ingest": FOUNDATION | {"media", "models", "store"},
    "search": FOUNDATION | {"models", "store"},
    "export": FOUNDATION | {"media", "store"},
    "evaluation": FOUNDATION | {"models", "store", "search"},
    **{
        part: FOUNDATION | DOOR | {"media", "models", "store", "ingest", "search", "export", "evaluation"}
        for part in DOOR
    },
    "jobs": FOUNDATION | DOOR | {"media", "models", "store", "ingest", "export"},
    "cli": FOUNDATION | DOOR | {"jobs", "cli_output", "cli_models", "cli_reindex", "search"},
    "cli_output": FOUNDATION | {"search"},
    # models are brought and looked at before there is a library
    "cli_models": FOUNDATION | DOOR | {"cli_output", "models"},
    "cli_reindex": FOUNDATION | DOOR | {"cli_output"},
    "__main__": {"cli"},
    "__init__": FOUNDATION | {"library"},
}


def imports_of(path: Path) -> set[str]:
    """Dotted names of everything that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def rooms_of(names: set[str]) -> set[str]:
    return {parts[1] for name in names if (parts := name.split("."))[0] == "heimdex_core" and len(parts) > 1}


def core_files() -> list[Path]:
    return sorted((ROOT / "heimdex_core").rglob("*.py"))


def test_every_room_has_its_rule() -> None:
    rooms = {path.relative_to(ROOT / "heimdex_core").parts[0].removesuffix(".py") for path in core_files()}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    room = path.relative_to(ROOT / "heimdex_core").parts[0].removesuffix(".py")
    public = {"Export", "Hit", "Query", "ReelClip", "Scene", "Segment", "Settings", "Video", "Word", "HeimdexError"}
    used = rooms_of(imports_of(path)) - public - {room, "Library", "VideoState", "__version__"}
    assert used <= MAY_IMPORT[room], f"{room} may not import {sorted(used - MAY_IMPORT[room])}"


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_streamlit(path: Path) -> None:
    assert not {name for name in imports_of(path) if name.split(".")[0] in ("streamlit", "ui", "pages")}


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.name)
def test_pages_use_the_door_only(path: Path) -> None:
    allowed = FOUNDATION | {"library"}
    public = {"Library"}
    assert rooms_of(imports_of(path)) - public <= allowed
