"""What a run has already: fingerprints of what every stage depends on, and the results that still hold."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.ingest import extra_embedding, recipe, text_embedding, vision_embedding
from heimdex_core.ingest.fingerprint import file_fingerprint, fingerprint
from heimdex_core.ingest.kept import Kept
from heimdex_core.ingest.kitchen import Kitchen
from heimdex_core.ingest.work import StageRecord
from heimdex_core.types import Space

_BEFORE_LINES = ("probe", "subtitles")


class Held:
    """For one run. A fingerprint is known before its stage has run, but where the transcript comes from is told
    by the stage `subtitles`: until that has run, the recogniser is expected.
    """

    def __init__(self, kitchen: Kitchen, stages: tuple[str, ...], kept: Kept) -> None:
        self._kitchen = kitchen
        self._stages = stages
        self._kept = kept
        self._subtitles: str | None = None
        self._has_lines: bool | None = None
        self._fingerprints: dict[str, str] = {}

    def needs(self, stage: str) -> tuple[str, ...]:
        """The stages whose results go into this one."""
        if stage == "extra_embedding":
            wanted = {need for role in self._kitchen.extra_spaces for need in self._space_needs(role)}
        else:
            wanted = set(recipe.STEPS[stage].needs)
        if stage == "transcript" and self._lines_came():
            wanted.remove("audio")
        return tuple(name for name in self._stages if name in wanted)

    def needs_files(self, stage: str) -> tuple[str, ...]:
        """Those of them whose files it reads too."""
        return tuple(name for name in self.needs(stage) if name in recipe.STEPS[stage].files_of)

    def fingerprint(self, stage: str) -> str:
        """What a stage's result depends on."""
        if stage not in _BEFORE_LINES and self._lines_came() is None:
            return self._fingerprint(stage)
        if stage not in self._fingerprints:
            self._fingerprints[stage] = self._fingerprint(stage)
        return self._fingerprints[stage]

    def _fingerprint(self, stage: str) -> str:
        step = recipe.STEPS[stage]
        inputs: dict[str, str | None] = {needed: self.fingerprint(needed) for needed in self.needs(stage)}
        if stage == "probe":
            inputs["source"] = self._kitchen.video.sha256
        if stage == "subtitles":
            inputs["supplied"] = self._subtitles_fingerprint()
        params = {**self._kitchen.params.subset(*step.params), **self._kitchen.own_params(stage)}
        model = self._kitchen.model_name(stage)
        if stage == "transcript" and self._lines_came():
            model = None  # nobody listened
            del params["no_speech_limit"]
        if stage == "extra_embedding":
            params["spaces"] = {role: self.space_fingerprint(role) for role in self._kitchen.extra_spaces}
        return fingerprint(stage, step.version, inputs=inputs, params=params, model=model)

    def record(self, stage: str) -> StageRecord | None:
        """What a stage left, here or with a generation, if it still holds."""
        found = self._find(stage, self.fingerprint(stage))
        if stage == "extra_embedding":
            # its result is those of its spaces: they have to be here too
            spaces = self._kitchen.extra_spaces
            return found if all(self.space_record(role, space) for role, space in spaces.items()) else None
        return found

    # --- extra spaces, each with a record of its own ---

    def space_fingerprint(self, role: str) -> str:
        """What the vectors of an extra space depend on: never on the other extra spaces."""
        params: dict[str, object] = {}
        if role != "caption":
            kind = self._kitchen.extra_spaces[role].kind
            stage = {"text": text_embedding, "vision": vision_embedding}[kind]
            params = {**self._kitchen.params.subset(*stage.PARAMS), "version": stage.VERSION}
        inputs: dict[str, str | None] = {needed: self.fingerprint(needed) for needed in self._space_needs(role)}
        model = self._kitchen.space_model(role)
        return fingerprint("extra_embedding", extra_embedding.VERSION, inputs=inputs, params=params, model=model)

    def space_record(self, role: str, space: Space) -> StageRecord | None:
        """What is there of an extra space, whole."""
        record = self._find(extra_embedding.record_name(space), self.space_fingerprint(role))
        return record if record is not None and record.has_files else None

    def _space_needs(self, role: str) -> tuple[str, ...]:
        if role == "caption":
            return ("captions",)
        if self._kitchen.extra_spaces[role].kind == "vision":
            return ("keyframes",)
        return recipe.STEPS["text_embedding"].needs

    # --- parts ---

    def _find(self, name: str, wanted: str) -> StageRecord | None:
        record = self._kitchen.work.record(name)
        if record is not None and record.fingerprint == wanted:
            return record
        return self._kept.bring_back(name, wanted)

    def _lines_came(self) -> bool | None:
        """Whether lines came with the video; None until the stage has told."""
        if self._has_lines is None:
            record = self.record("subtitles")
            if record is not None:
                self._has_lines = record.result["found"] is not None
        return self._has_lines

    def _subtitles_fingerprint(self) -> str | None:
        if self._subtitles is None:
            path: Path | None = self._kitchen.supplied_subtitles
            self._subtitles = file_fingerprint(path) if path is not None else ""
        return self._subtitles or None


def vector_files(kitchen: Kitchen) -> dict[str, Space]:
    """The work folder's files of vectors, and the space of each."""
    files = {
        text_embedding.FILE: kitchen.models.spaces["text"],
        vision_embedding.FILE: kitchen.models.spaces["vision"],
    }
    return files | {extra_embedding.file_name(space): space for space in kitchen.extra_spaces.values()}
