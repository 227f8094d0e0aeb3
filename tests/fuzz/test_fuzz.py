"""Damaged files of every kind: read or refused with an error of ours; this process lives, and nothing is left.

`make fuzz` tries thousands, with another seed each time; a file that fails is made again from seed and number.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from heimdex_core.errors import DecoderFailed, HeimdexError
from heimdex_core.library import Library
from heimdex_core.library.context import LibraryContext
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.child_server_process import server_process
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.types import VideoState, WorkContext
from tests.fuzz import intact, reading
from tests.fuzz.conftest import TRIED
from tests.fuzz.mutation import write_damaged
from tests.support.ingest import USER, SmallModels, new_store, settings

FILES = int(os.environ.get("FUZZ_FILES", "100"))
"""Damaged files of each kind that are probed; a twentieth of them is added to a library as well."""
SEED = os.environ.get("FUZZ_SEED", "1")
LIMITS = ChildLimits(memory_bytes=1_500_000_000, stall_s=20.0)


@pytest.fixture(scope="module")
def intact_files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("intact")

    def get(kind: str) -> Path:
        path = folder / f"clip.{kind}"
        if not path.exists():
            (intact.video if kind in intact.VIDEOS else intact.subtitles)(path)
        return path

    return get


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Not one child process after a test."""
    yield
    process = server_process._process
    assert process is not None
    psutil.wait_procs(psutil.Process(process.pid).children(recursive=True), timeout=10)
    assert psutil.Process(process.pid).children(recursive=True) == []


def read_in_child(target: Callable[[list[str], WorkContext], list[str]], paths: list[Path]) -> Counter[str]:
    """The outcomes of all files. A child is used for as many as it survives."""
    outcomes: Counter[str] = Counter()
    first = 0
    while first < len(paths):
        reached = [first]
        context = WorkContext(report=lambda done, total, at=first, seen=reached: seen.append(at + int(done)))  # type: ignore[misc]
        name = f"{target.__module__}:{target.__name__}"
        rest = [str(path) for path in paths[first:]]
        try:
            outcomes.update(run_in_child(name, rest, filename="fuzz", limits=LIMITS, context=context))
            break
        except DecoderFailed as error:
            outcomes[f"{error.code} {paths[reached[-1]].name}"] += 1
            first = reached[-1] + 1
    return outcomes


def summary(outcomes: Counter[str]) -> str:
    """How many of each outcome, the most frequent first."""
    return f"{outcomes.total()} files: " + ", ".join(f"{name} {count}" for name, count in outcomes.most_common())


def defects(outcomes: Counter[str]) -> list[str]:
    return [text for text in outcomes if ": " in text]


@pytest.mark.parametrize("kind", sorted(intact.VIDEOS))
def test_damaged_videos_are_read_or_refused(
    kind: str, intact_files: Callable[[str], Path], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    paths = [write_damaged(intact_files(kind), tmp_path, SEED, number) for number in range(FILES)]
    outcomes = read_in_child(reading.probe_all, paths)
    record_property(TRIED, f"probe {kind}: {summary(outcomes)}")
    assert defects(outcomes) == []
    assert sorted(tmp_path.iterdir()) == paths  # nothing was written


@pytest.mark.parametrize("kind", sorted(intact.SUBTITLES))
def test_damaged_subtitles_are_read_or_refused(
    kind: str, intact_files: Callable[[str], Path], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    paths = [write_damaged(intact_files(kind), tmp_path, SEED, number) for number in range(FILES)]
    outcomes = read_in_child(reading.read_all, paths)
    record_property(TRIED, f"subtitles {kind}: {summary(outcomes)}")
    assert defects(outcomes) == []
    assert outcomes["read"] > 0


class OneSet:
    """The models of a library for SmallModels."""

    def active(self) -> SmallModels:
        return SmallModels()

    def of(self, set_id: int) -> SmallModels:
        return SmallModels()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("fuzzed") / "library"
    limits = settings(
        media_memory_bytes=LIMITS.memory_bytes, media_stall_s=LIMITS.stall_s, stage_retries=0, min_free_bytes=0
    )
    models: Any = OneSet()
    with Library(LibraryContext(new_store(root), models, ChannelSets(models.of), limits, USER)) as made:
        yield made


@pytest.mark.parametrize(
    "kind",
    [kind if kind == "mp4" else pytest.param(kind, marks=pytest.mark.long) for kind in sorted(intact.VIDEOS)],
)
def test_damaged_videos_are_indexed_or_refused(
    kind: str,
    intact_files: Callable[[str], Path],
    library: Library,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(max(1, FILES // 20)):
        path = write_damaged(intact_files(kind), tmp_path, f"add-{SEED}", number)
        outcomes[_outcome_of_add(library, path)] += 1
        path.unlink()
    record_property(TRIED, f"add {kind}: {summary(outcomes)}")
    assert [code for code in outcomes if code in ("INTERNAL", "STAGE_FAILED")] == []
    _assert_nothing_unfinished(library.path)


def _outcome_of_add(library: Library, path: Path) -> str:
    try:
        video = library.add(path)
    except HeimdexError as error:
        return error.code
    assert video.state == VideoState.INDEXED
    return "indexed"


def _assert_nothing_unfinished(library: Path) -> None:
    assert list((library / "uploads").iterdir()) == []
    assert [path for path in library.rglob(".tmp-*")] == []
    # finished stages of a video that failed later are kept for a retry
    left = {path.name for path in (library / "work").iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert left <= {path.name for path in (library / "videos").iterdir()}


def test_damage_depends_on_the_seed_alone(intact_files: Callable[[str], Path], tmp_path: Path) -> None:
    source = intact_files("srt")
    first = write_damaged(source, tmp_path, "7", 3).read_bytes()
    assert write_damaged(source, tmp_path, "7", 3).read_bytes() == first
    made = {write_damaged(source, tmp_path, "7", number).read_bytes() for number in range(20)}
    assert len(made | {source.read_bytes()}) > 15
