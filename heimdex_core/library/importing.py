"""Validate, copy and register a file.

The same bytes of one owner are one video: a deleted one is restored, a failed one is tried again, and new
subtitles index it again.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from heimdex_core.errors import FileUnreadable, InvalidTransition, SourceChanged, SourceMissing
from heimdex_core.export.source import require_source
from heimdex_core.files import disk_errors, make_folder, remove_tree, require_free_space, sha256_of, write_json
from heimdex_core.formatting import two_letter_code
from heimdex_core.ingest.work_folder import WorkFolder
from heimdex_core.media import probe as media_probe
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.child_probe import probe_in_child
from heimdex_core.media.subtitles import CHOICE_FILE, Sidecar, choose_file, find_sidecar, language_in_name
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.layout import SOURCE_EXTENSIONS, source_files
from heimdex_core.types import Json, MediaInfo, Video, VideoState

_CHUNK_BYTES = 4 * 1024 * 1024
_MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class IncomingFile:
    """A validated file whose bytes lie complete in the library's uploads folder, under a temporary name."""

    path: Path
    sha256: str
    filename: str
    """As people know it."""
    extension: str
    """That the source is kept under, for example ".mp4"."""
    subtitles: Path | None = None
    title: str | None = None
    description: str = ""
    language: str | None = None
    audio_track: int | None = None
    """The number of the sound track chosen by hand, from 1."""
    subtitle_choice: Json = field(default_factory=dict)
    """What is known of the subtitles besides their bytes: filename, language in it, notes; {} without any."""


@dataclass(frozen=True)
class Registration:
    """The video of a file; `is_new` where it was made now, `needs_work` where stages have to run."""

    video: Video
    is_new: bool
    needs_work: bool


def read_file(
    store: Store, settings: Settings, source: Path, subtitles: Path | None, language: str | None = None
) -> IncomingFile:
    """Validate a file of this machine and copy it into the uploads folder.

    Subtitles beside it are found when none are given; `language` (of the speech, None or "auto" where it is not
    known) decides between several. Raises a ValidationError, DiskFull; nothing is left then.
    """
    store.paths.require()
    name = safe_filename(source.name)
    size = media_probe.check_file(source, max_bytes=settings.max_file_bytes, filename=name)
    if subtitles is not None:
        _require_readable(subtitles)
    info = _probed(source, name, settings)
    if subtitles is not None:
        found = Sidecar(subtitles, language_in_name(subtitles.name, source.name))
    else:
        found = find_sidecar(source, _spoken(info, language, settings))
        if found.path is not None:
            _require_readable(found.path)
    uploads = store.paths.uploads
    make_folder(uploads)
    require_free_space(uploads, size, keep_free_bytes=settings.min_free_bytes, what=name)
    copy, sha256 = copy_and_hash(source, uploads, what=name)
    extension = source_extension(name, info.container)
    choice = _choice(found, found.path.name if found.path is not None else "")
    return IncomingFile(copy, sha256, name, extension, found.path, subtitle_choice=choice)


def read_upload(
    settings: Settings,
    part: Path,
    filename: str,
    subtitles: Mapping[str, Path] | None,
    language: str | None = None,
) -> IncomingFile:
    """Validate an upload that lies complete in the uploads folder. Raises a ValidationError.

    `subtitles` are files by their names, one of which is used; `language` as for `read_file`.
    """
    name = safe_filename(filename)
    media_probe.check_file(part, max_bytes=settings.max_file_bytes, filename=name)
    info = _probed(part, name, settings)
    given, chosen, found = dict(subtitles or {}), None, Sidecar(None)
    if given:
        chosen, found = choose_file(list(given), name, _spoken(info, language, settings))
    used = list(given)[chosen] if chosen is not None else ""
    incoming = IncomingFile(part, sha256_of(part), name, source_extension(name, info.container), given.get(used))
    return replace(incoming, subtitle_choice=_choice(found, used))


