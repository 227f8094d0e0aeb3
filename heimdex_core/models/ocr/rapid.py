"""RapidOCR: PaddleOCR's models on ONNX Runtime, which find lines of text in a picture and read them.

PP-OCRv6 small comes with the package: it finds lines in any script and reads those in Latin letters, Chinese and
Japanese. The recogniser of PP-OCRv5 that reads Korean has to be downloaded (`models pull ocr`); each line is then read
by both, and the more certain reading is taken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from heimdex_core.errors import ModelBroken, ModelUnavailable, WeightsMissing
from heimdex_core.models import locate
from heimdex_core.models.base import Image, LazyModel, ModelOptions, loading_errors
from heimdex_core.models.family import ModelFamily, adapter_options, is_folder, matching, repository_files
from heimdex_core.models.locate import Repository, Weights, check_files, package_folder
from heimdex_core.types import TextLine

DETECTION, RECOGNITION = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
PACKAGED = {
    # of rapidocr 3.10.0
    DETECTION: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    RECOGNITION: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
KOREAN = "korean_PP-OCRv5_rec_mobile.onnx"
PULLED = f"onnx/PP-OCRv5/rec/{KOREAN}"
REPOSITORY = Repository(
    "RapidAI/RapidOCR",
    files=(PULLED,),
    revision="v3.10.0",
    licence="Apache-2.0",
    size_bytes=13_488_748,
    sha256={PULLED: "cd6e2ea50f6943ca7271eb8c56a877a5a90720b7047fe9c41a2e541a25773c9b"},
    endpoint="https://www.modelscope.cn/models",
)
"""The files that the package itself downloads, at its version; a tag may move, so their content is pinned."""
NAMES = {"english": "", "ocr": REPOSITORY.repo}
MAX_LINES = 200
"""Lines that are read in one image, so that noise does not take minutes."""
_MAX_SIDE_PX = 960
"""Larger images are reduced to this before lines are looked for. Smaller ones are not enlarged, which would take six
times as long and found nothing more in keyframes."""
_CHARACTERS = "character"
"""In the metadata of a recogniser's file: its characters, one a line."""


@dataclass(frozen=True)
class OcrFiles(Weights):
    """The files of a reader: in `folder` the recogniser `extra` where there is one, the others in the package."""

    extra: str | None = None


class _Engines:
    """One detector and one or two recognisers, loaded. Raises whatever the libraries raise."""

    def __init__(self, detection: Path, recognition: Sequence[Path], threads: int) -> None:
        from rapidocr import RapidOCR

        # it takes all cores for a number above theirs
        count = max(1, min(threads, os.cpu_count() or 1))
        common = {
            "Global.log_level": "critical",  # that nothing was found is no warning
            "Global.use_vertical_padding": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": count,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(detection),
            "Det.limit_type": "max",
            "Det.limit_side_len": _MAX_SIDE_PX,
            "Det.max_candidates": MAX_LINES,
            "Rec.rec_batch_num": 1,  # more at once are no quicker on a CPU, and take several times the memory
        }
        self._engines = [RapidOCR(params={**common, "Rec.model_path": str(path)}) for path in recognition]
        blank = np.zeros((48, 320, 3), np.uint8)
        self._crops(blank)  # models are read at their first call
        for engine in self._engines:
            engine.recognize_txt([blank])

    def lines(self, image: Image) -> list[TextLine]:
        """The lines in an RGB image from top to bottom, those of one row from left to right."""
        crops, boxes = self._crops(np.ascontiguousarray(image[..., ::-1]))
        if not crops:
            return []
        readings = [self._read(engine, crops) for engine in self._engines]
        height, width = image.shape[:2]
        found = []
        for box, alternatives in zip(boxes, zip(*readings, strict=True), strict=True):
            text, confidence = max(alternatives, key=lambda one: one[1])
            if text:
                found.append(_line(text, confidence, np.asarray(box) / (width, height)))
        return found

    def _crops(self, image: Image) -> tuple[list[Image], Sequence[Any]]:
        """The pieces (BGR) of an image (BGR) with a line each, upright, and the four corners of each in pixels."""
        from rapidocr.main import RapidOCRError

        try:
            crops, found = self._engines[0].detect_and_crop(image, {})
        except RapidOCRError:  # there is no text
            return [], []
        return list(crops), [] if found.boxes is None else list(found.boxes)

    @staticmethod
    def _read(engine: Any, crops: Sequence[Image]) -> list[tuple[str, float]]:
        found = engine.recognize_txt(list(crops))
        pairs = zip(found.txts, found.scores, strict=True)
        return [(_tidy(text), float(score)) for text, score in pairs]


