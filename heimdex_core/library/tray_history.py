"""What an operation makes of a tray, what undoes it, and which of two changes made at once gives way.

Operations name clips and their neighbours and never positions, so they also fit a tray that has changed since: removing
what is gone is nothing, and a clip that is moved goes behind its neighbour wherever that is now. Two changes of the
same trim, of the strategy of the same clip, or of the title, cannot both hold: the later one is refused with
TrayConflict, unless it was made in full knowledge of the first.

Every change keeps the operations that undo it. Undoing is a change like any other: it is applied to the tray as it is
now, so it takes nothing back that was done elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from heimdex_core.errors import TrayConflict
from heimdex_core.types import (
    InsertClips,
    MoveClip,
    PlacedClip,
    ReelClip,
    RemoveClips,
    SetStrategy,
    SetTitle,
    Tray,
    TrayChange,
    TrayOperation,
    TrimClip,
)

KEPT_CHANGES = 100
"""How many changes can be undone."""
KEPT_KEYS = 20
"""How many names of one change are kept, as when it is undone and made again."""
ONE_TRIM_US = 2_000_000
"""Trims of the same clip that follow one another this quickly are undone together, as when an arrow key is held."""

Clips = tuple[ReelClip, ...]


@dataclass(frozen=True)
class Edit:
    """One change that somebody wants to make.

    `made_on` is the revision of the tray that they saw; None for a program that has just read it.
    """

    operations: tuple[TrayOperation, ...]
    author: str = ""
    since: int | None = None
    """As for Tray.last_change."""
    made_on: int | None = None
    key: str = ""
    """Names the change: one of this name that was made already is not made again. "" for none."""
    now_us: int = 0


# --- making a change ------------------------------------------------------------------------------


def make_change(tray: Tray, edit: Edit) -> Tray:
    """The tray after a change; the same one if the change is nothing. Raises TrayConflict."""
    if tray.has_handled(edit.key):
        return tray
    _refuse_conflicts(tray, edit)
    title, clips, reversal = apply_all(tray.title, tray.clips, edit.operations)
    if not reversal:
        return tray
    # What the author has undone cannot be made again on top of something new.
    kept = [change for change in tray.changes if not (change.is_undone and _is_own(change, edit.author, edit.since))]
    touched = frozenset().union(*(_touched(one) for one in edit.operations))
    change = TrayChange(
        tray.revision + 1, edit.author, reversal, touched, changed_us=edit.now_us, keys=_with_key((), edit.key)
    )
    last = kept[-1] if kept else None
    if last is not None and _is_same_trim(last, change):
        keys = _with_key(last.keys, edit.key)
        kept[-1] = replace(last, revision=change.revision, changed_us=change.changed_us, keys=keys)
    else:
        kept.append(change)
    return replace(tray, title=title, clips=clips, revision=change.revision, changes=tuple(kept[-KEPT_CHANGES:]))


def _refuse_conflicts(tray: Tray, edit: Edit) -> None:
    present = {clip.clip_id for clip in tray.clips}
    for operation in edit.operations:
        if isinstance(operation, InsertClips):
            present |= {placed.clip.clip_id for placed in operation.clips}
        if isinstance(operation, MoveClip | TrimClip | SetStrategy) and operation.clip_id not in present:
            raise TrayConflict(problem="tray_clip_removed")
        if edit.made_on is None:
            continue
        if isinstance(operation, TrimClip):
            if _changed_elsewhere(tray, f"trim:{operation.clip_id}", edit.author, edit.made_on):
                raise TrayConflict(problem="tray_clip_trimmed")
        elif isinstance(operation, SetStrategy):
            if _changed_elsewhere(tray, f"strategy:{operation.clip_id}", edit.author, edit.made_on):
                raise TrayConflict(problem="tray_clip_framed")
        elif (
            isinstance(operation, SetTitle)
            and operation.title != tray.title
            and _changed_elsewhere(tray, "title", edit.author, edit.made_on)
        ):
            raise TrayConflict(problem="tray_title_changed")


def _changed_elsewhere(tray: Tray, what: str, author: str, after: int) -> bool:
    return any(
        what in change.touched and change.author != author and change.revision > after for change in tray.changes
    )


def _is_same_trim(last: TrayChange, change: TrayChange) -> bool:
    return (
        not last.is_undone
        and last.author == change.author
        and last.touched == change.touched
        and all(isinstance(one, TrimClip) for one in (*last.reversal, *change.reversal))
        and change.changed_us - last.changed_us <= ONE_TRIM_US
    )


# --- undo and redo --------------------------------------------------------------------------------


def step(tray: Tray, author: str, since: int | None, *, undone: bool, key: str = "", now_us: int = 0) -> Tray:
    """The tray after the author's last change is undone, or with `undone` made again; the same if there is none.

    A change is passed over, and forgotten, if somebody else has changed the same thing since, or if nothing is left of
    it. `key` is as for Edit.
    """
    if tray.has_handled(key):
        return tray
    while (change := tray.last_change(author, since, undone=undone)) is not None:
        others = tuple(one for one in tray.changes if one is not change)
        outdated = any(
            one.revision > change.revision and not _is_own(one, author, since) and one.touched & change.touched
            for one in others
        )
        title, clips, reversal = apply_all(tray.title, tray.clips, () if outdated else change.reversal)
        if not reversal:
            tray = replace(tray, changes=others)
            continue
        turned = replace(
            change,
            revision=tray.revision + 1,
            author=author,
            reversal=reversal,
            is_undone=not undone,
            changed_us=now_us,
            keys=_with_key(change.keys, key),
        )
        return replace(tray, title=title, clips=clips, revision=turned.revision, changes=(*others, turned))
    return tray


def _with_key(keys: tuple[str, ...], key: str) -> tuple[str, ...]:
    return (*keys, key)[-KEPT_KEYS:] if key else keys


def _is_own(change: TrayChange, author: str, since: int | None) -> bool:
    return since is None or change.author == author or change.revision <= since


# --- operations -----------------------------------------------------------------------------------


def apply_all(
    title: str, clips: Clips, operations: Sequence[TrayOperation]
) -> tuple[str, Clips, tuple[TrayOperation, ...]]:
    """(title, clips, what undoes the operations, in its order) after the operations, one after the other."""
    reversal: tuple[TrayOperation, ...] = ()
    for operation in operations:
        if isinstance(operation, SetTitle):
            undo: TrayOperation | None = SetTitle(title) if operation.title != title else None
            title = operation.title
        else:
            clips, undo = _APPLY[type(operation)](clips, operation)
        if undo is not None:
            reversal = (undo, *reversal)
    return title, clips, reversal


def _insert(clips: Clips, operation: InsertClips) -> tuple[Clips, TrayOperation | None]:
    present = {clip.clip_id for clip in clips}
    added = []
    for placed in operation.clips:
        clip_id = placed.clip.clip_id
        if clip_id not in present:
            present.add(clip_id)
            added.append(clip_id)
            clips = _place(clips, placed)
    return clips, RemoveClips(tuple(added)) if added else None


def _remove(clips: Clips, operation: RemoveClips) -> tuple[Clips, TrayOperation | None]:
    wanted = set(operation.clip_ids)
    kept = tuple(clip for clip in clips if clip.clip_id not in wanted)
    gone = tuple(placed for placed in places(clips) if placed.clip.clip_id in wanted)
    return kept, InsertClips(gone) if gone else None


def _move(clips: Clips, operation: MoveClip) -> tuple[Clips, TrayOperation | None]:
    found = next((placed for placed in places(clips) if placed.clip.clip_id == operation.clip_id), None)
    if found is None:
        return clips, None
    others = tuple(clip for clip in clips if clip is not found.clip)
    moved = _place(others, PlacedClip(found.clip, operation.after, operation.before))
    return moved, MoveClip(operation.clip_id, found.after, found.before) if moved != clips else None


def _trim(clips: Clips, operation: TrimClip) -> tuple[Clips, TrayOperation | None]:
    at = next((at for at, clip in enumerate(clips) if clip.clip_id == operation.clip_id), None)
    if at is None:
        return clips, None
    clip = clips[at]
    trimmed = replace(clip, start_s=max(operation.start_s, 0.0), end_s=operation.end_s)
    if trimmed == clip:
        return clips, None
    return (*clips[:at], trimmed, *clips[at + 1 :]), TrimClip(clip.clip_id, clip.start_s, clip.end_s)


def _set_strategy(clips: Clips, operation: SetStrategy) -> tuple[Clips, TrayOperation | None]:
    at = next((at for at, clip in enumerate(clips) if clip.clip_id == operation.clip_id), None)
    if at is None or clips[at].strategy == operation.strategy:
        return clips, None
    framed = replace(clips[at], strategy=operation.strategy)
    return (*clips[:at], framed, *clips[at + 1 :]), SetStrategy(operation.clip_id, clips[at].strategy)


_APPLY: dict[type, Callable[..., tuple[Clips, TrayOperation | None]]] = {
    InsertClips: _insert,
    RemoveClips: _remove,
    MoveClip: _move,
    TrimClip: _trim,
    SetStrategy: _set_strategy,
}


def places(clips: Clips) -> list[PlacedClip]:
    """Each clip with its neighbours."""
    ids: list[str | None] = [None, *(clip.clip_id for clip in clips), None]
    return [PlacedClip(clip, ids[at], ids[at + 2]) for at, clip in enumerate(clips)]


def next_copy(tray: Tray, scene_id: str) -> int:
    """A number for a further clip of a scene that no clip of the tray has, nor one that undoing can bring back."""
    kept = (one for change in tray.changes for one in change.reversal if isinstance(one, InsertClips))
    clips = [*tray.clips, *(placed.clip for operation in kept for placed in operation.clips)]
    return max((clip.copy + 1 for clip in clips if clip.scene_id == scene_id), default=0)


def _place(clips: Clips, placed: PlacedClip) -> Clips:
    """The clips with one more, beside a neighbour; if both of its neighbours are gone, it is the first or the last."""
    ids = [clip.clip_id for clip in clips]
    if placed.after in ids:
        at = ids.index(placed.after) + 1
    elif placed.before in ids:
        at = ids.index(placed.before)
    else:
        at = 0 if placed.after is None and placed.before is not None else len(clips)
    return (*clips[:at], placed.clip, *clips[at:])


def _touched(operation: TrayOperation) -> frozenset[str]:
    if isinstance(operation, SetTitle):
        return frozenset({"title"})
    if isinstance(operation, MoveClip):
        return frozenset({f"place:{operation.clip_id}"})
    if isinstance(operation, TrimClip):
        return frozenset({f"trim:{operation.clip_id}"})
    if isinstance(operation, SetStrategy):
        return frozenset({f"strategy:{operation.clip_id}"})
    ids = (
        operation.clip_ids
        if isinstance(operation, RemoveClips)
        else [placed.clip.clip_id for placed in operation.clips]
    )
    return frozenset(f"{what}:{clip_id}" for clip_id in ids for what in ("clip", "place", "trim", "strategy"))


def difference(title: str, clips: Clips, wanted_title: str, wanted: Clips) -> tuple[TrayOperation, ...]:
    """The operations that turn one tray into another."""
    wanted_ids = [clip.clip_id for clip in wanted]
    operations: list[TrayOperation] = []
    gone = tuple(clip.clip_id for clip in clips if clip.clip_id not in wanted_ids)
    if gone:
        operations.append(RemoveClips(gone))
    present = {clip.clip_id: clip for clip in clips}
    for placed in places(wanted):
        clip, before = placed.clip, present.get(placed.clip.clip_id)
        if before is None:
            operations.append(InsertClips((placed,)))
            continue
        if (before.start_s, before.end_s) != (clip.start_s, clip.end_s):
            operations.append(TrimClip(clip.clip_id, clip.start_s, clip.end_s))
        if before.strategy != clip.strategy:
            operations.append(SetStrategy(clip.clip_id, clip.strategy))
    _, now, _ = apply_all(title, clips, operations)
    for placed in places(wanted):
        move = MoveClip(placed.clip.clip_id, placed.after, placed.before)
        moved, undo = _move(now, move)
        if undo is not None:
            operations.append(move)
            now = moved
    if wanted_title != title:
        operations.append(SetTitle(wanted_title))
    return tuple(operations)
