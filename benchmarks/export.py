"""Reels and shorts against the obvious ways to make them, in one run.

    python benchmarks/export.py [--only reel]... [--rounds 3] [--seconds 5] [--json]

`reel`: ten clips from five generated 720p files at 30 frames/s, cut neither at keyframes nor at whole seconds, in the
mode exact; against MoviePy's concatenate_videoclips, against ffmpeg cutting each clip and then joining the files, both
with our encoder settings, and against smartcut where it is installed. "one graph" is the least that ffmpeg can do: the
same clips in one filter graph; "decoding" is that without an encoder. Of the two follows what encoding alone takes.
`fast`: clips that begin at a keyframe, one of which comes every two seconds, in the modes exact and fast.
`short`: twelve times as many seconds with captions word by word, against ffmpeg's crop and scale with the same preset,
CRF and AAC bitrate.

Our side is the export kind as an export runs it: the loudness evened, the file measured and checked. Every side runs in
a process of its own; imports, the server of the child processes and what a library knows of its videos are there before
the clock starts. The sides take turns, and the quickest round of each counts. Ends with 1 if a wanted ratio is missed.

smartcut pins av 16.0.1: give the Python of an environment with smartcut and imageio-ffmpeg as --smartcut.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.export_sides import FPS, SHORT_QUALITY, SIDES, Clips, Job, join
from benchmarks.make_media import ffmpeg

CLIPS, SOURCES = 10, 5
SHORT_FACTOR = 12
"""How many times as long as a clip of a reel the short is."""
_KEYFRAME_S = 2
_OFF_S = 0.1
"""How much the length of a result may be off for each clip: what comes out must be the same for all sides."""
# Sharp edges, gradients, rotation and a panned texture. Each costs the encoder 1.4 to 2.2 s of CPU for 5 s; public
# 720p clips at hand cost 1.1 to 1.7. Noise in every frame would make both sides wait for nothing but the encoder.
_PICTURES = (
    "testsrc2=s=1280x720:r=30",
    "gradients=s=1280x720:r=30:n=4:speed=0.02:seed=3",
    "smptehdbars=s=1280x720:r=30,rotate=a=t*0.3:c=0x405060",
    "gradients=s=1280x720:r=30:n=2:speed=0.05:type=spiral:seed=6",
    "color=gray:s=1280x720:r=30,noise=alls=60:allf=p:all_seed=5,boxblur=3,eq=contrast=3,scroll=h=0.003:v=0.002",
)
# as HD cameras tag what they record
_TAGGED = "format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"


@dataclass(frozen=True)
class Ratio:
    """The time of one side divided by that of another."""

    over: str
    under: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def wanted(self) -> str:
        """What is wanted of it, in words; "" for nothing."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}" if self.at_most is not None else ""

    def is_met(self, value: float) -> bool:
        """Whether a value is as wanted."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


RATIOS = {
    "reel": (Ratio("moviepy", "exact", 2.0), Ratio("cut, concat", "exact", 1.0), Ratio("smartcut", "exact")),
    "fast": (Ratio("exact", "fast", 5.0),),
    "short": (Ratio("short", "crop", at_most=1.25),),
}


def main() -> int:
    """Print the ratios; 0 if what is wanted was reached."""
    from heimdex_core.export.quality import quality
    from heimdex_core.settings import Settings

    defaults, medium = Settings(), quality(SHORT_QUALITY)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(RATIOS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each clip of a reel")
    parser.add_argument("--preset", default=defaults.render_preset, help="of reels")
    parser.add_argument("--short-preset", default=defaults.short_preset)
    parser.add_argument("--json", action="store_true", help="print nothing but the figures, as JSON")
    parser.add_argument("--smartcut", metavar="PYTHON", help="a Python with smartcut")
    args = parser.parse_args()
    names = args.only or list(RATIOS)
    smartcut = args.smartcut or (sys.executable if importlib.util.find_spec("smartcut") else None)
    say = _quiet if args.json else _say
    reels = {"preset": args.preset, "crf": defaults.render_crf}
    shorts = {"preset": args.short_preset, "crf": medium.crf, "audio_bps": medium.audio_bps}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="heimdex-export-") as name:
        folder = Path(name)
        for which in names:
            make = {"reel": cut_anywhere, "fast": cut_at_keyframes, "short": cut_short}[which]
            job = {"clips": make(folder, args.seconds), **(shorts if which == "short" else reels)}
            say(f"{which}: {len(job['clips'])} of {job['clips'][0][2] - job['clips'][0][1]:g} s, {job['preset']}, ", "")
            say(f"crf {job['crf']}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
            if which == "reel" and smartcut is None:
                say("  smartcut is not installed, because it pins av 16.0.1: see --smartcut")
            found[which] = compare(which, job, folder, args.rounds, smartcut, say)
    if args.json:
        print(json.dumps(found, indent=2))
    return 0 if all(ratio["met"] for one in found.values() for ratio in one["ratios"]) else 1


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


def _quiet(text: str, end: str = "\n") -> None: ...


# --- what is cut ----------------------------------------------------------------------------------


def cut_anywhere(folder: Path, seconds: float) -> Clips:
    """(path, start_s, end_s) of clips that begin neither on keyframes nor at whole seconds."""
    paths = sources(folder / "anywhere", seconds, ["-g", "250"])
    return [(paths[n % SOURCES], s := 1.1 + (n // SOURCES) * (seconds + 1.0), s + seconds) for n in range(CLIPS)]


def cut_at_keyframes(folder: Path, seconds: float) -> Clips:
    """The same with beginnings at keyframes, of which there is one every two seconds."""
    every = str(_KEYFRAME_S * FPS)
    paths = sources(folder / "keyframes", seconds, ["-g", every, "-keyint_min", every, "-sc_threshold", "0"])
    apart_s = _KEYFRAME_S * -(-seconds // _KEYFRAME_S)
    return [(paths[n % SOURCES], s := _KEYFRAME_S + (n // SOURCES) * apart_s, s + seconds) for n in range(CLIPS)]


def cut_short(folder: Path, seconds: float) -> Clips:
    """One clip of SHORT_FACTOR times `seconds` from all pictures, one after the other."""
    out = folder / "long.mp4"
    join(sources(folder / "anywhere", seconds, ["-g", "250"]), out)
    return [(str(out), 1.1, 1.1 + SHORT_FACTOR * seconds)]


def sources(folder: Path, seconds: float, keyframes: list[str]) -> list[str]:
    """Five 720p files with a sound that is uneven, as speech is; made once."""
    paths = [folder / f"source{n}.mp4" for n in range(SOURCES)]
    if not folder.exists():
        folder.mkdir()
        length_s = CLIPS // SOURCES * (seconds + 1.0) + 3.0
        for n, (path, picture) in enumerate(zip(paths, _PICTURES, strict=True)):
            sound = f"anoisesrc=c=pink:a={0.2 + 0.1 * n}:r=44100:seed={n + 1},tremolo=f=3:d=0.9"
            video = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", *keyframes, "-pix_fmt", "yuv420p"]
            inputs = ["-f", "lavfi", "-i", f"{picture},{_TAGGED}", "-f", "lavfi", "-i", sound]
            ffmpeg(*inputs, "-t", str(length_s), *video, "-c:a", "aac", str(path))
    return [str(path) for path in paths]


# --- comparing ------------------------------------------------------------------------------------


def compare(
    which: str, job: Job, folder: Path, rounds: int, smartcut: str | None, say: Callable[..., None]
) -> dict[str, Any]:
    """Run all sides `rounds` times in turn: {"sides": the quickest of each, "ratios": what follows}."""
    pythons = {side: smartcut if side == "smartcut" else sys.executable for side in SIDES[which]}
    best: dict[str, dict[str, Any]] = {}
    for n in range(rounds):
        for side, python in pythons.items():
            if python is None:
                continue
            work = folder / f"{which}-{n}-{side.replace(', ', '-').replace(' ', '-')}"
            work.mkdir()
            found = in_child(python, which, side, {**job, "out": str(work / "out.mp4")})
            say(f"  round {n + 1}: {side:11} {found['seconds']:6.2f} s  {found['cpu_s']:6.2f} s of CPU", "")
            say(f"  {', '.join(found['notes'])}")
            if side not in best or found["seconds"] < best[side]["seconds"]:
                best[side] = found
    ratios = []
    for ratio in RATIOS[which]:
        if ratio.over in best:
            value = best[ratio.over]["seconds"] / best[ratio.under]["seconds"]
            met = ratio.is_met(value)
            named = {"over": ratio.over, "under": ratio.under}
            ratios.append({**named, "value": value, "wanted": ratio.wanted, "met": met})
            verdict = f" (wanted: {ratio.wanted}{'' if met else '; MISSED'})" if ratio.wanted else ""
            say(f"  {ratio.over} takes {value:.2f} x the time of {ratio.under}{verdict}")
    result = {"sides": best, "ratios": ratios}
    if which == "reel":
        result["bound"] = bound(best, say)
    return result


def bound(best: dict[str, dict[str, Any]], say: Callable[..., None]) -> dict[str, float]:
    """What encoding alone takes with all cores, and how much quicker than MoviePy anything can therefore be."""
    encoding_s = (best["one graph"]["cpu_s"] - best["decoding"]["cpu_s"]) / (os.cpu_count() or 1)
    possible = best["moviepy"]["seconds"] / encoding_s
    decoding, graph = best["decoding"]["seconds"], best["one graph"]["seconds"]
    say(f"  encoding alone fills all cores for {encoding_s:.2f} s: nothing can be more than {possible:.2f} x as quick")
    say(f"  as MoviePy; decoding takes {decoding:.2f} s, one graph that decodes and encodes {graph:.2f} s", "")
    say(f" ({best['moviepy']['seconds'] / graph:.2f} x)")
    return {"encoding_s": encoding_s, "possible": possible}


def in_child(python: str, which: str, side: str, job: Job) -> dict[str, Any]:
    """One side in a fresh process: seconds, CPU seconds with those of its ffmpeg, what came out."""
    command = [python, str(Path(__file__).with_name("export_sides.py")), which, side, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side}: {done.stderr[-2000:]}")
    found: dict[str, Any] = {"notes": [], **json.loads(done.stdout.splitlines()[-1])}
    out = Path(job["out"])
    if out.exists():
        from heimdex_core.media.render import measure

        measured = measure(out)
        planned_s = sum(end_s - start_s for _, start_s, end_s in job["clips"])
        for length_s in (measured.video_duration_s, measured.audio_duration_s):
            if abs(length_s - planned_s) > _OFF_S * len(job["clips"]):
                raise RuntimeError(f"{side}: {length_s:.3f} s came out instead of {planned_s:.3f} s")
        found |= {"bytes": measured.size_bytes, "video_s": measured.video_duration_s}
        out.unlink()
    return found


if __name__ == "__main__":
    sys.exit(main())
