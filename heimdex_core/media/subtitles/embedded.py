"""Subtitle tracks inside a video. Their text is taken from the packets as it is; nothing is decoded by libav."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from heimdex_core.errors import Cancelled
from heimdex_core.formatting import two_letter_code
from heimdex_core.media.containers import open_media, read_packets
from heimdex_core.media.subtitles.choice import Candidate, choose_subtitles, in_note, note
from heimdex_core.media.subtitles.cues import Cue, Reading, watched
from heimdex_core.media.subtitles.markup import is_drawing, plain
from heimdex_core.media.subtitles.repair import transcript_of
from heimdex_core.media.subtitles.subrip import cue_lines
from heimdex_core.media.subtitles.substation import dialogue_lines
from heimdex_core.media.text_encoding import decode_text
from heimdex_core.media.tracks import ranked_subtitles
from heimdex_core.types import MediaInfo, SubtitleTrack, Transcript, WorkContext

_log = logging.getLogger(__name__)

_MAX_TEXT_BYTES = 20 * 1024 * 1024
"""Of all tracks together; what follows is left out."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


@dataclass
class _Packets:
    """The texts of one track with their times."""

    track: SubtitleTrack
    times: list[tuple[float, float | None]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)

    def reading(self, context: WorkContext) -> Reading:
        reading = Reading(context=context)
        # one encoding for the whole track: a single line is too short to know it by
        text, _ = decode_text(b"\n\x1e".join(one.replace(b"\x1e", b"") for one in self.texts))
        parts = text.split("\n\x1e")
        if len(parts) != len(self.texts):
            parts = [one.decode("utf-8", "replace") for one in self.texts]
        for (start_s, end_s), part in zip(self.times, parts, strict=True):
            content, effect = _event(part) if self.track.codec in ("ass", "ssa") else (part, "")
            if is_drawing(content) or effect == "fx":
                reading.dropped["not_dialogue"] += 1
            else:
                reading.add(Cue(start_s, end_s, self._lines(_CONTROL.sub("", content))))
        return reading

    def _lines(self, content: str) -> tuple[str, ...]:
        if self.track.codec in ("ass", "ssa"):
            return dialogue_lines(content)
        return cue_lines(content, is_vtt=self.track.codec == "webvtt", has_ass_markup="{\\" in content)


def embedded_subtitles(
    path: Path, info: MediaInfo, language: str | None = None, context: WorkContext | None = None
) -> tuple[Transcript | None, tuple[str, ...]]:
    """(the lines of the track to use, or None; notes on what could not be used).

    The notes of the transcript name the track and say why it is this one of several.

    Args:
        info: what `probe` returned for the file.
        language: of the speech, an ISO 639-1 code; None takes that of the chosen sound track.
        context: is asked for cancellation.

    Raises FileUnreadable, NotAVideo, Cancelled.
    """
    context = context or WorkContext()
    notes: list[str] = []
    pictures = sum(not track.is_text for track in info.subtitle_tracks)
    if pictures:
        notes.append(f"subtitles_pictures_inside:{pictures}")
    by_hand = info.subtitles is not None and info.subtitles.by_hand
    ranked = ranked_subtitles(info, language)
    if info.subtitles is not None and by_hand:
        ranked = [track for track in ranked if track.stream_index == info.subtitles.stream_index]
    with_lines = []
    for packets in _packets(path, info, ranked, context):
        try:
            reading = packets.reading(context)
        except Cancelled:
            raise
        except Exception as error:  # the other tracks are not to suffer
            _log.warning("A subtitle track of %s is left out", path.name, exc_info=error)
            notes.append(f"subtitles_unreadable:{in_note(_name(info, packets.track))}")
            continue
        if reading.cues:
            with_lines.append((packets.track, reading))
    if not with_lines:
        return None, tuple(notes)
    candidates = [_candidate(info, track, reading) for track, reading in with_lines]
    choice = choose_subtitles(candidates, _spoken(info, language), duration_s=info.duration_s)
    if choice is None and not by_hand:
        notes.append(f"subtitles_partial_only:{in_note(candidates[0].name)}")
        return None, tuple(notes)
    index = choice.index if choice is not None else 0
    said = [note(choice.reason, candidates[index].name)] if choice is not None and choice.reason != "only" else []
    transcript = transcript_of(with_lines[index][1], "embedded", notes=said, language=candidates[index].language)
    return (transcript if transcript.segments else None), tuple(notes)


def _packets(path: Path, info: MediaInfo, tracks: list[SubtitleTrack], context: WorkContext) -> list[_Packets]:
    """The packets of these tracks; all are read in one pass over the file."""
    if not tracks:
        return []
    found = {track.stream_index: _Packets(track) for track in tracks}
    size = 0
    with open_media(path) as container:
        streams = [container.streams[index] for index in found]
        for packet in watched(read_packets(container, *streams), context):
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            size += packet.size
            if size > _MAX_TEXT_BYTES:
                break
            packets = found[packet.stream.index]
            start_s = float(packet.pts * packet.time_base) - info.origin_s
            duration_s = float((packet.duration or 0) * packet.time_base)
            content = _PAYLOADS.get(packets.track.codec, bytes)(bytes(packet))
            if content.strip():
                packets.texts.append(content)
                packets.times.append((start_s, start_s + duration_s if duration_s > 0 else None))
    return [found[track.stream_index] for track in tracks]


def _candidate(info: MediaInfo, track: SubtitleTrack, reading: Reading) -> Candidate:
    language = two_letter_code(track.language)
    count = sum(any(plain(line) for line in cue.lines) for cue in reading.cues)
    return Candidate(
        _name(info, track),
        language if language and len(language) == 2 else None,
        track.role,
        track.is_default,
        line_count=count,
    )


def _name(info: MediaInfo, track: SubtitleTrack) -> str:
    """The track as people know it: its number, title and language."""
    number = [t.stream_index for t in info.subtitle_tracks].index(track.stream_index) + 1
    parts = (f"#{number}", track.title, f"({track.language})" if track.language else None)
    return " ".join(part for part in parts if part)


def _spoken(info: MediaInfo, language: str | None) -> str | None:
    if language not in (None, "auto"):
        return two_letter_code(language)
    chosen = info.sound.stream_index if info.sound is not None else None
    return next((two_letter_code(t.language) for t in info.audio_tracks if t.stream_index == chosen), None)


# --- what packets contain -------------------------------------------------------------------------


def _mov_text(packet: bytes) -> bytes:
    """The text of a 3GPP timed text sample: its length in two bytes, the text, then boxes with its style."""
    length = int.from_bytes(packet[:2], "big")
    text = packet[2 : 2 + length]
    if text[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return text.decode("utf-16", "replace").encode("utf-8", "replace")
    return text


_PAYLOADS: dict[str, Callable[[bytes], bytes]] = {"mov_text": _mov_text}


def _event(event: str) -> tuple[str, str]:
    """(text, effect) of an event as Matroska has it: ReadOrder, Layer, Style, Name, 3 margins, Effect, Text."""
    fields = event.split(",", 8)
    return (fields[8], fields[7].strip().lower()) if len(fields) == 9 else ("", "")
