"""README.md and docs/ fit the code: commands, make targets, settings, links, file names and Python examples.

The checks are in tests/support/docs.py. Each is also run on a text with planted faults.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.docs import (
    CODE,
    DOCS,
    PAGES,
    ROOT,
    SETTINGS,
    VARIABLE,
    Block,
    blocks,
    command_faults,
    command_table_faults,
    documented_variables,
    example_faults,
    link_faults,
    make_faults,
    make_targets,
    named_pages,
    path_faults,
    rows,
    settings_faults,
    spans,
    variables_read,
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# --- reading Markdown -----------------------------------------------------------------------------


def test_markdown_is_read() -> None:
    text = "a `b\nc`\n\n```python\nx = 1\n```\n- list\n  ```\n  make d\n  ```\n\n| `e` | f |\n"
    assert blocks(text) == [Block("python", "x = 1"), Block("", "make d")]
    assert spans(text) == ["b c", "e"]
    assert rows(text) == [["`e`", "f"]]


# --- the command line -----------------------------------------------------------------------------


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


@every_page
def test_make_targets_exist(page: Path) -> None:
    assert make_faults(page.read_text(encoding="utf-8"), make_targets()) == []


def test_a_wrong_make_target_is_found() -> None:
    text = "`make tests` or `make test`\n\n```\nmake run PORT=1   # make it run\nmake deploy\n```\n"
    assert {"run", "test", "check-long"} <= make_targets()
    assert make_faults(text, make_targets()) == ["make deploy", "make tests"]


# --- settings -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_variables() -> set[str]:
    """Those that the code reads; HEIMDEX_SHOTS is read by the browser tests."""
    files = [*(ROOT / "heimdex_core").rglob("*.py"), *(ROOT / "ui").rglob("*.py"), ROOT / "app.py"]
    files.append(ROOT / "tests" / "e2e" / "conftest.py")
    return variables_read([file.read_text(encoding="utf-8") for file in files])


@every_page
def test_settings_exist(page: Path, other_variables: set[str]) -> None:
    named = set(VARIABLE.findall(page.read_text(encoding="utf-8")))
    assert named - set(SETTINGS) - other_variables == set()


def test_variables_that_the_code_reads_are_found() -> None:
    source = 'import os\nos.environ.get("HEIMDEX_ABC")\nfor name in ("HF_HOME", "x"):\n    os.environ[name]\n'
    assert variables_read([source, '"HEIMDEX_UNUSED"', 'os.environ["HEIMDEX_LIBRARY"]']) == {"HEIMDEX_ABC", "HF_HOME"}
    assert VARIABLE.findall("`HEIMDEX_LIBARY` and HEIMDEX_*") == ["HEIMDEX_LIBARY"]


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