class RapidReader(LazyModel[OcrFiles, _Engines]):
    """A TextReader. `name` is one of NAMES, or a folder with a file named as KOREAN."""

    def __init__(self, name: str, **options: Unpack[ModelOptions]) -> None:
        super().__init__(name, REPOSITORY if NAMES.get(name) else None, **options)

    @property
    def languages(self) -> frozenset[str]:
        """Of those that are tested here; PP-OCRv6 reads some 50 languages in Latin letters."""
        return frozenset({"en", "zh", "ja"} if NAMES.get(self.name) == "" else {"en", "zh", "ja", "ko"})

    @property
    def size_bytes(self) -> int:
        """Size of the files. Raises ModelUnavailable, ModelBroken."""
        return sum(path.stat().st_size for path in self._paths(self._files()))

    def read(self, image: Image) -> tuple[TextLine, ...]:
        """As TextReader.read."""
        with self._lock:
            return tuple(self._loaded().lines(image))

    def _find(self) -> OcrFiles:
        return find(self.name, self._models_dir)

    def _check(self, found: OcrFiles) -> None:
        for path in self._paths(found):
            if not path.is_file():
                raise ModelUnavailable(name=self.name, reason=f"there is no file {path}")
        check_files(self.name, _package_models(), PACKAGED)

    def _read(self, found: OcrFiles) -> _Engines:
        detection, *recognition = self._paths(found)
        with loading_errors(self.name):
            if found.extra is not None:
                _check_characters(recognition[-1], self.name)
            return _Engines(detection, recognition, self._threads)

    @staticmethod
    def _paths(found: OcrFiles) -> list[Path]:
        """The detector, then the recognisers."""
        packaged = [_package_models() / name for name in PACKAGED]
        return [*packaged, found.folder / found.extra] if found.extra is not None else packaged


def _line(text: str, confidence: float, corners: Any) -> TextLine:
    """`corners` are shares of the image, (4, 2)."""
    (left, top), (right, bottom) = np.clip(corners.min(axis=0), 0, 1), np.clip(corners.max(axis=0), 0, 1)
    place = [round(float(value), 4) for value in (left, top, right - left, bottom - top)]
    return TextLine(text, round(min(max(confidence, 0.0), 1.0), 3), *place)


def _tidy(text: str) -> str:
    """One line of printable characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _check_characters(path: Path, name: str) -> None:
    """Raise ModelBroken for a recogniser that does not name its characters: RapidOCR would ask the network for them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    if _CHARACTERS not in session.get_modelmeta().custom_metadata_map:
        raise ModelBroken(name=name, reason=f"{path.name} does not name its characters in its metadata")


# --- the files ------------------------------------------------------------------------------------


def _package_models() -> Path:
    """The folder of the models in the installed package. ModelUnavailable if it is not installed."""
    return package_folder("rapidocr", name="rapidocr") / "models"


_HUB_FILES = repository_files(
    "ocr",
    names=NAMES,
    pinned={REPOSITORY.repo: REPOSITORY},
    needs=((PULLED, KOREAN),),
    select=lambda names: matching(names, (PULLED, KOREAN)),
    recognises=lambda names: bool({PULLED, KOREAN} & set(names)),
)


def find(name: str, models_dir: Path | None) -> OcrFiles:
    """The files of a reader: the Korean recogniser in the models folder, by its name, or in that of its repository.

    A folder as the `name` may have any recogniser under the name KOREAN. Raises WeightsMissing; ModelBroken where the
    file has another content than the published one; UnknownName.
    """
    if NAMES.get(name) == "":
        return OcrFiles(_package_models(), _revision(PACKAGED.values()))
    if is_folder(name):
        found = _HUB_FILES.find(name, models_dir)
        return OcrFiles(found.folder, _revision([*PACKAGED.values(), found.revision]), _first_of(found.folder))
    (repository,) = _HUB_FILES.repositories(name)
    root = locate.models_folder(models_dir)
    try:
        # whatever its revision: the content is compared
        folder = locate.find(repository.repo, ((PULLED, KOREAN),), name=name, models_dir=models_dir).folder
    except WeightsMissing:
        if not (root / KOREAN).is_file():
            raise
        folder = root
    file, sha256 = _first_of(folder), REPOSITORY.sha256[PULLED]
    check_files(f"{FAMILY.name}:{name}", folder, {file: sha256})
    return OcrFiles(folder, _revision([*PACKAGED.values(), sha256]), file)


def _first_of(folder: Path) -> str:
    return next(name for name in (PULLED, KOREAN) if (folder / name).is_file())


def _revision(parts: Iterable[str]) -> str:
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def _make(name: str, settings: Any, purpose: Any) -> RapidReader:
    _HUB_FILES.repositories(name)  # raises UnknownName
    return RapidReader(name, **adapter_options(settings, purpose, "vision"))


FAMILY = ModelFamily(
    name="rapidocr",
    kind="ocr",
    make=_make,
    names=NAMES,
    licence="Apache-2.0",
    hub=replace(_HUB_FILES, find=find),
)
