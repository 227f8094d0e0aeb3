"""What DuckDB raises about catalog.duckdb, as errors that say what to do; and a catalog that has been lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from heimdex_core.errors import CatalogDamaged, InvalidValue
from heimdex_core.files import is_disk_full
from heimdex_core.store.layout import LibraryPaths, is_uuid

_OF_THE_VALUES = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
    duckdb.BinderException,
)
_OF_THE_FILE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
    duckdb.CatalogException,  # a table is missing
)


@contextmanager
def catalog_errors(paths: LibraryPaths) -> Iterator[None]:
    """Raise CatalogDamaged for what comes from the file, InvalidValue for values that a column cannot hold.

    Raises CatalogDamaged at once if the file is missing in a library that had one: opening it would make an empty one.
    """
    if not paths.catalog.exists() and (videos := video_folders(paths) or paths.visible.exists()):
        found = f", but there are {len(videos)} folders of videos" if isinstance(videos, list) else ""
        raise CatalogDamaged(path=str(paths.root), reason=f"catalog.duckdb is missing{found}.")
    try:
        yield
    except _OF_THE_VALUES as error:
        raise InvalidValue(name="value", value="(given)", reason=_first_line(error)) from error
    except duckdb.Error as error:
        # A checksum that does not match is raised as the base class.
        is_of_the_file = isinstance(error, _OF_THE_FILE) or type(error) is duckdb.Error
        if not is_of_the_file or is_disk_full(error):
            raise
        raise CatalogDamaged(path=str(paths.root), reason=_first_line(error)) from error


def video_folders(paths: LibraryPaths) -> list[str]:
    """The video_ids of all folders in videos/."""
    try:
        return sorted(entry.name for entry in paths.videos.iterdir() if is_uuid(entry.name) and entry.is_dir())
    except OSError:
        return []


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0][:200]
