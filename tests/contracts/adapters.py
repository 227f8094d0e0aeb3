"""The models that the contract tests of the protocols are run with: those of the profiles, and the small real ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from heimdex_core.models.base import Captioner, ImageTextEncoder, SpeechRecognizer, TextEncoder
from heimdex_core.models.profiles import PROFILES, missing_of, profile_choice
from heimdex_core.models.registry import Models, choose_profile
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.models.text.minilm import model_folder
from heimdex_core.models.text.sentence import SentenceEncoder
from heimdex_core.models.vision.captioner import CocaCaptioner
from heimdex_core.models.vision.openclip import OpenClip
from heimdex_core.settings import Settings
from tests.models.vision.small_coca import trained_coca

SMALL = Path(__file__).parents[1] / "models_small"
HERE = tuple(name for name in PROFILES if not missing_of(profile_choice(name), Settings()))
"""Profiles whose models are on this machine: offline always, others where they have been downloaded."""


def _models(profile: str) -> Models:
    return Models(choose_profile(profile), Settings())


def _speech(profile: str) -> SpeechRecognizer:
    found = _models(profile).speech()
    if found is None:
        raise LookupError(f"the profile {profile} has no recogniser")
    return found


def _text(profile: str) -> TextEncoder:
    return _models(profile).text()


def _vision(profile: str) -> ImageTextEncoder:
    return _models(profile).vision()


SPEECH: dict[str, Callable[[], SpeechRecognizer]] = {
    **{profile: partial(_speech, profile) for profile in HERE},
    "whisper-small": lambda: Whisper(str(SMALL / "whisper")),
}
TEXT: dict[str, Callable[[], TextEncoder]] = {
    **{profile: partial(_text, profile) for profile in HERE},
    "sentence-minilm": lambda: SentenceEncoder(str(model_folder())),
    "sentence-small": lambda: SentenceEncoder(str(SMALL / "sentences")),
}
VISION: dict[str, Callable[[], ImageTextEncoder]] = {
    **{profile: partial(_vision, profile) for profile in HERE},
    "openclip": lambda: OpenClip(f"local-dir:{SMALL / 'open_clip'}"),
}
CAPTION: dict[str, Callable[[], Captioner]] = {
    "coca": lambda: CocaCaptioner(f"local-dir:{trained_coca()}"),
}
