"""README.md and docs/ fit the code: commands, make targets, settings, links, file names and Python examples.

Each check is a function from a text to its faults, and is also run on a text with planted faults.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from heimdex_core.cli.main import UsageError, build_parser
from heimdex_core.library import Library
from heimdex_core.library.exports import Exports
from heimdex_core.library.model_sets import LibraryModelSets
from heimdex_core.library.work import LibraryWork
from heimdex_core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
CODE = ("heimdex_core", "ui", "pages", "app.py", "evaluation", "benchmarks", "tests")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# --- reading Markdown -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    language: str
    text: str


_FENCE = re.compile(r"^([ ]*)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[Block]:
    return [Block(found[2], inspect.cleandoc(found[3])) for found in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """The inline code; one that is broken over two lines has a space there."""
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose(text))]


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows."""
    return [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in text.splitlines() if "|" in line
    ]


def test_markdown_is_read() -> None:
    text = "a `b\nc`\n\n```python\nx = 1\n```\n- list\n  ```\n  make d\n  ```\n\n| `e` | f |\n"
    assert blocks(text) == [Block("python", "x = 1"), Block("", "make d")]
    assert spans(text) == ["b c", "e"]
    assert rows(text) == [["`e`", "f"]]


# --- the command line -----------------------------------------------------------------------------

_COMMAND = re.compile(r"(?:\.venv/bin/)?python3? -m heimdex_core(?![.\w])(.*)")
SHARED = ("-h", "--help", "--library", "--json")
"""The options of every command."""


def words_of(command: str) -> list[str]:
    """The words of one command, without what marks them as optional or repeatable, and without its comment."""
    plain = re.sub(r"[\[\]]|\.\.\.", " ", command)
    return shlex.split(re.split(r"&&|\||;", plain)[0], comments=True)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


@dataclass
class Usage:
    """What a command in the documentation names: the subcommand with its options, and what the parser does not know."""

    command: tuple[str, ...]
    options: set[str]
    faults: list[str]


def usage(words: Sequence[str]) -> Usage:
    """Read the words behind `python -m heimdex_core`. An upper-case word stands for any subcommand."""
    parser = build_parser()
    found = Usage((), set(), [])
    is_value = False
    for word in words:
        name, equals, _ = word.partition("=")
        if is_value:
            is_value = False
        elif word.startswith("-"):
            action = parser._option_string_actions.get(name)
            if action is None:
                found.faults.append(f"{' '.join(found.command) or 'heimdex_core'} has no option {name}")
            else:
                found.options.add(name)
                is_value = action.nargs != 0 and not equals
        elif subcommands(parser):
            if word.isupper():
                break
            if word not in subcommands(parser):
                found.faults.append(f"{' '.join(found.command) or 'heimdex_core'} has no command {word}")
                break
            parser = subcommands(parser)[word]
            found.command += (word,)
    return found


def command_faults(text: str) -> list[str]:
    """Commands of `python -m heimdex_core` that the parser does not know; those in blocks must also be complete."""
    in_blocks = [line for block in blocks(text) for line in block.text.splitlines()]
    faults = []
    for number, code in enumerate([*in_blocks, *spans(text)]):
        for arguments in _COMMAND.findall(code):
            words = words_of(arguments)
            found = usage(words).faults
            is_whole = number < len(in_blocks) and not re.search(r"[\[\]]|\.\.\.|--help|COMMAND", arguments)
            if is_whole and not found:
                try:
                    build_parser().parse_args(words)
                except UsageError as error:
                    found = [str(error).splitlines()[-1]]
            faults += found
    return faults


@every_page
def test_commands_exist(page: Path) -> None:
    assert command_faults(page.read_text(encoding="utf-8")) == []


def test_a_wrong_command_is_found() -> None:
    text = """
`python -m heimdex_core serach x`, `python -m heimdex_core search "a b" --limits 3` and
`python -m heimdex_core models pul`

```
python -m heimdex_core --library data/other videos --json   # known
.venv/bin/python -m heimdex_core reindex --profiles laptop
python -m heimdex_core [--library DIR] COMMAND [--json]
python -m heimdex_core reel SCENE_ID
```
"""
    faults = command_faults(text)
    assert faults[0] == "reindex has no option --profiles"
    assert "--out" in faults[1]
    assert faults[2:] == [
        "heimdex_core has no command serach",
        "search has no option --limits",
        "models has no command pul",
    ]


