"""Damaged subtitle files are read, or refused with a reason; none takes long, and what is read is in order."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import pytest

from heimdex_core.errors import SubtitlesUnreadable
from heimdex_core.media.subtitles import read_subtitles
from heimdex_core.types import Transcript
from tests.support import media
from tests.support.mutations import mutated

_LINES = [(1.0, 2.0, "<i>We sail</i> &amp; wait"), (2.0, 3.5, "새벽에 떠난다\n1984"), (4.0, 5.0, "a <b and c> d {x}")]
_SRT = media.srt(_LINES)
_VTT = (
    "WEBVTT\nLanguage: en\n\nNOTE x\n\n1\n00:01.000 --> 00:03.000 align:start\nthe<00:00:01.500><c> first</c>\n\n"
    "00:03.000 --> 00:04.000\nthe first\nand<00:00:03.500><c> second</c>\n"
)
_ASS = (
    "[Script Info]\nScriptType: v4.00+\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\an8}one{note}\\Ntwo\n"
    "Dialogue: 0,0:00:02.00,0:00:03.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\n"
    "Comment: 0,0:00:02.00,0:00:03.00,,,0,0,0,,no\n"
)
_SMI = (
    "<SAMI><HEAD><STYLE><!--\n.KRCC {Name:Korean; lang:ko-KR;}\n.ENCC {Name:English; lang:en-US;}\n"
    "--></STYLE></HEAD><BODY>\n"
    "<SYNC Start=1000><P Class=KRCC>배가 <font color=red>떠난다</font><P Class=ENCC>The ship leaves\n"
    "<SYNC Start=2000><P Class=KRCC>&nbsp;<P Class=ENCC>&nbsp;\n<SYNC Start=3000><P Class=KRCC>끝\n</BODY></SAMI>"
)
_TTML = (
    '<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"><body><div begin="1s">'
    '<p begin="1s" end="2s">one<br/><span>two</span></p>'
    '<p begin="3s" dur="1s"><span begin="0s">the</span> end</p></div></body></tt>'
)
_SUB = "{1}{1}25\n{25}{50}one|two\n{75}{}three\n"
_SUBVIEWER = "[SUBTITLE]\n00:00:01.00,00:00:03.50\none[br]two\n\n00:00:04.00,00:00:06.00\n1984\n"
SEEDS = [
    *(text.encode() for text in (_SRT, _VTT, _ASS, _SMI, _TTML, _SUB, _SUBVIEWER)),
    *(text.encode("cp949") for text in (_SRT, _SMI)),
    *(text.encode("utf-16") for text in (_SRT, _SMI, _TTML)),
]
SLOW_S = 5.0
"""A small file that takes longer hangs; the usual time is some milliseconds."""


def check(transcript: Transcript) -> None:
    """What every transcript must be like."""
    before_s = 0.0
    for segment in transcript.segments:
        assert before_s <= segment.start_s < segment.end_s
        before_s = segment.end_s
        assert segment.text == " ".join(segment.text.split()) != ""
        assert all(c == "\t" or c >= " " for c in segment.text)
        segment.text.encode()
        assert all(segment.start_s <= w.start_s <= w.end_s <= segment.end_s for w in segment.words)


def read_mutated(path: Path, seed: int) -> None:
    data = mutated(SEEDS, random.Random(seed))  # noqa: S311
    path.write_bytes(data)
    began = time.perf_counter()
    with contextlib.suppress(SubtitlesUnreadable):
        check(read_subtitles(path, language="ko"))
    assert time.perf_counter() - began < SLOW_S


def test_every_seed_is_read(tmp_path: Path) -> None:
    for n, data in enumerate(SEEDS):
        path = tmp_path / f"{n}.srt"
        path.write_bytes(data)
        transcript = read_subtitles(path, language="ko")
        check(transcript)
        assert len(transcript.segments) >= 2 - (n == 2), n


def test_damaged_files(tmp_path: Path) -> None:
    for seed in range(600):
        read_mutated(tmp_path / "a.srt", seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(10))
def test_ten_thousand_damaged_files(tmp_path: Path, block: int) -> None:
    for seed in range(1000 * (block + 1), 1000 * (block + 2)):
        read_mutated(tmp_path / "a.srt", seed)


PATTERNS = [
    "<",
    "{",
    "&",
    " ",
    "\n",
    " \n",
    "\r",
    "-",
    "->",
    "-->",
    "-->\n",
    "<i ",
    "<i",
    "< i >",
    "{\\",
    "{\\p1}",
    "<!--",
    "<SYNC ",
    "<SYNC Start=1>",
    "<SYNC Start=1><P Class=A>x",
    "1\n",
    "1\n00:00:01 --> 00:00:02\n",
    "00:00:01 --> 00:00:02\nx\n",
    "{1}{2}x\n",
    "[1][2]x\n",
    "[00:00:01]\n",
    "00:00:01,00:00:02\n",
    "Dialogue: 0,0:00:01,0:00:02,,,0,0,0,,x\n",
    "<tt><p begin='1s'>",
    "<font a=b ",
    '<font a="',
    "<00:00:01.000>",
    "0",
    "1:",
    "00:00:01,",
    "x",
    "가",
    "<br>",
    "\\N",
    "&nbsp;",
    ".a{",
]
HEADS = [
    "",
    "1\n00:00:01,000 --> 00:00:09,000\n",
    "WEBVTT\n\n00:01.000 --> 00:09.000\n",
    "<SAMI>",
    "[Script Info]\n[Events]\n",
    "<tt>",
]


@pytest.mark.parametrize("head", [HEADS[0], *(pytest.param(head, marks=pytest.mark.long) for head in HEADS[1:])])
def test_long_runs_of_anything_take_linear_time(tmp_path: Path, head: str) -> None:
    """In quadratic time 50,000 characters would take minutes; they take some tenths of a second."""
    path = tmp_path / "a.srt"
    for pattern in PATTERNS:
        path.write_text(head + pattern * (50_000 // len(pattern)), encoding="utf-8", newline="")
        began = time.perf_counter()
        with contextlib.suppress(SubtitlesUnreadable):
            check(read_subtitles(path))
        assert time.perf_counter() - began < SLOW_S, pattern