def register(store: Store, settings: Settings, user_id: str, incoming: IncomingFile) -> Registration:
    """Make the video of a file, or find the owner's video of the same bytes.

    Afterwards the file lies in its place, or is gone where it was not needed.
    """
    try:
        video, created = store.register_video(
            user_id,
            incoming.sha256,
            title=(incoming.title or Path(incoming.filename).stem)[: settings.max_title_chars],
            filename=incoming.filename,
            description=incoming.description,
            language=incoming.language or settings.language,
        )
        if not created:
            return handle_duplicate(store, user_id, video, incoming)
        try:
            place_source(store, video, incoming.path, incoming.extension)
            _place_subtitles(store, video.video_id, incoming)
            _keep_audio_track(store, video, incoming)
            store.share_files(video.video_id)
            return Registration(store.set_state(video.video_id, VideoState.VALIDATING), is_new=True, needs_work=True)
        except BaseException:
            store.purge_video(video.video_id)
            raise
    finally:
        incoming.path.unlink(missing_ok=True)


def handle_duplicate(store: Store, user_id: str, video: Video, incoming: IncomingFile) -> Registration:
    """What the same bytes again mean for the video that exists: restore, retry, re-index, or nothing.

    Adding a file again is also the way to repair its video: whatever is missing of its files is made again.
    """
    is_restored = video.state == VideoState.DELETED
    if is_restored:
        video = store.restore_video(user_id, video.video_id)
    if not _has_source(store, video, incoming):
        place_source(store, video, incoming.path, incoming.extension)
    store.maintenance.describe_again(video)
    changed = _place_subtitles(store, video.video_id, incoming)
    changed = _keep_audio_track(store, video, incoming) or changed
    store.share_files(video.video_id)
    known = Registration(video, is_new=False, needs_work=False)
    if video.state == VideoState.INDEXED:
        changed = changed or not store.maintenance.is_intact(video)
        if not changed:
            return known
        return replace(known, video=store.set_state(video.video_id, VideoState.PROCESSING), needs_work=True)
    if video.state in (VideoState.FAILED, VideoState.UPLOADING):
        try:
            video = store.set_state(video.video_id, VideoState.VALIDATING)
        except InvalidTransition:
            # Another process registered the same file a moment earlier; its work is ours too.
            video = store.video(user_id, video.video_id)
        return replace(known, video=video, needs_work=True)
    return replace(known, needs_work=is_restored or video.job_id is None)


def find_known(store: Store, user_id: str, sha256: str) -> Video | None:
    """The user's video of these bytes if adding the file again would change nothing but restore it.

    None without one, for one that failed or was deleted before it was indexed, and where its file is lost or changed.
    """
    video = store.find_video(user_id, sha256)
    if video is None or video.state in (VideoState.FAILED, VideoState.UPLOADING):
        return None
    if intact_source(store, video) is None:
        return None
    if video.state != VideoState.DELETED:
        return video
    return store.restore_video(user_id, video.video_id) if video.generation is not None else None


def may_have_file(videos: Iterable[Video], filename: str, size_bytes: int) -> bool:
    """Whether one of the videos may be of a file of this name and size."""
    name = safe_filename(filename)
    return any(
        video.filename == name and (video.info is None or video.info.size_bytes == size_bytes) for video in videos
    )


# --- names ----------------------------------------------------------------------------------------


def safe_filename(name: str) -> str:
    """`name` as it may be kept: Unicode stays, separators and |<>: become -, ?* and control characters go.

    At most 255 bytes of UTF-8, shortened before the extension.
    """
    name = re.sub(r"[\x00-\x1f\x7f?*]", "", _as_unicode(name))
    name = re.sub(r"[|<>:\\/]", "-", name).strip().strip(".") or "video"
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, suffix = name, ""
    room = _MAX_NAME_BYTES - len((dot + suffix).encode() if suffix else b"")
    stem = stem.encode()[:room].decode(errors="ignore")
    return f"{stem}.{suffix}" if suffix else stem


