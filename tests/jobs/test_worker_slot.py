"""A slot has one worker, whatever happened to the one before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heimdex_core.errors import LibraryBusy
from heimdex_core.jobs.worker_slot import WorkerSlot, dead_slots, slot_lock, this_slot

HOLDER = """
import sys, time
from pathlib import Path
from heimdex_core.jobs.worker_slot import WorkerSlot, slot_lock
with slot_lock(WorkerSlot(Path(sys.argv[1]), sys.argv[2], sys.argv[3])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path, name: str, executor_id: str) -> subprocess.Popen[str]:
    """Another process that has the slot; returns once it has it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), name, executor_id], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def silence(status: Path, seconds: float) -> None:
    """Make a status file look as if it was last written so long ago."""
    status.write_text("{}")
    moment = time.time() - seconds
    os.utime(status, (moment, moment))


def test_a_taken_slot_is_refused_and_names_its_holder(tmp_path: Path) -> None:
    slot = WorkerSlot(tmp_path, "here", "lib@here")
    holder = hold(tmp_path, "here", "lib@here")
    try:
        with pytest.raises(LibraryBusy) as caught, slot_lock(slot):
            pytest.fail("the slot is taken")
        assert caught.value.details["pid"] == holder.pid
        assert str(holder.pid) in caught.value.message
    finally:
        kill(holder)


def test_a_killed_holder_leaves_the_slot_free(tmp_path: Path) -> None:
    slot = WorkerSlot(tmp_path, "here", "lib@here")
    kill(hold(tmp_path, "here", "lib@here"))
    assert slot.lock_path.exists()
    with slot_lock(slot):
        written = json.loads(slot.lock_path.read_text())
    assert written["pid"] == os.getpid()
    assert written["executor_id"] == "lib@here"


def test_a_lock_file_full_of_rubbish_does_not_matter(tmp_path: Path) -> None:
    slot = WorkerSlot(tmp_path, "here", "lib@here")
    slot.lock_path.write_text("\x00not json")
    with slot_lock(slot):
        assert json.loads(slot.lock_path.read_text())["pid"] == os.getpid()


def test_two_libraries_of_one_machine_have_different_executors(tmp_path: Path) -> None:
    one = this_slot(tmp_path / "a", "key-a")
    two = this_slot(tmp_path / "b", "key-b")
    assert one.executor_id != two.executor_id
    assert one.lock_path != two.lock_path
    assert one == this_slot(tmp_path / "a", "key-a")


class TestDeadSlots:
    own_name = "here"

    def own(self, folder: Path) -> WorkerSlot:
        return WorkerSlot(folder, self.own_name, "lib@here")

    def test_a_killed_and_silent_one_is_dead(self, tmp_path: Path) -> None:
        kill(hold(tmp_path, "there", "lib@there"))
        silence(tmp_path / "there.json", 61)
        with dead_slots(tmp_path, self.own(tmp_path), silent_s=60) as ids:
            assert ids == ["lib@there"]
            # and nobody can come back to it while its work is taken over
            with pytest.raises(LibraryBusy), slot_lock(WorkerSlot(tmp_path, "there", "lib@there")):
                pytest.fail("the slot is held")

    def test_one_that_spoke_just_now_is_not(self, tmp_path: Path) -> None:
        kill(hold(tmp_path, "there", "lib@there"))
        silence(tmp_path / "there.json", 5)
        with dead_slots(tmp_path, self.own(tmp_path), silent_s=60) as ids:
            assert ids == []

    def test_one_that_holds_its_lock_is_not_however_silent(self, tmp_path: Path) -> None:
        holder = hold(tmp_path, "there", "lib@there")
        silence(tmp_path / "there.json", 3600)
        try:
            with dead_slots(tmp_path, self.own(tmp_path), silent_s=60) as ids:
                assert ids == []
        finally:
            kill(holder)

    def test_our_own_slot_is_never_among_them(self, tmp_path: Path) -> None:
        kill(hold(tmp_path, self.own_name, "lib@here"))
        silence(tmp_path / "here.json", 3600)
        with dead_slots(tmp_path, self.own(tmp_path), silent_s=60) as ids:
            assert ids == []
