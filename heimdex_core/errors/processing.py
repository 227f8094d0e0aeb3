"""Work on it went wrong."""

from __future__ import annotations

from heimdex_core.errors.base import ProcessingError


class Cancelled(ProcessingError):
    code = "CANCELLED"
    message_template = "Stopped on request."
    hint_template = "Nothing is lost: start it again and the finished stages are kept."


class StageFailed(ProcessingError):
    code = "STAGE_FAILED"
    message_template = "The stage {stage} failed: {reason}"
    hint_template = "Retry it; the finished stages are kept. If it stays, the log has the details."


class RenderFailed(ProcessingError):
    code = "RENDER_FAILED"
    message_template = "The file could not be rendered: {reason}"
    hint_template = "Try again without the clip that is named, or with another quality."


class RenderCheckFailed(ProcessingError):
    code = "RENDER_CHECK_FAILED"
    message_template = "The rendered file does not match its plan: {reason}"
    hint_template = "Nothing was published. Render it again; if it stays, leave out the clip that is named."


class RenderTimeout(ProcessingError):
    code = "RENDER_TIMEOUT"
    message_template = "Rendering took longer than {limit_s} s and was stopped."
    hint_template = "Make the reel shorter, or raise HEIMDEX_RENDER_TIMEOUT_S."


class SearchFailed(ProcessingError):
    code = "SEARCH_FAILED"
    message_template = "No part of the search could answer: {reasons}"
    hint_template = "Run `python -m heimdex_core reindex`; `doctor` tells what is broken."


class JobsUnavailable(ProcessingError):
    code = "JOBS_UNAVAILABLE"
    message_template = "The work queue cannot be reached: {reason}"
    hint_template = "Start a worker with `python -m heimdex_core worker`, or add without --queue."


class ModelsChanged(ProcessingError):
    code = "MODELS_CHANGED"
    message_template = "The library moved to other models (set {active}) while this was made with set {used}."
    hint_template = "Run the work again; what still holds is kept."


class MoveIncomplete(ProcessingError):
    code = "MOVE_INCOMPLETE"
    message_template = "{missing} of {total} videos are not indexed with the models of {profile} yet."
    hint_template = (
        "Run `python -m heimdex_core reindex --profile {profile}` again; finished videos are kept. "
        "Search goes on with the models that are active."
    )


class WorkerLost(ProcessingError):
    code = "WORKER_LOST"
    message_template = "The worker stopped {times} times while it worked on this."
    hint_template = "The file may need more memory than there is. Retry it, or look into the worker's log."
