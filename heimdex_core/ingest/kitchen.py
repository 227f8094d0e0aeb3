"""Where the stages' inputs are: the source, the models, the parameters and what earlier stages left."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import StageFailed
from heimdex_core.ingest.audio import Sound
from heimdex_core.ingest.extra_embedding import record_name
from heimdex_core.ingest.keyframes import SceneFrames
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.picture import Picture
from heimdex_core.ingest.preview import Preview
from heimdex_core.ingest.progress import STAGES
from heimdex_core.ingest.scenes import SceneSpan
from heimdex_core.ingest.subtitles import Lines
from heimdex_core.ingest.text_embedding import SceneWords
from heimdex_core.ingest.vision_embedding import SceneLooks
from heimdex_core.ingest.work import WorkFolder
from heimdex_core.models.base import Vectors
from heimdex_core.types import Json, MediaInfo, Space, Transcript, Video

if TYPE_CHECKING:
    from heimdex_core.ingest.commit import Target
    from heimdex_core.ingest.held import Held
    from heimdex_core.models.registry import Models
    from heimdex_core.settings import Settings
    from heimdex_core.store import Store

PRIMARY = ("text", "vision")
"""The roles of the spaces that every set of models has; the others are extra."""


@dataclass(frozen=True)
class Made:
    """A stage's JSON result and the files it made, relative to the work folder."""

    result: Json
    files: tuple[str, ...] = ()


def stages_for(models: Models) -> tuple[str, ...]:
    """The stages that a video goes through with these models, in order."""
    left_out = {
        "captions": models.captioner() is None,
        "extra_embedding": not set(models.spaces) - set(PRIMARY),
    }
    return tuple(stage for stage in STAGES if not left_out.get(stage, False))


class Kitchen:
    """What a stage is given to work with. `held` says which results there are already."""

    held: Held
    target: Target
    """Which generation the commit makes."""

    def __init__(
        self,
        store: Store,
        models: Models,
        settings: Settings,
        video: Video,
        params: IngestParams,
        work: WorkFolder,
    ) -> None:
        self.store = store
        self.models = models
        self.settings = settings
        self.video = video
        self.params = params
        self.work = work

    @property
    def source(self) -> Path:
        return self.store.paths.source(self.video.video_id)

    @property
    def supplied_subtitles(self) -> Path | None:
        return self.store.paths.subtitles(self.video.video_id)

    @property
    def language(self) -> str:
        """The video's own choice, else the general one."""
        return self.video.language if self.video.language != "auto" else self.params.language

    @property
    def records_to_keep(self) -> tuple[str, ...]:
        """The records that go into the generation: of every stage before the commit, and of every extra space."""
        stages = (stage for stage in stages_for(self.models) if stage != "commit")
        return (*stages, *(record_name(space) for space in self.extra_spaces.values()))

    @property
    def extra_spaces(self) -> dict[str, Space]:
        """The spaces besides the primary ones, by role."""
        return {role: space for role, space in self.models.spaces.items() if role not in PRIMARY}

    def own_params(self, stage: str) -> Json:
        """What a stage depends on besides IngestParams."""
        if stage != "transcript":
            return {}
        return {"language": self.language, "no_speech_limit": self.settings.no_speech_limit}

    def model_name(self, stage: str) -> str | None:
        """The model that a stage uses, with its revision; known without loading it."""
        if stage == "transcript":
            speech = self.models.speech()
            return f"{self.models.choice.speech}@{speech.revision}" if speech is not None else None
        if stage == "captions":
            captioner = self.models.captioner()
            return f"{self.models.choice.caption}@{captioner.revision}" if captioner is not None else None
        role = {"text_embedding": "text", "vision_embedding": "vision", "tags": "vision"}.get(stage)
        return None if role is None else self.space_model(role)

    def space_model(self, role: str) -> str:
        """The model of a space, with its revision."""
        space = self.models.spaces[role]
        return f"{space.name}@{space.revision}"

    def models_described(self) -> Json:
        """Profile, specs and revisions, for the provenance."""
        stages = ("transcript", "text_embedding", "vision_embedding", "captions")
        used = {stage: name for stage in stages if (name := self.model_name(stage)) is not None}
        used |= {space.name: self.space_model(role) for role, space in self.extra_spaces.items()}
        return {"choice": dataclasses.asdict(self.models.choice), "used": used}

    # --- what earlier stages left ---

    def result(self, stage: str) -> Any:
        record = self.work.record(stage)
        if record is None:
            raise StageFailed(stage=stage, reason="its result is gone from the work folder")
        return record.result

    def info(self) -> MediaInfo:
        return MediaInfo.from_json(self.result("probe"))

    def sound(self) -> Sound:
        return Sound.from_json(self.result("audio"))

    def lines(self) -> Lines:
        return Lines.from_json(self.result("subtitles"))

    def transcript(self) -> Transcript:
        return Transcript.from_json(self.result("transcript"))

    def picture(self) -> Picture:
        return Picture.from_json(self.result("picture"))

    def preview(self) -> Preview:
        return Preview(**self.result("preview"))

    def spans(self) -> list[SceneSpan]:
        return [SceneSpan(**s) for s in self.result("scenes")["scenes"]]

    def frames(self) -> list[SceneFrames]:
        return [SceneFrames.from_json(s) for s in self.result("keyframes")["scenes"]]

    def words(self) -> SceneWords:
        return SceneWords.from_json(self.result("text_embedding"))

    def looks(self) -> SceneLooks:
        return SceneLooks.from_json(self.result("vision_embedding"))

    def tags(self) -> list[list[str]]:
        tags: list[list[str]] = self.result("tags")["scenes"]
        return tags

    def captions(self) -> list[str]:
        lines: list[str] = self.result("captions")["scenes"]
        return lines

    def vectors(self, file: str) -> Vectors:
        """(n, d) float32 as a stage saved them."""
        return np.asarray(np.load(self.work.file(file), allow_pickle=False), dtype=np.float32)
