"""The sides of benchmarks/export.py: each makes a file of the same clips in its own way.

    python benchmarks/export_sides.py COMPARISON SIDE JOB

Run so, in a process of its own; prints the seconds, the CPU seconds and the notes of the file as JSON. smartcut runs in
another environment: nothing of heimdex_core is imported for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.make_media import ffmpeg

FPS, HEIGHT = 30, 720
SHORT_STYLE, SHORT_QUALITY = "karaoke", "medium"
_REEL_AUDIO = "192k"
_SAID = "The ferry leaves the harbour at seven, and the whole village is standing at the rail to wave. "
_WORD_S = 0.4

Clips = list[tuple[str, float, float]]
"""(path, start_s, end_s) of each clip."""
Job = dict[str, Any]
"""clips: Clips; out; preset and crf of libx264; audio_bps for shorts."""


def timed(make: Callable[[], Any]) -> dict[str, Any]:
    """How long something takes, and its notes."""
    began, cpu = time.perf_counter(), cpu_seconds()
    made = make()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": cpu_seconds() - cpu,
        "notes": list(getattr(made, "notes", ())),
    }


def cpu_seconds() -> float:
    """CPU time of this process, of its ended children, and of the server of the child processes with its own."""
    spent = sum(os.times()[:4])
    if importlib.util.find_spec("psutil"):
        import psutil

        spent += sum(sum(child.cpu_times()[:4]) for child in psutil.Process().children())
    return spent


# --- our sides ------------------------------------------------------------------------------------


def exact(job: Job) -> dict[str, Any]:
    """A reel in the mode exact."""
    return reel(job, "exact")


def fast(job: Job) -> dict[str, Any]:
    """A reel in the mode fast."""
    return reel(job, "fast")


def reel(job: Job, mode: str) -> dict[str, Any]:
    """An export of the kind reel in that mode."""
    return ours(job, "reel", {"mode": mode, "fps": FPS, "height_px": HEIGHT, "crf": job["crf"]})


def short(job: Job) -> dict[str, Any]:
    """A short of the middle, with captions as if somebody spoke all the time."""
    from heimdex_core.export.captions import make_cues
    from heimdex_core.types import Word, to_json

    [(_, start_s, end_s)] = job["clips"]
    spoken = _SAID.split()
    times_s = [start_s + n * _WORD_S for n in range(int((end_s - start_s) / _WORD_S))]
    words = [Word(spoken[n % len(spoken)], at_s, at_s + 0.35) for n, at_s in enumerate(times_s)]
    cues = make_cues(words, start_s=start_s, end_s=end_s, language="en")
    asked = {"scene_id": "", "quality": SHORT_QUALITY, "captions": SHORT_STYLE, "cues": to_json(cues)}
    return ours(job, "short", asked)


def ours(job: Job, kind: str, asked: Job) -> dict[str, Any]:
    """An export of that kind, without a library."""
    from heimdex_core.export import export_kind
    from heimdex_core.media.child import ChildLimits, run_in_child
    from heimdex_core.media.probe import probe
    from heimdex_core.media.render import RenderClip, choose_audio
    from heimdex_core.settings import Settings
    from heimdex_core.types import WorkContext

    settings, renderer = Settings(), export_kind(kind)
    run_in_child("operator:is_", None, filename="nothing", limits=ChildLimits.of(settings))  # starts the server
    infos = {path: probe(Path(path), max_bytes=10**13, max_duration_s=1e9) for path, _, _ in job["clips"]}
    clips = [RenderClip(Path(p), infos[p], a, b, choose_audio(infos[p])) for p, a, b in job["clips"]]
    params = {**renderer.params(settings), "preset": job["preset"], **asked}
    return timed(lambda: renderer.write(clips, Path(job["out"]), params, None, WorkContext()))


# --- the other sides ------------------------------------------------------------------------------


def moviepy(job: Job) -> dict[str, Any]:
    """concatenate_videoclips by its quicker method, chain (the default), with our encoder settings."""
    from moviepy import VideoFileClip, concatenate_videoclips

    pixels = ["-crf", str(job["crf"]), "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    options = {"preset": job["preset"], "audio_codec": "aac", "audio_bitrate": _REEL_AUDIO, "ffmpeg_params": pixels}

    def make() -> None:
        parts = [VideoFileClip(path).subclipped(start_s, end_s) for path, start_s, end_s in job["clips"]]
        whole = concatenate_videoclips(parts, method="chain")
        beside = str(Path(job["out"]).parent)
        whole.write_videofile(job["out"], fps=FPS, temp_audiofile_path=beside, logger=None, **options)
        for part in parts:
            part.close()

    return timed(make)


def cut_then_concat(job: Job) -> dict[str, Any]:
    """Every clip into a file of its own, which are then joined by copying."""

    def make() -> None:
        parts = []
        for n, (path, start_s, end_s) in enumerate(job["clips"]):
            parts.append(str(Path(job["out"]).with_name(f"{n}.mp4")))
            ffmpeg("-ss", str(start_s), "-i", path, "-t", str(end_s - start_s), *encoder(job), parts[-1])
        join(parts, Path(job["out"]))

    return timed(make)


def smartcut(job: Job) -> dict[str, Any]:
    """Encodes only from the cuts to the next keyframes; each clip into a file of its own, joined by copying."""
    from fractions import Fraction

    from smartcut.cut_video import AudioExportInfo, AudioExportSettings, smart_cut
    from smartcut.media_container import MediaContainer

    def make() -> None:
        parts = []
        for n, (path, start_s, end_s) in enumerate(job["clips"]):
            parts.append(str(Path(job["out"]).with_name(f"{n}.mp4")))
            sound = AudioExportInfo(output_tracks=[AudioExportSettings(codec="passthru")])
            smart_cut(MediaContainer(path), [(Fraction(start_s), Fraction(end_s))], parts[-1], audio_export_info=sound)
        join(parts, Path(job["out"]))

    return timed(make)


def join(paths: list[str], out: Path) -> None:
    """One file of several, by copying."""
    script = out.with_suffix(".txt")
    script.write_text("".join(f"file '{path}'\n" for path in paths), encoding="utf-8")
    ffmpeg("-f", "concat", "-safe", "0", "-i", str(script), "-c", "copy", "-movflags", "+faststart", str(out))


def one_graph(job: Job) -> dict[str, Any]:
    """The clips in one filter graph that does nothing but join them."""
    return timed(lambda: ffmpeg(*joined(job), *encoder(job), "-movflags", "+faststart", job["out"]))


def decoding(job: Job) -> dict[str, Any]:
    """The same without an encoder."""
    return timed(lambda: ffmpeg(*joined(job), "-f", "null", "-"))


def joined(job: Job) -> list[str]:
    """Inputs and graph of the clips, one after the other."""
    inputs: list[str] = []
    for path, start_s, end_s in job["clips"]:
        inputs += ["-threads", "2", "-ss", str(start_s), "-t", str(end_s - start_s), "-i", path]
    count = len(job["clips"])
    # in one concat filter the picture of a clip would wait for the end of its sound
    video, audio = ("".join(f"[{n}:{kind}]" for n in range(count)) for kind in "va")
    graph = f"{video}concat=n={count}:v=1:a=0[v];{audio}concat=n={count}:v=0:a=1[a]"
    return [*inputs, "-filter_complex", graph, "-map", "[v]", "-map", "[a]"]


def crop(job: Job) -> dict[str, Any]:
    """The middle of the picture, scaled to the size of a short."""
    [(path, start_s, end_s)] = job["clips"]
    cut = ["-ss", str(start_s), "-i", path, "-t", str(end_s - start_s)]
    middle = ["-vf", "crop=ih*9/16:ih,scale=1080:1920,setsar=1"]
    return timed(lambda: ffmpeg(*cut, *middle, *encoder(job), "-movflags", "+faststart", job["out"]))


def encoder(job: Job) -> list[str]:
    """Options for the encoders that our side uses."""
    video = ["-c:v", "libx264", "-preset", job["preset"], "-crf", str(job["crf"]), "-pix_fmt", "yuv420p"]
    sound = ["-c:a", "aac", "-b:a", str(job.get("audio_bps", _REEL_AUDIO)), "-ar", "44100", "-ac", "2"]
    return [*video, "-r", str(FPS), *sound]


SIDES: dict[str, dict[str, Callable[[Job], dict[str, Any]]]] = {
    "reel": {
        "moviepy": moviepy,
        "cut, concat": cut_then_concat,
        "smartcut": smartcut,
        "exact": exact,
        "one graph": one_graph,
        "decoding": decoding,
    },
    "fast": {"exact": exact, "fast": fast},
    "short": {"crop": crop, "short": short},
}


if __name__ == "__main__":
    print(json.dumps(SIDES[sys.argv[1]][sys.argv[2]](json.loads(sys.argv[3]))))
