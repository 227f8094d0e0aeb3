"""A file, a value or a request cannot be used as it is."""

from __future__ import annotations

from heimdex_core.errors.base import ValidationError


class FileUnreadable(ValidationError):
    """A file does not exist, is not a file or may not be read."""

    code = "FILE_UNREADABLE"
    message_template = "{filename} cannot be read: {reason}"
    hint_template = "Check that the path exists, that it is a file, and that you have permission to read it."


class EmptyFile(ValidationError):
    """A file has no content."""

    code = "EMPTY_FILE"
    message_template = "{filename} is empty (0 bytes)."
    hint_template = "The copy or download was probably interrupted. Copy or download the file again."


class NotAVideo(ValidationError):
    """The content of a file is not a supported video container."""

    code = "NOT_A_VIDEO"
    message_template = "{filename} is not a video file: {reason}"
    hint_template = "Use an MP4, MOV, AVI, MKV or WebM file. The content of the file counts, not its name."


class NoVideoStream(ValidationError):
    """A container has no video track."""

    code = "NO_VIDEO_STREAM"
    message_template = "{filename} has no video track, only {streams}."
    hint_template = "Files without a video track cannot be divided into scenes. Use a file that has one."


class UndecodableVideo(ValidationError):
    """A video track from which no frame can be decoded."""

    code = "UNDECODABLE_VIDEO"
    message_template = "No frame of {filename} can be decoded: {reason}"
    hint_template = (
        "The file is incomplete, damaged or in an unsupported format. Copy it again, or export it again from the"
        " editor."
    )


class TruncatedFile(ValidationError):
    """The end of a file is missing."""

    code = "TRUNCATED_FILE"
    message_template = "{filename} is incomplete: {reason}"
    hint_template = "Copy or download the file again. Repair an interrupted recording with a tool such as untrunc."


class FileTooLarge(ValidationError):
    """A file is larger than the limit in the settings."""

    code = "FILE_TOO_LARGE"
    message_template = "{filename} is too large ({size_bytes} bytes); the limit is {limit_bytes} bytes."
    hint_template = "Use a smaller file, or increase HEIMDEX_MAX_FILE_BYTES."


class FrameTooLarge(ValidationError):
    """The frames of a video are larger than the limit in the settings."""

    code = "FRAME_TOO_LARGE"
    message_template = (
        "The frames of {filename} are too large: {width} x {height} pixels, {frame_bytes} bytes uncompressed; the limit"
        " is {limit_bytes} bytes."
    )
    hint_template = "Export the video with smaller frames, or increase HEIMDEX_MAX_FRAME_BYTES."


class VideoTooLong(ValidationError):
    """A video is longer than the limit in the settings."""

    code = "VIDEO_TOO_LONG"
    message_template = "{filename} is {duration_s} s long; the limit is {limit_s} s."
    hint_template = "Cut the video into parts, or increase HEIMDEX_MAX_DURATION_S."


class DurationMismatch(ValidationError):
    """The duration in the header differs from the duration of the content."""

    code = "DURATION_MISMATCH"
    message_template = "The header of {filename} claims {claimed_s} s, but the file contains {measured_s} s."
    hint_template = (
        "The header is wrong, or the file is incomplete. Export the video again, or rewrite the header with"
        " `ffmpeg -i IN -c copy OUT`."
    )


class SubtitlesUnreadable(ValidationError):
    """A subtitle file has another format, or no timed lines. `why` among the details is the code of the reason."""

    code = "SUBTITLES_UNREADABLE"
    message_template = "The subtitles {filename} cannot be used: {reason}"
    hint_template = (
        "Use an .srt, .vtt, .ass, .smi, .ttml or text .sub file with at least one timed line, preferably in UTF-8."
    )


class NotAnImage(ValidationError):
    """The content of a file is not an image that can be searched with."""

    code = "NOT_AN_IMAGE"
    message_template = "{filename} cannot be used as an image: {reason}"
    hint_template = "Use a JPEG, PNG or WebP file. The content of the file counts, not its name."


