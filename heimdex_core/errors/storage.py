"""A problem with the library folder, its files or the disk."""

from __future__ import annotations

from heimdex_core.errors.base import HeimdexError, StorageError


class DiskFull(StorageError):
    """The disk of the library is full, or would have less free space than the reserve in the settings."""

    code = "DISK_FULL"
    message_template = (
        "There is not enough disk space for writing {what}: {needed_bytes} bytes needed, {free_bytes} bytes free."
    )
    hint_template = (
        "Free some space or move the library to a larger disk, then try again. Existing files are not affected."
    )


class ModelsDiskFull(DiskFull):
    """The disk of the models folder is too small for a download."""

    code = "MODELS_DISK_FULL"
    message_template = (
        "There is not enough disk space for {what} in {folder}: {needed_bytes} bytes needed, {free_bytes} bytes free."
    )
    hint_template = (
        "Free some space, or choose a folder on a larger disk with --to or HEIMDEX_MODELS_DIR."
        " What has been downloaded is kept."
    )


class LibraryNotFound(StorageError):
    """A folder contains no library."""

    code = "LIBRARY_NOT_FOUND"
    message_template = "There is no library at {path}."
    hint_template = (
        "If it was moved, move it back or name its folder with --library or HEIMDEX_LIBRARY. `add` creates a new one."
    )

    def for_members(self) -> HeimdexError:
        return LibraryAway()


class LibraryAway(LibraryNotFound):
    """The same for who is not told of the server's folders: `LibraryNotFound.for_members`."""

    code = "LIBRARY_AWAY"
    message_template = "The library is not where this server looks for it."
    hint_template = "It can be used again as soon as it is back. Tell whoever runs this server."


class LibraryVersion(StorageError):
    """A library was written by a newer version."""

    code = "LIBRARY_VERSION"
    message_template = "The library has format {found}; this version supports formats up to {supported}."
    hint_template = "Update Heimdex Workbench to open this library."


class LibraryMoved(StorageError):
    """The library is at another place now."""

    code = "LIBRARY_MOVED"
    message_template = "The library at {place} was moved to {to}."
    hint_template = (
        "Use it there: set HEIMDEX_LIBRARY to {to}. What is left at {place} can be deleted once you need it no more."
    )


class LibraryMoveUnfinished(StorageError):
    """The library is on its way to this place."""

    code = "LIBRARY_MOVE_UNFINISHED"
    message_template = "The library at {source} is being moved to {place}, and not all of it is there yet."
    hint_template = (
        "Wait for the move to end. If it was interrupted, give"
        " `python -m heimdex_core --library {source} library move --to {place}` again, which goes on where it was."
        " Until then use the library at {source}."
    )


class LibraryDamaged(StorageError):
    """A file of the library cannot be read."""

    code = "LIBRARY_DAMAGED"
    message_template = "{what} of the library cannot be read: {reason}"
    hint_template = (
        "`python -m heimdex_core doctor` says what else is damaged. `reindex` rebuilds the indexes; `repair` writes the"
        " catalog, library.json and the descriptions of videos again."
    )


class CatalogDamaged(LibraryDamaged):
    """catalog.duckdb is missing or cannot be read."""

    code = "CATALOG_DAMAGED"
    message_template = "The catalog of the library {path} cannot be read: {reason}"
    hint_template = (
        "`python -m heimdex_core repair` rebuilds it from the folders of the videos and the copy in backup/."
        " Nothing is deleted: a damaged catalog is kept under another name."
    )


class DatabaseUnavailable(StorageError):
    """The Postgres of a library cannot be reached or has no room for a connection."""

    code = "DATABASE_UNAVAILABLE"
    message_template = "The database of the library cannot be used: {reason}"
    hint_template = (
        "Check that the database server runs and that HEIMDEX_DATABASE_URL names its host and port; then try again."
        " Nothing of the library is lost."
    )


class DatabaseNotFound(DatabaseUnavailable):
    """The server does not have the database."""

    code = "DATABASE_NOT_FOUND"
    message_template = "The database server has no database “{database}”."
    hint_template = "Create it (`createdb {database}`), or correct the name at the end of HEIMDEX_DATABASE_URL."


class DatabaseRefused(DatabaseUnavailable):
    """The server does not know the role, its password is wrong, or it may not do what is needed."""

    code = "DATABASE_REFUSED"
    message_template = "The database server refuses the user “{user}”: {reason}"
    hint_template = (
        "Check user and password in HEIMDEX_DATABASE_URL. The user needs the rights CONNECT and CREATE on the database."
    )


class DatabaseInterrupted(StorageError):
    """The connection was lost inside a transaction, which the server has undone."""

    code = "DATABASE_INTERRUPTED"
    message_template = "The database ended the connection in the middle of a change; nothing of it was saved: {reason}"
    hint_template = "Try again. If it happens again, look into the log of the database server."


class DatabaseUncertain(DatabaseInterrupted):
    """The connection was lost during the commit, and the server cannot be asked how it ended."""

    code = "DATABASE_UNCERTAIN"
    message_template = "The connection to the database was lost while a change was saved: {reason}"
    hint_template = "The change may have been saved or not: look whether it is there, and repeat it if it is not."


class CatalogElsewhere(StorageError):
    """The library's catalog is not where the settings say."""

    code = "CATALOG_ELSEWHERE"
    message_template = "The catalog of the library {path} is kept in {found}, not in {expected}."
    hint_template = (
        "Set HEIMDEX_DATABASE_URL to the library's Postgres for a catalog there, and remove it from the environment for"
        " one in catalog.duckdb. `python -m heimdex_core library move` carries a catalog from one to the other."
    )


