"""Speech in many languages by faster-whisper: a size's name, a repository, or a folder in CTranslate2's format.

The file is heard in windows cut at silence, and each window's speech in batches of clips. What Whisper makes
up over music and silence is left out and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.errors import DeviceUnavailable, ModelBroken, ModelUnavailable
from heimdex_core.models import locate as where
from heimdex_core.models.batching import Batches, is_out_of_memory
from heimdex_core.models.device import Device, choose_device
from heimdex_core.models.speech import whisper_files
from heimdex_core.models.speech.lines import lines, within_speech
from heimdex_core.models.speech.segment_filter import NO_SPEECH_LIMIT, filter_segments
from heimdex_core.models.speech.windows import Span, Window, open_wav, windows
from heimdex_core.models.weights import folder_bytes
from heimdex_core.types import Segment, Transcript, Word, WorkContext

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline

SIZES: dict[str, str] = {
    **{size: f"Systran/faster-whisper-{size}" for size in ("tiny", "base", "small", "medium")},
    **{f"{size}.en": f"Systran/faster-whisper-{size}.en" for size in ("tiny", "base", "small", "medium")},
    **{f"large-v{n}": f"Systran/faster-whisper-large-v{n}" for n in (1, 2, 3)},
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    # the names that Whisper's own command has for them
    "large": "Systran/faster-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
# without tokenizer.json the library would ask the hub for one
NEEDS = (("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.json", "vocabulary.txt"))
BATCH: dict[Device, int] = {"cpu": 4, "cuda": 16}
BEAM = 5
SURE = 0.5
"""A language found with less probability is looked for again in the next speech."""
LANGUAGE_CLIPS = 4

_log = logging.getLogger(__name__)


class Whisper:
    """A SpeechRecognizer. One transcription at a time; others wait their turn."""

    rough = False
    licence = "MIT"

    def __init__(
        self,
        model: str,
        *,
        models_dir: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        no_speech_limit: float = NO_SPEECH_LIMIT,
        batch_size: int | None = None,
    ) -> None:
        """`model` is one of SIZES, a repository "org/name", or a folder. UnknownName for another word."""
        self._folder = Path(model).expanduser() if _is_folder(model) else None
        if self._folder is None and model not in SIZES and model.count("/") != 1:
            raise where.unknown("speech model", model, SIZES)
        self._asked = model
        self._models_dir = models_dir
        self._device = device
        self._threads = max(1, threads)
        self._no_speech_limit = no_speech_limit
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._pipeline: BatchedInferencePipeline | None = None
        self._batches = Batches(model, 1)
        self._languages: frozenset[str] | None = None
        self._found: where.Weights | None = None

    @property
    def name(self) -> str:
        if self._folder is not None:
            return self._folder.name
        return SIZES.get(self._asked, self._asked).split("/")[-1]

    @property
    def revision(self) -> str:
        """The commit or the files' fingerprint; where there are no files, the commit that is wanted, or ""."""
        try:
            return self._weights().revision
        except ModelUnavailable:
            pin = where.PINNED.get(SIZES.get(self._asked, self._asked))
            return (pin.revision or "") if pin else ""

    @property
    def languages(self) -> frozenset[str] | None:
        """Languages that the model's vocabulary has a token for; None (many) while it is not on this machine."""
        if self._languages is None:
            try:
                self._languages = whisper_files.languages(self._weights().folder, self.name)
            except ModelUnavailable:
                return None
        return self._languages

    @property
    def is_loaded(self) -> bool:
        return self._pipeline is not None

    @property
    def size_bytes(self) -> int:
        return folder_bytes(self._weights().folder)

    def check(self) -> None:
        """Raise WeightsMissing or ModelBroken, without loading."""
        self._found = None
        whisper_files.check_config(self._weights().folder, self.name)

    def load(self) -> None:
        """Read the weights now. Raises WeightsMissing, ModelUnavailable, ModelBroken, DeviceUnavailable."""
        with self._lock:
            self._loaded()

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """What is said in a 16 kHz mono 16-bit WAV; progress in seconds of audio.

        A language that the model does not know gives an empty transcript with the note "language_unsupported".
        Raises Cancelled (between batches), InvalidValue, OutOfGpuMemory and what `load` raises.
        """
        spoken = None if language == "auto" else language.split("-")[0].lower()
        known = self.languages
        if spoken is not None and known is not None and spoken not in known:
            return Transcript((), "recognised", None, self.name, notes=("language_unsupported",))
        with self._lock, open_wav(wav_path) as wav:
            context.check()
            total_s = wav.getnframes() / wav.getframerate()
            context.report(0.0, total_s)
            pipeline = self._loaded()
            heard = _Heard(pipeline, self.name, self._batches, spoken, total_s)
            for window in windows(wav):
                context.check()
                heard.window(window, context)
                context.report(min(window.done_s, total_s), total_s)
            context.report(total_s, total_s)
        return heard.transcript(self._no_speech_limit)

    def _weights(self) -> where.Weights:
        if self._found is None:
            if self._folder is not None:
                self._found = where.at(self._folder, NEEDS, name=self.name)
            else:
                repo = SIZES.get(self._asked, self._asked)
                self._found = where.find(repo, NEEDS, name=self._asked, models_dir=self._models_dir)
        return self._found

    def _loaded(self) -> BatchedInferencePipeline:
        """The model; the lock must be held."""
        if self._pipeline is None:
            from_folder, device = self._weights().folder, choose_device(self._device)
            try:
                self._pipeline = _load(from_folder, self.name, device, self._threads)
            except DeviceUnavailable as error:
                if self._device != "auto":
                    raise
                _log.warning("%s runs on the CPU: %s", self.name, error)
                device = "cpu"
                self._pipeline = _load(from_folder, self.name, device, self._threads)
            self._batches = Batches(self.name, self._batch_size or BATCH[device])
        return self._pipeline


