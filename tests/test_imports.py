"""The import directions of docs/architecture.md: which package may import which, no circles, nothing past `Library`.

Every file is read by itself and as source: imports inside functions and under TYPE_CHECKING count like all others.
Each check is also run on a small tree with one planted fault, so that a check that finds nothing is known to look.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("heimdex_core", "ui", "pages", "app.py", "evaluation", "benchmarks")

BASE = {"types", "errors", "settings", "files", "formatting"}
STAGES = {"media", "models", "store", "ingest", "search", "export", "evaluation"}
CORE_MAY_IMPORT = {
    "errors": set(),
    "types": {"errors"},
    "settings": {"errors"},
    "files": {"errors", "types"},
    "logs": {"settings"},
    "formatting": set(),
    "schemas": {"types", "errors", "formatting"},
    "media": BASE,
    "models": BASE,
    "store": BASE,
    "ingest": BASE | {"media", "models", "store"},
    "search": BASE | {"models", "store", "schemas"},
    "export": BASE | {"media", "models", "store"},
    "evaluation": BASE | {"models", "store", "search"},
    "library": BASE | STAGES | {"schemas"},
    "jobs": BASE | STAGES | {"library", "logs"},
    "api": BASE | {"logs", "library", "jobs", "search", "export", "schemas"},
    "client": BASE | {"schemas"},
    "cli": BASE | {"logs", "library", "jobs", "models", "search", "export", "schemas", "api"},
    "__main__": {"cli"},
    "__init__": BASE | {"library"},
}
# ui takes the names of stages, channels, models, strategies and styles from their registries
APP_MAY_IMPORT = {
    "pages": {"types", "errors", "settings", "formatting", "library"},
    "ui": BASE | {"logs", "library", "jobs", "schemas", "ingest", "search", "models", "export", "api"},
    "app": {"settings", "library", "api", "logs"},
}
ABOVE_LIBRARY = ("heimdex_core/jobs", "heimdex_core/cli", "heimdex_core/api", "ui", "pages", "app.py", "evaluation")
# What lies below `Library`, by the names its parts give it; nobody above follows these from another object.
BELOW_LIBRARY = {"store", "reader", "catalog", "view", "paths", "context"}


class SourceTree:
    """The Python files below `root`, as modules that import each other.

    Args:
        root: folder that holds the packages of `CODE`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        files = [
            path for part in CODE for path in ([root / part] if part.endswith(".py") else (root / part).rglob("*.py"))
        ]
        self.modules = {self._name(path): path for path in sorted(files) if path.is_file()}

    def _name(self, path: Path) -> str:
        return ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__")

    def syntax(self, module: str) -> ast.Module:
        return ast.parse(self.modules[module].read_text(encoding="utf-8"))

    def path(self, module: str) -> str:
        return str(self.modules[module].relative_to(self.root))

    def imported_names(self, module: str) -> Iterator[str]:
        """Dotted names of all that a module imports, `package.name` for `from package import name`."""
        package = module if self.modules[module].name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(self.syntax(module)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*start, *([node.module] if node.module else [])])
                yield from (f"{base}.{alias.name}" for alias in node.names)

    def imports(self, module: str) -> set[str]:
        """The modules of this tree that a module imports; a package's `__init__` only where a name is taken from it."""
        found = set()
        for name in self.imported_names(module):
            while name and name not in self.modules:
                name = name.rpartition(".")[0]
            found |= {name} if name else set()
        return found - {module}


def part_of_core(module: str) -> str:
    """`store` for heimdex_core.store.catalog, `__init__` for the package itself."""
    return (module.split(".") + ["__init__"])[1]


def wrong_directions(tree: SourceTree) -> list[str]:
    """Every import in the core that its package may not make, or that leaves the core."""
    faults = []
    for module in tree.modules:
        if not module.startswith("heimdex_core"):
            continue
        part = part_of_core(module)
        for name in tree.imported_names(module):
            top = name.split(".")[0]
            if top in ("streamlit", "ui", "pages", "app"):
                faults.append(f"{module} imports {name}")
        for other in tree.imports(module):
            if part_of_core(other) not in CORE_MAY_IMPORT[part] | {part} and other.startswith("heimdex_core"):
                faults.append(f"{module} imports {other}")
    return sorted(faults)


