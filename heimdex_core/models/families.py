"""Models that people choose by name: the part of a spec before its first colon says which adapter reads the rest.

whisper:small   whisper:/models/my-whisper      sentence:BAAI/bge-m3   sentence:/models/e5
openclip:ViT-B-16-SigLIP2/webli   openclip:local-dir:/models/clip   (captions:) openclip:coca_ViT-B-32/laion2b_s13b_b90k
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.models.text.sentence import SentenceEncoder
from heimdex_core.models.threads import threads_for
from heimdex_core.models.vision.captioner import CocaCaptioner
from heimdex_core.models.vision.openclip import OpenClip
from heimdex_core.settings import Settings

Made = Whisper | SentenceEncoder | OpenClip | CocaCaptioner
Purpose = Literal["ingest", "query"]
"""A process that only answers queries shares the machine with a worker and gets fewer threads."""


def _whisper(name: str, settings: Settings, purpose: Purpose) -> Whisper:
    return Whisper(
        name,
        models_dir=settings.models_dir,
        device=settings.device,
        threads=threads_for("speech", asked=settings.worker_threads),
        no_speech_limit=settings.no_speech_limit,
    )


def _sentence(name: str, settings: Settings, purpose: Purpose) -> SentenceEncoder:
    return SentenceEncoder(
        name,
        models_dir=settings.models_dir,
        device=settings.device,
        threads=threads_for("query" if purpose == "query" else "text", asked=settings.worker_threads),
    )


def _openclip(name: str, settings: Settings, purpose: Purpose) -> OpenClip:
    return OpenClip(
        name,
        models_dir=settings.models_dir,
        device=settings.device,
        threads=threads_for("query" if purpose == "query" else "vision", asked=settings.worker_threads),
        prompts=settings.vision_prompts,
    )


def _coca(name: str, settings: Settings, purpose: Purpose) -> CocaCaptioner:
    return CocaCaptioner(
        name,
        models_dir=settings.models_dir,
        device=settings.device,
        threads=threads_for("vision", asked=settings.worker_threads),
    )


FAMILIES: Mapping[str, Mapping[str, Callable[[str, Settings, Purpose], Made]]] = {
    "speech": {"whisper": _whisper},
    "text": {"sentence": _sentence},
    "vision": {"openclip": _openclip},
    "caption": {"openclip": _coca},
}


def make(kind: str, spec: str, settings: Settings, purpose: Purpose = "ingest") -> Made | None:
    """The model that `spec` names, without its weights; None where no family of this kind has such a spec.

    Raises UnknownName, with the nearest ones, where the family does not know the name.
    """
    family, colon, name = spec.partition(":")
    maker = FAMILIES.get(kind, {}).get(family)
    return maker(name, settings, purpose) if maker and colon and name else None
