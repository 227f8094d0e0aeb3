"""Names that are not UTF-8 and terminals that cannot show what is printed end no command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heimdex_core.cli.main import main
from heimdex_core.cli.output import Printer
from heimdex_core.errors import FileUnreadable, printable
from heimdex_core.library import Library
from heimdex_core.schemas import refused_video
from heimdex_core.types import Video
from tests.support.frozen import frozen_library

ROOT = Path(__file__).resolve().parents[2]
CAFE = b"caf\xe9".decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café 한글", "café 한글"),
        (CAFE, "caf\\xe9"),
        ("half \ud800 character", "half \\ud800 character"),
        (f"{CAFE} \ud800", "caf\\udce9 \\ud800"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    error = FileUnreadable(filename=text, reason="x" * 100_000)
    assert error.message.startswith(f"{shown} cannot be read: xxx")
    assert len(error.message) < 6000
    row = json.dumps(refused_video(f"/videos/{text}.mp4", error.to_dict()), ensure_ascii=False).encode()
    assert json.loads(row)["filename"] == f"{shown}.mp4"


def test_one_name_that_is_not_utf_8_does_not_end_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`add` of three files; what becomes of them is the library's, here it takes every one that exists."""
    library = frozen_library(tmp_path / "library")
    taken: list[bytes] = []

    def add(lib: Library, path: str | Path, **_: object) -> Video:
        if b"missing" in os.fsencode(path):
            raise FileUnreadable(filename=Path(path).name, reason="No such file or directory")
        taken.append(os.fsencode(path))
        return lib.videos()[0]

    monkeypatch.setattr(Library, "add", add)
    names = [f"{CAFE}.mp4", f"missing-{CAFE}.mp4", "plain.mp4"]
    for options in ((), ("--json",)):
        assert main(["--library", str(library), *options, "add", *names]) == 1
    assert taken == [b"caf\xe9.mp4", b"plain.mp4"] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", CAFE], "text = caf\\xe9 cannot be used: it is not Unicode text"),
        (["scenes", CAFE], "video_id = caf\\xe9"),
        (["add", "x.mp4", "--title", CAFE], "title = caf\\xe9"),
        (["adopt", CAFE], "caf\\xe9"),
        (["add", "--watch", CAFE], "caf\\xe9"),
        (["watched", "--stop", CAFE], "caf\\xe9"),
        (["reindex", "--all", "--language", CAFE], "language = caf\\xe9"),
    ],
)
def test_what_is_not_unicode_is_refused_in_words(
    frozen: Path, capfd: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["--library", str(frozen), *words]) == 1
    printed = capfd.readouterr()
    assert said in printed.out + printed.err
    assert "Something went wrong" not in printed.out + printed.err


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return frozen_library(tmp_path_factory.mktemp("frozen") / "library")


def test_a_library_whose_path_is_not_utf_8_is_refused_in_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for words in (["videos"], ["repair"], ["add", "x.mp4"]):
        assert main(["--library", str(tmp_path / CAFE), *words]) == 1
        assert "caf\\xe9 cannot be used: its path is not UTF-8" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(name, marks=pytest.mark.long) for name in ("cp1252", "cp949"))]
)
def test_any_terminal_can_print_any_title(encoding: str) -> None:
    """A process of its own: the encoding of stdout is that of the terminal."""
    program = (
        "from heimdex_core.cli import main as cli\n"
        "with cli.stdout_kept(False) as stream:\n"
        "    cli.Printer(stream, as_json=False).document([], text='말하기 é 🎬 \\udce9')\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, cwd=ROOT, check=True)
    assert b"\\U0001f3ac" in done.stdout
    assert done.stderr == b""


def test_json_is_json_whatever_the_name(tmp_path: Path) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    Printer(stream, as_json=True).document({"path": CAFE})
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"path": CAFE}


# --- repair ---------------------------------------------------------------------------------------


def test_repair(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    library = frozen_library(tmp_path / "library")
    assert main(["--library", str(library), "--json", "search", "boat", "--weight", "lexical=1"]) == 0
    before = json.loads(capfd.readouterr().out)["hits"]
    with Library.open(library) as lib:
        tray = lib.tray()
        assert tray.clips
    (library / "catalog.duckdb").write_bytes(b"rubbish")
    for words in (["videos"], ["doctor"]):
        assert main(["--library", str(library), *words]) == 1
        assert "python -m heimdex_core repair" in capfd.readouterr().err
    assert main(["--library", str(library), "repair"]) == 1, "a video has to be indexed again"
    text = capfd.readouterr().out
    assert "catalog: rebuilt\nthe damaged one is now: catalog.duckdb.damaged-" in text
    assert "videos taken from their folders: 3\n" in text
    assert "reels: 1 rows from the copy of 20" in text
    assert main(["--library", str(library), "--json", "search", "boat", "--weight", "lexical=1"]) == 0
    assert json.loads(capfd.readouterr().out)["hits"] == before
    with Library.open(library) as lib:
        assert lib.tray() == tray
    assert main(["--library", str(library), "--json", "repair"]) == 0
    assert json.loads(capfd.readouterr().out)["catalog"] == "intact"
