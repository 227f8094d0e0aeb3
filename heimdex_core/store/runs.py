"""Runs and sweeps, in files of the library.

    evaluation/<user_id>/runs/<run_id>.parquet        the rankings; what made them is in the file's metadata
    evaluation/<user_id>/sweeps/<sweep_id>/plan.json  what is tried, with the judgements of that moment
                                          state.json  how far it has come
                                          scores/<n>.json  the values of all settings for query n

A run is written once; only the name of its query set changes with that. A sweep that was interrupted goes on with the
queries that have no scores yet.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import HeimdexError, LibraryDamaged, UserNotFound
from heimdex_core.files import atomic_write, make_folder, read_json_object, remove_tree, write_json
from heimdex_core.store import accounts
from heimdex_core.store.layout import LibraryPaths, check_uuid, is_user_id, is_uuid
from heimdex_core.store.parquet import read_table
from heimdex_core.types import Json, Ranking, to_json

logger = logging.getLogger(__name__)

_ROWS = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("scene_id", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)


Share = Callable[[str], None]
"""Brings a changed file or folder of the library to the other machines, as Catalog.share does."""


class RunRecords:
    """The stored runs of one library. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, share: Share) -> None:
        self._paths = paths
        self._share = share

    def save(self, user_id: str, about: Json, rankings: Mapping[str, Ranking]) -> None:
        """Write a run. `about` has its run_id, name, query_set, created_at, settings, provenance and queries."""
        _require_user(self._paths, user_id)
        rows = [
            {"query_id": query_id, "rank": rank, "scene_id": scene_id, "score": float(score)}
            for query_id, ranking in rankings.items()
            for rank, (scene_id, score) in enumerate(ranking, start=1)
        ]
        metadata = {"run": json.dumps(to_json(about), ensure_ascii=False)}
        table = pa.Table.from_pylist(rows, schema=_ROWS.with_metadata(metadata))
        path = self._path(user_id, about["run_id"])
        make_folder(path.parent, levels=3)
        with atomic_write(path) as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        self._share(self._paths.relative(path))

    def all(
        self,
        user_id: str,
        *,
        query_set: str | None = None,
        limit: int | None = None,
        after: tuple[datetime, str] | None = None,
    ) -> list[Json]:
        """What is known of a user's runs (of a set) without their rankings, newest first.

        That is read from the end of every file, because only there is when it was made; damaged files are left out.
        `after` is the created_at and the run_id of the one that they come behind.
        """
        found = []
        for path in self._paths.runs(user_id).glob("*.parquet"):
            about = _about(path)
            if about is not None and is_uuid(path.stem) and query_set in (None, about["query_set"]):
                found.append(about)
        if after is not None:
            found = [about for about in found if _place(about) < after]
        found.sort(key=_place, reverse=True)
        return found if limit is None else found[: max(limit, 0)]

    def rankings(self, user_id: str, run_id: str) -> dict[str, Ranking]:
        """The rankings of a run by query_id. Raises LibraryDamaged if the file cannot be read."""
        path = self._path(user_id, run_id)
        try:
            rows = read_table(path).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise LibraryDamaged(what=f"the run {run_id}", reason=str(error)[:200]) from error
        found: dict[str, list[tuple[str, float]]] = {}
        for row in sorted(rows, key=lambda row: (row["query_id"], row["rank"])):
            found.setdefault(row["query_id"], []).append((row["scene_id"], row["score"]))
        return {query_id: tuple(hits) for query_id, hits in found.items()}

    def rename_query_set(self, user_id: str, name: str, new: str) -> None:
        """Let the runs of a query set name it as it is called now."""
        for about in self.all(user_id):
            if about["query_set"] == name:
                self.save(user_id, {**about, "query_set": new}, self.rankings(user_id, about["run_id"]))

    def delete(self, user_id: str, run_id: str) -> None:
        """Remove a run; nothing happens if there is none."""
        path = self._path(user_id, run_id)
        path.unlink(missing_ok=True)
        self._share(self._paths.relative(path))

    def _path(self, user_id: str, run_id: str) -> Path:
        return self._paths.runs(user_id) / f"{check_uuid(run_id, 'run_id')}.parquet"


def _require_user(paths: LibraryPaths, user_id: str) -> None:
    """Raise UserNotFound for a user who was deleted meanwhile: their files do not come back."""
    if user_id in accounts.read(paths).deleted:
        raise UserNotFound(user=user_id)


def _place(about: Json) -> tuple[datetime, str]:
    """Where a run is in the list."""
    return datetime.fromisoformat(about["created_at"]), about["run_id"]


def _about(path: Path) -> Json | None:
    try:
        found = json.loads((pq.read_schema(path).metadata or {})[b"run"])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return found if isinstance(found, dict) else None