class _Heard:
    """What one file has given so far."""

    def __init__(
        self, pipeline: BatchedInferencePipeline, name: str, batches: Batches, language: str | None, total_s: float
    ) -> None:
        self._pipeline = pipeline
        self._name = name
        self._batches = batches
        self._asked = self._language = language
        self._total_s = total_s
        self._spoken_s: Counter[str] = Counter()
        self._clips: list[Segment] = []
        self._unsure: tuple[str, float] | None = None

    def window(self, window: Window, context: WorkContext) -> None:
        """Hear one window, batch by batch."""

        def hear(clips: Sequence[Span]) -> tuple[list[Segment], float]:
            context.check()
            return self._recognised(window, clips), clips[-1][1]

        for found, end_s in self._batches.run(window.clips, hear):
            self._clips += found
            context.report(min(window.start_s + end_s, self._total_s), self._total_s)

    def _recognised(self, window: Window, clips: Sequence[Span]) -> list[Segment]:
        """One segment a clip, its words with their own spaces, times from the start of the file."""
        try:
            found, info = self._pipeline.transcribe(
                window.samples,
                language=self._language,
                language_detection_segments=LANGUAGE_CLIPS,
                language_detection_threshold=SURE,
                clip_timestamps=[{"start": a, "end": b} for a, b in clips],
                batch_size=len(clips),
                beam_size=BEAM,
                word_timestamps=True,
            )
            parts = list(found)
        except (RuntimeError, ValueError, IndexError, KeyError, AssertionError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelBroken(name=self._name, reason=str(error) or type(error).__name__) from error
        if self._language is None:
            self._settle(info.language, info.language_probability)
        self._spoken_s[info.language] += sum(part.end - part.start for part in parts)
        return [_segment(part, window, self._total_s) for part in parts if part.text.strip()]

    def _settle(self, language: str, probability: float) -> None:
        if probability >= SURE:
            self._language, self._unsure = language, None
        elif self._unsure is None or probability > self._unsure[1]:
            self._unsure = (language, probability)

    def transcript(self, no_speech_limit: float) -> Transcript:
        """The lines that are left when what was made up is taken out, with the counts of that."""
        # a loop fills a whole clip, a stock phrase is one line of it: both are looked at
        clips = filter_segments(self._clips, no_speech_limit=no_speech_limit)
        found: list[Segment] = []
        for clip in clips.segments:
            found += lines(
                clip.words or (Word(clip.text, clip.start_s, clip.end_s),),
                no_speech=clip.no_speech,
                after_s=found[-1].end_s if found else 0.0,
                total_s=self._total_s,
            )
        kept = filter_segments(found, no_speech_limit=no_speech_limit)
        notes = [] if self._unsure is None else [f"language_unsure:{self._unsure[0]}:{self._unsure[1]:.2f}"]
        notes += [self._batches.note] if self._batches.note else []
        spoken = self._asked or (self._spoken_s.most_common(1)[0][0] if self._spoken_s else None)
        dropped = dict(Counter(clips.dropped) + Counter(kept.dropped))
        return Transcript(kept.segments, "recognised", spoken, self._name, dropped=dropped, notes=tuple(notes))


def _segment(part: Any, window: Window, total_s: float) -> Segment:
    start_s = window.start_s
    words = within_speech(
        [
            Word(word.word, start_s + float(word.start), start_s + float(word.end), round(float(word.probability), 4))
            for word in part.words or ()
        ],
        [(start_s + a, start_s + b) for a, b in window.speech],
    )
    begin_s = min(max(0.0, start_s + float(part.start)), total_s)
    end_s = min(max(begin_s, start_s + float(part.end)), total_s)
    return Segment(begin_s, end_s, part.text.strip(), no_speech=round(float(part.no_speech_prob), 4), words=words)


# --- loading --------------------------------------------------------------------------------------


def _load(folder: Path, name: str, device: Device, threads: int) -> BatchedInferencePipeline:
    """Raises ModelUnavailable, ModelBroken, DeviceUnavailable."""
    whisper_files.check_config(folder, name)
    try:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        model = WhisperModel(
            str(folder),
            device=device,
            compute_type="float16" if device == "cuda" else "int8",
            cpu_threads=threads,
            local_files_only=True,
        )
    except ImportError as error:
        raise ModelUnavailable(name=name, reason=str(error)) from error
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelBroken(name=name, reason=str(error)) from error
    if device == "cuda":
        _try_gpu(model)
    return BatchedInferencePipeline(model)


def _try_gpu(model: Any) -> None:
    """CTranslate2 loads cuBLAS and cuDNN at the first call only, and they may be of another version than it wants."""
    try:
        model.encode(np.zeros((model.model.n_mels, model.feature_extractor.nb_max_frames), np.float32))
    except RuntimeError as error:
        raise DeviceUnavailable(device="cuda", reason=str(error)) from error


def _is_folder(model: str) -> bool:
    path = Path(model).expanduser()
    return path.is_absolute() or model.startswith(".") or path.is_dir()