def known_options(parser: argparse.ArgumentParser, command: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, and (*command, option) for each option that its help shows, without SHARED."""
    inner = subcommands(parser)
    if command and not inner:
        yield command
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield from ((*command, option) for option in action.option_strings if option not in SHARED)
    for name, sub in inner.items():
        yield from known_options(sub, (*command, name))


def command_table_faults(text: str) -> list[str]:
    """Where the first column of the table in docs/command-line.md and the parser differ."""
    faults: list[str] = []
    documented: set[tuple[str, ...]] = set()
    for cells in rows(text):
        for code in re.findall(r"`([^`]+)`", cells[0]):
            found = usage(words_of(code))
            faults += found.faults
            documented |= {found.command, *((*found.command, option) for option in found.options)}
    missing = [entry for entry in known_options(build_parser()) if entry not in documented]
    return faults + [f"{' '.join(entry)} is not documented" for entry in missing]


def test_the_table_of_commands_is_complete() -> None:
    assert command_table_faults((DOCS / "command-line.md").read_text(encoding="utf-8")) == []


def test_a_gap_in_the_table_of_commands_is_found() -> None:
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    text = text.replace("[--fusion NAME]", "[--fuse NAME]").replace("| `adopt FOLDER...` |", "| |")
    assert command_table_faults(text) == [
        "search has no option --fuse",
        "search --fusion is not documented",
        "adopt is not documented",
    ]


# --- make -----------------------------------------------------------------------------------------


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE))


def make_faults(text: str, targets: Collection[str]) -> list[str]:
    """Targets of `make` that the Makefile does not have."""
    lines = [line for block in blocks(text) for line in block.text.splitlines()]
    commands = [code.split("#")[0].split() for code in [*lines, *spans(text)]]
    wanted = [word for words in commands if words[:1] == ["make"] for word in words[1:] if "=" not in word]
    return [f"make {word}" for word in wanted if word not in targets]


@every_page
def test_make_targets_exist(page: Path) -> None:
    assert make_faults(page.read_text(encoding="utf-8"), make_targets()) == []


def test_a_wrong_make_target_is_found() -> None:
    text = "`make tests` or `make test`\n\n```\nmake run PORT=1   # make it run\nmake deploy\n```\n"
    assert {"run", "test", "check-long"} <= make_targets()
    assert make_faults(text, make_targets()) == ["make deploy", "make tests"]


# --- settings -------------------------------------------------------------------------------------

SETTINGS = {f"HEIMDEX_{name.upper()}": name for name in Settings.model_fields}
_VARIABLE = re.compile(r"HEIMDEX_[A-Z][A-Z0-9_]*")


def variables_read(sources: Collection[str]) -> set[str]:
    """Environment variables that Python sources name where they use os.environ, besides those of Settings."""
    names = {
        node.value
        for source in sources
        if "environ" in source
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {name for name in names if re.fullmatch(r"(HEIMDEX|HF|HUGGINGFACE|XDG)_[A-Z_]+", name)} - set(SETTINGS)


@pytest.fixture(scope="module")
def other_variables() -> set[str]:
    """Those that the code reads; HEIMDEX_SHOTS is read by the browser tests."""
    files = [*(ROOT / "heimdex_core").rglob("*.py"), *(ROOT / "ui").rglob("*.py"), ROOT / "app.py"]
    files.append(ROOT / "tests" / "e2e" / "conftest.py")
    return variables_read([file.read_text(encoding="utf-8") for file in files])


@every_page
def test_settings_exist(page: Path, other_variables: set[str]) -> None:
    named = set(_VARIABLE.findall(page.read_text(encoding="utf-8")))
    assert named - set(SETTINGS) - other_variables == set()


def test_variables_that_the_code_reads_are_found() -> None:
    source = 'import os\nos.environ.get("HEIMDEX_ABC")\nfor name in ("HF_HOME", "x"):\n    os.environ[name]\n'
    assert variables_read([source, '"HEIMDEX_UNUSED"', 'os.environ["HEIMDEX_LIBRARY"]']) == {"HEIMDEX_ABC", "HF_HOME"}
    assert _VARIABLE.findall("`HEIMDEX_LIBARY` and HEIMDEX_*") == ["HEIMDEX_LIBARY"]


def documented_variables(text: str) -> dict[str, str]:
    """The rows of the tables in docs/settings.md: the second cell by variable."""
    return {
        name: cells[1]
        for cells in rows(text)
        for name in re.findall(r"`([A-Z_0-9]+)`", cells[0])
        if cells[0].startswith("`")
    }


def settings_faults(text: str) -> list[str]:
    """Settings that the tables lack, and defaults that differ: a default stands as the environment would have it."""
    table = documented_variables(text)
    faults = [f"{variable} is missing" for variable in SETTINGS if variable not in table]
    for variable in [variable for variable in SETTINGS if variable in table]:
        default = Settings.model_fields[SETTINGS[variable]].default
        cell = table[variable]
        with pytest.MonkeyPatch.context() as environment:
            for name in SETTINGS:
                environment.delenv(name, raising=False)
            if cell != "unset":
                environment.setenv(variable, cell.strip("`"))
            try:
                documented = getattr(Settings(_env_file=None), SETTINGS[variable]) if cell != "unset" else None
            except ValidationError:
                documented = cell
        if documented != default:
            faults.append(f"{variable} is {default!r} and not {cell}")
    return faults


def test_every_setting_is_documented_with_its_default(other_variables: set[str]) -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert settings_faults(text) == []
    assert set(documented_variables(text)) == set(SETTINGS) | other_variables


def test_a_wrong_default_is_found() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    for old, new in (
        ("| `HEIMDEX_LIBRARY` | `data/library` |", "| `HEIMDEX_LIBRARY` | `library` |"),
        ("| `HEIMDEX_MODELS_DIR` | unset |", "| `HEIMDEX_MODELS_DIR` | `models` |"),
        ("| `HEIMDEX_MAX_FILE_BYTES` | `1073741824` |", "| `HEIMDEX_MAX_FILE_BYTES` | `1 GiB` |"),
        ("| `HEIMDEX_RRF_K` | `60` |", "| `HEIMDEX_RRF_K` | unset |"),
        ("| `HEIMDEX_LINK_TTL_S` |", "| `HEIMDEX_LINK_TTL` |"),
    ):
        assert old in text
        text = text.replace(old, new)
    assert settings_faults(text) == [
        "HEIMDEX_LINK_TTL_S is missing",
        "HEIMDEX_LIBRARY is PosixPath('data/library') and not `library`",
        "HEIMDEX_MODELS_DIR is None and not `models`",
        "HEIMDEX_MAX_FILE_BYTES is 1073741824 and not `1 GiB`",
        "HEIMDEX_RRF_K is 60 and not unset",
    ]


# --- links and file names -------------------------------------------------------------------------

_FILE_NAME = re.compile(r"[\w-][\w.-]*\.(?:py|md|toml|ipynb|css)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+/")
NOT_IN_THE_REPOSITORY = ("data/library", "data/library/")


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page has for its headings."""
    headings = re.findall(r"^#+ +(.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def link_faults(text: str, folder: Path) -> list[str]:
    """Relative links of a page in `folder` that lead nowhere, or out of the repository."""
    faults = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (folder / name).resolve()
        is_there = file.exists() and file.is_relative_to(ROOT)
        if is_there and anchor:
            is_there = anchor in anchors(file.read_text(encoding="utf-8") if name else text)
        if not is_there:
            faults.append(target)
    return faults


def path_faults(text: str) -> list[str]:
    """Inline code that reads like a file or folder of this repository and is none.

    A path counts if it begins with a folder of the repository or of heimdex_core, a file name by its extension. Scripts
    that commands run count too.
    """
    lines = [line for block in blocks(text) for line in block.text.splitlines()]
    scripts = [script for code in [*lines, *spans(text)] for script in re.findall(r"\bpython3? ([\w./-]+\.py)", code)]
    folders = {entry.name for root in (ROOT, ROOT / "heimdex_core") for entry in root.iterdir() if entry.is_dir()}
    faults = [script for script in scripts if not (ROOT / script).is_file()]
    for code in spans(text):
        if code in NOT_IN_THE_REPOSITORY:
            continue
        if _PATH.fullmatch(code) and code.split("/")[0] in folders:
            if not any((root / code).exists() for root in (ROOT, ROOT / "heimdex_core")):
                faults.append(code)
        elif _FILE_NAME.fullmatch(code) and not _exists_somewhere(code):
            faults.append(code)
    return faults


def _exists_somewhere(name: str) -> bool:
    top = (ROOT / name).exists()
    return top or any(any((ROOT / part).rglob(name)) for part in (*CODE, "docs", "notebooks", "data/sample"))


@every_page
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert link_faults(text, page.parent) == []
    assert path_faults(text) == []


def test_a_dead_link_is_found() -> None:
    text = (
        "[a](decisions/README.md) [b](decisions/nothing.md) ![c\nd](images/none.png) [e](https://example.org/x) "
        "[f](#g-h) [i](../../outside.md) [j](settings.md#search) [k](settings.md#nowhere)\n\n# G: h\n\n"
        "```\n[l](no-link)\n```\n"
    )
    assert link_faults(text, DOCS) == [
        "decisions/nothing.md",
        "images/none.png",
        "../../outside.md",
        "settings.md#nowhere",
    ]


def test_a_dead_path_is_found() -> None:
    text = (
        "`store/view.py` `store/kitchen.py` `heimdex_core/search/` `tests/test_arrows.py` `settings.py` `door.py` "
        "`data/library` `text/bge-m3` `work/.worker/running/` `library.json` `python benchmarks/none.py --rounds 3`\n"
    )
    assert path_faults(text) == ["benchmarks/none.py", "store/kitchen.py", "tests/test_arrows.py", "door.py"]


def test_every_decision_is_listed() -> None:
    folder = DOCS / "decisions"
    listed = re.findall(r"^\| \[[^\]]+\]\(([\w-]+\.md)\) \|", (folder / "README.md").read_text(encoding="utf-8"), re.M)
    assert listed == sorted(page.name for page in folder.glob("*.md") if page.name != "README.md")


def named_pages(source: str) -> set[str]:
    """The pages of docs/ that a source file names."""
    return set(re.findall(r"\bdocs/[\w/-]+\.md\b", source))


def test_pages_that_the_code_names_exist() -> None:
    files = [file for part in CODE for suffix in ("py", "toml") for file in (ROOT / part).rglob(f"*.{suffix}")]
    dead = {
        f"{file.relative_to(ROOT)}: {page}"
        for file in files
        if file != Path(__file__).resolve()
        for page in named_pages(file.read_text(encoding="utf-8"))
        if not (ROOT / page).is_file()
    }
    assert dead == set()


def test_a_page_that_the_code_names_is_found() -> None:
    source = '"""As docs/decisions/search-floors.md says."""\n# docs/palette.md\n'
    assert named_pages(source) == {"docs/decisions/search-floors.md", "docs/palette.md"}


# --- Python examples ------------------------------------------------------------------------------

PARTS = {"exports": Exports, "model_sets": LibraryModelSets, "work": LibraryWork}
"""The attributes of a Library that have methods of their own."""
VALUES = ("settings", "user_id")
"""Attributes that __init__ sets."""


def import_faults(tree: ast.Module) -> list[str]:
    """Imported names of this repository that do not exist."""
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            wanted = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in wanted:
            if module.split(".")[0] == "heimdex_core" and not _is_importable(module, name):
                faults.append(f"{module}.{name}".rstrip("."))
    return faults


def _is_importable(module: str, name: str) -> bool:
    try:
        found = importlib.import_module(module)
        if name and not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True


def library_faults(tree: ast.AST) -> list[str]:
    """Attributes and keywords of `lib` that a Library does not have."""
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _owner(node) is not None:
            owner = _owner(node)
            known = node.attr in (*PARTS, *VALUES) if owner is Library else False
            if not known and not hasattr(owner, node.attr):
                faults.append(ast.unparse(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = getattr(_owner(node.func), node.func.attr, None)
            if method is not None:
                parameters = inspect.signature(method).parameters
                names = [keyword.arg for keyword in node.keywords if keyword.arg not in parameters]
                faults += [f"{ast.unparse(node.func)}({name}=)" for name in names]
    return faults


def _owner(node: ast.Attribute) -> type | None:
    """The class whose attribute `node` is, for `lib.x` and `lib.model_sets.x`."""
    if isinstance(node.value, ast.Name):
        return Library if node.value.id == "lib" else None
    if isinstance(node.value, ast.Attribute) and _owner(node.value) is Library:
        return PARTS.get(node.value.attr)
    return None


def example_faults(text: str) -> list[str]:
    """What is wrong with the Python blocks, and with inline code that begins with `lib.`."""
    faults = []
    inline = [code.replace("...", "") for code in spans(text) if code.startswith("lib.")]
    for code in [*(block.text for block in blocks(text) if block.language in ("python", "py")), *inline]:
        try:
            tree = ast.parse(code)
        except SyntaxError as error:
            faults.append(f"line {error.lineno}: {error.msg}")
            continue
        faults += import_faults(tree) + library_faults(tree)
    return faults


@every_page
def test_examples_fit_the_api(page: Path) -> None:
    assert example_faults(page.read_text(encoding="utf-8")) == []


def test_a_wrong_example_is_found() -> None:
    text = """
`lib.sql(...)`, `lib.move_to("laptop")`, `lib.model_sets.move_to("laptop", queue=True)` and `lib.exports.lists()`

```python
import heimdex_core.door
from heimdex_core import Librarian, Library, schemas
from heimdex_core.settings import PRESETS, default_wheights

lib = Library.open("x")
lib.settings.fusion
lib.store.paths
lib.search("a", weight={"vision": 1.0}, limit=3)
```

```python
def broken(:
```

```toml
not = python
```
"""
    assert example_faults(text) == [
        "heimdex_core.door",
        "heimdex_core.Librarian",
        "heimdex_core.settings.default_wheights",
        "lib.search(weight=)",
        "lib.store",
        "line 1: invalid syntax",
        "lib.move_to",
        "lib.exports.lists",
    ]