def circles(tree: SourceTree) -> list[list[str]]:
    """The groups of modules that import each other, directly or through others (Tarjan's components over one node)."""
    graph = {module: sorted(tree.imports(module)) for module in tree.modules}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in graph[module]:
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in order:
            visit(module)
    return found


def reaches_past_library(tree: SourceTree) -> list[str]:
    """Every attribute above `Library` that leads below it: `library.store`, `lib.reader`, `store.paths` ..."""
    faults = []
    for module in tree.modules:
        if not tree.path(module).startswith(ABOVE_LIBRARY):
            continue
        for node in ast.walk(tree.syntax(module)):
            if not isinstance(node, ast.Attribute) or (isinstance(node.value, ast.Name) and node.value.id == "self"):
                continue
            if node.attr.lstrip("_") in BELOW_LIBRARY and ast.unparse(node.value) not in ("contextlib", "st"):
                faults.append(f"{tree.path(module)}:{node.lineno} {ast.unparse(node)}")
    return faults


@pytest.fixture(scope="module")
def code() -> SourceTree:
    return SourceTree(ROOT)


def planted(root: Path, **files: str) -> SourceTree:
    """A tree with the given files; `heimdex_core__store__a` is heimdex_core/store/a.py."""
    for name, text in files.items():
        path = root / Path(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return SourceTree(root)


def test_every_part_of_the_core_has_a_rule(code: SourceTree) -> None:
    assert {part_of_core(module) for module in code.modules if module.startswith("heimdex_core")} == set(
        CORE_MAY_IMPORT
    )


def test_imports_follow_the_directions(code: SourceTree) -> None:
    assert wrong_directions(code) == []


def test_a_wrong_direction_is_found(tmp_path: Path) -> None:
    tree = planted(
        tmp_path,
        heimdex_core__store__a="def late():\n    from heimdex_core.search import b\n",
        heimdex_core__search__b="import streamlit\n",
        heimdex_core__ingest__c="if TYPE_CHECKING:\n    from heimdex_core.export import d\n",
        heimdex_core__export__d="",
    )
    assert wrong_directions(tree) == [
        "heimdex_core.ingest.c imports heimdex_core.export.d",
        "heimdex_core.search.b imports streamlit",
        "heimdex_core.store.a imports heimdex_core.search.b",
    ]


def test_no_circles(code: SourceTree) -> None:
    assert circles(code) == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    tree = planted(
        tmp_path,
        heimdex_core__store____init__="from heimdex_core.store.a import A\n",
        heimdex_core__store__a="from heimdex_core.store import b\n",
        heimdex_core__store__b="def late():\n    from .c import C\n",
        heimdex_core__store__c="if TYPE_CHECKING:\n    from heimdex_core.store.a import A\n",
        heimdex_core__store__d="from heimdex_core.store.a import A\n",
        ui__i18n="from ui.state import language\n",
        ui__state="from ui import i18n\n",
    )
    assert circles(tree) == [
        ["heimdex_core.store.a", "heimdex_core.store.b", "heimdex_core.store.c"],
        ["ui.i18n", "ui.state"],
    ]


def test_the_app_imports_what_users_of_library_may(code: SourceTree) -> None:
    faults = [
        f"{module} imports {other}"
        for module in code.modules
        for other in code.imports(module)
        if (allowed := APP_MAY_IMPORT.get(module.split(".")[0])) and other.startswith("heimdex_core")
        if part_of_core(other) not in allowed
    ]
    assert faults == []


def test_nothing_above_library_reaches_past_it(code: SourceTree) -> None:
    assert reaches_past_library(code) == []


def test_reaching_past_library_is_found(tmp_path: Path) -> None:
    tree = planted(
        tmp_path,
        pages__1_search="def draw(library):\n    return library.store.videos()\n",
        ui__player="from heimdex_core import Library\nvideos = Library.open('x')._store.videos()\n",
        heimdex_core__jobs__client="def of(lib):\n    return lib.reader\n",
        heimdex_core__cli__main="def say(store):\n    print(store.paths.exports)\n",
        heimdex_core__library__library="class Library:\n    def videos(self):\n        return self._store.videos()\n",
    )
    assert reaches_past_library(tree) == [
        "heimdex_core/cli/main.py:2 store.paths",
        "heimdex_core/jobs/client.py:2 lib.reader",
        "pages/1_search.py:2 library.store",
        "ui/player.py:2 Library.open('x')._store",
    ]
