"""The protocols of the models, and the base class of the adapters that read weights.

Vectors are float32, L2-normalised and of shape (n, d). The contract tests in tests/contracts hold every implementation
to the protocols.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypedDict, TypeVar, Unpack, runtime_checkable

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import HeimdexError, ModelBroken, ModelUnavailable
from heimdex_core.models.device import Batches
from heimdex_core.models.locate import Repository, Weights, folder_bytes
from heimdex_core.types import Space, TextLine, Transcript, WorkContext

Vectors = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


@dataclass(frozen=True)
class QueryVector:
    """A query as one model encodes it."""

    vector: Vectors | None
    """Shape (d,); None where the model abstains."""
    reason: str | None = None
    """Why the model abstains, as a machine code such as "no_known_words" or "language"."""
    used_words: tuple[str, ...] = ()
    """The words of the query that the model knows."""
    unknown_words: tuple[str, ...] = ()
    """The words that it left out."""


class Loadable(Protocol):
    """What every model has besides the protocol of its kind."""

    @property
    def is_loaded(self) -> bool:
        """Whether the next call is answered without reading weights first."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size of the model's files. Raises ModelError where they are missing."""
        ...

    def load(self) -> None:
        """Read the weights now. Raises ModelUnavailable, ModelBroken, DeviceUnavailable."""
        ...

    def check(self) -> None:
        """Raise ModelUnavailable or ModelBroken if the files will not do, without loading them."""
        ...


@runtime_checkable
class SpeechRecognizer(Protocol):
    """Recognises the words in speech, with their times."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def version(self) -> int:
        """Of the way it decodes, from 1 on: raised where the same model's transcripts differ in a way that matters."""
        ...

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes of the languages that it recognises; None for many."""
        ...

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """The transcript of a WAV file: 16 kHz, mono, 16-bit.

        `language` is an ISO 639-1 code, also with a region ("en-US"), or "auto". A language that the model does not
        know gives an empty transcript with the note "language_unsupported". `context` receives the progress in seconds
        of audio, and can cancel between pieces of work. Raises Cancelled, InvalidValue (another kind of file),
        ModelUnavailable, ModelBroken, OutOfGpuMemory.
        """
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """Embeds sentences."""

    @property
    def space(self) -> Space: ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of what is said in scenes; a row of zeros where `understands` is false."""
        ...

    def understands(self, text: str) -> bool:
        """False for a text without words, and for one in a language or script that the model does not know."""
        ...

    def encode_query(self, text: str) -> QueryVector:
        """The query in the same space, or the reason why the model abstains."""
        ...


@runtime_checkable
class ImageTextEncoder(Protocol):
    """Embeds images and descriptions of images into one space."""

    @property
    def space(self) -> Space: ...

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """The vectors (n, d) of RGB images of any size. Raises InvalidValue for other arrays."""
        ...

    def encode_query(self, text: str) -> QueryVector:
        """The description in the same space, or the reason why the model abstains."""
        ...

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """Names of what the image with this vector (d,) shows, most certain first; may be empty."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Describes images in one line."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def language(self) -> str:
        """ISO 639-1 code of the language that it writes."""
        ...

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        """One line for each RGB image, the same every time; "" where the model has nothing to say.

        Raises ModelUnavailable, ModelBroken, OutOfGpuMemory.
        """
        ...


@runtime_checkable
class TextReader(Protocol):
    """Reads the text in images."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes of the languages that it reads; None for many."""
        ...

    def read(self, image: Image) -> tuple[TextLine, ...]:
        """The lines in an RGB image of any size, from top to bottom, the same every time; also uncertain ones.

        Raises ModelUnavailable, ModelBroken.
        """
        ...


@dataclass(frozen=True, slots=True)
class Face:
    """A face in an image. Places and sizes are shares of the image's width and height; it may reach over the edge."""

    x: float
    """The left edge."""
    y: float
    """The upper edge."""
    width: float
    height: float
    score: float
    """0 to 1."""
    landmarks: tuple[float, ...] = ()
    """x and y of the right eye, the left eye, the tip of the nose, the right and the left corner of the mouth, as parts
    of width and height; right and left are the person's. Empty where the detector finds none."""


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces in images."""

    def detect(self, image: npt.NDArray[np.uint8]) -> list[Face]:
        """The faces in an RGB image, (height, width, 3) uint8."""
        ...


@runtime_checkable
class FaceEncoder(Protocol):
    """Embeds faces, so that those of one person are near each other."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    def encode_faces(self, image: Image, faces: Sequence[Face]) -> Vectors:
        """The vectors (n, d) of faces that a detector has found in an RGB image, with their landmarks.

        Raises InvalidValue for a face without landmarks, ModelUnavailable, ModelBroken.
        """
        ...


