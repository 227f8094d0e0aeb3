"""Tables of LanceDB that are searched: their manifest, and one of them opened at the version that it names.

A table has a row for each scene of each generation. The manifest says which version of which table counts, and which
number stands for which generation in it. Versions after that are of a writer that did not come to its end, or that has
lost index.lock: nobody reads them, and the next writer goes back to the version that counts.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cachetools import LRUCache

from heimdex_core.errors import LibraryDamaged, ObjectStorageFailed, SearchUnavailable, ViewOutdated
from heimdex_core.files import is_disk_full, read_json, write_json
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Json

FORMAT = 1

MAX_LISTED_SCENES = 2000
"""Up to so many ids a set of scenes is a condition of the query."""
MAX_LISTED_GENERATIONS = 500
"""The same for generations."""
MAX_READ = 50_000
"""Rather than so many hits, of which few are in a set of scenes, the set is listed however large it is."""
_MARGIN = 1.2
"""So many times as many hits are read as have to be, if those that count are evenly spread among them."""
_CACHED_SCOPES = 8

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def load_lancedb() -> Any:
    """The lancedb module. Raises SearchUnavailable if it is not installed."""
    try:
        import lancedb
    except ImportError as error:
        raise SearchUnavailable(package="lancedb", reason=str(error)[:200]) from error
    return lancedb


_REQUEST = re.compile(r"(?:Error performing [A-Z]+ |uri: Some\()https?://([^/\s?)]+)")
_RETRIES = re.compile(r"\bretries: (\d+)")
_STATUS = re.compile(r"\bstatus(?: code)?: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")


@contextmanager
def lance_errors(what: str) -> Iterator[None]:
    """Turn what LanceDB raises into LibraryDamaged, or ObjectStorageFailed, unless the disk is full."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        if is_disk_full(error):
            raise
        raise _of_storage(str(error)) or LibraryDamaged(what=what, reason=str(error)[:200]) from error


def _of_storage(text: str) -> ObjectStorageFailed | None:
    """What LanceDB's client of object storage says in its errors, which have no types; None for any other text."""
    request = _REQUEST.search(text)
    # An answer that is cut off in its body is told without the request.
    if "NoSuchKey" in text or (request is None and "Generic S3 error" not in text):
        return None  # a file of a table that is gone is damage
    retries = _RETRIES.search(text)
    said = [found[1] for pattern in (_STATUS, _CODE) if (found := pattern.search(text))]
    reason = " ".join(said) or ("there was no answer" if request else "an answer was cut off")
    return ObjectStorageFailed(
        host=request[1] if request else _storage_host(), attempts=int(retries[1]) + 1 if retries else 1, reason=reason
    )


def _storage_host() -> str:
    from heimdex_core.store.object_storage_client import endpoint  # needs boto3, which tables in a folder do not

    return urlsplit(endpoint() or "").netloc.rpartition("@")[2] or "Amazon S3"


# --- the manifest ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class TableEntry:
    """What the manifest says of a table."""

    table: str
    """Its name, which is never used again."""
    version: int
    rows: int
    numbers: Mapping[Key, int]
    """By generation: its number in the table; also of generations without a row."""
    next_number: int
    """Above all that were ever given."""
    indexed_below: int
    """Rows of generations with a lower number are in the full-text index."""
    appends: int
    """How often rows were added since the table was compacted."""
    about: Json
    """The space of vectors, the analysis of words."""
    clusters: Json | None = None
    """Of vectors that are searched by clusters: see lance_merging.cluster. None: all are compared."""

    is_erasing: bool = False
    """Whether its files still have rows that were purged."""

    def to_json(self) -> Json:
        """The entry as it is written."""
        numbers = [[video_id, n, number] for (video_id, n), number in sorted(self.numbers.items())]
        names = ("table", "version", "rows", "next_number", "indexed_below", "appends", "about")
        more = {name: getattr(self, name) for name in ("clusters", "is_erasing") if getattr(self, name)}
        return {**{name: getattr(self, name) for name in names}, **more, "generations": numbers}

    @classmethod
    def of(cls, value: Json) -> TableEntry:
        """The entry as it was written."""
        numbers = {(video_id, int(n)): int(number) for video_id, n, number in value["generations"]}
        names = ("version", "rows", "next_number", "indexed_below", "appends")
        counts = {name: int(value[name]) for name in names}
        return cls(
            str(value["table"]),
            numbers=numbers,
            about=value["about"],
            clusters=value.get("clusters"),
            is_erasing=bool(value.get("is_erasing")),
            **counts,
        )


