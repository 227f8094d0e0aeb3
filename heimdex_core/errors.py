"""Every error a person can meet, in one tree.

    HeimdexError
    |- ValidationError   what was given cannot be used          (category "validation")
    |- ProcessingError   work on it went wrong                  (category "processing")
    |- StorageError      the library or the disk                (category "storage")
    |- ModelError        a model is missing, broken or unsuited (category "model")
    |- AccessError       not there, or not for this person      (category "access")
    `- LimitError        a limit was reached                    (category "limit")

A leaf class has a stable ``code``, a ``message_template`` and a ``hint_template`` (what to do next);
both are filled from the keyword ``details`` given when it is raised. The application renders the
same code and details in the person's language, so details must be JSON values.
"""

from __future__ import annotations

import string
from typing import Any, ClassVar

JsonValue = Any


class HeimdexError(Exception):
    """Base of the tree. ``details`` are JSON values named by the templates."""

    code: ClassVar[str] = "INTERNAL"
    category: ClassVar[str] = "processing"
    message_template: ClassVar[str] = "Something went wrong: {reason}"
    hint_template: ClassVar[str] = (
        "Try again; if it stays, run `python -m heimdex_core doctor` and report what it says."
    )

    def __init__(self, **details: JsonValue) -> None:
        self.details = details
        self.message = fill(self.message_template, details)
        self.hint = fill(self.hint_template, details)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions.
        return (_rebuild, (self.to_dict(),))

    def to_dict(self) -> dict[str, JsonValue]:
        """The error as JSON: code, category, message, hint, details."""
        return {
            "code": self.code,
            "category": self.category,
            "message": self.message,
            "hint": self.hint,
            "details": dict(self.details),
        }

    @staticmethod
    def from_dict(data: dict[str, JsonValue]) -> HeimdexError:
        """The error that `to_dict` described; an unknown code becomes the base class."""
        return _rebuild(data)


def fill(template: str, details: dict[str, JsonValue]) -> str:
    """`template` with its {fields} taken from `details`; a missing one is left visible, never raised."""
    return string.Formatter().vformat(template, (), _Visible(details))


