"""Which tracks of a file are used: described from flags, titles and languages, chosen with what was measured.

The choice is made once, by the probe, and kept with the video; transcript, keyframes, preview and reel follow it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream

from heimdex_core.formatting import two_letter_code
from heimdex_core.media.limits import MAX_TEXT_CHARS
from heimdex_core.media.sound import SoundMeter, prepare
from heimdex_core.types import AudioTrack, MediaInfo, SubtitleTrack, TrackChoice, VideoTrack

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
"""Codecs of subtitle tracks that hold text, by libav's names."""

_Words = tuple[tuple[str, int, str], ...]
# (role, flags, pattern of titles), the first that fits; patterns are searched in the title in lower case.
_AUDIO_ROLES: _Words = (
    (
        "description",
        Disposition.visual_impaired | Disposition.descriptions,
        r"\bdescri(ption|ptive|bed)|\b(ad|dvs)\b|audiodes[ck]ri|화면 ?해설",
    ),
    ("commentary", Disposition.comment, r"comment|kommentar|해설|코멘터리|音声解説"),
    (
        "music",
        Disposition.karaoke | Disposition.lyrics | Disposition.clean_effects,
        r"karaoke|instrumental|isolated score|music only|\bm ?& ?e\b|\bscore\b|노래방|반주",
    ),
    ("hearing_impaired", Disposition.hearing_impaired, r"hearing|청각"),
    ("dub", Disposition.dub, r"\bdub(bed|s)?\b|더빙|吹替"),
)
_SUBTITLE_ROLES: _Words = (
    ("forced", Disposition.forced, r"\bforced\b|foreign (parts|only)|강제"),
    ("commentary", Disposition.comment, r"comment|kommentar|해설|코멘터리"),
    ("signs", 0, r"\bsigns?\b|\bsongs?\b|typeset|간판|표지"),
    ("lyrics", Disposition.karaoke | Disposition.lyrics, r"karaoke|lyrics|노래방|가사"),
    ("description", Disposition.descriptions | Disposition.visual_impaired, r"\bdescripti(on|ve)|화면 ?해설"),
    (
        "hearing_impaired",
        Disposition.hearing_impaired | Disposition.captions,
        r"\b(sdh|cc|hoh)\b|caption|hearing|청각",
    ),
)
_AUDIO_ORDER = ("main", "dub", "hearing_impaired", "music", "description", "commentary")
_COMPLETE = ("full", "hearing_impaired")
_SUBTITLE_ORDER = (*_COMPLETE, "description", "lyrics", "signs", "forced", "commentary")
_NOT_THE_DIALOGUE = ("music", "description", "commentary")
# A level 40 dB below that of another track is the noise of an input that nothing is plugged into.
_NOISE_FLOOR = 1e-4
# A track of less than this share of the longest one's frames is a poster or a thumbnail.
_STILL_SHARE = 0.05

# --- describing -----------------------------------------------------------------------------------


def video_track(stream: VideoStream) -> VideoTrack:
    """What the header says of a picture track."""
    context: Any = stream.codec_context  # None where there is no decoder
    return VideoTrack(
        stream_index=stream.index,
        codec=context.codec.canonical_name if context is not None else "unknown",
        width=context.width if context is not None else 0,
        height=context.height if context is not None else 0,
        title=_title(stream),
        is_default=bool(stream.disposition & Disposition.default),
    )


def audio_track(stream: AudioStream) -> AudioTrack:
    """What the header says of a sound track. To be called before the stream is decoded."""
    context: Any = stream.codec_context
    title = _title(stream)
    role = _role(stream.disposition, title, _AUDIO_ROLES, "main")
    return AudioTrack(
        stream_index=stream.index,
        codec=context.codec.canonical_name if context is not None else "unknown",
        sample_rate_hz=context.sample_rate or 0 if context is not None else 0,
        channels=prepare(stream),
        language=_language(stream.metadata),
        title=title,
        is_default=bool(stream.disposition & Disposition.default),
        is_commentary=role in ("commentary", "description"),
        role=role,
    )


