"""Draw the further clips that judged.json asks about, with their subtitles. They are not kept in the repository.

    .venv/bin/python data/sample/make_clips.py --out FOLDER

Five clips of six scenes, SCENE_S seconds each, with hard cuts: three in English, one in Korean, one without a word. As
in the sample, what is said is never what is seen. Takes about half a minute. Pictures are in more_pictures.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import more_pictures as more  # noqa: E402
import night_and_water  # noqa: E402
import outdoors  # noqa: E402
from paint import HEIGHT, WIDTH, Picture, finish  # noqa: E402

SCENE_S = 6.0
FPS = 12
SIZE = (640, 360)
ZOOM = 0.9
"""The part of a picture, across and down, that the camera sees."""


@dataclass(frozen=True)
class Part:
    """A scene: its picture, and the sentences that are said over it."""

    draw: Callable[[], Picture]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A clip; the subtitles lie beside it under its name. The language is that of what is said."""

    filename: str
    title: str
    language: str
    parts: tuple[Part, ...]


def again(scene: Callable[[float], Picture], time_s: float) -> Callable[[], Picture]:
    """A scene of the sample at another moment and the other way round."""
    return lambda: scene(time_s)[:, ::-1]


CLIPS = (
    Clip(
        "harbour_notes.mp4",
        "Harbour Notes",
        "en",
        (
            Part(
                more.blue_sea,
                ("The dentist moved my appointment to Thursday afternoon.", "I hope it is only one tooth."),
            ),
            Part(more.beach, ("Our little bakery sold two hundred loaves on Saturday.",)),
            Part(
                more.night_sea,
                ("Nobody has found the keys to the old theatre.", "The caretaker looks for them every evening."),
            ),
            Part(more.fog),
            Part(
                more.lighthouse,
                ("The chess club meets in the basement of the town hall.", "Beginners get a free lesson."),
            ),
            Part(again(outdoors.sunset, 6.0), ("The orchestra is still looking for a second violin.",)),
        ),
    ),
    Clip(
        "garden_letters.mp4",
        "Garden Letters",
        "en",
        (
            Part(
                more.lavender,
                ("My brother repairs bicycles in the garage.", "He can fix a flat tyre in four minutes."),
            ),
            Part(more.tulips, ("The election results will be announced at midnight.",)),
            Part(more.autumn, ("Doctor Okafor says the medicine tastes of liquorice.",)),
            Part(more.waterfall),
            Part(more.pond, ("We missed the last ferry and slept in the harbour office.",)),
            Part(again(outdoors.forest, 5.0), ("The price of coffee has doubled since the spring.",)),
        ),
    ),
    Clip(
        "겨울_라디오.mp4",
        "겨울 라디오",
        "ko",
        (
            Part(more.aurora, ("새로 온 이웃이 떡을 돌렸습니다.",)),
            Part(more.snow_forest, ("지하철 파업은 금요일까지 이어집니다.",)),
            Part(again(night_and_water.city, 5.0), ("강아지가 병원에서 얌전히 주사를 맞았어요.",)),
            Part(more.stage, ("할아버지는 매일 아침 바둑을 두십니다.",)),
            Part(more.dusk, ("김치를 담그려면 배추를 하룻밤 절여야 합니다.",)),
            Part(again(night_and_water.fire, 4.0)),
        ),
    ),
    Clip(
        "evening_school.mp4",
        "Evening School",
        "en",
        (
            Part(more.library, ("The volcano woke up after three hundred years of silence.",)),
            Part(more.chalkboard, ("Penguins keep their eggs warm on their feet.",)),
            Part(more.apples, ("The satellite lost contact with the station at noon.",)),
            Part(more.rain, ("The desert is colder at night than people expect.",)),
            Part(more.balloons, ("Her grandmother left her a recipe for plum cake.",)),
            Part(more.page, ("Please turn to page ninety-one in your book.",)),
        ),
    ),
    Clip(
        "no_words.mp4",
        "No Words",
        "",
        (
            Part(more.desert),
            Part(more.volcano),
            Part(again(night_and_water.fish, 5.0)),
            Part(again(outdoors.snow, 5.0)),
            Part(more.bars),
            Part(again(night_and_water.bridge, 5.0)),
        ),
    ),
)


def subtitles(clip: Clip) -> str:
    """What is said in a clip as SubRip, the sentences of a scene one after the other; "" where nothing is said."""
    blocks: list[str] = []
    for number, part in enumerate(clip.parts):
        each = (SCENE_S - 1.0) / max(len(part.said), 1)
        for place, sentence in enumerate(part.said):
            start_s = number * SCENE_S + 0.5 + place * each
            blocks.append(f"{len(blocks) + 1}\n{_clock(start_s)} --> {_clock(start_s + each - 0.2)}\n{sentence}\n")
    return "\n".join(blocks)


def _clock(time_s: float) -> str:
    millis = round(time_s * 1000)
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02},{millis % 1000:03}"


def moved(picture: Picture, number: int, frames: int) -> Image.Image:
    """What the camera sees of a picture in frame `number` of `frames`, as it moves slowly from left to right."""
    part = number / max(frames - 1, 1)
    left, top = part * (1 - ZOOM) * WIDTH, (1 - ZOOM) / 2 * HEIGHT
    box = (left, top, left + ZOOM * WIDTH, top + ZOOM * HEIGHT)
    return Image.fromarray(finish(picture)).resize(SIZE, Image.Resampling.BILINEAR, box=box)


def make(clip: Clip, folder: Path) -> Path:
    """Write a clip and its subtitles into a folder; returns the clip's file."""
    path = folder / clip.filename
    text = subtitles(clip)
    if text:
        path.with_suffix(".srt").write_text(text, encoding="utf-8")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(FPS), "-i", "pipe:0"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-pix_fmt", "yuv420p"]
    command += ["-metadata", f"title={clip.title}", str(path)]
    frames = round(SCENE_S * FPS)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603
        if process.stdin is None:
            raise RuntimeError("ffmpeg has no input")
        for part in clip.parts:
            picture = np.ascontiguousarray(part.draw())
            for number in range(frames):
                process.stdin.write(moved(picture, number, frames).tobytes())
        process.stdin.close()
        if process.wait() != 0:
            raise RuntimeError(f"ffmpeg ended with {process.returncode}")
    return path


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips and their subtitles")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        print(make(clip, out))


if __name__ == "__main__":
    main()
