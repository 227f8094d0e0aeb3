"""What a run can use again: fingerprints of what every stage depends on, and the results that still hold.

A result found under the same fingerprint need not be made again. It is looked for in the work folder, then in
the video's generations, which keep the stage records of the run that made them:

    gen/<n>/stages/<stage>.json     as it was in the work folder

The files of a stage are taken from where the generation has them: pictures in frames/, vectors as float16 (which
is exact when it is written again), the preview beside the video. The sound and the candidate pictures are too
large to keep; they are made again where a stage that must run needs them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.files import link_or_copy, read_json_object, write_json
from heimdex_core.ingest.context import EarlierResult, StageContext, StageSpec
from heimdex_core.ingest.work_folder import StageRecord, WorkFolder
from heimdex_core.store import sidecar
from heimdex_core.types import Json, Space, to_json

RECORDS_FOLDER = "stages"


class StageCache:
    """The results of one video's stages that a run can use. Safe to share between the branches of a run."""

    def __init__(
        self,
        context: StageContext,
        specs: Sequence[StageSpec[Any]],
        generations: Callable[[], Sequence[Path]],
        *,
        beside: Mapping[str, Path],
    ) -> None:
        """`generations` gives the folders to look in, newest first; `beside` says where files lie that are kept
        outside of a generation, by their name in the work folder."""
        self._context = context
        self._specs = tuple(specs)
        self._generations = generations
        self._beside = beside
        self._with_earlier: dict[str, bool] = {}
        """Stages whose earlier version is decided about: whether its result is used."""

    def needs(self, spec: StageSpec[Any]) -> tuple[StageSpec[Any], ...]:
        """The stages of this run whose results go into `spec`, in order."""
        if spec.needs_all:
            return self._specs[: self._specs.index(spec)]
        wanted = spec.needs if spec.needed_now is None else spec.needed_now(self._context)
        return tuple(one for one in self._specs if one in wanted)

    def fingerprint(self, spec: StageSpec[Any]) -> str:
        """What a stage's result depends on, known before it has run.

        The stage `subtitles` decides where the transcript comes from: until it has run, the recogniser is assumed.
        """
        return self._fingerprint(spec, {})

    def _fingerprint(self, spec: StageSpec[Any], known: dict[str, str]) -> str:
        if spec.name not in known:
            needed = {one.name: self._fingerprint(one, known) for one in self.needs(spec)}
            known[spec.name] = self._own_fingerprint(spec, needed)
            if spec.earlier is not None:
                needed = {one.name: self._fingerprint(one, known) for one in self.needs(spec.earlier)}
                earlier = self._own_fingerprint(spec.earlier, needed)
                if self._earlier_holds(spec.name, known[spec.name], earlier):
                    known[spec.name] = earlier
        return known[spec.name]

    def _own_fingerprint(self, spec: StageSpec[Any], needed: Mapping[str, str]) -> str:
        context = self._context
        return fingerprint(
            spec.recorded_as or spec.name,
            spec.version,
            inputs={**needed, **spec.inputs(context)},
            params={**{name: getattr(context.params, name) for name in spec.params}, **spec.own_params(context)},
            model=spec.model(context),
        )

    def _earlier_holds(self, stage: str, wanted: str, earlier: str) -> bool:
        """Whether the video has a result under the fingerprint `earlier`, none under `wanted`, and none is asked for.

        Decided once: what a run begins with, it goes on with.
        """
        if stage not in self._with_earlier:
            records = [self._context.work.record_path(stage)]
            records += [generation / RECORDS_FOLDER / f"{stage}.json" for generation in self._generations()]
            found = {data.get("fingerprint") for data in map(read_json_object, records) if data is not None}
            self._with_earlier[stage] = earlier in found and wanted not in found and not self._context.work.is_renewal
        return self._with_earlier[stage]

    def record(self, spec: StageSpec[Any]) -> StageRecord | None:
        """What a stage left, here or with a generation, if it still holds."""
        wanted = self.fingerprint(spec)
        record = self._context.work.record(spec.name)
        if record is None or record.fingerprint != wanted:
            record = self._restore(spec, wanted)
        return record if record is not None and spec.holds(self._context) else None

    def earlier(self, spec: StageSpec[Any], other: StageSpec[Any]) -> EarlierResult | None:
        """The newest result of `spec` in a generation that would still hold if the result of `other` were as it was
        then; None if there is none. Parts of it that do not depend on what has changed need not be made again."""
        for generation in self._generations():
            folder = generation / RECORDS_FOLDER
            then = read_json_object(folder / f"{other.name}.json")
            made = read_json_object(folder / f"{spec.name}.json")
            if then is None or made is None or not isinstance(then.get("fingerprint"), str):
                continue
            if made.get("fingerprint") == self._fingerprint(spec, {other.name: then["fingerprint"]}):
                return EarlierResult(made["result"], then["result"], generation)
        return None

    def names_to_keep(self) -> tuple[str, ...]:
        """The records that go into the generation: of the stages before the last, and what they say besides."""
        failed = self.failed()
        kept = [spec for spec in self._specs[:-1] if spec.name not in failed]
        return tuple(name for spec in kept for name in (spec.name, *spec.records(self._context)))

    def failed(self) -> tuple[str, ...]:
        """The stages before the last whose result is not kept, because something failed that need not fail again."""
        return tuple(spec.name for spec in self._specs[:-1] if not spec.keeps(self._context.result(spec)))

    def _restore(self, spec: StageSpec[Any], wanted: str) -> StageRecord | None:
        """The record from a generation, put into the work folder with those of its files that are kept."""
        work = self._context.work
        for generation in self._generations():
            data = read_json_object(generation / RECORDS_FOLDER / f"{spec.name}.json")
            if data is None or data.get("fingerprint") != wanted:
                continue
            vector_files = spec.vector_files(self._context)
            for name in data.get("files") or ():
                self._restore_file(generation, name, vector_files.get(name))
            # last: files without a record are nothing, a record without its files is known as such
            write_json(work.record_path(spec.name), data)
            return work.record(spec.name)
        return None

    def _restore_file(self, generation: Path, name: str, space: Space | None) -> None:
        work = self._context.work
        target = work.file(name)
        try:
            if space is not None:
                work.save_vectors(name, sidecar.read_vector_rows(generation, space).vectors)
                return
            source = self._beside.get(name, generation / name)
            if source.is_file():
                target.unlink(missing_ok=True)
                link_or_copy(source, target)
        except (FileNotFoundError, HeimdexError):
            target.unlink(missing_ok=True)  # the generation went meanwhile, or is damaged: the stage is run again


def keep_records(work: WorkFolder, names: Iterable[str], generation: Path) -> None:
    """Put the named records into a generation that is being written."""
    folder = generation / RECORDS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = work.record_path(name)
        shutil.copyfile(source, folder / source.name)


def fingerprint(
    stage: str, version: int, *, inputs: Mapping[str, str | None], params: Json, model: str | None = None
) -> str:
    """32 hexadecimal digits of SHA-256 over everything given, independent of the order of keys.

    Equal fingerprints mean: the same stage, the same version of its code, the same inputs, parameters and model.
    """
    whole = {"stage": stage, "version": version, "inputs": dict(inputs), "params": to_json(params), "model": model}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
