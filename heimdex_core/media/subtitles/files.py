"""Reading a subtitle file of any of the formats, which its content decides and not its name."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from heimdex_core.errors import SubtitlesUnreadable
from heimdex_core.media.subtitles import sami, sub_files, subrip, substation, ttml
from heimdex_core.media.subtitles.cues import DEFAULT_FPS, Reading
from heimdex_core.media.subtitles.repair import transcript_of
from heimdex_core.media.text_encoding import decode_text
from heimdex_core.types import Transcript, WorkContext

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".smi", ".sami", ".ttml", ".dfxp", ".itt", ".sub")
"""Extensions of subtitle files, the preferred one first."""
MAX_BYTES = 20 * 1024 * 1024
"""Larger files are refused."""

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_HEAD_CHARS = 20_000
_TTML = re.compile(r"<(?:\w{1,20}:)?tt[\s>]")
_SAMI = re.compile(r"<\s*sync\b|<\s*sami\b", re.IGNORECASE)
_ASS = re.compile(
    r"^\s{0,20}(?:\[Script Info\]|\[Events\]|Dialogue:\s*\S*?\d*,\s*\d+:\d)", re.IGNORECASE | re.MULTILINE
)
_ARROW = re.compile(r"\d\s{0,3}-{1,2}\s?-?\s?(?:>|&gt;)|-->|\d\s{0,3}(?:[–—]+>|→|=+>)")

# Files that people rename or choose by mistake, by their first bytes.
_NO_TEXT = {
    b"\x00\x00\x01\xba": "pictures",
    b"PK\x03\x04": "archive",
    b"Rar!": "archive",
    b"\x1f\x8b": "archive",
    b"7z\xbc\xaf": "archive",
    b"%PDF": "document",
}
UNUSABLE = {
    "empty": "it is empty",
    "pictures": "it contains pictures of text (VobSub), not text",
    "archive": "it is a compressed archive",
    "document": "it is a document",
    "web_page": "it is a web page",
    "json": "it is JSON",
    "no_times": "it has no times like 00:00:01,000 --> 00:00:02,000",
    "unreadable_times": "none of its times can be read",
    "no_text": "there is no timed line with text in it",
    "damaged": "it is damaged",
}
"""Why a file cannot be used; the keys are the error's detail `why`."""

Read = Callable[[str, float, WorkContext], Reading]


def read_subtitles(
    path: Path, *, language: str | None = None, fps: float = DEFAULT_FPS, context: WorkContext | None = None
) -> Transcript:
    """Read a subtitle file in any encoding: lines in order, not overlapping, each once, without markup.

    Args:
        language: ISO 639-1 code; chosen where the file holds several languages, and the transcript's where neither
            the text nor the header shows one.
        fps: the video's frames per second, for formats that count frames.
        context: is asked for cancellation.

    The notes of the transcript name the encoding if it is not UTF-8 ("subtitles_encoding:cp949"), what was repaired
    and how many lines were left out, by reason. Raises SubtitlesUnreadable, Cancelled.
    """
    text, encoding = decode_text(_bytes(path))
    notes = [] if encoding == "utf-8" else [f"subtitles_encoding:{encoding}"]
    damaged = text.count("\ufffd")
    if damaged:
        notes.append(f"subtitles_damaged_characters:{damaged}")
    text = _with_plain_line_ends(text)
    read = _reader_for(text)
    if read is None:
        raise _unreadable(path, _why_unknown(text))
    reading = _in_one_language(read(text, fps if fps > 0 else DEFAULT_FPS, context or WorkContext()), language)
    transcript = transcript_of(reading, "subtitles", notes=notes, language=language)
    if not transcript.segments:
        raise _unreadable(path, "unreadable_times" if reading.dropped["unreadable"] else "no_text")
    return transcript


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SubtitlesUnreadable(filename=path.name, reason=f"it has {size} bytes; the limit is {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise SubtitlesUnreadable(filename=path.name, reason=error.strerror or str(error)) from error
    if not data.strip():
        raise _unreadable(path, "empty")
    for magic, why in _NO_TEXT.items():
        if data.startswith(magic):
            raise _unreadable(path, why)
    return data


def _unreadable(path: Path, why: str) -> SubtitlesUnreadable:
    return SubtitlesUnreadable(filename=path.name, reason=UNUSABLE[why], why=why)


def _with_plain_line_ends(text: str) -> str:
    """The text with \\n only. \\r\\r\\n, which editors make of \\r\\n by mistake, is one line end."""
    text = re.sub("\r{1,4}\n", "\n", text.replace("\ufeff", ""))
    return _CONTROL.sub("", re.sub("[\r\x0b\x0c\x85\u2028\u2029]", "\n", text))


def _reader_for(text: str) -> Read | None:
    head = text[:_HEAD_CHARS]
    if head.lstrip().startswith("WEBVTT"):
        return subrip.read_cues
    # the others can have arrows in their comments and their text
    for pattern, read in ((_TTML, ttml.read_cues), (_SAMI, sami.read_cues), (_ASS, substation.read_cues)):
        if pattern.search(head):
            return read
    for pattern, read in (
        (_ARROW, subrip.read_cues),
        (sub_files.MICRODVD, sub_files.read_microdvd),
        (sub_files.SUBVIEWER, sub_files.read_subviewer),
        (sub_files.SUBVIEWER1, sub_files.read_subviewer1),
        (sub_files.MPL2, sub_files.read_mpl2),
    ):
        if pattern.search(text):
            return read
    return None


def _why_unknown(text: str) -> str:
    if re.match(r"\s*<(?:!doctype html|html)\b", text[:1000], re.IGNORECASE):
        return "web_page"
    if text[:1000].lstrip().startswith("{") and '"' in text[:1000]:
        return "json"
    return "no_times"


def _in_one_language(reading: Reading, wanted: str | None) -> Reading:
    """Of a file in several languages, the cues in the wanted one, else in the one with the most; the others count."""
    spoken = [cue for cue in reading.cues if any(line.strip() for line in cue.lines)]
    counts = Counter(cue.language for cue in spoken if cue.language is not None)
    if len(counts) < 2:
        return dataclasses.replace(reading, language=reading.language or next(iter(counts), None))
    chosen = wanted if wanted is not None and wanted in counts else max(counts, key=lambda language: counts[language])
    kept = [cue for cue in reading.cues if cue.language in (chosen, None)]
    dropped = Counter(reading.dropped)
    dropped["other_language"] += sum(counts.values()) - counts[chosen]
    return dataclasses.replace(reading, cues=kept, dropped=dropped, language=chosen)
