"""Exports that end in the middle: cancelled, killed, out of time or out of room, in each stage of their rendering.

Nothing half-made is offered, temporary files go, and a record says how it ended, or the next worker goes on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from heimdex_core.errors import Cancelled, DiskFull, ExportNotFound, HeimdexError, RenderInterrupted
from heimdex_core.jobs.client import JobState
from heimdex_core.library import Library
from heimdex_core.media.render import measure
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, StageProgress
from tests.export import ending
from tests.export.ending import MAKE, REELS, SHORTS, Ending
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support import media

OPTIONS = {"min_free_bytes": 0, "short_preset": "ultrafast", "short_daily_limit": 0, "render_preset": "ultrafast"}
SETTINGS = Settings(_env_file=None, profile="offline", **OPTIONS)  # type: ignore[arg-type]
MODULE = "tests.export.ending"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one video of 2 s, which is noise."""
    root = tmp_path_factory.mktemp("ending")
    film = media.colour_clips(root / "film.mp4", [("red", 2.0)], noise=30, tone_hz=440)
    with Library.open(root / "library", settings=SETTINGS) as made:
        made.add(film)
    return root / "library"


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "library"))


@pytest.fixture
def lib(root: Path) -> Iterator[Library]:
    with Library.open(root, settings=SETTINGS) as opened:
        yield opened


@pytest.fixture
def bench(root: Path) -> Iterator[Bench]:
    made = Bench.make(root, **OPTIONS)
    yield made
    made.close()


def scene_of(library: Library) -> str:
    return library.scenes(library.videos()[0].video_id)[0].scene_id


def files(root: Path) -> list[str]:
    """The files in exports/, and the work folders of exports with their files. Any may go while it looks."""
    # Path.glob raises an error for a folder that goes meanwhile; the work folder itself stays
    folders = [root / "work" / name for name in os.listdir(root / "work") if name.startswith("export-")]
    tops = [root / "exports", *folders]
    found = [Path(folder, name) for top in tops for folder, _, names in os.walk(top) for name in names]
    return sorted(str(path.relative_to(root)) for path in [*folders, *found])


def require_offered(library: Library, export: Export) -> None:
    """The export is complete, and nothing else lies about."""
    export = library.exports.get(export.export_id)
    assert (export.state, export.error) == (ExportState.COMPLETED, None)
    assert measure(library.exports.file(export)).frame_count > 0
    assert files(library.path) == [export.path]


def require_nothing(library: Library, export: Export, error: HeimdexError) -> None:
    """The export ended with this error, and nothing of it is left or offered."""
    export = library.exports.get(export.export_id)
    is_cancelled = isinstance(error, Cancelled)
    assert export.state is (ExportState.CANCELLED if is_cancelled else ExportState.FAILED)
    assert export.error == error.to_dict()
    assert files(library.path) == []
    assert library.exports.progress(export.export_id) is None
    with pytest.raises(ExportNotFound):
        library.exports.file(export)


def programs(root: Path) -> list[str]:
    """The programs that still read or write in the library."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and any(str(root) in word for word in process.info["cmdline"] or ()):
            found.append(" ".join(process.info["cmdline"])[:200])
    return found


# --- cancelled ------------------------------------------------------------------------------------


def cancel_in(library: Library, stages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an export for each of these stages, and cancel it there."""
    found = Ending(stages, lambda stage, export: library.exports.cancel(export.export_id))
    found.install(monkeypatch.setattr)
    monkeypatch.setattr("heimdex_core.media.render.fitting_groups", ending.one_by_one)
    scene_id = scene_of(library)
    for stage in stages:
        with pytest.raises(Cancelled):
            MAKE[stage.partition(".")[0]](library, scene_id)
        assert found.reached[-1] == stage
        require_nothing(library, library.exports.list(1)[0], Cancelled())
    for kind in {stage.partition(".")[0] for stage in stages}:
        made = MAKE[kind](library, scene_id)
        require_offered(library, made)
        library.exports.remove(made.export_id)


def test_cancelled_when_the_file_lies_there_it_goes_again(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel_in(lib, ["reel.publishing"], monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("stages", [SHORTS, REELS], ids=["short", "reel"])
def test_cancelled_in_each_stage(lib: Library, stages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    cancel_in(lib, stages, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["short", "reel"])
@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), SystemExit(1)], ids=lambda e: type(e).__name__)
def test_a_listener_that_raises_ends_it(lib: Library, kind: str, error: BaseException) -> None:
    def listen(progress: StageProgress) -> None:
        raise error

    with pytest.raises(type(error)):
        MAKE[kind](lib, scene_of(lib), progress=listen)
    require_nothing(lib, lib.exports.list()[0], Cancelled())