def _as_unicode(name: str) -> str:
    """A file name as text also where its bytes are not UTF-8; older Korean systems wrote cp949."""
    try:
        content = os.fsencode(name)
    except UnicodeEncodeError:
        content = name.encode(errors="replace")
    for encoding in ("utf-8", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(errors="replace")


def source_extension(filename: str, container: str) -> str:
    """The extension to keep a source under: its own where that is a known one, else by its container."""
    own = Path(filename).suffix.lower()
    if own in SOURCE_EXTENSIONS:
        return own
    for part, extension in (("mp4", ".mp4"), ("mov", ".mov"), ("webm", ".webm"), ("matroska", ".mkv"), ("avi", ".avi")):
        if part in container:
            return extension
    return ".mp4"


def _probed(path: Path, name: str, settings: Settings) -> MediaInfo:
    """What the header says. Refuses what cannot be a video before anything is copied."""
    return probe_in_child(
        path,
        limits=ChildLimits.of(settings),
        max_bytes=settings.max_file_bytes,
        max_duration_s=settings.max_duration_s,
        filename=name,
        measure=False,
    )


def _spoken(info: MediaInfo, language: str | None, settings: Settings) -> str | None:
    """The language of the speech: the one asked for, else that of the sound track; None where neither is known."""
    asked = language or settings.language
    if asked != "auto":
        return asked
    chosen = info.sound.stream_index if info.sound is not None else None
    tracks = [t for t in info.audio_tracks if t.stream_index == chosen] or list(info.audio_tracks[:1])
    return two_letter_code(tracks[0].language) if tracks else None


# --- files ----------------------------------------------------------------------------------------


def copy_and_hash(source: Path, folder: Path, *, what: str) -> tuple[Path, str]:
    """Copy `source` to a temporary name in `folder`; returns (the copy, SHA-256 of its bytes).

    Raises DiskFull, FileUnreadable; nothing stays behind then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{uuid.uuid4()}.part"
    digest = hashlib.sha256()
    try:
        with disk_errors(what, folder, source.stat().st_size), source.open("rb") as reader, target.open("xb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
    except OSError as error:
        target.unlink(missing_ok=True)
        raise FileUnreadable(filename=what, reason=error.strerror or str(error)) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target, digest.hexdigest()


def _require_readable(path: Path) -> None:
    try:
        with path.open("rb") as reader:
            reader.read(1)
    except OSError as error:
        raise FileUnreadable(filename=path.name, reason=error.strerror or str(error)) from error


def _has_source(store: Store, video: Video, incoming: IncomingFile) -> bool:
    """Whether the video's file is there and sound, as large as the same file that has been given now."""
    source = intact_source(store, video)
    return source is not None and source.stat().st_size == incoming.path.stat().st_size


def intact_source(store: Store, video: Video) -> Path | None:
    """The file of a video; None where it is missing, changed or cannot be read."""
    try:
        return require_source(store.paths, video)
    except (SourceMissing, SourceChanged, FileUnreadable):
        return None


def place_source(store: Store, video: Video, path: Path, extension: str) -> None:
    """Move a file of the library's disk to the place of the video's source, instead of one that is damaged."""
    place = store.paths.new_source(video.video_id, extension)
    make_folder(place.parent, levels=2)
    for damaged in source_files(place.parent):
        if damaged not in (place, path):
            remove_tree(damaged) if damaged.is_dir() else damaged.unlink()
    path.replace(place)


def _keep_audio_track(store: Store, video: Video, incoming: IncomingFile) -> bool:
    """Keep a track chosen by hand with the video; True if it is another one than before."""
    if incoming.audio_track is None or video.params.get("audio_track") == incoming.audio_track:
        return False
    store.set_params(video.video_id, params={**video.params, "audio_track": incoming.audio_track})
    WorkFolder(store.paths.work(video.video_id)).ask_for_renewal()
    return True


def _choice(found: Sidecar, filename: str) -> Json:
    if not filename and not found.notes:
        return {}
    return {"filename": _as_unicode(filename), "language": found.language, "notes": list(found.notes)}


def _place_subtitles(store: Store, video_id: str, incoming: IncomingFile) -> bool:
    """Keep the subtitles beside the source, with what is known of them; True if that changed the subtitles."""
    choice_file = store.paths.video(video_id) / CHOICE_FILE
    if incoming.subtitles is None:
        if incoming.subtitle_choice and not choice_file.exists() and store.paths.subtitles(video_id) is None:
            write_json(choice_file, incoming.subtitle_choice)
        return False
    content = incoming.subtitles.read_bytes()
    existing = store.paths.subtitles(video_id)
    if existing is not None and existing.read_bytes() == content:
        return False
    if existing is not None:
        existing.unlink()
    store.paths.new_subtitles(video_id, incoming.subtitles.suffix.lower()).write_bytes(content)
    if incoming.subtitle_choice:
        write_json(choice_file, incoming.subtitle_choice)
    else:
        choice_file.unlink(missing_ok=True)
    return True
