"""Small intact files of every kind that is read, as the starting point of the damaged ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.clips import ffmpeg

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=10:d=1")
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=1")
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-threads", "1")

VIDEOS: Mapping[str, tuple[str, ...]] = {
    "mp4": (*_H264, "-c:a", "aac", "-c:s", "mov_text"),
    "fragmented.mp4": (*_H264, "-c:a", "aac", "-sn", "-movflags", "frag_keyframe+empty_moov"),
    "mov": (*_H264, "-c:a", "pcm_s16le", "-ac", "6", "-c:s", "mov_text"),
    "avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame", "-sn"),
    "mkv": (*_H264, "-c:a", "flac", "-c:s", "srt"),
    "webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-c:s", "webvtt"),
    "ts": (*_H264, "-c:a", "ac3", "-sn"),
}
"""How each container is written, by the end of its name."""


def video(path: Path) -> Path:
    """One second of a moving picture with sound and, where the container has them, subtitles."""
    lines = path.with_suffix(".lines.srt")
    lines.write_text(_SRT, encoding="utf-8")
    options = VIDEOS[path.name.partition(".")[2]]
    ffmpeg(*_PICTURE, *_SOUND, "-i", lines, "-map", "0:v", "-map", "1:a", "-map", "2:s", *options, path)
    lines.unlink()
    return path


_SRT = """1
00:00:00,100 --> 00:00:00,400
Use a <i>vector</i>

2
00:00:00,500 --> 00:00:00,900
안녕하세요, 1984
"""
_VTT = """WEBVTT
Language: en

STYLE
::cue { color: red }

00:00.100 --> 00:00.400 align:start
<v Ann>Use <00:00:00.200><c>words</c>

00:00.500 --> 00:00.900
&amp; more
"""
_ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.10,0:00:00.40,Default,,0,0,0,,{\\i1}Hello{\\i0}\\Nthere
Comment: 0,0:00:00.10,0:00:00.40,Default,,0,0,0,,not this
Dialogue: 0,0:00:00.50,0:00:00.90,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
"""
_SMI = """<SAMI><HEAD><STYLE TYPE="text/css"><!--
.KRCC { Name: Korean; lang: ko-KR; SAMIType: CC; }
--></STYLE></HEAD><BODY>
<SYNC Start=100><P Class=KRCC>안녕하세요<br>여러분
<SYNC Start=400><P Class=KRCC>&nbsp;
<SYNC Start=500><P Class=KRCC>그리고
</BODY></SAMI>
"""
_SUB = "{1}{1}10.0\n{1}{4}Use words|two lines\n{5}{9}{y:i}more\n"
_TTML = """<?xml version="1.0" encoding="utf-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"><body><div>
<p begin="0.1s" end="0.4s">Use <span>words</span></p>
<p begin="00:00:00.5" dur="400ms">more<br/>lines</p>
</div></body></tt>
"""

SUBTITLES: Mapping[str, bytes] = {
    "srt": _SRT.encode(),
    "vtt": _VTT.encode(),
    "ass": _ASS.encode("utf-16"),
    "smi": _SMI.encode("cp949"),
    "sub": _SUB.encode(),
    "ttml": _TTML.encode(),
}


def subtitles(path: Path) -> Path:
    """Two lines in the format of the name."""
    path.write_bytes(SUBTITLES[path.suffix[1:]])
    return path
