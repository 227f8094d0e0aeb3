"""Ten clips of 5 s into one 720p file: this workbench's one ffmpeg graph against MoviePy's concatenate_videoclips.

    python benchmarks/reel.py [--preset veryfast] [--clips 10] [--seconds 5] [--rounds 3] [--file F]...

Every side takes the same clips of the same five files, each in a process of its own, with as many threads as the
encoder chooses. "moviepy" encodes with our rate, preset, CRF and AAC bitrate; "as it comes" is MoviePy with its own
defaults (medium, CRF 23, MP3), whose pictures are about as good as ours (SSIM within .002 on three clips). Imports are
not counted for anybody; our measuring and checking of the result is. The rounds take turns, and the quickest of
each counts; CPU seconds are printed beside, since they depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.make_media import ffmpeg

WANTED = 2.0
FPS, WIDTH, HEIGHT, AUDIO_BITRATE = 30, 1280, 720, "192k"
SOURCES = 5
# Sharp edges, gradients, rotation and a panned texture. Each costs the encoder 1.4 to 2.2 s of CPU for 5 s; public
# 720p clips at hand cost 1.1 to 1.7. Noise in every frame would make both sides wait for nothing but the encoder.
_PICTURES = (
    "testsrc2=s=1280x720:r=30",
    "gradients=s=1280x720:r=30:n=4:speed=0.02:seed=3",
    "smptehdbars=s=1280x720:r=30,rotate=a=t*0.3:c=0x405060",
    "gradients=s=1280x720:r=30:n=2:speed=0.05:type=spiral:seed=6",
    "color=gray:s=1280x720:r=30,noise=alls=60:allf=p:all_seed=5,boxblur=3,eq=contrast=3,scroll=h=0.003:v=0.002",
)


def main() -> int:
    """Print a table; 0 if what is wanted was reached."""
    from heimdex_core.settings import Settings

    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default=defaults.render_preset)
    parser.add_argument("--crf", type=int, default=defaults.render_crf)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path, action="append", help="a video to cut from instead of generated ones")
    parser.add_argument("--child", choices=tuple(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        job = json.loads(args.job)
        print(json.dumps(SIDES[args.child](**job)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        if args.file:
            clips = cut_from([path.resolve() for path in args.file], args.clips, args.seconds)
        else:
            clips = make_clips(Path(folder), args.clips, args.seconds)
        job = {"clips": clips, "preset": args.preset, "crf": args.crf}
        return compare(job, Path(folder), args.rounds)


def make_clips(folder: Path, count: int, seconds: float) -> list[tuple[str, float, float]]:
    """(path, start_s, end_s) of clips that begin neither on keyframes nor at whole seconds, from five 720p files."""
    per_file = -(-count // SOURCES)
    length_s = per_file * (seconds + 1.0) + 2.0
    paths = []
    for n, picture in enumerate(_PICTURES):
        path = folder / f"source{n}.mp4"
        inputs = ["-f", "lavfi", "-i", picture]
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={300 + 40 * n}:beep_factor=4:sample_rate=44100"]
        video = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-g", "250", "-pix_fmt", "yuv420p"]
        ffmpeg(*inputs, "-t", str(length_s), *video, "-c:a", "aac", str(path))
        paths.append(path)
    clips = []
    for n in range(count):
        start_s = 1.1 + (n // SOURCES) * (seconds + 1.0)
        clips.append((str(paths[n % SOURCES]), start_s, start_s + seconds))
    return clips


def cut_from(paths: list[Path], count: int, seconds: float) -> list[tuple[str, float, float]]:
    """Clips spread evenly over files of one's own."""
    from heimdex_core.media.probe import probe

    clips = []
    per_file = -(-count // len(paths))
    for n in range(count):
        path, place = paths[n % len(paths)], n // len(paths)
        # MoviePy rounds durations down and refuses a clip to the very end
        room_s = probe(path, max_bytes=10**13, max_duration_s=1e9).duration_s - seconds - 0.1
        if room_s < 0:
            raise SystemExit(f"{path.name} is shorter than {seconds} s")
        start_s = room_s * place / max(1, per_file - 1)
        clips.append((str(path), start_s, start_s + seconds))
    return clips


def compare(job: dict[str, Any], folder: Path, rounds: int) -> int:
    """Run both sides `rounds` times in turn."""
    print(f"{len(job['clips'])} clips, libx264 {job['preset']} crf {job['crf']}, AAC {AUDIO_BITRATE},", end=" ")
    print(f"{WIDTH}x{HEIGHT} at {FPS} frames/s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    best: dict[str, dict[str, float]] = {}
    for n in range(rounds):
        for side in SIDES:
            found = in_child(side, {**job, "out": str(folder / f"{side.replace(' ', '-')}.mp4")})
            print(f"  round {n + 1}: {side:11} {found['seconds']:6.1f} s  {found['cpu_s']:6.1f} s of CPU", flush=True)
            if side not in best or found["seconds"] < best[side]["seconds"]:
                best[side] = found
    for side, found in best.items():
        print(
            f"{side:11} {found['seconds']:6.1f} s, {found['bytes'] / 1e6:5.1f} MB, picture {found['video_s']:.3f} s,",
            end=" ",
        )
        print(f"sound {found['audio_s']:.3f} s")
    for side in ("moviepy", "as it comes"):
        ratio, cpu = (best[side][unit] / best["ours"][unit] for unit in ("seconds", "cpu_s"))
        print(f"ours against {side}: {ratio:.2f} x faster (wanted: at least {WANTED:g}), {cpu:.2f} x less CPU")
    return 0 if best["moviepy"]["seconds"] / best["ours"]["seconds"] >= WANTED else 1


def in_child(side: str, job: dict[str, Any]) -> dict[str, float]:
    """One side in a fresh process: seconds, CPU seconds with those of its ffmpeg, and what came out."""
    command = [sys.executable, __file__, "--child", side, "--job", json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(clips: list[tuple[str, float, float]], out: str, preset: str, crf: int) -> dict[str, float]:
    """render_reel, measure and the check, as an export runs them."""
    from heimdex_core.export.check import check_render
    from heimdex_core.media.probe import probe
    from heimdex_core.media.render import RenderClip, choose_audio, measure, render_reel
    from heimdex_core.types import WorkContext

    infos = {path: probe(Path(path), max_bytes=10**13, max_duration_s=1e9) for path, _, _ in clips}
    began, cpu = time.perf_counter(), cpu_seconds()
    planned = [RenderClip(Path(p), infos[p], a, b, choose_audio(infos[p])) for p, a, b in clips]
    render_reel(
        planned,
        Path(out),
        width=WIDTH,
        height=HEIGHT,
        fps=FPS,
        crf=crf,
        preset=preset,
        timeout_s=None,
        context=WorkContext(),
    )
    measured = measure(Path(out))
    check_render(measured, [c.duration_s for c in planned], fps=FPS, width=WIDTH, height=HEIGHT)
    return outcome(Path(out), began, cpu)


def moviepy(clips: list[tuple[str, float, float]], out: str, preset: str, crf: int) -> dict[str, float]:
    """The usual recipe with our encoder settings."""
    pixels = ["-crf", str(crf), "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    ours = {"fps": FPS, "preset": preset, "audio_codec": "aac", "audio_bitrate": AUDIO_BITRATE, "ffmpeg_params": pixels}
    return concatenated(clips, out, ours)


def moviepy_defaults(clips: list[tuple[str, float, float]], out: str, preset: str, crf: int) -> dict[str, float]:
    """The usual recipe as its documentation has it."""
    return concatenated(clips, out, {})


def concatenated(clips: list[tuple[str, float, float]], out: str, options: dict[str, Any]) -> dict[str, float]:
    """concatenate_videoclips by its quicker method, chain (the default), which clips of one size allow."""
    from moviepy import VideoFileClip, concatenate_videoclips

    began, cpu = time.perf_counter(), cpu_seconds()
    parts = [VideoFileClip(path).subclipped(start_s, end_s) for path, start_s, end_s in clips]
    whole = concatenate_videoclips(parts, method="chain")
    whole.write_videofile(out, temp_audiofile_path=str(Path(out).parent), logger=None, **options)
    for part in parts:
        part.close()
    return outcome(Path(out), began, cpu)


def outcome(out: Path, began: float, cpu: float) -> dict[str, float]:
    """What a side has to show."""
    from heimdex_core.media.render import measure

    seconds, spent = time.perf_counter() - began, cpu_seconds() - cpu
    measured = measure(out)
    return {
        "seconds": seconds,
        "cpu_s": spent,
        "bytes": measured.size_bytes,
        "video_s": measured.video_duration_s,
        "audio_s": measured.audio_duration_s,
    }


def cpu_seconds() -> float:
    """CPU time of this process and of its ended children."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


SIDES = {"moviepy": moviepy, "as it comes": moviepy_defaults, "ours": ours}


if __name__ == "__main__":
    sys.exit(main())
