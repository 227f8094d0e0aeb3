"""Draw the sample clip: nine small scenes, a spoken track, subtitles in English and Korean.

    .venv/bin/python data/sample/make_sample.py

needs ffmpeg and espeak-ng on the PATH and the Nanum fonts; what it makes is kept beside it, so that
nobody has to run it to use the sample. Pictures are in outdoors.py and night_and_water.py. What is
said is never what is seen, so that the two can be told apart in a search.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from night_and_water import bridge, city, fire, fish, title  # noqa: E402
from outdoors import blossom, field, forest, snow, sunset  # noqa: E402
from paint import FPS, HEIGHT, WIDTH, Picture, finish  # noqa: E402

RATE_HZ = 44_100
Sound = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """A spoken sentence, and how it is written in Korean."""

    english: str
    korean: str


@dataclass(frozen=True)
class Part:
    """A scene of the clip: its picture by seconds since its start, and what is said over it."""

    draw: Callable[[float], Picture]
    lines: tuple[Line, ...]
    min_s: float = 7.0
    chord: tuple[int, ...] = (57, 64, 69)


PARTS = (
    Part(
        title,
        (
            Line(
                "Welcome. Nine short stories follow, one after another.",
                "환영합니다. 짧은 이야기 아홉 편이 이어집니다.",
            ),
        ),
        5.0,
        (50, 57, 62),
    ),
    Part(
        sunset,
        (
            Line("The last ferry leaves the harbour at seven.", "마지막 여객선은 일곱 시에 항구를 떠납니다."),
            Line("After that, the fishermen mend their nets.", "그 뒤에 어부들은 그물을 손질합니다."),
        ),
        chord=(53, 60, 65),
    ),
    Part(
        snow,
        (
            Line(
                "The weather report promises three more days of frost.", "일기 예보는 사흘 더 서리가 내린다고 합니다."
            ),
            Line("The school bus will not run tomorrow.", "내일은 통학 버스가 다니지 않습니다."),
        ),
        chord=(55, 62, 67),
    ),
    Part(
        field,
        (
            Line("In four weeks this will be bread.", "넉 주 뒤면 이것은 빵이 됩니다."),
            Line("The baker kneads her dough before dawn.", "제빵사는 새벽이 오기 전에 반죽을 합니다."),
        ),
        chord=(57, 64, 69),
    ),
    Part(
        city,
        (
            Line("The train to the capital is eleven minutes late.", "수도로 가는 기차가 십일 분 늦습니다."),
            Line("Passengers, please wait on platform two.", "승객 여러분은 이번 승강장에서 기다려 주세요."),
        ),
        chord=(50, 57, 65),
    ),
    Part(
        forest,
        (
            Line("My grandmother knew every bird by its song.", "할머니는 새들을 노랫소리만으로 다 알아보셨습니다."),
            Line("She taught me to listen first.", "먼저 귀를 기울이라고 가르쳐 주셨지요."),
        ),
        chord=(53, 60, 69),
    ),
    Part(
        bridge,
        (
            Line(
                "Clara Weiss, an engineer, drew the plans in nineteen fifty eight.",
                "기술자 클라라 바이스가 천구백오십팔년에 설계했습니다.",
            ),
            Line("It still carries the morning mail.", "지금도 아침 우편이 이 길로 옵니다."),
        ),
        chord=(52, 59, 64),
    ),
    Part(
        fish,
        (
            Line("The museum opens at ten on Sunday.", "박물관은 일요일 열 시에 문을 엽니다."),
            Line("Children do not need a ticket.", "어린이는 표가 필요 없습니다."),
        ),
        chord=(55, 59, 66),
    ),
    Part(
        fire,
        (
            Line(
                "He told an old tale about a wolf who borrowed the moon.",
                "그는 달을 빌려 간 늑대의 옛이야기를 들려주었습니다.",
            ),
            Line("Nobody wanted to go to sleep.", "아무도 자러 가려 하지 않았습니다."),
        ),
        chord=(50, 57, 60),
    ),
    Part(
        blossom,
        (
            Line("The exams are over at last.", "드디어 시험이 끝났습니다."),
            Line(
                "The students take one photograph before they say goodbye.",
                "학생들은 헤어지기 전에 사진을 한 장 찍습니다.",
            ),
        ),
        chord=(57, 61, 64),
    ),
)


@dataclass(frozen=True)
class Spoken:
    """A line with its place in the clip."""

    line: Line
    start_s: float
    end_s: float


def speak(text: str, folder: Path) -> Sound:
    """A sentence by espeak-ng, mono at RATE_HZ, without the silence around it."""
    path = folder / "line.wav"
    command = ["espeak-ng", "-v", "en-us", "-s", "148", "-p", "42", "-a", "120", "-w", str(path), text]
    subprocess.run(command, check=True)  # noqa: S603
    with wave.open(str(path), "rb") as file:
        rate_hz = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    sound = sound[loud[0] : loud[-1] + 1]
    places = np.arange(0, len(sound) - 1, rate_hz / RATE_HZ)
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)


def chord(notes: tuple[int, ...], duration_s: float) -> Sound:
    """A quiet held chord (MIDI notes) that swells and fades: some air behind the voice."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    total = np.zeros_like(t)
    for number, note in enumerate(notes):
        hertz = 440 * 2 ** ((note - 69) / 12)
        for overtone, strength in ((1, 1.0), (2, 0.35), (3, 0.12)):
            total += strength * np.sin(2 * np.pi * hertz * overtone * t + number) * (1 + 0.2 * np.sin(1.7 * t + number))
    envelope = np.minimum(np.clip(t / 1.5, 0, 1), np.clip((duration_s - t) / 1.2, 0, 1))
    return (0.006 * total * envelope).astype(np.float32)