@pytest.mark.long
@pytest.mark.parametrize("stages", [SHORTS, REELS], ids=["short", "reel"])
def test_cancelled_in_each_stage_of_a_worker(bench: Bench, stages: list[str]) -> None:
    library, scene_id = bench.library, scene_of(bench.library)
    make = MAKE[stages[0].partition(".")[0]]
    bench.start(MODULE, ENDING=f"hold:{','.join(stages)}")
    for stage in stages:
        export = make(library, scene_id, queue=True)
        until((library.path / "toy" / stage).exists, stage)
        assert library.exports.get(export.export_id).state is ExportState.PROCESSING
        library.exports.cancel(export.export_id)
        assert library.exports.get(export.export_id).state is ExportState.CANCELLED
        until(lambda: files(library.path) == [], "the files to go")
        require_nothing(library, export, Cancelled())
    export = make(library, scene_id, queue=True)
    assert bench.ended(str(export.job_id)).state is JobState.SUCCEEDED
    require_offered(library, export)


# --- killed ---------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("stage", [*SHORTS, *REELS])
def test_killed_in_each_stage_it_says_so(root: Path, stage: str, bench: Bench) -> None:
    library = bench.library
    kind = stage.partition(".")[0]
    environment = {**os.environ, **bench.environment, "ENDING": f"kill:{stage}"}
    command = [sys.executable, "-m", MODULE, str(root), kind, scene_of(library)]
    ended = subprocess.run(command, env=environment, timeout=300, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (files(root) == []) == (stage == "short.crop"), "else nothing is tested"
    until(lambda: programs(root) == [], "ffmpeg to end with its parent")
    [export] = library.exports.list()
    require_nothing(library, export, RenderInterrupted())
    assert library.shorts.allowance().used == 0
    require_offered(library, MAKE[kind](library, scene_of(library)))


@pytest.mark.long
@pytest.mark.parametrize("stages", [SHORTS[:2], SHORTS[2:4], SHORTS[4:6], SHORTS[6:], REELS[:2], REELS[2:4], REELS[4:]])
def test_killed_in_each_stage_of_a_worker_the_next_one_goes_on(bench: Bench, stages: list[str]) -> None:
    library, kind = bench.library, stages[0].partition(".")[0]
    export = MAKE[kind](library, scene_of(library), queue=True)
    job, crashes = bench.revive(str(export.job_id), module=MODULE, ENDING=f"kill:{','.join(stages)}")
    assert (job.state, crashes) == (JobState.SUCCEEDED, len(stages))
    assert [(library.path / "toy" / stage).exists() for stage in stages] == [True] * len(stages)
    require_offered(library, export)
    assert programs(library.path) == [" ".join(bench.worker.args)] if bench.worker else []  # type: ignore[arg-type]


@pytest.mark.long
def test_what_kills_every_worker_fails_and_leaves_nothing(bench: Bench) -> None:
    library, stages = bench.library, ["short.sound", "short.encoding", "short.measuring"]
    export = MAKE["short"](library, scene_of(library), queue=True)
    job, crashes = bench.revive(str(export.job_id), module=MODULE, ENDING=f"kill:{','.join(stages)}")
    assert (job.state, crashes) == (JobState.FAILED, 3)
    assert job.error is not None
    assert job.error["code"] == "WORKER_LOST"
    require_nothing(library, export, HeimdexError.from_dict(job.error))


@pytest.mark.long
def test_cancelled_between_two_workers_it_leaves_nothing(bench: Bench) -> None:
    library = bench.library
    export = MAKE["short"](library, scene_of(library), queue=True)
    worker = bench.start(MODULE, ENDING="kill:short.publishing")
    until(lambda: worker.poll() is not None, "the end of the worker")
    assert len(files(library.path)) > 0
    library.exports.cancel(export.export_id)
    require_nothing(library, export, Cancelled())
    bench.start(MODULE, ENDING="kill:")
    other = MAKE["short"](library, scene_of(library), queue=True)
    bench.ended(str(other.job_id))
    require_offered(library, other)
    assert library.exports.get(export.export_id).state is ExportState.CANCELLED


# --- out of room ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(template: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the library on a file system of 24 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=False)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        yield Path(shutil.copytree(template, place / "library"))
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.long
def test_a_full_disk_in_the_middle(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left at any of these sizes, from the first file of the sound to the last of the picture."""
    monkeypatch.setattr("heimdex_core.export.render.require_free_space", lambda *args, **kwargs: None)
    with Library.open(small_disk, settings=SETTINGS) as library:
        scene_id, filler = scene_of(library), small_disk.parent / "filler"
        needed = {kind: largest_use(library, kind, scene_id) for kind in MAKE}
        for kind, size in needed.items():
            for share in (0.02, 0.1, 0.3, 0.6):
                free = shutil.disk_usage(small_disk).free
                with filler.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, free - round(share * size))
                with pytest.raises(DiskFull) as full:
                    MAKE[kind](library, scene_id)
                filler.unlink()
                assert full.value.details["what"] == "the export" or share == 0.02
                assert "Free some space" in full.value.hint
                require_nothing(library, library.exports.list(1)[0], full.value)
            made = MAKE[kind](library, scene_id)
            require_offered(library, made)
            library.exports.remove(made.export_id)


def largest_use(library: Library, kind: str, scene_id: str) -> int:
    """How much more of the disk an export takes while it is rendered, in bytes."""
    before, least = shutil.disk_usage(library.path).free, []

    def listen(progress: StageProgress) -> None:
        least.append(shutil.disk_usage(library.path).free)

    library.exports.remove(MAKE[kind](library, scene_id, progress=listen).export_id)
    return before - min(least)
