"""A library with small stand-in models, so that ingest can be tested without loading real ones."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.models.base import Captioner, Image, QueryVector, Vectors
from heimdex_core.models.profiles import ModelChoice
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import ModelSet, Segment, Space, TextLine, Transcript, Video, VideoState, WorkContext

USER = "local"


class LetterText:
    """Counts the letters a to h. Text without any of them has a row of zeros, as unreadable text has."""

    space = Space("text/letters", "text", "letters", "1", 8)

    def __init__(self, revision: str = "1") -> None:
        if revision != "1":
            self.space = Space(f"text/letters-{revision}", "text", "letters", revision, 8)
        self.batches: list[int] = []

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(len(texts))
        counts = np.array([[text.lower().count(c) for c in "abcdefgh"] for text in texts], dtype=np.float32)
        norms = np.linalg.norm(counts, axis=1, keepdims=True)
        return np.divide(counts, norms, out=np.zeros_like(counts), where=norms > 0)

    def understands(self, text: str) -> bool:
        return any(c in text.lower() for c in "abcdefgh")

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(self.encode_passages([text])[0])


class MeanColour:
    """The mean colour as a vector; its tag is the strongest of red, green and blue."""

    space = Space("vision/mean-colour", "vision", "mean-colour", "1", 3)

    def __init__(self, revision: str = "1") -> None:
        if revision != "1":
            self.space = Space(f"vision/mean-colour-{revision}", "vision", "mean-colour", revision, 3)
        self.batches: list[int] = []

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        self.batches.append(len(images))
        means = np.stack([image.reshape(-1, 3).mean(axis=0) + 1.0 for image in images])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(None, reason="no_known_words")

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        return (("red", "green", "blue")[int(np.argmax(vector))],)


class ColourWords:
    """Says which of red, green and blue a picture is mostly of."""

    name = "colour-words"
    revision = "1"
    language = "en"

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        names = ("a red picture", "a green picture", "a blue picture")
        return tuple(names[int(np.argmax(image.reshape(-1, 3).mean(axis=0)))] for image in images)


class ColourReader:
    """Reads the main colour of a picture, with certainty, and something else without; nothing in grey pictures."""

    name = "colour-reader"
    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(self, revision: str = "1") -> None:
        self.revision = revision

    def read(self, image: Image) -> tuple[TextLine, ...]:
        mean = image.reshape(-1, 3).mean(axis=0)
        if mean.max() - mean.min() < 50:
            return ()
        name = ("RED SIGN", "GREEN SIGN", "BLUE SIGN")[int(np.argmax(mean))]
        return (
            TextLine(name, 0.95, 0.1, 0.1, 0.5, 0.2),
            TextLine("smudge", 0.4, 0.1, 0.6, 0.5, 0.1),
        )


class OneLine:
    """Hears the same sentence in every sound."""

    name = "one-line"
    version = 1
    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(self, revision: str = "1") -> None:
        self.revision = revision

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        if not wav_path.is_file():
            raise FileNotFoundError(wav_path)
        context.check()
        context.report(1.0, 1.0)
        line = Segment(0.0, 1.0, "a bad cab had a bead")
        return Transcript((line,), source="recognised", language="en", model=self.name)


class SmallModels:
    """What ingest asks of Models. Each model by its revision; `extra` as in ModelChoice, of these models."""

    def __init__(
        self,
        *,
        speech: str = "1",
        text: str = "1",
        vision: str = "1",
        captions: bool = False,
        ocr: str = "",
        extra: tuple[str, ...] = (),
    ) -> None:
        self.choice = ModelChoice(
            "offline",
            "asked",
            speech=f"one-line:{speech}",
            text=f"letters:{text}",
            vision=f"mean-colour:{vision}",
            caption="colour-words:1" if captions else "",
            ocr=f"colour-reader:{ocr}" if ocr else "",
            extra=extra,
        )
        self._speech, self._text, self._vision = OneLine(speech), LetterText(text), MeanColour(vision)
        self.spaces = {"text": self._text.space, "vision": self._vision.space}
        self._encoders: dict[str, LetterText | MeanColour] = {
            model.space.name: model for model in (self._text, self._vision)
        }
        for kind, spec in self.choice.extras:
            revision = spec.partition(":")[2]
            model = LetterText(revision) if kind == "text" else MeanColour(revision)
            self.spaces[model.space.name] = model.space
            self._encoders[model.space.name] = model
        if captions:
            own = dataclasses.replace(self._text.space, name=self._text.space.name.replace("text/", "caption/"))
            self.spaces["caption"] = own
            self._encoders[own.name] = self._text

    def speech(self) -> OneLine:
        return self._speech

    def text(self) -> LetterText:
        return self._text

    def vision(self) -> MeanColour:
        return self._vision

    def captioner(self) -> Captioner | None:
        return ColourWords() if self.choice.caption else None

    def reader(self) -> ColourReader | None:
        return ColourReader(self.choice.ocr.partition(":")[2]) if self.choice.ocr else None

    def encoder(self, space_name: str) -> LetterText | MeanColour:
        return self._encoders[space_name]


def add_set(store: Store, models: SmallModels) -> ModelSet:
    """A set of these models, not the active one."""
    return store.sets.add("small", models.choice.to_dict(), models.spaces)


def settings(**changes: Any) -> Settings:
    """The defaults, whatever the environment says, with quick retries."""
    return Settings(_env_file=None, **{"retry_backoff_s": 0.01, **changes})


def new_store(root: Path) -> Store:
    """An empty library for SmallModels."""
    models = SmallModels()
    return Store.create(root, profile="offline", models=models.choice.to_dict(), spaces=models.spaces)


def place_video(store: Store, path: Path, *, subtitles: Path | None = None, language: str = "auto") -> Video:
    """The file in the library, ready to be ingested."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    video, _ = store.register_video(USER, sha256, path.stem, path.name, language=language)
    source = store.paths.new_source(video.video_id, path.suffix)
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, source)
    if subtitles is not None:
        shutil.copy(subtitles, store.paths.new_subtitles(video.video_id, subtitles.suffix))
    return store.set_state(video.video_id, VideoState.VALIDATING)
