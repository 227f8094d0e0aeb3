"""A process with a DBOS of its own, for test_dbos_recovery.py.

    python -m tests.jobs.recovering FOLDER EXECUTOR hold WORKFLOW_ID   begins a workflow and stays in its second step
    python -m tests.jobs.recovering FOLDER EXECUTOR recover OTHER WORKFLOW_ID
        recovers what the executor OTHER left, and waits for the end of one of its workflows

Each step appends "<workflow id> <step>" to FOLDER/steps. `recover` prints how many workflows it took.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from heimdex_core.jobs.config import APP_VERSION, JobsDatabase
from heimdex_core.jobs.reconcile import recover

folder, executor, what, subject = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


def note(step: str) -> None:
    with (folder / "steps").open("a") as steps:
        steps.write(f"{DBOS.workflow_id} {step}\n")


@DBOS.step(name="first")
def first() -> None:
    note("first")


@DBOS.step(name="second")
def second(hold: bool) -> None:
    if hold:
        print("holding", flush=True)
        time.sleep(3600)
    note("second")


@DBOS.workflow(name="two-steps")
def two_steps() -> str:
    first()
    second(what == "hold")
    return APP_VERSION


def main() -> None:
    DBOS(config=JobsDatabase(f"sqlite:///{folder}/jobs.sqlite", "heimdex").config(executor))
    DBOS.launch()
    if what == "hold":
        with SetWorkflowID(subject):
            two_steps()
    else:
        taken = recover([subject])
        DBOS.retrieve_workflow(sys.argv[5]).get_result()
        print(taken)
    DBOS.destroy()


if __name__ == "__main__":
    main()