class _Visible(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _rebuild(data: dict[str, JsonValue]) -> HeimdexError:
    found = error_classes().get(str(data.get("code")), HeimdexError)
    error = found(**dict(data.get("details") or {}))
    if found is HeimdexError and data.get("message"):
        error.message = str(data["message"])
        error.hint = str(data.get("hint") or error.hint)
    return error


def error_classes() -> dict[str, type[HeimdexError]]:
    """Every error class by its code: the base and all the leaves."""
    found: dict[str, type[HeimdexError]] = {HeimdexError.code: HeimdexError}
    todo: list[type[HeimdexError]] = [HeimdexError]
    while todo:
        for cls in todo.pop().__subclasses__():
            todo.append(cls)
            if "code" in cls.__dict__:
                found[cls.code] = cls
    return found


class ValidationError(HeimdexError):
    category = "validation"


class ProcessingError(HeimdexError):
    category = "processing"


class StorageError(HeimdexError):
    category = "storage"


class ModelError(HeimdexError):
    category = "model"


class AccessError(HeimdexError):
    category = "access"


class LimitError(HeimdexError):
    category = "limit"


# --- what was given -------------------------------------------------------------------------------


class FileUnreadable(ValidationError):
    code = "FILE_UNREADABLE"
    message_template = "{filename} cannot be read: {reason}"
    hint_template = "Check that the path exists, is a file, and that you may read it."


class EmptyFile(ValidationError):
    code = "EMPTY_FILE"
    message_template = "{filename} is empty (0 bytes)."
    hint_template = "Copy or download the file again; the transfer probably stopped before it began."


class NotAVideo(ValidationError):
    code = "NOT_A_VIDEO"
    message_template = "{filename} is not a video file: {reason}"
    hint_template = "Give an MP4, MOV, AVI, MKV or WebM file. The content decides, not the name."


class NoVideoStream(ValidationError):
    code = "NO_VIDEO_STREAM"
    message_template = "{filename} has no picture, only {streams}."
    hint_template = "Audio files cannot be searched by scene. Give a file with a video track."


class UndecodableVideo(ValidationError):
    code = "UNDECODABLE_VIDEO"
    message_template = "No picture of {filename} can be decoded: {reason}"
    hint_template = "The file is truncated or damaged. Export it again from the editor, or copy the original again."


class TruncatedFile(ValidationError):
    code = "TRUNCATED_FILE"
    message_template = "{filename} is cut short: {reason}"
    hint_template = "Copy or download the file again; repair an interrupted recording with a tool such as untrunc."


class FileTooLarge(ValidationError):
    code = "FILE_TOO_LARGE"
    message_template = "{filename} has {size_bytes} bytes; the limit is {limit_bytes}."
    hint_template = "Make the file smaller, or raise HEIMDEX_MAX_FILE_BYTES."


class VideoTooLong(ValidationError):
    code = "VIDEO_TOO_LONG"
    message_template = "{filename} lasts {duration_s} s; the limit is {limit_s} s."
    hint_template = "Cut the video into parts, or raise HEIMDEX_MAX_DURATION_S."


class DurationMismatch(ValidationError):
    code = "DURATION_MISMATCH"
    message_template = "{filename} says it lasts {claimed_s} s but holds {measured_s} s."
    hint_template = (
        "The header is wrong or the file incomplete: `ffmpeg -i IN -c copy OUT` rewrites it; or export it again."
    )


class SubtitlesUnreadable(ValidationError):
    code = "SUBTITLES_UNREADABLE"
    message_template = "The subtitles {filename} cannot be used: {reason}"
    hint_template = "Give an .srt or .vtt file with at least one timed line, best saved as UTF-8."


class InvalidQuery(ValidationError):
    code = "INVALID_QUERY"
    message_template = "The query has {length} characters; it may have {minimum} to {maximum}."
    hint_template = "Write a word or a sentence that describes the moment."


class InvalidWeights(ValidationError):
    code = "INVALID_WEIGHTS"
    message_template = "The weights {weights} cannot be used: {reason}"
    hint_template = "Give each channel a weight from 0 to 1, with at least one above 0."


class UnknownName(ValidationError):
    code = "UNKNOWN_NAME"
    message_template = "There is no {kind} called {name}."
    hint_template = "Choose one of: {known}."


class InvalidValue(ValidationError):
    code = "INVALID_VALUE"
    message_template = "{name} = {value} cannot be used: {reason}"
    hint_template = "Give a value in the stated range."


class InvalidReel(ValidationError):
    code = "INVALID_REEL"
    message_template = "This reel cannot be made: {reason}"
    hint_template = (
        "A reel has 1 to {max_scenes} scenes of indexed videos and a title of at most {max_title} characters."
    )


class InvalidTransition(ValidationError):
    code = "INVALID_TRANSITION"
    message_template = "A video that is {state} cannot become {wanted}."
    hint_template = "Reload the page; its state changed in the meantime."


class InvalidSql(ValidationError):
    code = "INVALID_SQL"
    message_template = "The query cannot be run: {reason}"
    hint_template = "Only reading is possible. `lib.sql('show tables')` lists what there is."


# --- work -----------------------------------------------------------------------------------------


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


# --- library and disk -----------------------------------------------------------------------------


class DiskFull(StorageError):
    code = "DISK_FULL"
    message_template = "The disk is full while writing {what} ({needed_bytes} bytes wanted, {free_bytes} free)."
    hint_template = "Free some space or move the library to a larger disk, then try again. What was there is untouched."


class ModelsDiskFull(DiskFull):
    code = "MODELS_DISK_FULL"
    message_template = "{what} needs {needed_bytes} bytes in {folder}; {free_bytes} are free."
    hint_template = (
        "Free some space, or choose a folder on a larger disk with --to or HEIMDEX_MODELS_DIR."
        " What has arrived is kept."
    )


class LibraryNotFound(StorageError):
    code = "LIBRARY_NOT_FOUND"
    message_template = "There is no library at {path}."
    hint_template = "Give another folder with --library or HEIMDEX_LIBRARY, or `add` a video to make one."


class LibraryVersion(StorageError):
    code = "LIBRARY_VERSION"
    message_template = "The library has format {found}; this software reads up to {supported}."
    hint_template = "Update Heimdex Workbench to open it."


class LibraryDamaged(StorageError):
    code = "LIBRARY_DAMAGED"
    message_template = "{what} of the library cannot be read: {reason}"
    hint_template = "`python -m heimdex_core reindex` makes indexes again; `adopt` takes videos into a new library."


class LibraryBusy(StorageError):
    code = "LIBRARY_BUSY"
    message_template = "{what} is in use by process {pid} since {seconds} s."
    hint_template = "Wait until it is done, or end that process if it hangs."


class ViewOutdated(StorageError):
    code = "VIEW_OUTDATED"
    message_template = "The library has moved on, and {what} of this view of it cannot be opened any more."
    hint_template = "Take a new view with `reader.view()`; searching from the library does so by itself."


class NestedTransaction(StorageError):
    code = "NESTED_TRANSACTION"
    message_template = "A catalog transaction was opened inside another one."
    hint_template = "This is a defect of the software; please report it."


class SpaceMismatch(StorageError):
    code = "SPACE_MISMATCH"
    message_template = "The space {space} holds {expected}; {found} cannot be put into it or searched in it."
    hint_template = "Use the library's own profile, or move it with `python -m heimdex_core reindex --profile`."


class InvalidFolder(StorageError):
    code = "INVALID_FOLDER"
    message_template = "{path} is not a video folder of a library: {reason}"
    hint_template = "Give a folder videos/<video_id> copied whole from another library."


# --- models ---------------------------------------------------------------------------------------


class ModelUnavailable(ModelError):
    code = "MODEL_UNAVAILABLE"
    message_template = "The model {name} is not there: {reason}"
    hint_template = "Install the requirements again, or choose another profile."


class ModelBroken(ModelError):
    code = "MODEL_BROKEN"
    message_template = "The model {name} does not work: {reason}"
    hint_template = "Its files are damaged or of another version. Install it again."


class WeightsMissing(ModelUnavailable):
    code = "WEIGHTS_MISSING"
    message_template = "The weights of {name} are not on this machine: {reason}"
    hint_template = (
        "`python -m heimdex_core models pull {name}` gets them; or copy them into the folder HEIMDEX_MODELS_DIR."
    )


class ModelFolderUnusable(WeightsMissing):
    code = "MODEL_FOLDER_UNUSABLE"
    message_template = "The model folder {name} cannot be used: {reason}"
    hint_template = "Check the path: the folder must hold the model's own files, all of them."


class ProfileWeightsMissing(ModelUnavailable):
    code = "PROFILE_WEIGHTS_MISSING"
    message_template = "{profile} needs models that are not on this machine: {missing} ({size_gb} GB to download)."
    hint_template = "`python -m heimdex_core models pull {pull}` gets them. The profile offline needs no download."


class HubUnreachable(ModelError):
    code = "HUB_UNREACHABLE"
    message_template = "The model hub {endpoint} cannot be reached: {reason}"
    hint_template = (
        "What has arrived is kept: run it again when there is a network. Where there is none, fill a folder elsewhere"
        " with `models pull {name} --to DIR`, bring it here and set HEIMDEX_MODELS_DIR to it."
    )


class HubRefused(ModelError):
    code = "HUB_REFUSED"
    message_template = "The model hub {endpoint} does not give out {repo}: {reason}"
    hint_template = "Accept its terms on the model's page and log in with `hf auth login`, or choose another model."


class ModelUnsuited(ModelError):
    code = "MODEL_UNSUITED"
    message_template = "The repository {repo} has no model that can be read here: {reason}"
    hint_template = (
        "Name one with weights for faster-whisper, sentence-transformers or open_clip; `models list` has some."
    )


class DownloadDamaged(ModelError):
    code = "DOWNLOAD_DAMAGED"
    message_template = "{file} of {name} arrived damaged: {reason}"
    hint_template = "It was removed. Run the same command again; the files that are whole are kept."


class DownloadRunning(ModelError):
    code = "DOWNLOAD_RUNNING"
    message_template = "{name} is being downloaded into {folder} already."
    hint_template = "Wait until that is done; it goes on where it was if it is stopped."


class DeviceUnavailable(ModelError):
    code = "DEVICE_UNAVAILABLE"
    message_template = "The device {device} was asked for and cannot be used: {reason}"
    hint_template = "Set HEIMDEX_DEVICE=auto to use what there is, or install the GPU's driver."


class OutOfGpuMemory(ModelError):
    code = "OUT_OF_GPU_MEMORY"
    message_template = "The GPU has too little memory for {name}, even one item at a time."
    hint_template = "Close what else uses the GPU, choose a smaller model, or set HEIMDEX_DEVICE=cpu."


class ProfileMismatch(ModelError):
    code = "PROFILE_MISMATCH"
    message_template = "This library uses the profile {pinned}; {asked} was asked for."
    hint_template = (
        "Leave the profile out, or move the library with `python -m heimdex_core reindex --profile {asked}`."
    )


# --- access ---------------------------------------------------------------------------------------


class VideoNotFound(AccessError):
    code = "VIDEO_NOT_FOUND"
    message_template = "There is no video {video_id}."
    hint_template = "`python -m heimdex_core videos` lists what there is."


class SceneNotFound(AccessError):
    code = "SCENE_NOT_FOUND"
    message_template = "There is no scene {scene_id}."
    hint_template = "It may have moved when its video was indexed again. Search for it once more."


class ExportNotFound(AccessError):
    code = "EXPORT_NOT_FOUND"
    message_template = "There is no export {export_id}."
    hint_template = "It may have expired. Render it again."


class ReelNotFound(AccessError):
    code = "REEL_NOT_FOUND"
    message_template = "There is no reel {reel_id}."
    hint_template = "It may have been deleted. Choose another one."


class LinkInvalid(AccessError):
    code = "LINK_INVALID"
    message_template = "This link is not valid."
    hint_template = "Reload the page to get a new one."


class LinkExpired(AccessError):
    code = "LINK_EXPIRED"
    message_template = "This link has expired."
    hint_template = "Reload the page to get a new one."


class OriginRefused(AccessError):
    code = "ORIGIN_REFUSED"
    message_template = "The request came from another site ({origin})."
    hint_template = "Open the application under its own address and try again."
