"""A sweep as a job: progress, a worker that is killed in the middle, and the same numbers as without one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.evaluation.judged_set import JudgedSet
from heimdex_core.jobs.client import JobState
from heimdex_core.library import sweeps
from heimdex_core.types import RunSettings, SetQuery
from tests.jobs.bench import Bench
from tests.jobs.waiting import until

QUERIES = tuple(SetQuery(f"query {number}") for number in range(18))
SETTINGS = [RunSettings({"lexical": 1.0}, "minmax", temperature=float(number)) for number in range(3)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


def new_sweep(bench: Bench) -> str:
    """A sweep of made-up judgements; the toy worker finds scene n first with temperature n (toy_ranking)."""
    judged = JudgedSet("toys", QUERIES, {query.query_id: {"scene-1": 3.0, "scene-2": 1.0} for query in QUERIES})
    return sweeps.create(
        bench.library._context, judged, SETTINGS, measure="nDCG@10", depth=10, name="toy", provenance={}
    )


@pytest.mark.long
def test_a_killed_worker_loses_no_query_and_changes_no_number(bench: Bench):
    evaluation = bench.library.evaluation
    sweep = evaluation.resume_sweep(new_sweep(bench), queue=True)
    assert (sweep.state, sweep.done, sweep.total) == ("waiting", 0, 18)
    assert sweep.job_id is not None
    assert evaluation.resume_sweep(sweep.sweep_id, queue=True).job_id == sweep.job_id
    bench.order("kill-query-5", 1)
    bench.start().wait(timeout=60)  # dies in the sixth query
    bench.worker = None
    half = evaluation.get_sweep(sweep.sweep_id)
    assert (half.state, half.done, half.outcome) == ("running", 5, None)
    bench.start()
    assert bench.ended(sweep.job_id).state == JobState.SUCCEEDED
    done = evaluation.get_sweep(sweep.sweep_id)
    assert (done.state, done.done) == ("done", 18)
    # The first five were not tried again, the sixth was.
    begun = bench.begun("sweep")
    assert [begun.count(f"query-{number}") for number in (0, 4, 5, 6)] == [3, 3, 4, 3]
    assert done.outcome is not None
    assert (done.outcome.winner.number, done.outcome.verdict) == (1, "better")
    # scene-1 of grade 3 first, scene-2 of grade 1 third
    assert done.outcome.held_out_winner.mean == pytest.approx((3 + 1 / 2) / (3 + 1 / math.log2(3)))

    second = evaluation.resume_sweep(new_sweep(bench), queue=True)
    assert second.job_id is not None
    bench.ended(second.job_id)
    again = evaluation.get_sweep(second.sweep_id)
    assert (again.scores, again.outcome) == (done.scores, done.outcome)


def test_a_queued_sweep_can_be_cancelled_and_resumed(bench: Bench):
    evaluation = bench.library.evaluation
    sweep = evaluation.resume_sweep(new_sweep(bench), queue=True)
    hold = bench.order("hold-query-3")
    bench.start()
    until(lambda: evaluation.get_sweep(sweep.sweep_id).done == 3, "the fourth query")
    assert evaluation.cancel_sweep(sweep.sweep_id).state == "cancelled"
    hold.unlink()
    assert sweep.job_id is not None
    assert bench.ended(sweep.job_id).state == JobState.CANCELLED
    resumed = evaluation.resume_sweep(sweep.sweep_id, queue=True)
    assert resumed.job_id not in (None, sweep.job_id)
    bench.ended(str(resumed.job_id))
    assert evaluation.get_sweep(sweep.sweep_id).state == "done"