class SweepRecords:
    """The sweeps of one library. Safe to share between threads.

    Those of other machines are seen at once: a worker is given a sweep as soon as it was made elsewhere. Without the
    database or the storage the copies of this machine are read.

    Args:
        paths: of the library.
        share: see Share.
        refresh: fetches what other machines have changed in a folder, as Catalog.refresh does.
    """

    def __init__(self, paths: LibraryPaths, share: Share, refresh: Callable[[str], None]) -> None:
        self._paths = paths
        self._share = share
        self._refresh = refresh

    def create(self, user_id: str, sweep_id: str, plan: Json, state: Json) -> None:
        """Write a new sweep."""
        folder = self._folder(user_id, sweep_id)
        _require_user(self._paths, user_id)
        make_folder(folder, levels=4)
        self.write_state(user_id, sweep_id, state)
        write_json(folder / "plan.json", plan)  # last: without it there is no sweep
        self._share_sweep(user_id, sweep_id)

    def all(self, user_id: str) -> list[str]:
        """The ids of a user's sweeps."""
        self._fetch(self._paths.sweeps(user_id))
        return [
            path.parent.name for path in self._paths.sweeps(user_id).glob("*/plan.json") if is_uuid(path.parent.name)
        ]

    def owned(self) -> list[tuple[str, str]]:
        """(user_id, sweep_id) of the sweeps of all users."""
        self._fetch(self._paths.evaluation_root)
        users = [folder.name for folder in self._paths.evaluation_root.glob("*") if is_user_id(folder.name)]
        return [(user_id, sweep_id) for user_id in users for sweep_id in self.all(user_id)]

    def plan(self, user_id: str, sweep_id: str) -> Json | None:
        """What a sweep tries; None if there is none of this id.

        Raises DatabaseUnavailable, what the object storage raises, where that cannot be told.
        """
        path = self._folder(user_id, sweep_id) / "plan.json"
        self._fetch(path.parent, is_needed=not path.exists())
        return read_json_object(path)

    def state(self, user_id: str, sweep_id: str) -> Json:
        """How far a sweep has come."""
        self._fetch(self._folder(user_id, sweep_id))
        return read_json_object(self._folder(user_id, sweep_id) / "state.json") or {}

    def write_state(self, user_id: str, sweep_id: str, state: Json) -> None:
        """Replace the state of a sweep."""
        write_json(self._folder(user_id, sweep_id) / "state.json", state, durable=False)
        self._share_sweep(user_id, sweep_id)

    def write_scores(self, user_id: str, sweep_id: str, number: int, scores: Mapping[str, Sequence[float]]) -> None:
        """Keep what all settings scored for one query: lists of equal length by name."""
        folder = self._folder(user_id, sweep_id)
        if (folder / "plan.json").is_file():  # else it was deleted meanwhile
            write_json(make_folder(folder / "scores") / f"{int(number)}.json", scores)
            self._share_sweep(user_id, sweep_id)

    def scores(self, user_id: str, sweep_id: str) -> dict[int, Json]:
        """The scores of the queries that are done, by the number of the query."""
        folder = self._folder(user_id, sweep_id) / "scores"
        return {number: read_json_object(folder / f"{number}.json") or {} for number in self.done(user_id, sweep_id)}

    def done(self, user_id: str, sweep_id: str) -> set[int]:
        """The numbers of the queries that are done."""
        names = (self._folder(user_id, sweep_id) / "scores").glob("*.json")
        return {int(path.stem) for path in names if path.stem.isdecimal()}

    def rename_query_set(self, user_id: str, name: str, new: str) -> None:
        """Let the sweeps of a query set name it as it is called now."""
        for sweep_id in self.all(user_id):
            plan = self.plan(user_id, sweep_id)
            if plan is not None and plan["query_set"] == name:
                write_json(self._folder(user_id, sweep_id) / "plan.json", {**plan, "query_set": new})
                self._share_sweep(user_id, sweep_id)

    def forget_scores(self, user_id: str, sweep_id: str) -> None:
        """Have all queries tried again."""
        remove_tree(self._folder(user_id, sweep_id) / "scores")
        self._share_sweep(user_id, sweep_id)

    def delete(self, user_id: str, sweep_id: str) -> None:
        """Remove a sweep; nothing happens if there is none."""
        remove_tree(self._folder(user_id, sweep_id))
        self._share_sweep(user_id, sweep_id)

    def _fetch(self, folder: Path, *, is_needed: bool = False) -> None:
        try:
            self._refresh(f"{self._paths.relative(folder)}/")
        except HeimdexError as error:
            if is_needed:
                raise
            logger.info("%s is read as this machine has it: %s", folder, error)

    def _share_sweep(self, user_id: str, sweep_id: str) -> None:
        self._share(f"{self._paths.relative(self._folder(user_id, sweep_id))}/")

    def _folder(self, user_id: str, sweep_id: str) -> Path:
        return self._paths.sweeps(user_id) / check_uuid(sweep_id, "sweep_id")