def subtitle_track(stream: Any) -> SubtitleTrack:
    """What the header says of a subtitle track."""
    codec = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"
    title = _title(stream)
    return SubtitleTrack(
        stream_index=stream.index,
        codec=codec,
        language=_language(stream.metadata),
        is_text=codec in TEXT_SUBTITLES,
        title=title,
        is_default=bool(stream.disposition & Disposition.default),
        role=_role(stream.disposition, title, _SUBTITLE_ROLES, "full"),
    )


def _title(stream: Any) -> str | None:
    # MP4 stores the title as the name of the handler, where most writers put "SoundHandler"
    handler: str = stream.metadata.get("handler_name", "")[:MAX_TEXT_CHARS]
    is_of_the_writer = re.search(r"handle|^(mono|stereo|surround)$|gpac|apple|core media|mainconcept", handler.lower())
    title: str = stream.metadata.get("title", "")[:MAX_TEXT_CHARS]
    return title or (None if is_of_the_writer else handler or None)


def _role(flags: int, title: str | None, roles: _Words, otherwise: str) -> str:
    for role, wanted, _ in roles:
        if flags & wanted:
            return role
    words = (title or "").lower()
    return next((role for role, _, pattern in roles if words and re.search(pattern, words)), otherwise)


def _language(metadata: Mapping[str, str]) -> str | None:
    code = metadata.get("language", "")[:MAX_TEXT_CHARS]
    return None if code in ("", "und") else code


# --- choosing -------------------------------------------------------------------------------------


def ranked_video(tracks: Sequence[VideoTrack], preferred: int | None = None) -> list[VideoTrack]:
    """Best first: what can be decoded, what moves, then `preferred` (libav's own choice), then by stream index."""
    longest = max((track.frame_count or 0 for track in tracks), default=0)

    def key(track: VideoTrack) -> tuple[Any, ...]:
        index = track.stream_index
        return (track.codec == "unknown", _is_still(track, longest), index != preferred, index)

    return sorted(tracks, key=key)


def choose_video(
    tracks: Sequence[VideoTrack], stream_index: int, undecodable: Sequence[int] = (), too_large: Sequence[int] = ()
) -> TrackChoice:
    """The choice of the picture track `stream_index`, with what speaks against the others."""
    longest = max((track.frame_count or 0 for track in tracks), default=0)
    passed_over = {}
    for track in tracks:
        if track.stream_index != stream_index:
            if track.stream_index in too_large:
                passed_over[str(track.stream_index)] = "too_large"
            elif track.codec == "unknown" or track.stream_index in undecodable:
                passed_over[str(track.stream_index)] = "undecodable"
            elif _is_still(track, longest):
                passed_over[str(track.stream_index)] = "still"
    return TrackChoice(stream_index, passed_over=passed_over)


def ranked_audio(tracks: Sequence[AudioTrack], meters: Mapping[int, SoundMeter] | None = None) -> list[AudioTrack]:
    """Best first: what can be decoded, what is not silent, the programme before commentary, default tracks.

    `meters` by stream index, where the tracks were measured.
    """
    faults = {track.stream_index: _fault(track, tracks, meters or {}) for track in tracks}

    def key(track: AudioTrack) -> tuple[Any, ...]:
        fault = faults[track.stream_index]
        order = _AUDIO_ORDER.index("commentary" if track.is_commentary and track.role == "main" else track.role)
        return (fault == "undecodable", fault == "silent", order, not track.is_default, track.stream_index)

    return sorted(tracks, key=key)


