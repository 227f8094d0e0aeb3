"""What a stage is (StageSpec), what it works with (StageContext) and what it leaves (StageOutput).

Every stage is one file of `stages/`: a function from values to values, and beside it the SPEC that says what
goes in. Order, progress, fingerprints and the steps of the worker's jobs are all derived from the SPECs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import numpy as np

from heimdex_core.errors import HeimdexError, StageFailed
from heimdex_core.files import sha256_of
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.work_folder import StageRecord, WorkFolder
from heimdex_core.media.child import ChildLimits
from heimdex_core.models.base import Captioner, ImageTextEncoder, SpeechRecognizer, TextEncoder, TextReader, Vectors
from heimdex_core.store.edits import Journal
from heimdex_core.types import Json, Space, WorkContext

if TYPE_CHECKING:
    from heimdex_core.models.profiles import ModelChoice

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Branch = Literal["start", "speech", "picture", "end"]
"""`start` runs first, then `speech` and `picture` beside each other, then `end`; within one, in registry order."""

PRIMARY_ROLES = ("text", "vision")
"""The roles of the spaces that every model set has; the others are extra."""


@dataclass(frozen=True)
class StageOutput:
    """A stage's JSON result, and the files that it made (relative to the work folder)."""

    result: Json
    files: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StageSpec(Generic[R_co]):
    """One stage. A change of `version` makes every video's result outdated; `name` is kept in every library.

    Functions that take the context are asked before the stage has run, and must not load a model.
    """

    name: str
    version: int
    branch: Branch
    run: Callable[[StageContext, WorkContext], StageOutput]
    parse: Callable[[Json], R_co]
    """Turns the JSON result into the value that later stages read."""
    label: Mapping[str, str]
    """What people read while it runs, by language ("en", "ko")."""
    needs: tuple[StageSpec[Any], ...] = ()
    """The stages whose results go in."""
    needs_all: bool = False
    """Every earlier stage of the run goes in."""
    reads_files_of: tuple[StageSpec[Any], ...] = ()
    """Those of `needs` whose files are read, not only the result."""
    reads_files: Callable[[StageContext], bool] = lambda context: True
    """False where the stage does without these files, so that they are not made again for it."""
    params: tuple[str, ...] = ()
    """Names of the IngestParams that matter."""
    unit: str = "s"
    """What progress counts: "s" for seconds of the video, or "items"."""
    weight: float = 1.0
    """Relative cost, measured once on a ten-minute talk; only the share of the whole in the progress rests on it."""

    applies: Callable[[IngestModels], bool] = lambda models: True
    """False where a video has no such stage with these models."""
    needed_now: Callable[[StageContext], tuple[StageSpec[Any], ...]] | None = None
    """A narrower choice of `needs`, where it depends on the video."""
    inputs: Callable[[StageContext], Mapping[str, str | None]] = lambda context: {}
    """Hashes of inputs other than stages."""
    own_params: Callable[[StageContext], Json] = lambda context: {}
    """Parameters that are no IngestParams."""
    model: Callable[[StageContext], str | None] = lambda context: None
    """The model with its revision, as part of the fingerprint."""
    holds: Callable[[StageContext], bool] = lambda context: True
    """Whether a record with the right fingerprint may be used."""
    keeps: Callable[[Any], bool] = lambda result: True
    """Whether a result goes into the generation; without, the next run makes it again, because something failed that
    need not fail again."""
    records: Callable[[StageContext], tuple[str, ...]] = lambda context: ()
    """Names of further records that go into the generation."""
    vector_files: Callable[[StageContext], Mapping[str, Space]] = lambda context: {}
    """Files of vectors in the work folder, and the space of each."""
    recorded_as: str | None = None
    """The name in the fingerprint where several records belong to one stage."""
    earlier: StageSpec[Any] | None = None
    """The stage as an earlier version described it: its version, parameters and inputs. A result that an earlier
    version made holds, with everything that rests on it, until somebody asks for the video to be indexed again."""


class IngestModels(Protocol):
    """The part of `models.registry.Models` that ingest uses."""

    @property
    def choice(self) -> ModelChoice: ...

    @property
    def spaces(self) -> Mapping[str, Space]:
        """The vector spaces by role: PRIMARY_ROLES and the extra ones."""
        ...

    def speech(self) -> SpeechRecognizer | None: ...
    def text(self) -> TextEncoder: ...
    def vision(self) -> ImageTextEncoder: ...
    def captioner(self) -> Captioner | None: ...
    def reader(self) -> TextReader | None: ...

    def encoder(self, space_name: str) -> TextEncoder | ImageTextEncoder:
        """The encoder of a space. Raises UnknownName for a space that is not in `spaces`."""
        ...


