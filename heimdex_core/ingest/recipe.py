"""What each stage needs, depends on and makes. The stages themselves know nothing of each other or the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import StageFailed
from heimdex_core.ingest import (
    audio,
    commit,
    keyframes,
    picture,
    preview,
    probe,
    scenes,
    tags,
    text_embedding,
    transcript,
    vision_embedding,
)
from heimdex_core.ingest.audio import Sound
from heimdex_core.ingest.files import guard_disk
from heimdex_core.ingest.keyframes import SceneFrames
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.picture import Picture
from heimdex_core.ingest.preview import Preview
from heimdex_core.ingest.scenes import SceneSpan
from heimdex_core.ingest.text_embedding import SceneWords
from heimdex_core.ingest.vision_embedding import SceneLooks
from heimdex_core.ingest.work import WorkFolder
from heimdex_core.models.base import Vectors
from heimdex_core.types import Json, MediaInfo, Transcript, Video, WorkContext, to_json

if TYPE_CHECKING:
    from heimdex_core.models.registry import Models
    from heimdex_core.store import Store


@dataclass(frozen=True)
class Made:
    """A stage's JSON result and the files it made, relative to the work folder."""

    result: Json
    files: tuple[str, ...] = ()


class Kitchen:
    """Where the stages' inputs are: the source, the models, the parameters and what earlier stages left."""

    def __init__(self, store: Store, models: Models, video: Video, params: IngestParams, work: WorkFolder) -> None:
        self.store = store
        self.models = models
        self.video = video
        self.params = params
        self.work = work

    @property
    def source(self) -> Path:
        return self.store.paths.source(self.video.video_id)

    @property
    def subtitles(self) -> Path | None:
        return self.store.paths.subtitles(self.video.video_id)

    @property
    def language(self) -> str:
        """The video's own choice, else the general one."""
        return self.video.language if self.video.language != "auto" else self.params.language

    def own_params(self, stage: str) -> Json:
        """What a stage depends on besides IngestParams."""
        return {"language": self.language} if stage == "transcript" else {}

    def model_name(self, stage: str) -> str | None:
        """The model that a stage uses, with its revision; known without loading it."""
        if stage == "transcript":
            speech = self.models.speech()
            return f"{self.models.choice.speech}@{speech.revision}" if speech is not None else None
        kind = {"text_embedding": "text", "vision_embedding": "vision", "tags": "vision"}.get(stage)
        if kind is None:
            return None
        space = self.models.spaces[kind]
        return f"{space.name}@{space.revision}"

    def models_described(self) -> Json:
        """Profile, specs and revisions, for the provenance."""
        names = {stage: self.model_name(stage) for stage in ("transcript", "text_embedding", "vision_embedding")}
        return {"choice": dataclasses.asdict(self.models.choice), "used": names}

    # what earlier stages left

    def result(self, stage: str) -> Any:
        record = self.work.record(stage)
        if record is None:
            raise StageFailed(stage=stage, reason="its result is gone from the work folder")
        return record.result

    def info(self) -> MediaInfo:
        return MediaInfo.from_json(self.result("probe"))

    def sound(self) -> Sound:
        return Sound.from_json(self.result("audio"))

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

    def vectors(self, file: str) -> Vectors:
        return commit.load_vectors(self.work.file(file))


Provenance = Callable[[], Mapping[str, object]]


@dataclass(frozen=True)
class Step:
    """`needs` are the stages whose results go in, `params` the IngestParams that matter, `unit` that of progress."""

    version: int
    needs: tuple[str, ...]
    make: Callable[[Kitchen, WorkContext, Provenance], Made]
    params: tuple[str, ...] = ()
    unit: str = "s"