def choose_audio_track(
    tracks: Sequence[AudioTrack], meters: Mapping[int, SoundMeter], number: int | None = None
) -> TrackChoice | None:
    """The sound track to use; None without any. `number`, from 1, is the one that was chosen by hand.

    A number that the file does not have counts as none.
    """
    if not tracks:
        return None
    by_hand = number is not None and 1 <= number <= len(tracks)
    chosen = tracks[number - 1] if by_hand and number is not None else ranked_audio(tracks, meters)[0]
    others = {t.stream_index: _fault(t, tracks, meters) or _other_role(t) for t in tracks if t is not chosen}
    meter = meters.get(chosen.stream_index)
    used = meter.used_channels() if meter is not None else ()
    is_intact = meter is None or (meter.changes_at_s is None and meter.broken_at_s is None and meter.has_positions)
    return TrackChoice(
        chosen.stream_index,
        by_hand=by_hand,
        passed_over={str(index): why for index, why in others.items() if why},
        channels=used,
        needs_decoding=bool(used) or not is_intact,
    )


def sound_notes(info: MediaInfo, meters: Mapping[int, SoundMeter]) -> tuple[str, ...]:
    """What is done with the chosen sound track because it cannot be used as it is."""
    notes: list[str] = []
    meter = meters.get(info.sound.stream_index) if info.sound is not None else None
    if info.sound is not None and info.sound.channels:
        notes.append(f"audio_channels:{'+'.join(str(n + 1) for n in info.sound.channels)}")
    elif meter is not None and not meter.has_positions:
        notes.append(f"audio_unplaced:{meter.channels}")
    if meter is not None and meter.changes_at_s is not None:
        notes.append(f"audio_changes:{meter.changes_at_s:.1f}")
    return tuple(notes)


def ranked_subtitles(info: MediaInfo, language: str | None = None) -> list[SubtitleTrack]:
    """The subtitle tracks that hold text, best first.

    The whole dialogue in the spoken language comes first; "forced", "signs", lyrics, descriptions and commentary
    come after every track of dialogue.

    Args:
        info: what `probe` returned.
        language: of the speech, any language tag; None or "auto" takes that of the chosen sound track.
    """
    sound = next((t for t in info.audio_tracks if info.sound and t.stream_index == info.sound.stream_index), None)
    spoken = two_letter_code(language if language not in (None, "auto") else sound.language if sound else None)

    def key(track: SubtitleTrack) -> tuple[Any, ...]:
        own = two_letter_code(track.language)
        far = 1 if own is None or spoken is None else 2 * (own != spoken)
        order = _SUBTITLE_ORDER.index(track.role)
        return (max(0, order - len(_COMPLETE) + 1), far, order, not track.is_default, track.stream_index)

    return sorted((t for t in info.subtitle_tracks if t.is_text), key=key)


def with_subtitle_choice(info: MediaInfo) -> MediaInfo:
    """`info` with its subtitle track chosen."""
    ranked = ranked_subtitles(info)
    if not ranked:
        return info
    passed_over = {str(t.stream_index): t.role for t in ranked[1:] if t.role != "full"}
    passed_over |= {str(t.stream_index): "picture" for t in info.subtitle_tracks if not t.is_text}
    return replace(info, subtitles=TrackChoice(ranked[0].stream_index, passed_over=passed_over))


def _is_still(track: VideoTrack, longest: int) -> bool:
    return track.frame_count is not None and track.frame_count < max(2, _STILL_SHARE * longest) <= longest


def _fault(track: AudioTrack, tracks: Sequence[AudioTrack], meters: Mapping[int, SoundMeter]) -> str | None:
    """What speaks against a track, from its measurement: "undecodable" or "silent"."""
    if track.codec == "unknown" or not track.channels:
        return "undecodable"
    meter = meters.get(track.stream_index)
    if meter is None:
        return None
    if not meter.decoded_s:
        return "undecodable"
    loudest = max(
        (meters[t.stream_index].loudest for t in tracks if t.stream_index in meters and not _other_role(t)), default=0.0
    )
    return "silent" if meter.is_silent or meter.loudest < _NOISE_FLOOR * loudest else None


def _other_role(track: AudioTrack) -> str | None:
    """The role of a track that does not hold the dialogue."""
    if track.role in _NOT_THE_DIALOGUE:
        return track.role
    return "commentary" if track.is_commentary else None
