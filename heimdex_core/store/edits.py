"""edits.json: the journal of what people changed about a video by hand.

    {"version": 1, "operations": [{"edit_id": "0f3a9c1e", "op": "split", "at_s": 12.48, "made_at": "…+00:00"}, …]}

    split, merge   at_s: a boundary of two scenes
    transcript     start_s, end_s, text: what is said there
    tags           start_s, end_s, added, removed: tags of the scene that is there

It is an input of the stages (ingest/stages/): generations are made from it and are never changed themselves.
Operations of a kind that this version does not know are kept as they are, and noted when the video is indexed. A
journal that cannot be used is never ignored, because the edits would be lost with the next generation.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from heimdex_core.errors import EditNotFound, EditsDamaged, InvalidValue
from heimdex_core.files import write_json
from heimdex_core.types import Correction, Json, SceneEdit, TagEdit, TranscriptEdit, utc_now

FILE = "edits.json"
FORMAT_VERSION = 1
MAX_BYTES = 4 * 1024 * 1024
MAX_OPERATIONS = 10_000
MAX_NUMBER = 2**31 - 1

MAX_LINE_CHARS = 4000
MAX_TAG_CHARS = 60
MAX_TAGS = 50

_OF_SCENES = ("split", "merge")
_OF_CONTENT = ("transcript", "tags")
_KNOWN = (*_OF_SCENES, *_OF_CONTENT)
Operation = TypeVar("Operation", bound=BaseModel)
_OP = re.compile(r"[a-z][a-z0-9_]{0,39}")


class _Operation(BaseModel):
    """What all operations have; fields that a newer version has added are kept in the file and not used."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")

    edit_id: Annotated[str, Field(pattern="^[0-9a-f]{8}$")]
    made_at: AwareDatetime


class _SceneOperation(_Operation):
    op: Literal["split", "merge"]
    at_s: Annotated[float, Field(gt=0, le=MAX_NUMBER)]


class _OfStretch(_Operation):
    start_s: Annotated[float, Field(ge=0, le=MAX_NUMBER)]
    end_s: Annotated[float, Field(gt=0, le=MAX_NUMBER)]

    @model_validator(mode="after")
    def _is_stretch(self) -> Self:
        if self.start_s >= self.end_s:
            raise ValueError("it ends before it starts")
        return self


class _TranscriptOperation(_OfStretch):
    op: Literal["transcript"]
    text: Annotated[str, Field(max_length=MAX_LINE_CHARS)]


_Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARS)]], Field(max_length=MAX_TAGS)]


class _TagOperation(_OfStretch):
    op: Literal["tags"]
    added: _Tags
    removed: _Tags


@dataclass(frozen=True)
class Journal:
    """The operations of one journal, oldest first, as they are in the file."""

    operations: tuple[Json, ...] = ()
    version: int = FORMAT_VERSION

    @property
    def scene_edits(self) -> tuple[SceneEdit, ...]:
        """The splits and merges, oldest first."""
        known = self._of_kind(_SceneOperation, *_OF_SCENES)
        return tuple(SceneEdit(one.edit_id, one.op, one.at_s, one.made_at) for one in known)

    @property
    def transcript_edits(self) -> tuple[TranscriptEdit, ...]:
        """The corrections of the transcript, oldest first."""
        known = self._of_kind(_TranscriptOperation, "transcript")
        return tuple(TranscriptEdit(one.edit_id, one.start_s, one.end_s, one.text, one.made_at) for one in known)

    @property
    def tag_edits(self) -> tuple[TagEdit, ...]:
        """The changes of tags, oldest first."""
        known = self._of_kind(_TagOperation, "tags")
        return tuple(
            TagEdit(one.edit_id, one.start_s, one.end_s, tuple(one.added), tuple(one.removed), one.made_at)
            for one in known
        )

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """The edits of transcript and tags, oldest first."""
        known: list[Correction] = [*self.transcript_edits, *self.tag_edits]
        by_id = {edit.edit_id: edit for edit in known}
        return tuple(by_id[one["edit_id"]] for one in self.operations if one["op"] in _OF_CONTENT)

    def _of_kind(self, kind: type[Operation], *ops: str) -> list[Operation]:
        return [kind.model_validate_json(json.dumps(one)) for one in self.operations if one["op"] in ops]

    @property
    def unknown_count(self) -> int:
        """How many operations are of a kind that this version does not know."""
        return sum(one["op"] not in _KNOWN for one in self.operations)

    @property
    def digest(self) -> str | None:
        """Changes whenever a generation has to be made again; None without edits."""
        return digest_of(self.scene_edits, self.corrections)

    def with_edit(self, op: Literal["split", "merge"], at_s: float) -> Journal:
        """The journal with one more edit of scenes. Raises InvalidValue where it is full."""
        return self._with({"op": op, "at_s": round(at_s, 3)})

    def with_line(self, start_s: float, end_s: float, text: str) -> Journal:
        """The journal with a correction of the transcript: `text` is said in [start_s, end_s). Raises InvalidValue."""
        return self._with({"op": "transcript", "start_s": round(start_s, 3), "end_s": round(end_s, 3), "text": text})

    def with_tags(self, start_s: float, end_s: float, added: Sequence[str], removed: Sequence[str]) -> Journal:
        """The journal with a change of the tags of the scene [start_s, end_s). Raises InvalidValue."""
        change = {"added": list(added), "removed": list(removed)}
        return self._with({"op": "tags", "start_s": round(start_s, 3), "end_s": round(end_s, 3), **change})

    def _with(self, operation: Json) -> Journal:
        if len(self.operations) >= MAX_OPERATIONS:
            raise InvalidValue(name="edits", value=len(self.operations), reason="the journal of the video is full")
        used = {one.get("edit_id") for one in self.operations}
        edit_id = next(new for new in iter(lambda: secrets.token_hex(4), None) if new not in used)
        edit = {"edit_id": edit_id, **operation, "made_at": utc_now().isoformat()}
        return replace(self, operations=(*self.operations, edit))

    def without_edit(self, edit_id: str | None) -> Journal:
        """The journal without an edit (None: the last one of scenes). Raises EditNotFound."""
        edits = self.scene_edits
        wanted = edit_id if edit_id is not None else edits[-1].edit_id if edits else ""
        if wanted not in {edit.edit_id for edit in (*edits, *self.corrections)}:
            raise EditNotFound(edit_id=wanted or "-")
        return replace(self, operations=tuple(one for one in self.operations if one.get("edit_id") != wanted))


