"""What was given cannot be used."""

from __future__ import annotations

from heimdex_core.errors.base import ValidationError


class FileUnreadable(ValidationError):
    code = "FILE_UNREADABLE"
    message_template = "{filename} cannot be read: {reason}"
    hint_template = "Check that the path exists, is a file, and that you may read it."


class EmptyFile(ValidationError):
    code = "EMPTY_FILE"
    message_template = "{filename} is empty (0 bytes)."
    hint_template = "Copy or download the file again; the transfer probably stopped before it began."


class NotAVideo(ValidationError):
    code = "NOT_A_VIDEO"
    message_template = "{filename} is not a video file: {reason}"
    hint_template = "Give an MP4, MOV, AVI, MKV or WebM file. The content decides, not the name."


class NoVideoStream(ValidationError):
    code = "NO_VIDEO_STREAM"
    message_template = "{filename} has no picture, only {streams}."
    hint_template = "Audio files cannot be searched by scene. Give a file with a video track."


class UndecodableVideo(ValidationError):
    code = "UNDECODABLE_VIDEO"
    message_template = "No picture of {filename} can be decoded: {reason}"
    hint_template = "The file is truncated or damaged. Export it again from the editor, or copy the original again."


class TruncatedFile(ValidationError):
    code = "TRUNCATED_FILE"
    message_template = "{filename} is cut short: {reason}"
    hint_template = "Copy or download the file again; repair an interrupted recording with a tool such as untrunc."


class FileTooLarge(ValidationError):
    code = "FILE_TOO_LARGE"
    message_template = "{filename} has {size_bytes} bytes; the limit is {limit_bytes}."
    hint_template = "Make the file smaller, or raise HEIMDEX_MAX_FILE_BYTES."


class VideoTooLong(ValidationError):
    code = "VIDEO_TOO_LONG"
    message_template = "{filename} lasts {duration_s} s; the limit is {limit_s} s."
    hint_template = "Cut the video into parts, or raise HEIMDEX_MAX_DURATION_S."


class DurationMismatch(ValidationError):
    code = "DURATION_MISMATCH"
    message_template = "{filename} says it lasts {claimed_s} s but holds {measured_s} s."
    hint_template = (
        "The header is wrong or the file incomplete: `ffmpeg -i IN -c copy OUT` rewrites it; or export it again."
    )


class SubtitlesUnreadable(ValidationError):
    code = "SUBTITLES_UNREADABLE"
    message_template = "The subtitles {filename} cannot be used: {reason}"
    hint_template = "Give an .srt or .vtt file with at least one timed line, best saved as UTF-8."


class InvalidQuery(ValidationError):
    code = "INVALID_QUERY"
    message_template = "The query has {length} characters; it may have {minimum} to {maximum}."
    hint_template = "Write a word or a sentence that describes the moment."


class InvalidWeights(ValidationError):
    code = "INVALID_WEIGHTS"
    message_template = "The weights {weights} cannot be used: {reason}"
    hint_template = "Give each channel a weight from 0 to 1, with at least one above 0."


class UnknownName(ValidationError):
    code = "UNKNOWN_NAME"
    message_template = "There is no {kind} called {name}."
    hint_template = "Choose one of: {known}."


class InvalidValue(ValidationError):
    code = "INVALID_VALUE"
    message_template = "{name} = {value} cannot be used: {reason}"
    hint_template = "Give a value in the stated range."


class InvalidReel(ValidationError):
    code = "INVALID_REEL"
    message_template = "This reel cannot be made: {reason}"
    hint_template = (
        "A reel has 1 to {max_scenes} scenes of indexed videos and a title of at most {max_title} characters."
    )


class InvalidTransition(ValidationError):
    code = "INVALID_TRANSITION"
    message_template = "A video that is {state} cannot become {wanted}."
    hint_template = "Reload the page; its state changed in the meantime."


class InvalidSql(ValidationError):
    code = "INVALID_SQL"
    message_template = "The query cannot be run: {reason}"
    hint_template = "Only reading is possible. `lib.sql('show tables')` lists what there is."