class ImageTooLarge(ValidationError):
    """An image has more pixels than are decoded."""

    code = "IMAGE_TOO_LARGE"
    message_template = "{filename} has more than {limit_megapixels} megapixels."
    hint_template = "Reduce the image. For a search, 512 pixels on the longer side are enough."


class InvalidQuery(ValidationError):
    """The text of a query is empty or too long."""

    code = "INVALID_QUERY"
    message_template = "The query has {length} characters; it must have {minimum} to {maximum}."
    hint_template = "Enter a word or a sentence that describes the scene."


class InvalidFilter(ValidationError):
    """A filter of a search that does not exist, or whose value cannot be used."""

    code = "INVALID_FILTER"
    message_template = "The filter {filter} cannot be used: {reason}"
    hint_template = "docs/search.md has the filters and their values."


class InvalidWeights(ValidationError):
    """Weights of a search that cannot be used."""

    code = "INVALID_WEIGHTS"
    message_template = "The weights {weights} cannot be used: {reason}"
    hint_template = "Give each channel a weight from 0 to 1, and at least one channel a weight above 0."


class UnknownName(ValidationError):
    """A name that is not registered."""

    code = "UNKNOWN_NAME"
    message_template = "There is no {kind} called {name}."
    hint_template = "Choose one of: {known}."


class NoneYet(UnknownName):
    """A name where nothing has been made yet that could have one; `command` of the command line makes one."""

    code = "NONE_YET"
    hint_template = "There is none yet. `{command}` makes one."


class UnknownModelSet(UnknownName):
    """A model set that the library does not have, or that was dropped."""

    def __init__(self, set_id: int, known: list[int]) -> None:
        super().__init__(kind="model set", name=str(set_id), known=", ".join(map(str, known)))


class InvalidValue(ValidationError):
    """A value of the wrong type or outside its range."""

    code = "INVALID_VALUE"
    message_template = "{name} = {value} cannot be used: {reason}"
    hint_template = "Enter a value that meets this condition."


class InvalidReel(ValidationError):
    """A reel with too many or no clips, or with clips or a title that cannot be used."""

    code = "INVALID_REEL"
    message_template = "This reel cannot be created: {reason}"
    hint_template = (
        "A reel has 1 to {max_scenes} scenes of indexed videos and a title of at most {max_title} characters."
    )


class InvalidTransition(ValidationError):
    """A change of state that the life of a video does not have."""

    code = "INVALID_TRANSITION"
    message_template = "A video in the state {state} cannot change to {wanted}."
    hint_template = "Its state has changed in the meantime. Reload the page."


class InvalidSql(ValidationError):
    """A query of `Library.sql` that cannot be run."""

    code = "INVALID_SQL"
    message_template = "The query cannot be run: {reason}"
    hint_template = "Only read-only queries are allowed. `lib.sql('show tables')` lists the tables."


class ScenesNotEditable(ValidationError):
    """The scenes of a video that is not indexed, or is being indexed, cannot be split or merged."""

    code = "SCENES_NOT_EDITABLE"
    message_template = "The scenes cannot be changed while the video is in the state {state}."
    hint_template = "Wait until the video is ready. If indexing it has failed, index it again first."


class SplitTooShort(ValidationError):
    """A split would leave a scene that is shorter than the minimum of the video."""

    code = "SPLIT_TOO_SHORT"
    message_template = "Splitting at {at_s} s would leave a scene of {length_s} s; scenes have at least {minimum_s} s."
    hint_template = "Choose a place that is further from the beginning and the end of the scene."


class SplitOutside(ValidationError):
    """A split at a time that is not inside the video."""

    code = "SPLIT_OUTSIDE"
    message_template = "The video cannot be split at {at_s} s: its scenes end at {end_s} s."
    hint_template = "Choose a time between the beginning and the end of the video."


class ScenesNotNeighbours(ValidationError):
    """Two scenes that do not follow each other in one video cannot be merged."""

    code = "SCENES_NOT_NEIGHBOURS"
    message_template = "These scenes cannot be merged."
    hint_template = "Only two scenes of the same video can be merged, of which one follows the other."
