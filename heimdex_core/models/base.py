"""The protocols of the models. The contract tests in tests/contracts hold every implementation to them.

Vectors are float32, L2-normalised and of shape (n, d). Models load at their first use, once per process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from heimdex_core.types import Space, Transcript, WorkContext

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
    def rough(self) -> bool:
        """Whether about every second word may be wrong; the app then says so."""
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
