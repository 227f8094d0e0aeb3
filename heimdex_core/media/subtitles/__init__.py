"""Subtitles as a transcript, from files beside a video or from tracks inside it, and which of several is used."""

from heimdex_core.media.subtitles.choice import Candidate, Choice, choose_subtitles
from heimdex_core.media.subtitles.embedded import embedded_subtitles
from heimdex_core.media.subtitles.files import MAX_BYTES, SUFFIXES, read_subtitles
from heimdex_core.media.subtitles.sidecars import CHOICE_FILE, Sidecar, choose_file, find_sidecar, language_in_name

__all__ = [
    "CHOICE_FILE",
    "MAX_BYTES",
    "SUFFIXES",
    "Candidate",
    "Choice",
    "Sidecar",
    "choose_file",
    "choose_subtitles",
    "embedded_subtitles",
    "find_sidecar",
    "language_in_name",
    "read_subtitles",
]
