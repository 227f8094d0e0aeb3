"""Indexing, searching, rendering or the work queue failed."""

from __future__ import annotations

from heimdex_core.errors.base import ProcessingError


class Cancelled(ProcessingError):
    """The user stopped the work."""

    code = "CANCELLED"
    message_template = "The work was cancelled."
    hint_template = "Finished stages are kept. Start it again to continue."


class StageFailed(ProcessingError):
    """A stage of the ingest raised an unexpected error."""

    code = "STAGE_FAILED"
    message_template = "The stage {stage} failed: {reason}"
    hint_template = "Retry it; finished stages are kept. If it keeps happening, look in the log for details."


class RenderFailed(ProcessingError):
    """ffmpeg could not render an export."""

    code = "RENDER_FAILED"
    message_template = "The file could not be rendered: {reason}"
    hint_template = "Remove the clip that causes it, if one is named, and try again."


class RenderCheckFailed(ProcessingError):
    """A rendered file differs from its plan in duration, size, codec or synchronisation."""

    code = "RENDER_CHECK_FAILED"
    message_template = "The rendered file does not match its plan: {reason}"
    hint_template = "The file was discarded. Render it again. If it keeps happening, remove clips to find the cause."


class RenderTimeout(ProcessingError):
    """Rendering exceeded the time limit."""

    code = "RENDER_TIMEOUT"
    message_template = "Rendering took longer than {limit_s} s and was stopped."
    hint_template = "Make it shorter, or increase HEIMDEX_RENDER_TIMEOUT_S."


class RenderInterrupted(ProcessingError):
    """The process that rendered an export ended before the export was finished."""

    code = "RENDER_INTERRUPTED"
    message_template = "The program that rendered this ended before it was finished."
    hint_template = "No half-made file is left. Make the export again."


class SourceMissing(ProcessingError):
    """The file of a video is not in the library any more."""

    code = "SOURCE_MISSING"
    message_template = "The file of {title} is missing."
    hint_template = (
        "`python -m heimdex_core relink {video_id}` finds it again by its content; add `--to FILE` or `--in FOLDER` if"
        " you know where it is. Nothing is indexed again."
    )


class SourceChanged(ProcessingError):
    """The file of a video is another one than when the video was added."""

    code = "SOURCE_CHANGED"
    message_template = "The file of {title} has changed since the video was added."
    hint_template = (
        "`python -m heimdex_core relink {video_id}` finds the original again and puts it back, with `--to FILE` or"
        " `--in FOLDER` if you know where it is. The changed file becomes a video of its own when you add it."
    )


class SearchFailed(ProcessingError):
    """Every channel of a search failed."""

    code = "SEARCH_FAILED"
    message_template = "No search channel could return results: {reasons}"
    hint_template = (
        "Run `python -m heimdex_core doctor` to see what is wrong. `python -m heimdex_core reindex` rebuilds the"
        " indexes."
    )


class JobsUnavailable(ProcessingError):
    """The queue of the worker cannot be opened, or no worker is running."""

    code = "JOBS_UNAVAILABLE"
    message_template = "The work queue cannot be reached: {reason}"
    hint_template = "Start a worker with `python -m heimdex_core worker`, or add the video without --queue."


class JobsFileUnusable(JobsUnavailable):
    """jobs.sqlite cannot be used, and could not be replaced by a new one."""

    code = "JOBS_FILE_UNUSABLE"
    message_template = "The job database {path} cannot be used: {reason}"
    hint_template = (
        "Check its permissions and those of its folder, or move it away. A new one is made then, and unfinished work is"
        " found again by itself."
    )


class NotResponding(ProcessingError):
    """Something did not answer in time."""

    code = "NOT_RESPONDING"
    message_template = "{what} did not respond within {limit_s} s."
    hint_template = (
        "Another process may hold the library, or its disk or network drive may be slow. Ask again in a few seconds;"
        " the log has details."
    )


class ServerUnreachable(NotResponding):
    """The server that a client of the HTTP API asks does not answer, or the connection to it is lost."""

    code = "SERVER_UNREACHABLE"
    message_template = "{what} cannot be reached: {reason}"
    hint_template = (
        "Check the address and the network, and that the server runs (`python -m heimdex_core serve`). What was"
        " asked can be asked again."
    )


class AnswerUnusable(ProcessingError):
    """What answers at an address is no server of a library, or a proxy before one."""

    code = "ANSWER_UNUSABLE"
    message_template = "The answer of {what} cannot be used: {reason}"
    hint_template = (
        "Check the address: it is that of the server, such as http://localhost:8600. Where a proxy stands before it,"
        " the log of the proxy says more. If the server is of a newer version, update this program."
    )


class ModelsChanged(ProcessingError):
    """The library switched to another model set before a result could be stored."""

    code = "MODELS_CHANGED"
    message_template = "The library switched to model set {active} while this was processed with model set {used}."
    hint_template = "Start it again; results that are still valid are reused."


class MoveIncomplete(ProcessingError):
    """Some videos could not be indexed with the new models, so the library did not switch to them."""

    code = "MOVE_INCOMPLETE"
    message_template = "{missing} of {total} videos are not yet indexed with the {profile} models."
    hint_template = (
        "Run `python -m heimdex_core reindex --profile {profile}` again; finished videos are kept."
        " Until then, searches use the previous models."
    )


class WorkerLost(ProcessingError):
    """The worker process crashed repeatedly on the same stage."""

    code = "WORKER_LOST"
    message_template = "The worker stopped unexpectedly {times} times while processing this."
    hint_template = "The file may need more memory than is available. Retry it, or check the worker's log."


class WorkerReplaced(ProcessingError):
    """A worker that has lost its lock tries to change the library: its work is that of another one by now."""

    code = "WORKER_REPLACED"
    message_template = "This worker ({worker}) lost its connection to the database, and others have its work now."
    hint_template = "Nothing was changed, and nothing has to be done: the worker goes on under a new number."


class DecoderFailed(ProcessingError):
    """The process that reads a file's bytes had to be given up: it is not tried again by itself."""


class DecoderCrashed(DecoderFailed):
    """The process that reads a file ended in native code, each time it was tried."""

    code = "DECODER_CRASHED"
    message_template = "Reading {filename} crashed the decoder ({reason})."
    hint_template = (
        "The file is probably damaged. Convert it to MP4 with another program, for example HandBrake, and add the"
        " result. It is only tried again when you retry it."
    )


class DecoderOutOfMemory(DecoderFailed):
    """The process that reads a file took more memory than it may."""

    code = "DECODER_OUT_OF_MEMORY"
    message_template = "Reading {filename} took more memory than allowed ({limit_bytes} bytes)."
    hint_template = (
        "Make the picture smaller with another program, or increase HEIMDEX_MEDIA_MEMORY_BYTES and retry."
        " Damaged files, too, can ask for any amount of memory."
    )


class DecoderStalled(DecoderFailed):
    """The process that reads a file made no progress."""

    code = "DECODER_STALLED"
    message_template = "Reading {filename} made no progress for {limit_s} s and was stopped."
    hint_template = (
        "If the disk or the network is slow, increase HEIMDEX_MEDIA_STALL_S and retry. Otherwise the file is probably"
        " damaged: convert it with another program and add the result."
    )
