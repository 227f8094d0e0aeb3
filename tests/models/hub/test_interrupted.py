"""Downloads that are interrupted, damaged, or meet a full disk; and those in the background."""

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
from heimdex_core.models import catalogue
from heimdex_core.models import locate as where
from heimdex_core.models.download import hub
from heimdex_core.models.download import pull as pulling
from heimdex_core.models.download.background import Download, Downloads
from heimdex_core.models.download.plan import PullProgress, recorded
from heimdex_core.models.download.pull import Puller
from heimdex_core.settings import Settings
from tests.support.downloads import REVISION, SAID, SMALL, WEIGHTS, is_usable, part_of, puller_of
from tests.support.fake_hub import FakeHub, Mood, closed_port

# --- interruptions --------------------------------------------------------------------------------


def test_a_connection_that_breaks_once_is_taken_up_again(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(cut_after=70_000, times=1, only=WEIGHTS)
    puller.pull(puller.plan(SAID))
    assert [one.range for one in there.gets(WEIGHTS)] == [None, "bytes=70000-"]
    assert is_usable(settings)


def test_no_network_in_the_middle_keeps_what_is_there(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(cut_after=70_000, only=WEIGHTS)
    plan = puller.plan(SAID)
    with pytest.raises(HubUnreachable) as caught:
        puller.pull(plan)
    assert "run it again" in caught.value.hint
    kept = part_of(plan.items[0].folder).stat().st_size
    assert kept == 70_000
    with pytest.raises(WeightsMissing, match="unfinished download"):
        catalogue.find("text", f"sentence:{SAID}", settings.models_dir)
    there.mood = Mood()
    there.requests.clear()
    again = puller.plan(SAID)
    assert again.bytes_missing < plan.bytes_missing - 70_000, "whole files and the half one"
    puller.pull(again)
    assert [one.range for one in there.gets(WEIGHTS)] == [f"bytes={kept}-"]
    assert is_usable(settings)


def test_a_hub_that_ignores_where_it_should_begin(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(cut_after=70_000, times=1, only=WEIGHTS, ignores_ranges=True)
    seen: list[PullProgress] = []
    plan = puller.plan(SAID)
    puller.pull(plan, report=seen.append)
    assert is_usable(settings)
    assert seen[-1].bytes_done == plan.bytes_total, "bytes that came twice are counted once"


def test_cancelling_keeps_what_is_there(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(slow_s=0.02)
    plan = puller.plan(SAID)
    with pytest.raises(Cancelled):
        puller.pull(plan, is_cancelled=there.sent.is_set)
    there.mood = Mood()
    there.requests.clear()
    puller.pull(puller.plan(SAID))
    (asked,) = there.gets(WEIGHTS)
    assert asked.range is None or asked.range.startswith("bytes=")
    assert is_usable(settings)
    assert "config.json" not in there.asked_for(), "files that were whole are not fetched again"


def test_a_process_that_is_killed_goes_on_where_it_was(there: FakeHub, settings: Settings) -> None:
    there.mood = Mood(slow_s=0.3)
    command = [sys.executable, "-m", "heimdex_core", "models", "pull", SAID, "--json"]
    environment = {**os.environ, "HF_ENDPOINT": there.endpoint, "HEIMDEX_MODELS_DIR": str(settings.models_dir)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert there.sent.wait(60)
    folder = where.folder_for(SAID, settings.models_dir or Path())
    while not (list((folder / pulling.PARTS).glob("*")) and part_of(folder).stat().st_size):
        assert child.poll() is None, "it ended before it could be killed"
    child.kill()
    child.wait()
    kept = part_of(folder).stat().st_size
    assert not is_usable(settings)
    there.mood = Mood()
    there.requests.clear()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one.range for one in there.gets(WEIGHTS)] == [f"bytes={kept}-"]
    assert is_usable(settings)


# --- damage ---------------------------------------------------------------------------------------


def test_wrong_bytes_are_removed_and_told(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(wrong_bytes=True, only=WEIGHTS)
    with pytest.raises(DownloadDamaged, match=r"model\.safetensors .*sha256") as caught:
        puller.pull(puller.plan(SAID))
    assert "It was removed" in caught.value.hint
    folder = where.folder_for(SAID, settings.models_dir or Path())
    assert list((folder / pulling.PARTS).iterdir()) == []
    assert not (folder / WEIGHTS).exists()
    there.mood = Mood()
    puller.pull(puller.plan(SAID))
    assert is_usable(settings)


def test_wrong_bytes_of_a_small_file_are_found_too(there: FakeHub, puller: Puller) -> None:
    there.mood = Mood(wrong_bytes=True, only="tokenizer.json")
    with pytest.raises(DownloadDamaged, match=r"tokenizer\.json"):
        puller.pull(puller.plan(SAID))


def test_a_half_file_that_was_spoilt_on_the_disk(there: FakeHub, puller: Puller, settings: Settings) -> None:
    plan = puller.plan(SAID)
    (weights,) = (one for one in plan.items[0].files if one.remote.path == WEIGHTS)
    part = plan.items[0].folder / pulling.PARTS / f"{weights.remote.identity[:40]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * 50_000)
    with pytest.raises(DownloadDamaged):
        puller.pull(puller.plan(SAID))
    assert there.gets(WEIGHTS)[0].range == "bytes=50000-"
    puller.pull(puller.plan(SAID))
    assert is_usable(settings)


def test_a_file_that_became_shorter_is_fetched_again(there: FakeHub, puller: Puller, settings: Settings) -> None:
    (folder,) = puller.pull(puller.plan(SAID))
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1])
    there.requests.clear()
    puller.pull(puller.plan(SAID))
    assert there.asked_for() == {WEIGHTS}
    assert (folder / WEIGHTS).read_bytes() == whole


def test_again_compares_everything_and_keeps_the_revision(there: FakeHub, puller: Puller) -> None:
    (folder,) = puller.pull(puller.plan(SAID))
    spoilt = bytearray((folder / WEIGHTS).read_bytes())
    spoilt[100] ^= 1
    (folder / WEIGHTS).write_bytes(spoilt)
    assert puller.plan(SAID).bytes_missing == 0, "its size is right"
    there.requests.clear()
    plan = puller.plan(SAID, again=True)
    assert plan.items[0].revision == REVISION
    puller.pull(plan)
    assert there.asked_for() == {WEIGHTS}
    note = recorded(folder)
    assert note is not None
    assert note.files[WEIGHTS]["sha256"] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def test_a_file_in_place_that_is_the_right_one_is_kept(there: FakeHub, puller: Puller) -> None:
    folder = puller.plan(SAID).items[0].folder
    folder.mkdir(parents=True)
    shutil.copy(SMALL / "sentences" / WEIGHTS, folder)
    puller.pull(puller.plan(SAID))
    assert WEIGHTS not in there.asked_for()


# --- the disk -------------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def test_too_little_room_is_told_before_anything_is_fetched(
    there: FakeHub, puller: Puller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    plan = puller.plan(SAID)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, settings.min_free_bytes + 1000))
    with pytest.raises(ModelsDiskFull) as caught:
        puller.pull(plan)
    assert caught.value.details["needed_bytes"] == plan.bytes_missing + settings.min_free_bytes
    assert there.asked_for() == set()
    assert not puller.folder.exists()


def test_a_disk_that_fills_up_meanwhile(
    there: FakeHub, puller: Puller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(pulling, "LOOK_AT_DISK_EVERY", 60_000)
    plan = puller.plan(SAID)
    free = iter([10**12])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, next(free, 5)))
    with pytest.raises(ModelsDiskFull) as caught:
        puller.pull(plan)
    assert caught.value.details["free_bytes"] == 5
    monkeypatch.undo()
    assert part_of(plan.items[0].folder).stat().st_size >= 60_000, "what has arrived is kept"


