"""The tables of model sets, and of the generation that each video has in each set.

Every function works inside one catalog transaction. A set is never changed after it is added. One set is the active
one: its generations are visible. The number of a dropped set is not used again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import EditsDamaged, SpaceMismatch, UnknownModelSet
from heimdex_core.files import sha256_of
from heimdex_core.store.edits import read_journal
from heimdex_core.store.transaction import Row, Transaction, from_us, to_us
from heimdex_core.types import Json, ModelSet, Space, Video, to_json, utc_now

if TYPE_CHECKING:
    from heimdex_core.store.layout import LibraryPaths
    from heimdex_core.store.library_json import LibraryManifest

FACTS = ("scene_count", "transcript_source", "transcript_rough", "notes", "has_preview")
"""The fields of Video that depend on the models; they change with the active set."""


@dataclass(frozen=True)
class SetGeneration:
    """A video's generation in a set. `inputs` (see `inputs_of`) is None if an older version wrote it."""

    video_id: str
    set_id: int
    generation: int
    inputs: str | None
    facts: Json
    """Values of FACTS by name."""


# --- sets -----------------------------------------------------------------------------------------


def ensure_first(transaction: Transaction, manifest: LibraryManifest) -> None:
    """Add set 1, as library.json describes it, to a library that has no sets yet."""
    if transaction.rows("select 1 from model_sets"):
        return
    _insert(transaction, 1, manifest.profile, manifest.choice, manifest.spaces)
    transaction.mark_visible_changed()


def add(transaction: Transaction, profile: str, choice: Json, spaces: Mapping[str, Space]) -> ModelSet:
    """Add a set; if one of the same models exists, that is returned."""
    for known in every(transaction):
        if same_models(known.choice, choice) and dict(known.spaces) == dict(spaces):
            return known
    set_id = _counter(transaction, "last_set") + 1
    _set_counter(transaction, "last_set", set_id)
    _insert(transaction, set_id, profile, choice, spaces)
    return get(transaction, set_id)


def same_models(choice: Json, other: Json) -> bool:
    """Whether two choices are of the same models, whatever their names and reasons."""
    first, second = (
        {name: value for name, value in to_json(one).items() if name not in ("name", "reason") and value}
        for one in (choice, other)
    )
    return bool(first == second)


def get(transaction: Transaction, set_id: int) -> ModelSet:
    """One set. Raises UnknownModelSet if it does not exist or was dropped."""
    sets = {model_set.set_id: model_set for model_set in every(transaction)}
    if set_id not in sets:
        raise UnknownModelSet(set_id, list(sets))
    return sets[set_id]


def every(transaction: Transaction) -> list[ModelSet]:
    """All sets, oldest first."""
    active = active_id(transaction)
    return [from_row(row, active) for row in transaction.rows("select * from model_sets order by set_id")]


def from_row(row: Row, active: int | None = None) -> ModelSet:
    """A row of the table model_sets; `active` is the number of the active set."""
    return ModelSet(
        set_id=row["set_id"],
        profile=row["profile"],
        choice=json.loads(row["choice"]),
        spaces={role: Space(**space) for role, space in json.loads(row["spaces"]).items()},
        created_at=from_us(row["created_us"]) or utc_now(),
        is_active=row["set_id"] == active,
    )


def restore(transaction: Transaction, active: ModelSet) -> None:
    """In a catalog that is rebuilt: add the active set, unless it is there, and work out the counters."""
    if not transaction.rows("select 1 from model_sets where set_id = ?", [active.set_id]):
        _insert(transaction, active.set_id, active.profile, active.choice, active.spaces)
    last = transaction.rows("select max(set_id) as last from model_sets")[0]["last"]
    _set_counter(transaction, "active_set", active.set_id)
    _set_counter(transaction, "last_set", last)
    transaction.mark_visible_changed()


def active_id(transaction: Transaction) -> int:
    """The number of the active set."""
    return _counter(transaction, "active_set")


def before_active_id(transaction: Transaction) -> int | None:
    """The number of the set that was active before; None if there was none or it was dropped."""
    before = _counter(transaction, "before_active_set")
    known = transaction.rows("select 1 from model_sets where set_id = ?", [before])
    return before if known and before != active_id(transaction) else None


def activate(transaction: Transaction, set_id: int) -> None:
    """Make a set the active one. The caller updates the videos table (videos.show_set)."""
    _set_counter(transaction, "before_active_set", active_id(transaction))
    _set_counter(transaction, "active_set", set_id)
    transaction.mark_visible_changed()


def remove(transaction: Transaction, set_id: int) -> None:
    """Remove a set and its rows of video_generations."""
    transaction.run("delete from video_generations where set_id = ?", [set_id])
    transaction.run("delete from model_sets where set_id = ?", [set_id])


