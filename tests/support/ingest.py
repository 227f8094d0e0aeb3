"""A library with small stand-in models, so that ingest can be tested without loading real ones."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heimdex_core.models.base import Captioner, Image, QueryVector, Vectors
from heimdex_core.models.profiles import ModelChoice
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import Segment, Space, Transcript, Video, VideoState, WorkContext

USER = "local"


class LetterText:
    """Counts the letters a to h. Text without any of them has a row of zeros, as unreadable text has."""

    space = Space("text/letters", "text", "letters", "1", 8)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
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

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        self.batches.append(len(images))
        means = np.stack([image.reshape(-1, 3).mean(axis=0) + 1.0 for image in images])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(None, reason="no_known_words")

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        return (("red", "green", "blue")[int(np.argmax(vector))],)


class OneLine:
    """Hears the same sentence in every sound."""

    name = "one-line"
    revision = "1"
    rough = True
    languages: frozenset[str] | None = frozenset({"en"})

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        context.check()
        context.report(1.0, 1.0)
        line = Segment(0.0, 1.0, "a bad cab had a bead")
        return Transcript((line,), source="recognised", language="en", model=self.name, rough=True)


class SmallModels:
    """What ingest asks of Models."""

    def __init__(self) -> None:
        self.choice = ModelChoice("offline", "asked", speech="one-line:1", text="letters:1", vision="mean-colour:1")
        self._speech, self._text, self._vision = OneLine(), LetterText(), MeanColour()
        self.spaces = {"text": self._text.space, "vision": self._vision.space}

    def speech(self) -> OneLine:
        return self._speech

    def text(self) -> LetterText:
        return self._text

    def vision(self) -> MeanColour:
        return self._vision

    def captioner(self) -> Captioner | None:
        return None

    def encoder(self, space_name: str) -> LetterText | MeanColour:
        return {model.space.name: model for model in (self._text, self._vision)}[space_name]


def settings(**changes: object) -> Settings:
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
