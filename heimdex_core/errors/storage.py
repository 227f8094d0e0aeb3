"""The library or the disk."""

from __future__ import annotations

from heimdex_core.errors.base import StorageError


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
