"""One flipped bit anywhere in a file: it is read, with what is left of its sound and picture, or refused in words."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from heimdex_core.errors import HeimdexError, ValidationError
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages import picture
from heimdex_core.media.audio import extract_audio, write_sound
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.probe import probe
from heimdex_core.media.subtitles import embedded_subtitles
from heimdex_core.settings import Settings
from heimdex_core.types import Json, WorkContext
from tests.support import media

_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1")
_VP8 = ("-c:v", "libvpx", "-deadline", "realtime")
FILES = {
    "vorbis.webm": (*_VP8, "-ac", "2", "-c:a", "libvorbis", "-c:s", "webvtt"),
    "aac.mp4": (*_H264, "-c:a", "aac", "-b:a", "24k", "-c:s", "mov_text"),
    "aac.mkv": (*_H264, "-c:a", "aac", "-b:a", "24k", "-c:s", "srt"),
    "opus.webm": (*_VP8, "-c:a", "libopus", "-b:a", "16k", "-c:s", "webvtt"),
    "opus.mp4": (*_H264, "-c:a", "libopus", "-b:a", "16k", "-sn"),
    "mp3.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame", "-b:a", "24k", "-sn"),
    "flac.mkv": (*_H264, "-c:a", "flac", "-ar", "8000", "-c:s", "ass"),
    "pcm.mov": (*_H264, "-c:a", "pcm_s16le", "-ar", "8000", "-c:s", "mov_text"),
    "alac.mov": ("-c:v", "prores_ks", "-c:a", "alac", "-ar", "8000", "-sn"),
    "ac3.mkv": (*_H264, "-c:a", "ac3", "-ar", "32000", "-b:a", "32k", "-sn"),
    "interlaced.mkv": (
        *("-vf", "scale=64:256,setfield=tff", "-c:v", "mpeg2video", "-flags", "+ildct+ilme"),
        *("-c:a", "eac3", "-ar", "32000", "-b:a", "32k", "-sn"),
    ),
}
_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=48x32:r=8:d=0.6")
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=0.6")
LIMITS = ChildLimits(memory_bytes=1_500_000_000, stall_s=60.0)


def small_file(path: Path) -> Path:
    lines = path.with_suffix(".srt")
    lines.write_text(media.srt([(0.1, 0.3, "a <i>bad</i> cab"), (0.4, 0.6, "안녕")]), encoding="utf-8")
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:s")
    media.ffmpeg(*_PICTURE, *_SOUND, "-i", lines, *maps, *FILES[path.name], path)
    return path


def flip_in_child(asked: Json, work: WorkContext) -> list[str]:
    """What becomes of the file with each of the bits flipped: "" or the first thing that is not as it should be."""
    source = Path(asked["path"])
    data, target = bytearray(source.read_bytes()), source.with_name(f"flipped-{source.name}")
    found = []
    for number, bit in enumerate(asked["bits"]):
        work.report(number, 0)
        data[bit // 8] ^= 1 << bit % 8
        target.write_bytes(data)
        data[bit // 8] ^= 1 << bit % 8
        found.append(use_all(target))
    return found


def use_all(path: Path) -> str:
    folder = path.with_suffix(".frames")
    folder.mkdir(exist_ok=True)
    params, work = IngestParams.from_settings(Settings(_env_file=None)), WorkContext()
    try:
        info = probe(path, max_bytes=10**9, max_duration_s=600.0)
    except ValidationError:
        return ""
    except Exception as error:
        return f"probe: {error!r}"
    parts: dict[str, Callable[[], object]] = {
        "sound": lambda: extract_audio(path, info, folder / "a.wav", work),
        "part of the sound": lambda: write_sound(
            path, info, folder / "b.wav", start_s=0.3, end_s=0.6, rate_hz=44100, context=work
        ),
        "picture": lambda: picture.look(path, info, folder, params, work),
        "subtitles": lambda: embedded_subtitles(path, info),
    }
    for name, use in parts.items():
        try:
            use()
        except HeimdexError as error:
            if name != "picture" or error.code != "UNDECODABLE_VIDEO":
                return f"{name}: {error}"
        except Exception as error:
            return f"{name}: {error!r}"
    return ""


QUICK = ("vorbis.webm", "aac.mp4")


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(n, marks=pytest.mark.long) for n in FILES if n not in QUICK)])
def test_a_flipped_bit(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    path = small_file(tmp_path / name)
    count = 15 if name in QUICK else 200
    bits = random.Random(name).sample(range(8 * path.stat().st_size), count)  # noqa: S311
    asked = {"path": str(path), "bits": bits}
    found = run_in_child(f"{__name__}:flip_in_child", asked, filename=name, limits=LIMITS)
    assert {bit: said for bit, said in zip(bits, found, strict=True) if said} == {}
