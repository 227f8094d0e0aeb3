"""What README.md and docs/ say against the code: each check is a function from a text to its faults."""

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

from heimdex_core.cli import UsageError
from heimdex_core.cli.main import build_parser
from heimdex_core.library import Library
from heimdex_core.library.accounts import Accounts
from heimdex_core.library.corrections import Corrections
from heimdex_core.library.evaluation import Evaluation
from heimdex_core.library.exports import Exports
from heimdex_core.library.model_sets import LibraryModelSets
from heimdex_core.library.people import People
from heimdex_core.library.reels import Reels
from heimdex_core.library.searches import Searches
from heimdex_core.library.sharing import Sharing
from heimdex_core.library.shorts import Shorts
from heimdex_core.library.tray import TrayEdits
from heimdex_core.library.watching import WatchedFolders
from heimdex_core.library.work import LibraryWork
from heimdex_core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
CODE = ("heimdex_core", "ui", "pages", "app.py", "evaluation", "benchmarks", "tests")


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


# --- settings -------------------------------------------------------------------------------------

SETTINGS = {f"HEIMDEX_{name.upper()}": name for name in Settings.model_fields}
VARIABLE = re.compile(r"HEIMDEX_[A-Z][A-Z0-9_]*")


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


# --- links and file names -------------------------------------------------------------------------

_FILE_NAME = re.compile(r"[\w-][\w.-]*\.(?:py|md|toml|ipynb|css)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+/")
NOT_IN_THE_REPOSITORY = ("data/library", "data/library/", ".streamlit/secrets.toml", "secrets.toml")


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


def named_pages(source: str) -> set[str]:
    """The pages of docs/ that a source file names."""
    return set(re.findall(r"\bdocs/[\w/-]+\.md\b", source))


# --- Python examples ------------------------------------------------------------------------------

PARTS = {
    "accounts": Accounts,
    "sharing": Sharing,
    "people": People,
    "reels": Reels,
    "tray_edits": TrayEdits,
    "corrections": Corrections,
    "evaluation": Evaluation,
    "exports": Exports,
    "shorts": Shorts,
    "model_sets": LibraryModelSets,
    "searches": Searches,
    "watched": WatchedFolders,
    "work": LibraryWork,
}
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
