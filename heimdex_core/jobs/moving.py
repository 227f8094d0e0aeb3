"""The move of a library to other models, as a job: a step for each video, then the switch.

What a step has done shows in the library itself, so a worker that dies in one takes it up where it was.
"""

from __future__ import annotations

from collections.abc import Callable

from dbos import DBOS

from heimdex_core.errors import HeimdexError
from heimdex_core.jobs import workflows
from heimdex_core.jobs.guard import Piece
from heimdex_core.jobs.tasks import Attempt, Tasks
from heimdex_core.moves import ROUNDS, Mover
from heimdex_core.types import Json

MOVE = "move"
"""The subject of the pieces: it is work on the library as a whole."""


@DBOS.workflow(name=MOVE)
def move(set_id: int) -> Json:
    """Every video indexed for the set, then the switch. The result is {} or {"error"}."""
    job_id = str(DBOS.workflow_id)

    def step(name: str, work: Callable[[MoveTasks, Attempt], Json]) -> Json:
        return workflows.run_step(name, lambda attempt: work(MoveTasks(workflows.tasks(), job_id, set_id), attempt))

    result: Json = {}
    for _ in range(ROUNDS):
        result = step("left", lambda tasks, attempt: tasks.left(attempt))
        if result.get("error") or not result["left"]:
            break
        for user_id, video_id in result["left"]:
            step("make", lambda tasks, attempt, u=user_id, v=video_id: tasks.make(u, v, attempt))  # type: ignore[misc]
    if not result.get("error"):
        result = step("switch", lambda tasks, attempt: tasks.switch(attempt))
    error = result.get("error")
    step("finish", lambda tasks, attempt: tasks.finish(error))
    return {"error": error} if error else {}


class MoveTasks:
    """The steps of one move job in this worker."""

    def __init__(self, tasks: Tasks, job_id: str, set_id: int) -> None:
        self._tasks = tasks
        self._job_id = job_id
        self._set_id = set_id

    def _mover(self) -> Mover:
        is_cancelled = self._tasks.stop_asked(self._job_id, MOVE)
        return Mover(self._tasks.library, self._set_id, job_id=self._job_id, is_cancelled=is_cancelled)

    def left(self, attempt: Attempt) -> Json:
        """{"left": [[user_id, video_id], ...]} or {"error"}."""
        piece = Piece(self._job_id, MOVE, "left")
        return self._tasks.attempt(piece, attempt, lambda: {"left": [list(one) for one in self._mover().left()]})

    def make(self, user_id: str, video_id: str, attempt: Attempt) -> Json:
        """Index one video. Its failure is noted with the move, which goes on with the others."""

        def work() -> Json:
            self._mover().make(user_id, video_id)
            return {}

        # A worker that dies ever further on is not one that keeps dying of the same: with each finished stage the
        # guard counts from zero.
        piece = Piece(self._job_id, MOVE, f"make-{video_id}-{self._mover().finished_stages(video_id)}")
        result = self._tasks.attempt(piece, attempt, work)
        if result.get("error"):
            # a worker that died in it again and again, for one; without a note it would be tried for ever
            self._mover().note_failed(video_id, HeimdexError.from_dict(result["error"]))
        return result

    def switch(self, attempt: Attempt) -> Json:
        def work() -> Json:
            self._mover().switch()
            return {}

        return self._tasks.attempt(Piece(self._job_id, MOVE, "switch"), attempt, work)

    def finish(self, error: Json | None) -> Json:
        if error is not None:
            self._mover().end(HeimdexError.from_dict(error))
        self._tasks.guard.forget(self._job_id)
        return {}