class SearchElsewhere(StorageError):
    """The library is not searched with what the settings say."""

    code = "SEARCH_ELSEWHERE"
    message_template = "The library {path} is searched with {found}, not with {expected}."
    hint_template = (
        "Remove HEIMDEX_SEARCH from the environment, or set it to {found}."
        " `python -m heimdex_core reindex --search {expected}` makes the library's indexes again with {expected}."
    )


class SearchUnavailable(StorageError):
    """What the library is searched with is not installed."""

    code = "SEARCH_UNAVAILABLE"
    message_template = "The library is searched with {package}, which cannot be loaded: {reason}"
    hint_template = "Run `pip install -r requirements-cluster.txt` on every machine that uses the library."


class EditsDamaged(LibraryDamaged):
    """The journal of a video's edits cannot be used."""

    code = "EDITS_DAMAGED"
    message_template = "The file edits.json of the video {video_id} cannot be used: {reason}"
    hint_template = (
        "Put back a copy of the file if there is one. Otherwise `python -m heimdex_core repair` keeps it under another"
        " name; the video is then indexed without the edits."
    )


class NotWritable(StorageError):
    """A file or folder cannot be written: a read-only file system, or missing permissions."""

    code = "NOT_WRITABLE"
    message_template = "{path} cannot be written: {reason}"
    hint_template = (
        "Give this user permission to write there, or use a folder on a disk that is not read-only."
        " A library is written to even if it is only searched: copy a read-only one to another disk."
    )


class LibraryBusy(StorageError):
    """Another process holds a lock of the library."""

    code = "LIBRARY_BUSY"
    message_template = "{what} has been in use by process {pid} ({program}) for {seconds} s."
    hint_template = (
        "Wait until it has finished. If that process is stopped, `kill -CONT {pid}` lets it go on; if it hangs,"
        " `kill -KILL {pid}` ends it. Nothing in the library is lost by that."
    )

    def for_members(self) -> HeimdexError:
        return LibraryInUse(**{name: self.details[name] for name in ("what", "seconds") if name in self.details})


class LibraryInUse(LibraryBusy):
    """The same for who cannot look after the server's processes: `LibraryBusy.for_members`."""

    code = "LIBRARY_IN_USE"
    message_template = "{what} has been in use for {seconds} s."
    hint_template = "Try again in a moment. If it goes on, ask an admin of the library."


class ViewOutdated(StorageError):
    """A search needs files that have been replaced since it began."""

    code = "VIEW_OUTDATED"
    message_template = "The library has changed, and {what} is no longer available."
    hint_template = "Try again; a new search uses the current state of the library."


class NestedTransaction(StorageError):
    """A catalog transaction was opened inside another one."""

    code = "NESTED_TRANSACTION"
    message_template = "A catalog transaction was opened inside another one."
    hint_template = "This is a defect of the software. Please report it."


class SpaceMismatch(StorageError):
    """Vectors were computed by another model than those of their space."""

    code = "SPACE_MISMATCH"
    message_template = (
        "The space {space} contains vectors of {expected}; vectors of {found} cannot be stored or searched in it."
    )
    hint_template = (
        "Use the library's own profile, or switch the library to other models with"
        " `python -m heimdex_core reindex --profile`."
    )


class WatchedFolderMissing(StorageError):
    """A watched folder is not there, or its drive is not mounted."""

    code = "WATCHED_FOLDER_MISSING"
    message_template = "The watched folder {path} is not there."
    hint_template = (
        "Connect its drive or mount the network folder again: it is then watched as before."
        " Nothing has been removed from the library."
    )


class WatchedFolderUnreadable(StorageError):
    """A watched folder cannot be read now."""

    code = "WATCHED_FOLDER_UNREADABLE"
    message_template = "The watched folder {path} cannot be read: {reason}"
    hint_template = "Check the drive or the network, and the permissions. It is tried again by itself."


class WatchedFolderPartlyUnreadable(StorageError):
    """Subfolders of a watched folder may not be read."""

    code = "WATCHED_FOLDER_PARTLY_UNREADABLE"
    message_template = "{count} subfolders cannot be read, for example {example}."
    hint_template = "Give the user of the worker permission to read them. The other files are taken."


class WatchedFolderTooLarge(StorageError):
    """A watched folder has more entries than the limit in the settings."""

    code = "WATCHED_FOLDER_TOO_LARGE"
    message_template = "The watched folder {path} has more than {limit} files and folders; the others are ignored."
    hint_template = "Watch a folder with fewer files, or increase HEIMDEX_WATCH_MAX_ENTRIES."


class InvalidFolder(StorageError):
    """A folder that was to be adopted is not a video folder of a library."""

    code = "INVALID_FOLDER"
    message_template = "{path} is not a video folder of a library: {reason}"
    hint_template = "Choose a folder videos/<video_id> that was copied completely from another library."


class DatabaseNotSet(StorageError):
    """A library in object storage was named, and no database for its catalog."""

    code = "DATABASE_NOT_SET"
    message_template = "A library in object storage keeps its catalog in Postgres, and no database is set: {address}"
    hint_template = "Set HEIMDEX_DATABASE_URL to the database of the library; see docs/deploy.md."


class IndexLockLost(StorageError):
    """A writer lost the lock of the index, and another one has got it; what the first one wrote is not used."""

    code = "INDEX_LOCK_LOST"
    message_template = "The connection that held the lock of the search index was lost, and another process took over."
    hint_template = "Try again: nothing of this change was saved. A worker does so by itself."
