"""Downloads that are interrupted or damaged, or that fill the disk; and downloads in the background."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from heimdex_core.errors import (
    Cancelled,
    DownloadDamaged,
    DownloadRunning,
    HubUnreachable,
    InvalidValue,
    ModelsDiskFull,
    WeightsMissing,
)
from heimdex_core.models import families, locate
from heimdex_core.models.download import pull
from heimdex_core.models.download.background import Download, Downloads
from heimdex_core.models.download.hub import Hub
from heimdex_core.models.download.plan import PullProgress, recorded
from heimdex_core.models.download.pull import Puller
from heimdex_core.settings import Settings
from tests.models.download.small_hub import REPO, REVISION, SMALL, WEIGHTS, is_usable, part_of, puller_of
from tests.support.fake_hub import FakeHub, Mood, closed_port

# --- interruptions --------------------------------------------------------------------------------


def test_a_broken_connection_is_resumed(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(cut_after=70_000, times=1, only=WEIGHTS)
    puller.pull(puller.plan(REPO))
    assert [one.range for one in hub.gets(WEIGHTS)] == [None, "bytes=70000-"]
    assert is_usable(settings)


def test_losing_the_network_keeps_what_has_arrived(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(cut_after=70_000, only=WEIGHTS)
    plan = puller.plan(REPO)
    with pytest.raises(HubUnreachable) as caught:
        puller.pull(plan)
    assert "run it again" in caught.value.hint
    kept = part_of(plan.items[0].folder).stat().st_size
    assert kept == 70_000
    with pytest.raises(WeightsMissing, match="unfinished download"):
        families.find("text", f"sentence:{REPO}", settings.models_dir)
    hub.mood = Mood()
    hub.requests.clear()
    again = puller.plan(REPO)
    assert again.bytes_missing < plan.bytes_missing - 70_000, "whole files and the half one"
    puller.pull(again)
    assert [one.range for one in hub.gets(WEIGHTS)] == [f"bytes={kept}-"]
    assert is_usable(settings)


def test_a_hub_that_ignores_the_range(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(cut_after=70_000, times=1, only=WEIGHTS, ignores_ranges=True)
    seen: list[PullProgress] = []
    plan = puller.plan(REPO)
    puller.pull(plan, report=seen.append)
    assert is_usable(settings)
    assert seen[-1].bytes_done == plan.bytes_total, "bytes that came twice are counted once"


def test_cancelling_keeps_what_has_arrived(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(slow_s=0.02)
    plan = puller.plan(REPO)
    with pytest.raises(Cancelled):
        puller.pull(plan, is_cancelled=hub.sent.is_set)
    hub.mood = Mood()
    hub.requests.clear()
    puller.pull(puller.plan(REPO))
    (asked,) = hub.gets(WEIGHTS)
    assert asked.range is None or asked.range.startswith("bytes=")
    assert is_usable(settings)
    assert "config.json" not in hub.asked_for(), "files that were whole are not fetched again"


def test_a_killed_process_is_resumed(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(slow_s=0.3)
    command = [sys.executable, "-m", "heimdex_core", "models", "pull", REPO, "--json"]
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HEIMDEX_MODELS_DIR": str(settings.models_dir)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert hub.sent.wait(60)
    folder = locate.folder_for(REPO, settings.models_dir or Path())
    while not (list((folder / pull.PARTS).glob("*")) and part_of(folder).stat().st_size):
        assert child.poll() is None, "it ended before it could be killed"
    child.kill()
    child.wait()
    kept = part_of(folder).stat().st_size
    assert not is_usable(settings)
    hub.mood = Mood()
    hub.requests.clear()
    puller.pull(puller.plan(REPO))
    assert [one.range for one in hub.gets(WEIGHTS)] == [f"bytes={kept}-"]
    assert is_usable(settings)


# --- damage ---------------------------------------------------------------------------------------


def test_a_damaged_file_is_removed(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(wrong_bytes=True, only=WEIGHTS)
    with pytest.raises(DownloadDamaged, match=r"model\.safetensors .*sha256") as caught:
        puller.pull(puller.plan(REPO))
    assert "The file was removed" in caught.value.hint
    folder = locate.folder_for(REPO, settings.models_dir or Path())
    assert list((folder / pull.PARTS).iterdir()) == []
    assert not (folder / WEIGHTS).exists()
    hub.mood = Mood()
    puller.pull(puller.plan(REPO))
    assert is_usable(settings)


def test_damage_to_a_small_file_is_found_too(hub: FakeHub, puller: Puller) -> None:
    hub.mood = Mood(wrong_bytes=True, only="tokenizer.json")
    with pytest.raises(DownloadDamaged, match=r"tokenizer\.json"):
        puller.pull(puller.plan(REPO))


def test_a_part_that_was_damaged_on_the_disk(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    plan = puller.plan(REPO)
    (weights,) = (one for one in plan.items[0].files if one.remote.path == WEIGHTS)
    part = plan.items[0].folder / pull.PARTS / f"{weights.remote.identity[:40]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * 50_000)
    with pytest.raises(DownloadDamaged):
        puller.pull(puller.plan(REPO))
    assert hub.gets(WEIGHTS)[0].range == "bytes=50000-"
    puller.pull(puller.plan(REPO))
    assert is_usable(settings)


def test_a_file_that_became_shorter_is_downloaded_again(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    (folder,) = puller.pull(puller.plan(REPO))
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1])
    hub.requests.clear()
    puller.pull(puller.plan(REPO))
    assert hub.asked_for() == {WEIGHTS}
    assert (folder / WEIGHTS).read_bytes() == whole


def test_again_compares_everything_and_keeps_the_revision(hub: FakeHub, puller: Puller) -> None:
    (folder,) = puller.pull(puller.plan(REPO))
    spoilt = bytearray((folder / WEIGHTS).read_bytes())
    spoilt[100] ^= 1
    (folder / WEIGHTS).write_bytes(spoilt)
    assert puller.plan(REPO).bytes_missing == 0, "its size is right"
    hub.requests.clear()
    plan = puller.plan(REPO, again=True)
    assert plan.items[0].revision == REVISION
    puller.pull(plan)
    assert hub.asked_for() == {WEIGHTS}
    note = recorded(folder)
    assert note is not None
    assert note.files[WEIGHTS]["sha256"] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def test_a_correct_file_in_place_is_kept(hub: FakeHub, puller: Puller) -> None:
    folder = puller.plan(REPO).items[0].folder
    folder.mkdir(parents=True)
    shutil.copy(SMALL / "sentences" / WEIGHTS, folder)
    puller.pull(puller.plan(REPO))
    assert WEIGHTS not in hub.asked_for()


# --- the disk -------------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def test_too_little_space_is_reported_before_anything_is_downloaded(
    hub: FakeHub, puller: Puller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    plan = puller.plan(REPO)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, settings.min_free_bytes + 1000))
    with pytest.raises(ModelsDiskFull) as caught:
        puller.pull(plan)
    assert caught.value.details["needed_bytes"] == plan.bytes_missing + settings.min_free_bytes
    assert hub.asked_for() == set()
    assert not puller.folder.exists()


def test_a_disk_that_fills_up_during_the_download(
    hub: FakeHub, puller: Puller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(pull, "CHECK_DISK_EVERY", 60_000)
    plan = puller.plan(REPO)
    free = iter([10**12])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, next(free, 5)))
    with pytest.raises(ModelsDiskFull) as caught:
        puller.pull(plan)
    assert caught.value.details["free_bytes"] == 5
    monkeypatch.undo()
    assert part_of(plan.items[0].folder).stat().st_size >= 60_000, "what has arrived is kept"


def test_a_write_that_does_not_fit(puller: Puller, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = puller.plan(REPO)
    for count in range(100):
        left = count

        def full(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            try:
                puller.pull(plan)
            except ModelsDiskFull:
                assert not is_usable(settings), "an incomplete download does not count as a model"
            else:
                break
    assert count > 5
    assert is_usable(settings)


def test_a_folder_that_cannot_be_written(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    puller = puller_of(hub, Settings(models_dir=tmp_path / "file" / "models"))
    with pytest.raises(InvalidValue, match="models folder"):
        puller.pull(puller.plan(REPO))


# --- in the background ----------------------------------------------------------------------------


def test_two_downloads_into_one_folder(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(slow_s=0.05)
    first = Download(puller, REPO).start()
    assert hub.sent.wait(30)
    with pytest.raises(DownloadRunning):
        puller.pull(puller.plan(REPO))
    assert first.wait(30).state == "done"


def test_a_download_in_the_background_reports_its_progress(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    download = Download(puller, REPO).start()
    status = download.wait(30)
    assert (status.state, status.share, status.error) == ("done", 1.0, None)
    assert status.bytes_done == status.bytes_total > 0
    assert status.licences == ("mit",)
    assert is_usable(settings)


def test_a_download_in_the_background_is_cancelled(hub: FakeHub, puller: Puller) -> None:
    hub.mood = Mood(slow_s=0.1)
    downloads = Downloads()
    download = downloads.start(puller, REPO)
    assert downloads.start(puller, REPO) is download
    with pytest.raises(DownloadRunning):
        downloads.start(puller, "laptop")
    assert hub.sent.wait(30)
    download.cancel()
    status = download.wait(30)
    assert (status.state, status.is_running) == ("cancelled", False)
    assert downloads.latest is download


def test_a_download_in_the_background_that_fails(settings: Settings) -> None:
    status = Download(Puller(settings, hub=Hub(closed_port())), "laptop").start().wait(60)
    assert status.state == "failed"
    assert status.error is not None
    assert status.error["code"] == "HUB_UNREACHABLE"