# --- adapters -------------------------------------------------------------------------------------


class ModelOptions(TypedDict, total=False):
    """The options of all adapters of downloaded models."""

    models_dir: Path | None
    """HEIMDEX_MODELS_DIR; None for the default folder."""
    device: str
    """One of "auto" (the default), "cpu" and "cuda"."""
    threads: int
    """Threads per call, by default 1."""
    batch_size: int | None
    """None for the device's default."""


Found = TypeVar("Found", bound=Weights)
Loaded = TypeVar("Loaded")


class LazyModel(ABC, Generic[Found, Loaded]):
    """A model whose files (`Found`) are read into memory (`Loaded`) at its first use.

    Many threads may use it, and are served one at a time. `repository` is the one that the model is named by, if any.
    """

    def __init__(self, name: str, repository: Repository | None = None, **options: Unpack[ModelOptions]) -> None:
        self.name = name
        self._repository = repository
        self._models_dir = options.get("models_dir")
        self._device = options.get("device", "auto")
        self._threads = max(1, options.get("threads", 1))
        self._batch_size = options.get("batch_size")
        self._batches = Batches(name, 1)
        self._lock = threading.RLock()
        self._found: Found | None = None
        self._model: Loaded | None = None

    @property
    def revision(self) -> str:
        """The commit, or a fingerprint of the files; without files the pinned commit, or ""."""
        try:
            return self._files().revision
        except ModelUnavailable:
            return (self._repository and self._repository.revision) or ""

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def size_bytes(self) -> int:
        """Size of the files. Raises ModelUnavailable, ModelBroken."""
        return folder_bytes(self._files().folder)

    @property
    def notes(self) -> tuple[str, ...]:
        """Machine codes of what was not as asked: "batch_halved:<size>" where the GPU's memory ran out."""
        return self._batches.notes

    def load(self) -> None:
        """Read the weights now. Raises ModelUnavailable, ModelBroken, DeviceUnavailable."""
        with self._lock:
            self._loaded()

    def check(self) -> None:
        """Raise ModelUnavailable or ModelBroken if the files will not do, without loading them."""
        self._found = None
        self._check(self._files())

    def _files(self) -> Found:
        if self._found is None:
            self._found = self._find()
        return self._found

    def _loaded(self) -> Loaded:
        """The model in memory; the lock must be held."""
        if self._model is None or not self.is_loaded:
            found = self._files()
            self._check(found)
            self._model = self._read(found)
        return self._model

    @abstractmethod
    def _find(self) -> Found:
        """The model's files. Raises ModelUnavailable, ModelBroken."""

    @abstractmethod
    def _check(self, found: Found) -> None:
        """Raise ModelUnavailable or ModelBroken for files that cannot be loaded."""

    @abstractmethod
    def _read(self, found: Found) -> Loaded:
        """Read the weights of files that were checked. Raises ModelUnavailable, ModelBroken, DeviceUnavailable."""


class LazyEncoder(LazyModel[Found, Loaded]):
    """A model whose vector space, KIND/NAME, is read from its files."""

    kind: Literal["text", "vision"]

    @property
    def space(self) -> Space:
        """Read from the files; of a pinned model known without them. Raises WeightsMissing, ModelBroken."""
        try:
            found = self._files()
        except ModelUnavailable:
            pin = self._repository
            if pin is None or pin.revision is None or pin.dim is None:
                raise
            revision, dim = pin.revision, pin.dim
        else:
            revision, dim = found.revision, self._width(found)
        return Space(f"{self.kind}/{self.name}", self.kind, self.name, revision[:12], dim)

    @abstractmethod
    def _width(self, found: Found) -> int:
        """Width of the vectors."""


@contextmanager
def loading_errors(name: str) -> Iterator[None]:
    """Turn whatever the libraries raise while a model is loaded into ModelUnavailable or ModelBroken."""
    try:
        yield
    except HeimdexError:
        raise
    except ImportError as error:
        raise ModelUnavailable(name=name, reason=str(error)) from error
    except Exception as error:  # safetensors, pickle, tokenizers and timm have errors of their own, even bare Exception
        raise ModelBroken(name=name, reason=str(error) or repr(error)) from error


def checked_vectors(found: Any, shape: tuple[int, int], name: str) -> Vectors:
    """What a model returned as vectors (n, d). Raises ModelBroken for another shape or values that are not finite."""
    vectors = np.asarray(found, dtype=np.float32)
    if vectors.shape != shape or not np.isfinite(vectors).all():
        raise ModelBroken(name=name, reason=f"it returned vectors of shape {vectors.shape}, or not numbers")
    return vectors