def plan(folder: Path) -> tuple[list[float], list[Spoken], Sound]:
    """(the length of each part, the lines with their times, the whole sound)."""
    lengths: list[float] = []
    spoken: list[Spoken] = []
    sounds: list[Sound] = []
    for part in PARTS:
        began, at = sum(lengths), 0.7
        voices = []
        for line in part.lines:
            voice = speak(line.english, folder)
            voices.append((at, voice))
            spoken.append(Spoken(line, began + at, began + at + len(voice) / RATE_HZ))
            at += len(voice) / RATE_HZ + 0.45
        # A whole number of frames, so that cuts and sound stay together.
        length = round(max(part.min_s, at + 0.35) * FPS) / FPS
        sound = chord(part.chord, length)
        for start, voice in voices:
            first = round(start * RATE_HZ)
            sound[first : first + len(voice)] += 0.8 * voice
        lengths.append(length)
        sounds.append(sound)
    return lengths, spoken, np.concatenate(sounds)


def write_wav(sound: Sound, path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype(np.int16).tobytes())


def write_subtitles(spoken: list[Spoken], path: Path, text: Callable[[Line], str]) -> None:
    blocks = [
        f"{number}\n{_clock(item.start_s)} --> {_clock(item.end_s)}\n{text(item.line)}\n"
        for number, item in enumerate(spoken, start=1)
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")


def _clock(time_s: float) -> str:
    millis = round(time_s * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"


def encode(lengths: list[float], sound: Path, out: Path) -> None:
    """Draw every frame into ffmpeg."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "pipe:0"]
    command += ["-i", str(sound), "-map", "0:v", "-map", "1:a"]
    command += ["-c:v", "libx264", "-preset", "slow", "-crf", "27", "-pix_fmt", "yuv420p", "-g", str(2 * FPS)]
    command += ["-vf", "scale=out_color_matrix=bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    command += ["-colorspace", "bt709", "-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart"]
    command += ["-metadata", "title=A Day in Nine Scenes", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603
        if process.stdin is None:
            raise RuntimeError("ffmpeg has no input")
        for part, length in zip(PARTS, lengths, strict=True):
            print(part.draw.__name__, f"{length:.2f} s", file=sys.stderr)
            for frame in range(round(length * FPS)):
                process.stdin.write(finish(part.draw(frame / FPS)).tobytes())
        process.stdin.close()
        if process.wait() != 0:
            raise RuntimeError(f"ffmpeg ended with {process.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the clip and its subtitles")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        lengths, spoken, sound = plan(Path(name))
        write_subtitles(spoken, out / "heimdex_sample.srt", lambda line: line.english)
        write_subtitles(spoken, out / "heimdex_sample.ko.srt", lambda line: line.korean)
        began = 0.0
        for part, length in zip(PARTS, lengths, strict=True):
            print(f"{part.draw.__name__:8s} {began:6.2f} to {began + length:6.2f} s")
            began += length
        write_wav(sound, Path(name) / "sound.wav")
        encode(lengths, Path(name) / "sound.wav", out / "heimdex_sample.mp4")


if __name__ == "__main__":
    main()
