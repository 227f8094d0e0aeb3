"""Media for the benchmarks: long enough to time, with grain, motion, cuts and sound. Made once and cached."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg

SHOT_S = 5.0
_ROUND_S = 120.0
_SOURCES = (
    "testsrc2=s=1280x720:r=30",
    "gradients=s=1280x720:r=30:n=4:speed=0.02:seed={seed}",
    "cellauto=s=320x180:r=30:rule=110:seed={seed}:scroll=1,scale=1280:720:flags=neighbor,hue=h={hue}",
    "life=s=160x90:r=30:mold=10:ratio=0.2:seed={seed}:death_color=#C83232:life_color=#00ff00,scale=1280:720,hue=h={hue}",
    "smptehdbars=s=1280x720:r=30,rotate=a=t*0.3:c=0x405060,hue=h={hue}",
    "gradients=s=1280x720:r=30:n=2:speed=0.05:type=spiral:seed={seed}",
)


def ffmpeg(*args: str) -> None:
    """Run the bundled ffmpeg; RuntimeError with its last words if it fails."""
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *args],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


def generated_video(duration_s: float = 600.0) -> Path:
    """A 720p30 H.264 + AAC file of shots of 5 s with grain and motion; the path is in the temporary folder.

    Two minutes are encoded and repeated: decoding does not notice, and making it stays bearable.
    """
    target = Path(tempfile.gettempdir()) / f"heimdex-benchmark-{duration_s:.0f}s-v1.mp4"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as folder:
        once = Path(folder) / "once.mp4"
        _encode(once, min(_ROUND_S, duration_s))
        whole = Path(folder) / "whole.mp4"
        times = max(0, round(duration_s / _ROUND_S) - 1)
        ffmpeg("-stream_loop", str(times), "-i", str(once), "-c", "copy", "-t", str(duration_s), str(whole))
        # a rename is the switch: an interrupted run leaves no half file under the name
        staged = target.with_suffix(".part")
        staged.write_bytes(whole.read_bytes())
        staged.replace(target)
    return target


_SAID = (
    "The ferry leaves the harbour at seven and the whole village is standing at the rail. ",
    "Nobody had told the engineers that the bridge would have to carry twice as many people. ",
    "We measured the river every morning for a year, and then we measured it again. ",
    "She keeps the old recordings in a box under the stairs, sorted by the colour of the tape. ",
    "What matters in a good archive is not how much it holds but whether anything is found again. ",
    "There is a garden behind the station where the children grow beans, onions and sunflowers. ",
    "The first experiment failed because the glass was dirty, the second because nobody wrote it down. ",
    "In winter the road over the mountain is closed, and the post comes by train on Thursdays. ",
)
_PAUSE = "<break time='1500ms'/>"


def talking_video(duration_s: float = 600.0) -> Path:
    """The picture of `generated_video` with somebody talking for most of the time; needs espeak-ng."""
    target = Path(tempfile.gettempdir()) / f"heimdex-benchmark-talk-{duration_s:.0f}s-v1.mp4"
    if target.exists():
        return target
    picture = generated_video(duration_s)
    with tempfile.TemporaryDirectory() as folder:
        speech, staged = Path(folder) / "speech.wav", Path(folder) / "talk.mp4"
        text = "<speak>" + _PAUSE.join(_SAID * 3) + "</speak>"
        subprocess.run(["espeak-ng", "-m", "-s", "150", "-w", str(speech), text], check=True)
        sound = ["-stream_loop", "-1", "-i", str(speech)]
        mixed = ["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-ar", "44100"]
        ffmpeg("-i", str(picture), *sound, *mixed, "-t", str(duration_s), str(staged))
        shutil.move(staged, target.with_suffix(".part"))
    target.with_suffix(".part").replace(target)
    return target


def short_video() -> Path:
    """Ten seconds with two cuts and speech, to warm up with."""
    target = Path(tempfile.gettempdir()) / "heimdex-benchmark-short-v1.mp4"
    if not target.exists():
        staged = target.with_suffix(".part.mp4")
        ffmpeg("-i", str(talking_video(600.0)), "-t", "10", "-c", "copy", str(staged))
        staged.replace(target)
    return target


def _encode(path: Path, duration_s: float) -> None:
    shots = round(duration_s / SHOT_S)
    inputs: list[str] = []
    for n in range(shots):
        source = _SOURCES[n % len(_SOURCES)].format(seed=n + 1, hue=(n * 67) % 360)
        inputs += ["-f", "lavfi", "-t", str(SHOT_S), "-i", source]
    inputs += ["-f", "lavfi", "-t", str(duration_s), "-i", "sine=frequency=300:beep_factor=4:sample_rate=44100"]
    even = ";".join(f"[{n}:v]format=yuv420p,setsar=1[s{n}]" for n in range(shots))
    joined = "".join(f"[s{n}]" for n in range(shots))
    graph = f"{even};{joined}concat=n={shots}:v=1:a=0,noise=alls=10:allf=t[v]"
    video = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-maxrate", "6M", "-bufsize", "8M", "-g", "250"]
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", "-map", f"{shots}:a", *video, "-c:a", "aac", str(path))
