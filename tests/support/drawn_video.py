"""Videos of drawings with speech over them, in the words that the small models of the tests know.

scenes = make_drawn_video(path, scenes=[
    ("green triangle above a red circle", None, 4.0),
    ("blue star", "the old captain crosses the river today", 5.0),
])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.models_small.drawings import Picture, draw
from tests.models_small.speech import RATE_HZ, VOCABULARY, SpokenWord, speak
from tests.support.clips import Size, audio_codec, ffmpeg, video_codec

SPEECH_AFTER_S = 0.5
"""A scene's sentence begins this long after its cut."""
CUT_DIFFERENCE = 40.0
"""Neighbouring drawings differ at least so much (mean of hue, saturation and value): nobody misses the cut."""
TRIES = 200


@dataclass(frozen=True)
class DrawnScene:
    """What is shown in [start_s, end_s), and the words said in it, all in seconds of the video."""

    caption: str
    start_s: float
    end_s: float
    words: tuple[SpokenWord, ...]

    @property
    def sentence(self) -> str:
        return " ".join(word.text for word in self.words)


def make_drawn_video(
    path: Path,
    scenes: Sequence[tuple[str, str | None, float]],
    *,
    seed: int = 1,
    size: Size = (320, 240),
    fps: int = 10,
) -> tuple[DrawnScene, ...]:
    """Writes `path` and tells what is in it; (caption, sentence or None, seconds) for each scene.

    Another `seed` gives other drawings and voices of the same captions and sentences. ValueError for a caption or a
    word that the small models do not know, for a sentence that does not fit its scene, and for seconds that are no
    whole number of frames.
    """
    rng = np.random.default_rng([2027, seed])
    made: list[DrawnScene] = []
    sound: list[npt.NDArray[np.float32]] = []
    pictures: list[Picture] = []
    at_s = 0.0
    for caption, sentence, seconds in scenes:
        if abs(seconds * fps - round(seconds * fps)) > 1e-6:
            raise ValueError(f"{seconds} s is no whole number of frames of 1/{fps} s")
        pictures.append(_drawing(caption, rng, pictures[-1] if pictures else None, size))
        words, samples = _said(sentence, rng, seconds)
        sound.append(samples)
        words = tuple(SpokenWord(w.text, at_s + w.start_s, at_s + w.end_s) for w in words)
        made.append(DrawnScene(caption, round(at_s, 6), round(at_s + seconds, 6), words))
        at_s += seconds
    _write(path, pictures, [seconds for _, _, seconds in scenes], np.concatenate(sound), fps)
    return tuple(made)


def _drawing(caption: str, rng: np.random.Generator, before: Picture | None, size: Size) -> Picture:
    """A drawing that nobody takes for the one before it."""
    for _ in range(TRIES):
        found = draw(caption, rng, width=size[0], height=size[1])
        if before is None or _difference(found, before) >= CUT_DIFFERENCE:
            return found
    raise ValueError(f"no drawing of {caption!r} differs enough from the one before it")


def _difference(one: Picture, other: Picture) -> float:
    """What detectors of cuts compare: the mean change of hue, saturation and value."""
    planes = [np.asarray(Image.fromarray(picture).convert("HSV"), dtype=np.float32) for picture in (one, other)]
    change = np.abs(planes[0] - planes[1])
    # hue goes round; OpenCV counts it to 180
    change[..., 0] = np.minimum(change[..., 0], 256 - change[..., 0]) * (180 / 256)
    return float(change.mean())


def _said(
    sentence: str | None, rng: np.random.Generator, seconds: float
) -> tuple[tuple[SpokenWord, ...], npt.NDArray[np.float32]]:
    """The scene's sound of `seconds`, and its words from the scene's start on."""
    samples = np.zeros(round(seconds * RATE_HZ), dtype=np.float32)
    if sentence is None:
        return (), samples
    language = "ko" if any(char >= "가" for char in sentence) else "en"
    strange = [word for word in sentence.split() if word not in VOCABULARY[language]]
    if strange:
        raise ValueError(f"the small Whisper has never heard {', '.join(strange)}")
    said = speak(sentence, rng, language)
    first = round(SPEECH_AFTER_S * RATE_HZ)
    if first + len(said.samples) > len(samples):
        raise ValueError(f"{sentence!r} takes {said.duration_s:.1f} s and {SPEECH_AFTER_S} s before it, of {seconds} s")
    samples[first : first + len(said.samples)] = said.samples
    words = (SpokenWord(w.text, w.start_s + SPEECH_AFTER_S, w.end_s + SPEECH_AFTER_S) for w in said.words)
    return tuple(words), samples


def _write(
    path: Path, pictures: Sequence[Picture], seconds: Sequence[float], sound: npt.NDArray[np.float32], fps: int
) -> None:
    leftovers: list[Path] = []
    inputs: list[str | Path] = []
    for n, (picture, length_s) in enumerate(zip(pictures, seconds, strict=True)):
        leftovers.append(path.with_name(f"{path.stem}-drawing{n}.png"))
        Image.fromarray(picture).save(leftovers[-1])
        inputs += ["-loop", "1", "-framerate", str(fps), "-t", str(length_s), "-i", leftovers[-1]]
    leftovers.append(path.with_name(f"{path.stem}-sound.raw"))
    leftovers[-1].write_bytes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    inputs += ["-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-i", leftovers[-1]]
    graph = "".join(f"[{n}:v]" for n in range(len(pictures))) + f"concat=n={len(pictures)}:v=1:a=0[v]"
    maps = ["-map", "[v]", "-map", f"{len(pictures)}:a"]
    try:
        ffmpeg(*inputs, "-filter_complex", graph, *maps, *video_codec(path, None), *audio_codec(path), path)
    finally:
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