@dataclass(frozen=True)
class LanceManifest:
    """Which tables count, all of one moment."""

    revision: int = 0
    tables: Mapping[str, TableEntry] = field(default_factory=dict)
    """By role: see `vectors_role` and `words_role`."""
    retired: Mapping[str, float] = field(default_factory=dict)
    """Tables that do not count any more, and since when, in seconds since 1970; readers may still search them."""

    def with_table(self, role: str, entry: TableEntry) -> LanceManifest:
        """The same with another table in this role."""
        return replace(self, tables={**self.tables, role: entry})


def vectors_role(space_name: str) -> str:
    """The role of the table of a space."""
    return f"vectors:{space_name}"


def words_role(set_id: int) -> str:
    """The role of the table of the words of a model set."""
    return f"words:{int(set_id)}"


def name_of(role: str) -> str:
    """What is in this role, for messages."""
    kind, _, name = role.partition(":")
    return f"the index of {name}" if kind == "vectors" else "the lexical index"


def read_manifest(folder: Path) -> LanceManifest | None:
    """The manifest; None if there is none. Raises LibraryDamaged, also for one of a newer format."""
    try:
        value = read_json(folder / "manifest.json")
        if value["format"] != FORMAT:
            raise ValueError(f"it has format {value['format']}")
        tables = {str(role): TableEntry.of(entry) for role, entry in value["tables"].items()}
        retired = {str(name): float(at) for name, at in value["retired"].items()}
        return LanceManifest(int(value["revision"]), tables, retired)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LibraryDamaged(what="index/lance/manifest.json", reason=str(error)[:200]) from error


def write_manifest(folder: Path, manifest: LanceManifest) -> None:
    """Make this manifest the present one."""
    tables = {role: entry.to_json() for role, entry in manifest.tables.items()}
    value = {"format": FORMAT, "revision": manifest.revision, "tables": tables, "retired": dict(manifest.retired)}
    write_json(folder / "manifest.json", value)


# --- conditions -----------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def one_of(column: str, values: Iterable[str | int]) -> str:
    """The condition that a column has one of these values, of which there is at least one."""
    return f"{column} in ({', '.join(quoted(v) if isinstance(v, str) else str(int(v)) for v in values)})"