def digest_of(edits: Sequence[SceneEdit], corrections: Sequence[Correction] = ()) -> str | None:
    """32 hexadecimal digits that stand for these edits in their order; None without any."""
    if not edits and not corrections:
        return None
    listed: list[list[Any]] = [[edit.edit_id, edit.op, edit.at_s] for edit in edits]
    listed += [inputs_of(correction) for correction in corrections]
    text = json.dumps(listed)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def inputs_of(correction: Correction) -> list[Any]:
    """What a generation depends on of a correction, for fingerprints."""
    stretch = [correction.edit_id, correction.start_s, correction.end_s]
    if isinstance(correction, TranscriptEdit):
        return [*stretch, correction.text]
    return [*stretch, list(correction.added), list(correction.removed)]


# --- the file -------------------------------------------------------------------------------------


def read_journal(folder: Path) -> Journal:
    """The journal in a video's folder, checked as a whole; an empty one where there is no file. Raises EditsDamaged."""
    path = folder / FILE
    if not os.path.lexists(path):
        return Journal()
    try:
        if path.is_symlink() or not path.is_file():
            raise ValueError("it is not an ordinary file")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"it has {size} bytes, more than {MAX_BYTES}")
        return _checked(json.loads(path.read_bytes(), parse_constant=_refuse))
    except (OSError, ValueError, RecursionError) as error:
        reason = _in_words(error) if isinstance(error, ValidationError) else str(error)
        raise EditsDamaged(video_id=folder.name, reason=reason[:300]) from error


def write_journal(folder: Path, journal: Journal) -> None:
    """Write the journal of a video atomically. Raises DiskFull."""
    write_json(folder / FILE, {"version": journal.version, "operations": list(journal.operations)})


def _checked(found: Any) -> Journal:
    if not isinstance(found, dict) or not isinstance(found.get("operations"), list):
        raise ValueError("it has no list of operations")
    version, operations = found.get("version"), found["operations"]
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= MAX_NUMBER:
        raise ValueError("its version is not a positive number")
    if len(operations) > MAX_OPERATIONS:
        raise ValueError(f"it has {len(operations)} operations, more than {MAX_OPERATIONS}")
    for number, one in enumerate(operations, 1):
        if not isinstance(one, dict) or not isinstance(one.get("op"), str) or not _OP.fullmatch(one["op"]):
            raise ValueError(f"operation {number} has no kind")
    json.dumps(operations, ensure_ascii=False, allow_nan=False).encode()  # text that is not Unicode
    journal = Journal(tuple(operations), max(version, FORMAT_VERSION))
    _require_unique([*(e.edit_id for e in journal.scene_edits), *(e.edit_id for e in journal.corrections)])
    return journal


def _require_unique(edit_ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for edit_id in edit_ids:
        if edit_id in seen:
            raise ValueError(f"the edit {edit_id} is there twice")
        seen.add(edit_id)


def _refuse(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _in_words(error: ValidationError) -> str:
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)]
    return "; ".join(faults[:3])
