"""What a model must offer, whichever it is. Contract tests in tests/contracts hold every one to this.

Vectors are float32 and L2-normalised, shape (n, d). Models load on first use, once per process.
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
    """A query as one model reads it.

    `vector` is (d,) or None where the model abstains; then `reason` is a machine code, for example
    "no_known_words" or "language". `used_words` are the query's words that the model understood,
    `unknown_words` those that it left out.
    """

    vector: Vectors | None
    reason: str | None = None
    used_words: tuple[str, ...] = ()
    unknown_words: tuple[str, ...] = ()


@runtime_checkable
class SpeechRecognizer(Protocol):
    """Turns 16 kHz mono speech into timed words."""

    name: str
    revision: str
    rough: bool
    """True where about every second word may be wrong; the app says so."""
    languages: frozenset[str] | None
    """ISO 639-1 codes; None means many."""

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """Transcript of a 16 kHz mono 16-bit WAV file; progress in seconds of audio.

        Raises Cancelled between pieces of work, ModelUnavailable or ModelBroken.
        """
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """Embeds sentences."""

    space: Space

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, d) vectors of what is said in scenes; a row of zeros where `understands` is false."""
        ...

    def understands(self, text: str) -> bool:
        """False for a text that is empty or in a language (script) that the model cannot read."""
        ...

    def encode_query(self, text: str) -> QueryVector:
        """The query in the same space, or the reason why it abstains."""
        ...


@runtime_checkable
class ImageTextEncoder(Protocol):
    """Embeds pictures and descriptions of pictures into one space."""

    space: Space

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """(n, d) vectors of RGB pictures of any size."""
        ...

    def encode_query(self, text: str) -> QueryVector:
        """The description in the same space, or the reason why it abstains."""
        ...

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """Names, most certain first, of what a scene's vector (d,) shows; may be empty."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Describes pictures in words."""

    name: str
    revision: str
    language: str
    """ISO 639-1 code of the language that it writes."""

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        """One line for each RGB picture, always the same for the same picture; "" where it has none.

        Raises ModelUnavailable, ModelBroken.
        """
        ...