def test_a_write_that_does_not_fit(puller: Puller, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = puller.plan(SAID)
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
                assert not is_usable(settings), "half a download is not taken for a whole one"
            else:
                break
    assert count > 5
    assert is_usable(settings)


def test_a_folder_that_cannot_be_written(there: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    puller = puller_of(there, Settings(models_dir=tmp_path / "file" / "models"))
    with pytest.raises(InvalidValue, match="models folder"):
        puller.pull(puller.plan(SAID))


# --- in the background ----------------------------------------------------------------------------


def test_two_downloads_into_one_folder(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(slow_s=0.2)
    first = Download(puller, SAID).start()
    assert there.sent.wait(30)
    with pytest.raises(DownloadRunning):
        puller.pull(puller.plan(SAID))
    assert first.wait(30).state == "done"


def test_a_download_in_the_background_tells_how_far_it_is(there: FakeHub, puller: Puller, settings: Settings) -> None:
    download = Download(puller, SAID).start()
    status = download.wait(30)
    assert (status.state, status.share, status.error) == ("done", 1.0, None)
    assert status.bytes_done == status.bytes_total > 0
    assert status.licences == ("mit",)
    assert is_usable(settings)


def test_a_download_in_the_background_is_cancelled(there: FakeHub, puller: Puller) -> None:
    there.mood = Mood(slow_s=0.1)
    downloads = Downloads()
    download = downloads.start(puller, SAID)
    assert downloads.start(puller, SAID) is download
    with pytest.raises(DownloadRunning):
        downloads.start(puller, "laptop")
    assert there.sent.wait(30)
    download.cancel()
    status = download.wait(30)
    assert (status.state, status.is_running) == ("cancelled", False)
    assert downloads.latest is download


def test_a_download_in_the_background_that_fails_says_why(settings: Settings) -> None:
    status = Download(Puller(settings, hub=hub.Hub(closed_port())), "laptop").start().wait(60)
    assert status.state == "failed"
    assert status.error is not None
    assert status.error["code"] == "HUB_UNREACHABLE"