@dataclass(frozen=True)
class EarlierResult:
    """What a stage made for a generation that differs in the result of one other stage."""

    result: Json
    """Of the stage."""
    other: Json
    """The result of the other stage at that time."""
    folder: Path
    """Of the generation."""

    def vectors(self, space: Space) -> dict[int, Vectors]:
        """The (d,) vectors that the stage made, by the index of the scene then; none where the file cannot be used."""
        # here, because the processes that run stages in children do without the databases
        from heimdex_core.store import sidecar

        rows = self.result["rows"]
        try:
            scene_ids, vectors = sidecar.read_vectors(self.folder, space)
        except (OSError, HeimdexError):
            return {}
        return dict(zip(rows, vectors, strict=True)) if len(scene_ids) == len(rows) else {}

    def keyframe_vectors(self, space: Space) -> dict[int, Vectors]:
        """As `vectors`, the (k, d) vectors of the scenes' keyframes."""
        from heimdex_core.store import sidecar

        rows = self.result["rows"]
        try:
            vectors = sidecar.read_vector_rows(self.folder, space).vectors
        except (OSError, HeimdexError):
            return {}
        if len(vectors) != len(rows):
            return {}
        return {row: vectors[list(group)] for row, group in groupby(range(len(rows)), key=rows.__getitem__)}


class StageLookup(Protocol):
    """The part of the stage cache that stages see."""

    def record(self, spec: StageSpec[Any]) -> StageRecord | None: ...
    def fingerprint(self, spec: StageSpec[Any]) -> str: ...
    def earlier(self, spec: StageSpec[Any], other: StageSpec[Any]) -> EarlierResult | None: ...


@dataclass
class StageContext:
    """The inputs of one video's stages. Results of earlier stages are read with `result`."""

    source: Path
    filename: str
    """As people know it; messages name it."""
    sha256: str
    """Of the source."""
    supplied_subtitles: Path | None
    language: str
    """ISO 639-1 code of the speech, or "auto"."""
    no_speech_limit: float
    """Segments with a higher no-speech probability (0 to 1) are dropped."""
    params: IngestParams
    models: IngestModels
    work: WorkFolder
    commit: Callable[[Any], int]
    """Stores an IngestResult (stages/commit.py); the number of the new generation."""
    cache: StageLookup = field(init=False)
    edits: Journal = field(default_factory=Journal)
    """What people changed by hand."""
    child_limits: ChildLimits | None = None
    """When a child process that reads foreign bytes is ended; with None such parts of stages run in this process."""

    @cached_property
    def supplied_sha256(self) -> str | None:
        """Of the supplied subtitles; None where there are none."""
        return sha256_of(self.supplied_subtitles) if self.supplied_subtitles is not None else None

    @property
    def extra_spaces(self) -> dict[str, Space]:
        """The spaces besides the primary ones, by role."""
        return {role: space for role, space in self.models.spaces.items() if role not in PRIMARY_ROLES}

    def space_model(self, role: str) -> str:
        """The model of a space, with its revision; known without loading it."""
        space = self.models.spaces[role]
        return f"{space.name}@{space.revision}"

    def result(self, spec: StageSpec[R]) -> R:
        """What an earlier stage found. Raises StageFailed where its record has gone."""
        record = self.work.record(spec.name)
        if record is None:
            raise StageFailed(stage=spec.name, reason="its result is gone from the work folder")
        return spec.parse(record.result)

    def vectors(self, file: str) -> Vectors:
        """(n, d) float32 as a stage saved them."""
        return np.asarray(np.load(self.work.file(file), allow_pickle=False), dtype=np.float32)


def part_of(work: WorkContext, first: float, last: float, total: float) -> WorkContext:
    """Progress of a part of a stage, which runs from share `first` to share `last` (0 to 1) of `total` units."""

    def report(done: float, of: float) -> None:
        fraction = min(done / of, 1.0) if of > 0 else 0.0
        work.report((first + (last - first) * fraction) * total, total)

    return WorkContext(report=report, is_cancelled=work.is_cancelled)
