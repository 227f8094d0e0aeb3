"""Speech recognition in many languages by faster-whisper: a size's name, a repository, or a folder for CTranslate2.

The file is read in windows that end in silence, and the speech in each is recognised in batches of clips. What Whisper
hallucinates over music and silence is dropped and counted.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from heimdex_core.errors import DeviceUnavailable, ModelUnavailable
from heimdex_core.models.base import LazyModel, ModelOptions, loading_errors
from heimdex_core.models.device import Batches, Device, choose_device
from heimdex_core.models.family import ModelFamily, adapter_options, matching, repository_files
from heimdex_core.models.locate import Repository, Weights
from heimdex_core.models.speech import whisper_files
from heimdex_core.models.speech.packaged import PACKAGED
from heimdex_core.models.speech.recognition import Recognition
from heimdex_core.models.speech.segment_filter import NO_SPEECH_LIMIT
from heimdex_core.models.speech.windows import open_wav, windows
from heimdex_core.types import Transcript, WorkContext

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline

SIZES: dict[str, str] = {
    **{size: f"Systran/faster-whisper-{size}" for size in ("tiny", "base", "small", "medium")},
    **{f"{size}.en": f"Systran/faster-whisper-{size}.en" for size in ("base", "small", "medium")},
    **{f"large-v{n}": f"Systran/faster-whisper-large-v{n}" for n in (1, 2, 3)},
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    # the names that Whisper's own command line has for them
    "large": "Systran/faster-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    **dict.fromkeys(PACKAGED, ""),
}
# without tokenizer.json faster-whisper would download one
NEEDS = (("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.json", "vocabulary.txt"))
FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*", "preprocessor_config.json")
PINNED = {
    repo: Repository(repo, FILES, revision=revision, licence="MIT", size_bytes=size_bytes)
    for repo, revision, size_bytes in (
        (SIZES["small"], "536b0662742c02347bc0e980a01041f333bce120", 486_212_000),
        (SIZES["medium"], "08e178d48790749d25932bbc082711ddcfdfbc4f", 1_530_572_000),
        (SIZES["large-v3-turbo"], "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf", 1_621_000_000),
    )
}
BATCH: dict[Device, int] = {"cpu": 4, "cuda": 16}

_log = logging.getLogger(__name__)


class Whisper(LazyModel[Weights, "BatchedInferencePipeline"]):
    """A SpeechRecognizer. Runs one transcription at a time; other threads wait.

    `model` is one of SIZES, a repository "org/name" or a folder, else UnknownName is raised. A batch is one of clips.
    Lines to which the model gives a probability of no speech above `no_speech_limit` (0 to 1) are dropped.
    """

    version = 2  # 1 lost what was said after a long pause

    def __init__(
        self, model: str, *, no_speech_limit: float = NO_SPEECH_LIMIT, **options: Unpack[ModelOptions]
    ) -> None:
        self._packaged = PACKAGED.get(model)
        repository = next(iter(HUB.repositories(model)), None)
        named = repository.repo if repository else model
        name = self._packaged.name if self._packaged else Path(named).expanduser().name
        super().__init__(name, repository, **options)
        self._asked = model
        self._no_speech_limit = no_speech_limit
        self._languages: frozenset[str] | None = None

    @property
    def languages(self) -> frozenset[str] | None:
        """The languages that the vocabulary has tokens for; None (many) while the model is not on this machine."""
        if self._languages is None:
            try:
                self._languages = whisper_files.languages(self._files().folder, self.name)
            except ModelUnavailable:
                return None
        return self._languages

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """As SpeechRecognizer has it; can be cancelled between batches."""
        spoken = None if language == "auto" else language.split("-")[0].lower()
        known = self.languages
        if spoken is not None and known is not None and spoken not in known:
            return Transcript((), "recognised", None, self.name, notes=("language_unsupported",))
        with self._lock, open_wav(wav_path) as wav:
            context.check()
            total_s = wav.getnframes() / wav.getframerate()
            context.report(0.0, total_s)
            recognition = Recognition(self._loaded(), self.name, self._batches, spoken, total_s)
            for window in windows(wav):
                context.check()
                recognition.add(window, context)
                context.report(min(window.done_s, total_s), total_s)
            context.report(total_s, total_s)
        return recognition.transcript(self._no_speech_limit)

    def _find(self) -> Weights:
        return self._packaged.find() if self._packaged else HUB.find(self._asked, self._models_dir)

    def _check(self, found: Weights) -> None:
        if self._packaged:
            self._packaged.check(found)
        whisper_files.check_config(found.folder, self.name)

    def _read(self, found: Weights) -> BatchedInferencePipeline:
        device = choose_device(self._device)
        try:
            pipeline = _pipeline(found.folder, self.name, device, self._threads)
        except DeviceUnavailable as error:
            if self._device != "auto":
                raise
            _log.warning("%s runs on the CPU because the GPU cannot be used: %s", self.name, error)
            device = "cpu"
            pipeline = _pipeline(found.folder, self.name, device, self._threads)
        self._batches = Batches(self.name, self._batch_size or BATCH[device])
        return pipeline


# --- loading --------------------------------------------------------------------------------------


def _pipeline(folder: Path, name: str, device: Device, threads: int) -> BatchedInferencePipeline:
    """The loaded model. Raises ModelUnavailable, ModelBroken, DeviceUnavailable."""
    with loading_errors(name):
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        model = WhisperModel(
            str(folder),
            device=device,
            compute_type="float16" if device == "cuda" else "int8",
            cpu_threads=threads,
            local_files_only=True,
        )
        if device == "cuda":
            _try_gpu(model)
        return BatchedInferencePipeline(model)


def _try_gpu(model: Any) -> None:
    """Run the encoder once: CTranslate2 loads cuBLAS and cuDNN only then, and they may be of the wrong version."""
    try:
        model.encode(np.zeros((model.model.n_mels, model.feature_extractor.nb_max_frames), np.float32))
    except RuntimeError as error:
        raise DeviceUnavailable(device="cuda", reason=str(error)) from error


# --- the family -----------------------------------------------------------------------------------


HUB = repository_files(
    "speech",
    names=SIZES,
    pinned=PINNED,
    needs=NEEDS,
    select=lambda names: matching(names, FILES),
    recognises=lambda names: "model.bin" in names and bool(matching(names, ("vocabulary.*",))),
)
FAMILY = ModelFamily(
    name="whisper",
    kind="speech",
    make=lambda name, settings, purpose: Whisper(
        name, no_speech_limit=settings.no_speech_limit, **adapter_options(settings, purpose, "speech")
    ),
    names=SIZES,
    licence="MIT",
    hub=HUB,
)
