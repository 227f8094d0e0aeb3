"""What a person should know about an exported file: the codes of Export.notes, with their English texts.

The app has the texts of other languages.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.errors import fill
from heimdex_core.export.captions import NOTE_FONT_MISSING, NOTE_LETTERS_LEFT_OUT
from heimdex_core.export.crop.smart import NOTE_NO_DETECTOR
from heimdex_core.export.fast import NOTE_COPIED, NOTE_EXACT
from heimdex_core.export.short_plan import NOTE_LONG
from heimdex_core.media.loudness import NOTE_NOT_REACHED, NOTE_SILENT
from heimdex_core.media.short import NOTE_NO_SOUND, NOTE_TWO_PASSES

NOTES: Mapping[str, str] = {
    NOTE_LONG: "It is almost as long as a short may be.",
    NOTE_NO_SOUND: "The source has no sound, so neither has the file.",
    NOTE_SILENT: "The sound is close to silence, so it was not made louder.",
    NOTE_NOT_REACHED: "The sound is not at −14 LUFS, because its peaks do not allow that.",
    NOTE_TWO_PASSES: "It was encoded again in two passes to fit the size limit of its quality.",
    NOTE_LETTERS_LEFT_OUT: "No font here has these characters, so captions leave them out: {value}",
    NOTE_FONT_MISSING: "The font of the captions is missing, so another one was used.",
    NOTE_NO_DETECTOR: "Smart crop did not look for faces: the face detector is missing (models pull faces).",
    NOTE_COPIED: "{copied} of {total} frames were copied, the others encoded.",
    NOTE_EXACT: "Every frame was encoded, because none could be copied.",
    f"{NOTE_EXACT}.crossfade": "Every frame was encoded: with crossfades none can be copied.",
    f"{NOTE_EXACT}.drawing": "Every frame was encoded: where titles or captions are drawn none can be copied.",
    f"{NOTE_EXACT}.framing": "Every frame was encoded: where pictures are cropped or padded none can be copied.",
    f"{NOTE_EXACT}.codec": "Every frame was encoded: only progressive 8-bit H.264 in MP4, MOV or MKV can be copied.",
    f"{NOTE_EXACT}.size": "Every frame was encoded: the sources have another picture size than the reel.",
    f"{NOTE_EXACT}.rate": "Every frame was encoded: the sources have another or no constant frame rate.",
    f"{NOTE_EXACT}.colours": "Every frame was encoded: the colours of the sources have to be converted.",
    f"{NOTE_EXACT}.keyframes": "Every frame was encoded: there is no keyframe in the clips to begin copying at.",
    f"{NOTE_EXACT}.failed": "Every frame was encoded, because copying them failed.",
}
"""By code, or by code and reason where there is a text for the reason."""


def parts_of(note: str) -> tuple[str, Mapping[str, str]]:
    """(key in NOTES, or the code of a note that is not known here, values of the fields of its text)."""
    code, _, value = note.partition(":")
    copied, _, total = value.partition("/")
    key = f"{code}.{value}"
    return key if key in NOTES else code, {"value": value, "copied": copied, "total": total}


def note_text(note: str) -> str:
    """The English text of a note, such as "frames_copied:48/55"."""
    key, values = parts_of(note)
    return fill(NOTES[key], dict(values)) if key in NOTES else key.replace("_", " ")