def _probe(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    return Made(to_json(probe.examine(kitchen.source, filename=kitchen.video.filename, params=kitchen.params)))


def _audio(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    sound = audio.listen(kitchen.source, kitchen.info(), kitchen.work.file(audio.WAV), context)
    return Made(to_json(sound), (sound.wav,) if sound.wav else ())


def _transcript(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    sound = kitchen.sound()
    found = transcript.transcribe(
        kitchen.source,
        kitchen.info(),
        subtitles=kitchen.subtitles,
        sound=sound,
        wav=kitchen.work.file(sound.wav) if sound.wav else None,
        recognizer=kitchen.models.speech,
        language=kitchen.language,
        context=context,
    )
    return Made(to_json(found))


def _picture(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    folder = kitchen.work.fresh_folder(picture.FOLDER)
    found = picture.look(kitchen.source, kitchen.info(), folder, kitchen.params, context)
    return Made(to_json(found), tuple(f"{picture.FOLDER}/{c.file}" for c in found.candidates))


def _preview(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    out = kitchen.work.file(preview.FILE)
    height_px = kitchen.params.preview_height_px
    damaged = kitchen.picture().damaged_count > 0
    found = preview.prepare(kitchen.source, kitchen.info(), out, damaged=damaged, height_px=height_px, context=context)
    return Made(to_json(found), (found.file,) if found.file else ())


def _scenes(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    said = kitchen.transcript()
    # only supplied or embedded lines: what a recogniser makes of the sound must not move scenes
    lines = said.segments if said.source in ("subtitles", "embedded") else ()
    found = scenes.make_scenes(
        kitchen.picture().cuts_s,
        kitchen.info().duration_s,
        silences=kitchen.sound().silences,
        lines=lines,
        params=kitchen.params,
    )
    return Made({"scenes": to_json(found)})


def _keyframes(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    out = kitchen.work.fresh_folder(keyframes.FOLDER)
    candidates = kitchen.work.path / picture.FOLDER
    found = keyframes.choose_frames(kitchen.spans(), kitchen.picture(), candidates, out, kitchen.params, context)
    names = [k.file for s in found for k in s.keyframes] + [s.thumbnail for s in found if s.thumbnail]
    return Made({"scenes": to_json(found)}, tuple(f"{keyframes.FOLDER}/{name}" for name in names))


def _text_embedding(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    found, vectors = text_embedding.embed_words(
        kitchen.spans(), kitchen.transcript(), kitchen.sound(), kitchen.models.text(), kitchen.params, context
    )
    _save(kitchen.work.file(text_embedding.FILE), vectors)
    return Made(to_json(found), (text_embedding.FILE,))


def _vision_embedding(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    folder = kitchen.work.path / keyframes.FOLDER
    pooling = kitchen.params.vision_pooling
    found, vectors = vision_embedding.embed_frames(kitchen.frames(), folder, kitchen.models.vision(), pooling, context)
    _save(kitchen.work.file(vision_embedding.FILE), vectors)
    return Made(to_json(found), (vision_embedding.FILE,))


def _tags(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    vectors = kitchen.vectors(vision_embedding.FILE)
    count = len(kitchen.frames())
    found = tags.name_scenes(vectors, kitchen.looks().rows, count, kitchen.models.vision(), context)
    return Made({"scenes": found})


def _commit(kitchen: Kitchen, context: WorkContext, provenance: Provenance) -> Made:
    words, looks, made_preview = kitchen.words(), kitchen.looks(), kitchen.preview()
    info, said = kitchen.info(), kitchen.transcript()
    notes = [*info.notes, *kitchen.sound().notes, *said.notes, *kitchen.picture().notes, *words.notes]
    found = commit.Found(
        info=info,
        transcript=said,
        spans=kitchen.spans(),
        frames=kitchen.frames(),
        words=words,
        tags=kitchen.tags(),
        vectors={
            kitchen.models.spaces["text"]: (words.rows, kitchen.vectors(text_embedding.FILE)),
            kitchen.models.spaces["vision"]: (looks.rows, kitchen.vectors(vision_embedding.FILE)),
        },
        frames_folder=kitchen.work.path / keyframes.FOLDER,
        preview=kitchen.work.file(made_preview.file) if made_preview.file else None,
        notes=list(dict.fromkeys(notes)),
    )
    current = kitchen.store.video(kitchen.video.user_id, kitchen.video.video_id)
    video = commit.commit(kitchen.store, current, found, to_json(provenance()))
    return Made({"generation": video.generation})


def _save(path: Path, vectors: Vectors) -> None:
    with guard_disk(path, vectors.nbytes):
        np.save(path, vectors, allow_pickle=False)


STEPS: dict[str, Step] = {
    "probe": Step(probe.VERSION, (), _probe, probe.PARAMS),
    "audio": Step(audio.VERSION, ("probe",), _audio),
    "transcript": Step(transcript.VERSION, ("probe", "audio"), _transcript),
    "picture": Step(picture.VERSION, ("probe",), _picture, picture.PARAMS),
    "preview": Step(preview.VERSION, ("probe", "picture"), _preview, preview.PARAMS),
    "scenes": Step(scenes.VERSION, ("audio", "transcript", "picture"), _scenes, scenes.PARAMS, "items"),
    "keyframes": Step(keyframes.VERSION, ("picture", "scenes"), _keyframes, keyframes.PARAMS, "items"),
    "text_embedding": Step(
        text_embedding.VERSION, ("audio", "transcript", "scenes"), _text_embedding, text_embedding.PARAMS, "items"
    ),
    "vision_embedding": Step(
        vision_embedding.VERSION, ("keyframes",), _vision_embedding, vision_embedding.PARAMS, "items"
    ),
    "tags": Step(tags.VERSION, ("keyframes", "vision_embedding"), _tags, unit="items"),
    "commit": Step(commit.VERSION, ("preview", "text_embedding", "tags"), _commit, unit="items"),
}
"""In the order of STAGES. Needs are direct; a fingerprint covers what those need in turn."""