def check_space(spaces: Mapping[str, Space], wanted: Space) -> None:
    """Raise SpaceMismatch unless `wanted` is one of `spaces` (by role), with the same model, revision and width."""
    by_name = {space.name: space for space in spaces.values()}
    if wanted.name not in by_name:
        names = ", ".join(sorted(by_name)) or "no space"
        raise SpaceMismatch(space=wanted.name, expected=names, found=f"{wanted.model} {wanted.revision}")
    by_name[wanted.name].check(wanted)


# --- generations ----------------------------------------------------------------------------------


def generations(
    transaction: Transaction, *, set_id: int | None = None, video_id: str | None = None
) -> list[SetGeneration]:
    """The generations of one set, of one video, of one video in one set, or all."""
    rows = transaction.rows(
        """select * from video_generations where (? is null or set_id = ?) and (? is null or video_id = ?)
           order by video_id, set_id""",
        [set_id, set_id, video_id, video_id],
    )
    return [
        SetGeneration(
            row["video_id"], row["set_id"], row["generation"], row["inputs"], json.loads(row["facts"] or "{}")
        )
        for row in rows
    ]


def generation_numbers(transaction: Transaction) -> dict[int, set[tuple[str, int]]]:
    """(video_id, generation) of all that each set has, by set_id; much quicker than `generations` of all."""
    found = transaction.table("select video_id, set_id, generation from video_generations")
    numbers: dict[int, set[tuple[str, int]]] = {}
    for video_id, set_id, n in zip(*(column.to_pylist() for column in found.columns), strict=True):
        numbers.setdefault(set_id, set()).add((video_id, n))
    return numbers


def generation_in(transaction: Transaction, video_id: str, set_id: int) -> SetGeneration | None:
    """The video's generation in a set; None if it has none."""
    rows = generations(transaction, set_id=set_id, video_id=video_id)
    return rows[0] if rows else None


def keep_only(transaction: Transaction, exists: Callable[[str, int], bool]) -> None:
    """Remove the records of generations for which `exists(video_id, generation)` is false, or whose set is gone."""
    known = {model_set.set_id for model_set in every(transaction)}
    for row in generations(transaction):
        if row.set_id not in known or not exists(row.video_id, row.generation):
            forget(transaction, row.video_id, row.set_id)


def generation_of(transaction: Transaction, video_id: str, set_id: int) -> int | None:
    """The number of the video's generation in a set; None if it has none."""
    found = generation_in(transaction, video_id, set_id)
    return None if found is None else found.generation


def put(
    transaction: Transaction,
    video_id: str,
    set_id: int,
    n: int,
    inputs: str | None,
    facts: Mapping[str, Any],
    size_bytes: int | None = None,
) -> None:
    """Record `n` as the video's generation in the set. Of `facts`, by field of Video, those in FACTS are kept.

    `size_bytes` is that of its files; None where nobody has looked.
    """
    kept = {name: to_json(facts[name]) for name in FACTS if name in facts}
    transaction.run("delete from video_generations where video_id = ? and set_id = ?", [video_id, set_id])
    row = {"video_id": video_id, "set_id": set_id, "generation": n, "inputs": inputs, "size_bytes": size_bytes}
    transaction.insert("video_generations", {**row, "facts": json.dumps(kept, ensure_ascii=False)})


def forget(transaction: Transaction, video_id: str, set_id: int | None = None) -> None:
    """Remove the video's row of a set; None means of every set."""
    transaction.run(
        "delete from video_generations where video_id = ? and (? is null or set_id = ?)", [video_id, set_id, set_id]
    )


def inputs_of(paths: LibraryPaths, video: Video) -> str:
    """A hash of what a generation is made from besides models: the video's bytes, subtitles, language, parameters, and
    the edits by hand where there are any."""
    subtitles = paths.subtitles(video.video_id)
    subtitles_sha256 = sha256_of(subtitles) if subtitles is not None else None
    inputs = [video.sha256, subtitles_sha256, video.language, dict(sorted(video.params.items()))]
    try:
        edits = read_journal(paths.video(video.video_id)).digest
    except EditsDamaged:
        edits = "damaged"
    inputs += [edits] if edits is not None else []
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]


# --- rows -----------------------------------------------------------------------------------------


def _insert(
    transaction: Transaction, set_id: int, profile: str, choice: Mapping[str, Any], spaces: Mapping[str, Space]
) -> None:
    transaction.insert(
        "model_sets",
        {
            "set_id": set_id,
            "profile": profile,
            "choice": json.dumps(to_json(choice), ensure_ascii=False),
            "spaces": json.dumps(to_json(spaces)),
            "created_us": to_us(utc_now()),
        },
    )


def _counter(transaction: Transaction, name: str) -> int:
    return int(transaction.rows("select value from counters where name = ?", [name])[0]["value"])


def _set_counter(transaction: Transaction, name: str, value: int) -> None:
    transaction.update("counters", {"value": value}, {"name": name})