class Members(Protocol):
    """Some scenes, such as a SceneSet."""

    @property
    def share(self) -> float:
        """Which part of all scenes they are, 0 to 1."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...

    def has(self, scene_ids: Sequence[str]) -> Mask:
        """(len(scene_ids),) whether each of these scenes is among them."""


class ListedScenes:
    """Members that are listed."""

    def __init__(self, scene_ids: Collection[str], total: int) -> None:
        self._ids = frozenset(scene_ids)
        self.share = min(len(self._ids) / max(total, 1), 1.0)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._ids))

    def has(self, scene_ids: Sequence[str]) -> Mask:
        """See Members."""
        return np.fromiter((scene_id in self._ids for scene_id in scene_ids), dtype=bool, count=len(scene_ids))


@dataclass(frozen=True)
class _Scope:
    """How rows of some generations are told from all others."""

    condition: str | None
    part: float
    """About which part of all rows meets the condition, above 0 to 1."""
    numbers: Mask | None
    """If given, (next_number,) whether rows of the generation with each number count."""
    share: float
    """About which part of the rows that meet the condition counts, above 0 to 1."""


# --- an opened table ------------------------------------------------------------------------------

Run = Callable[[int, str | None, float], pa.Table]
"""Answers with the best rows (how many at most, on what condition, which part of all rows meets it), with the columns
scene_id and generation."""


class OpenedTable:
    """A table, fixed at one version. Safe to share between threads."""

    def __init__(self, what: str, table: Any, entry: TableEntry, folder: Path) -> None:
        """`what` it is, for messages; `folder` is that of the manifest."""
        self.what = what
        self._folder = folder
        self.table = table
        self.entry = entry
        self._lock = threading.Lock()
        self._scopes: LRUCache[frozenset[Key], _Scope | None] = LRUCache(_CACHED_SCOPES)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """As `lance_errors`, but ViewOutdated if the manifest names another version by now: old ones are removed."""
        try:
            with lance_errors(self.what):
                yield
        except LibraryDamaged as error:
            if self._is_present():
                raise
            raise ViewOutdated(what=self.what) from error

    def _is_present(self) -> bool:
        manifest = read_manifest(self._folder)
        now = (self.entry.table, self.entry.version)
        return manifest is not None and now in {(one.table, one.version) for one in manifest.tables.values()}

    def best(
        self, run: Run, k: int, allowed: frozenset[Key], members: Sequence[Members] = (), condition: str | None = None
    ) -> pa.Table | None:
        """The `k` best rows of the `allowed` generations and of all `members`; None if there cannot be any.

        A large set is no condition of the query: as many more rows are asked for as the set is a part of all, and more
        while those that are in it do not suffice.
        """
        scope = self.scope(allowed)
        if k <= 0 or scope is None or not all(len(one) for one in members):
            return None
        conditions = [text for text in (condition, scope.condition) if text is not None]
        share, part = scope.share, scope.part
        filters: list[Members] = []
        for one in members:
            if len(one) <= MAX_LISTED_SCENES or k / max(one.share, 1e-9) > MAX_READ:
                conditions.append(one_of("scene_id", one))
                part *= one.share
            else:
                share, filters = share * one.share, [*filters, one]
        where = " and ".join(conditions) or None
        wanted = min(int(k / share * _MARGIN), self.entry.rows) if share < 1 else k
        while True:
            with self.errors():
                found = run(max(wanted, 1), where, part)
            chosen = self._chosen(found, scope, filters)
            if len(chosen) >= k or len(found) < wanted or wanted >= self.entry.rows:
                return found.take(pa.array(chosen[:k]))
            more = wanted * max(2.0, _MARGIN * k / max(len(chosen), 1))
            wanted = min(int(more), self.entry.rows)

    def _chosen(self, found: pa.Table, scope: _Scope, filters: Sequence[Members]) -> Numbers:
        """Which of the rows count."""
        mask = np.ones(len(found), dtype=bool)
        if scope.numbers is not None:
            mask &= scope.numbers[found.column("generation").to_numpy()]
        if filters:
            ids = found.column("scene_id").to_pylist()
            for one in filters:
                mask &= one.has(ids)
        return np.flatnonzero(mask)

    def scope(self, allowed: frozenset[Key]) -> _Scope | None:
        """Kept for the last few sets of generations; None if none of them is in the table."""
        with self._lock:
            if allowed not in self._scopes:
                self._scopes[allowed] = self._make_scope(allowed)
            return self._scopes[allowed]

    def _make_scope(self, allowed: frozenset[Key]) -> _Scope | None:
        known = self.entry.numbers
        wanted = sorted(number for key, number in known.items() if key in allowed)
        if not wanted:
            return None
        if len(wanted) == len(known):
            return _Scope(None, 1.0, None, 1.0)
        part = len(wanted) / len(known)
        if len(wanted) <= MAX_LISTED_GENERATIONS:
            return _Scope(one_of("generation", wanted), part, None, 1.0)
        others = sorted(set(known.values()).difference(wanted))
        if len(others) <= MAX_LISTED_GENERATIONS:
            return _Scope(f"not {one_of('generation', others)}", part, None, 1.0)
        mask = np.zeros(self.entry.next_number, dtype=bool)
        mask[wanted] = True
        return _Scope(None, 1.0, mask, part)

    def rows_of(self, scenes: Sequence[tuple[str, Key]], columns: Sequence[str]) -> dict[str, Json]:
        """By scene: these columns of its row in its generation, where it has one."""
        wanted = {(scene_id, number): scene_id for scene_id, key in scenes if (number := self.entry.numbers.get(key))}
        found: dict[str, Json] = {}
        pairs = list(wanted)
        for at in range(0, len(pairs), MAX_LISTED_SCENES):
            part = pairs[at : at + MAX_LISTED_SCENES]
            where = f"{one_of('scene_id', {s for s, _ in part})} and {one_of('generation', {n for _, n in part})}"
            # no limit by the number of pairs: a scene may be in several of the generations
            query = self.table.search().where(where).select(["scene_id", "generation", *columns]).limit(None)
            with self.errors():
                rows = query.to_arrow().to_pylist()
            found |= {row["scene_id"]: row for row in rows if (row["scene_id"], row["generation"]) in wanted}
        return found
