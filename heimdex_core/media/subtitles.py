"""Reading subtitles, from files beside the video or from tracks inside it, as a transcript."""

from __future__ import annotations

import dataclasses
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import pysubs2
from av.container import InputContainer
from av.stream import Disposition

from heimdex_core.errors import SubtitlesUnreadable
from heimdex_core.media.containers import open_media, read_packets
from heimdex_core.media.text_encoding import decode_text, language_of
from heimdex_core.types import MediaInfo, Segment, Transcript, TranscriptSource, Word

SUFFIXES = (".srt", ".vtt")
"""Extensions of subtitle files, the preferred one first."""
MAX_BYTES = 20 * 1024 * 1024
"""Larger files are refused."""

# A line whose times are reversed or equal lasts about as long as it takes to read.
_READ_MIN_S, _READ_PER_CHAR_S = 1.0, 0.06
_SAME_START_S = 0.001
_ROLL_UP_GAP_S = 0.1

_STAMP = re.compile(r"<(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{3})>")
_MARKER = re.compile(r"<t (\d+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_LANGUAGE_HEADER = re.compile(r"^Language:\s*([A-Za-z]{2})\b", re.MULTILINE)
# ISO 639-2 codes, which containers use, of the languages that the app offers
_TWO_LETTERS = {
    "eng": "en", "kor": "ko", "jpn": "ja", "zho": "zh", "chi": "zh", "spa": "es", "fra": "fr", "fre": "fr",
    "deu": "de", "ger": "de", "ita": "it", "por": "pt", "rus": "ru",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Cue:
    """A cue as in the file, with its markup; word timestamps are written as <t milliseconds>."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def find_sidecar(video_path: Path) -> Path | None:
    """The .srt or .vtt file beside a video that has the same name (.srt first), or None."""

    def name(path: Path) -> str:
        return unicodedata.normalize("NFC", path.stem)

    try:
        siblings = sorted(video_path.parent.iterdir())
    except OSError:
        return None
    for suffix in SUFFIXES:
        for sibling in siblings:
            if sibling.suffix.lower() == suffix and name(sibling) == name(video_path) and sibling.is_file():
                return sibling
    return None


def read_subtitles(path: Path) -> Transcript:
    """Read an .srt or .vtt file in any encoding: lines in order, not overlapping, without markup.

    The notes of the transcript name the encoding if it is not UTF-8 ("subtitles_encoding:cp949") and what was
    repaired ("subtitles_overlap_mended", "subtitles_times_mended"). Raises SubtitlesUnreadable.
    """
    text, encoding = decode_text(_read(path))
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    cues = _parse(path.name, text)
    notes = () if encoding == "utf-8" else (f"subtitles_encoding:{encoding}",)
    header = _LANGUAGE_HEADER.search(text[:500])
    transcript = _transcript(cues, notes, "subtitles", header.group(1).lower() if header else None)
    if not transcript.segments:
        raise SubtitlesUnreadable(filename=path.name, reason="there is no timed line with text in it")
    return transcript


def embedded_subtitles(path: Path, info: MediaInfo) -> Transcript | None:
    """The first text track of a video that has lines, or None. Forced tracks come last.

    `info` is what `probe` returned for it. Raises FileUnreadable, NotAVideo.
    """
    with open_media(path) as container:
        ranked = sorted(
            (t for t in info.subtitle_tracks if t.is_text),
            key=lambda t: bool(container.streams[t.stream_index].disposition & Disposition.forced),
        )
    for track in ranked:
        with open_media(path) as container:
            cues = list(_embedded_cues(container, track.stream_index, info.origin_s))
        named = _TWO_LETTERS.get(track.language or "", track.language)
        transcript = _transcript(cues, (), "embedded", named if named and len(named) == 2 else None)
        if transcript.segments:
            return transcript
    return None


# --- reading --------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SubtitlesUnreadable(filename=path.name, reason=f"it has {size} bytes; the limit is {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise SubtitlesUnreadable(filename=path.name, reason=error.strerror or str(error)) from error
    if not data.strip():
        raise SubtitlesUnreadable(filename=path.name, reason="it is empty")
    return data


def _parse(filename: str, text: str) -> list[_Cue]:
    is_vtt = text.lstrip().startswith("WEBVTT")
    is_ass = "[Script Info]" in text[:2000]
    if "-->" not in text and not is_ass:
        raise SubtitlesUnreadable(filename=filename, reason="it has no times like 00:00:01,000 --> 00:00:02,000")
    # pysubs2 would take a line of text with two word timestamps for the times of a cue
    text = _STAMP.sub(lambda m: f"<t {_milliseconds(m)}>", text)
    kind = "vtt" if is_vtt else "ass" if is_ass else "srt"
    try:
        parsed = pysubs2.SSAFile.from_string(_cue_blocks(text) if is_vtt else text, format_=kind, keep_html_tags=True)
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise SubtitlesUnreadable(filename=filename, reason=str(error)) from error
    return [
        _Cue(event.start / 1000, event.end / 1000, tuple(re.split(r"\\N|\\n|\n", event.text)))
        for event in parsed
        if not event.is_comment and event.start >= 0
    ]


def _milliseconds(match: re.Match[str]) -> int:
    hours, minutes, seconds, ms = (int(part or 0) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def _cue_blocks(text: str) -> str:
    """WebVTT without notes, styles, regions and cue names, which pysubs2 would read as text."""
    blocks = []
    for block in re.split(r"\n{2,}", text):
        lines = block.split("\n")
        timed = next((n for n, line in enumerate(lines) if "-->" in line), None)
        if timed is not None:
            blocks.append("\n".join(lines[timed:]))
    return "WEBVTT\n\n" + "\n\n".join(blocks) + "\n"


def _embedded_cues(container: InputContainer, stream_index: int, origin_s: float) -> Iterator[_Cue]:
    for packet in read_packets(container, container.streams[stream_index]):
        try:
            subtitles = packet.decode() if packet.size and packet.pts is not None else []
        except av.error.InvalidDataError:
            continue  # only this line is lost
        except av.error.FFmpegError:
            return
        for subtitle in subtitles:
            text = _ass_text(subtitle)
            start_s = float(packet.pts * packet.time_base) - origin_s
            if text and start_s >= 0:
                end_s = start_s + float((packet.duration or 0) * packet.time_base)
                yield _Cue(start_s, end_s, tuple(re.split(r"\\N|\\n|\n", text)))


def _ass_text(subtitle: Any) -> str:
    """The text of a decoded subtitle: the ninth field of libav's ASS event."""
    raw = getattr(subtitle, "ass", b"")
    event = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    fields = event.split(",", 8)
    return fields[8] if len(fields) == 9 else ""


# --- repairing ------------------------------------------------------------------------------------


def _transcript(
    cues: Sequence[_Cue], notes: Iterable[str], source: TranscriptSource, other_language: str | None
) -> Transcript:
    """The repaired transcript; `other_language` is used where the text does not show its language."""
    all_notes = list(notes)
    ordered = sorted(cues, key=lambda c: (c.start_s, c.end_s))
    if any(_MARKER.search(line) for cue in ordered for line in cue.lines):
        ordered = _without_roll_up(ordered)
    segments = [s for s in (_segment(cue, all_notes) for cue in ordered) if s is not None]
    repaired = _without_overlaps(segments)
    if repaired != segments:
        all_notes.append("subtitles_overlap_mended")
    language = language_of("\n".join(segment.text for segment in repaired)) or other_language
    return Transcript(tuple(repaired), source=source, language=language, notes=tuple(dict.fromkeys(all_notes)))


def _without_roll_up(cues: list[_Cue]) -> list[_Cue]:
    """Drop the repetitions of live captions, which show each line again, alone and above the next one."""
    found: list[_Cue] = []
    shown: list[str] = []
    shown_until_s = 0.0
    for cue in cues:
        lines = [line for line in cue.lines if _plain(line)]
        plain = [_plain(line) for line in lines]
        repeated = 0
        if cue.start_s - shown_until_s <= _ROLL_UP_GAP_S:
            for count in range(min(len(plain), len(shown)), 0, -1):
                if plain[:count] == shown[-count:]:
                    repeated = count
                    break
        if lines[repeated:]:
            found.append(_Cue(cue.start_s, cue.end_s, tuple(lines[repeated:])))
        if plain:
            shown, shown_until_s = plain, cue.end_s
    return found


def _segment(cue: _Cue, notes: list[str]) -> Segment | None:
    text = " ".join(part for part in (_plain(line) for line in cue.lines) if part)
    if not text:
        return None
    end_s = cue.end_s
    if end_s <= cue.start_s:
        end_s = cue.start_s + max(_READ_MIN_S, _READ_PER_CHAR_S * len(text))
        notes.append("subtitles_times_mended")
    return Segment(cue.start_s, end_s, text, words=_words(cue, end_s))


def _plain(line: str) -> str:
    """A line without markup, with entities resolved and spaces collapsed."""
    text = _INVISIBLE.sub("", html.unescape(_TAG.sub("", _MARKER.sub("", line))))
    return " ".join(text.replace(r"\h", " ").split())


def _words(cue: _Cue, end_s: float) -> tuple[Word, ...]:
    """Words with times; () where the cue has no word timestamps.

    Several words between two timestamps divide the time between them by their length.
    """
    raw = "\n".join(cue.lines)
    if not _MARKER.search(raw):
        return ()
    parts = _MARKER.split(raw)
    starts = [cue.start_s] + [int(ms) / 1000 for ms in parts[1::2]]
    pieces = [(at, _plain(piece)) for at, piece in zip(starts, parts[::2], strict=True)]
    timed = [(at, piece) for at, piece in pieces if piece]
    words: list[Word] = []
    for n, (at, piece) in enumerate(timed):
        start_s = min(max(at, cue.start_s), end_s)
        until_s = min(max(timed[n + 1][0] if n + 1 < len(timed) else end_s, start_s), end_s)
        words += _divided(piece.split(), start_s, until_s)
    return tuple(words)


def _divided(words: list[str], start_s: float, end_s: float) -> list[Word]:
    total = sum(len(word) for word in words)
    found, before = [], 0
    for word in words:
        from_s = start_s + (end_s - start_s) * before / total
        before += len(word)
        until_s = end_s if before == total else start_s + (end_s - start_s) * before / total
        found.append(Word(word, from_s, until_s))
    return found


def _without_overlaps(segments: list[Segment]) -> list[Segment]:
    """End each line where the next one begins; join lines that begin at the same time."""
    found: list[Segment] = []
    for segment in segments:
        if found and segment.start_s - found[-1].start_s <= _SAME_START_S:
            last = found.pop()
            words = (*last.words, *segment.words) if last.words and segment.words else ()
            text = last.text if last.text == segment.text else f"{last.text} {segment.text}"
            segment = Segment(last.start_s, max(last.end_s, segment.end_s), text, words=words)
        elif found and segment.start_s < found[-1].end_s:
            found.append(_cut(found.pop(), segment.start_s))
        found.append(segment)
    return found


def _cut(segment: Segment, end_s: float) -> Segment:
    words = tuple(
        dataclasses.replace(w, end_s=min(w.end_s, end_s), start_s=min(w.start_s, end_s)) for w in segment.words
    )
    return dataclasses.replace(segment, end_s=end_s, words=words)
