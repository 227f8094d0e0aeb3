"""Who comes into the library: a file is checked and copied, then registered, or met again.

The same bytes of one owner are one video: a deleted one is restored, a failed one tried again, and
new subtitles index it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core import intake
from heimdex_core.errors import InvalidTransition
from heimdex_core.media import probe as media_probe
from heimdex_core.media.subtitles import find_sidecar
from heimdex_core.settings import Settings
from heimdex_core.types import Video, VideoState

if TYPE_CHECKING:
    from heimdex_core.store.store import Store


@dataclass(frozen=True)
class Newcomer:
    """A checked file whose bytes lie complete in the uploads folder."""

    copied: intake.Copied
    filename: str
    extension: str
    subtitles: Path | None
    title: str | None = None
    description: str = ""
    language: str | None = None


def from_file(store: Store, settings: Settings, source: Path, subtitles: Path | None) -> Newcomer:
    """Check a file of this machine and copy it in; subtitles beside it are found when none are given."""
    name = intake.safe_filename(source.name)
    size = media_probe.check_file(source, max_bytes=settings.max_file_bytes)
    subtitles = subtitles or find_sidecar(source)
    if subtitles is not None:
        intake.require_readable(subtitles)
    extension = _extension(source, name, settings)
    uploads = store.paths.uploads
    uploads.mkdir(parents=True, exist_ok=True)
    intake.require_free_space(uploads, size, keep_free_bytes=settings.min_free_bytes, what=name)
    return Newcomer(intake.copy_in(source, uploads, what=name), name, extension, subtitles)


def from_upload(store: Store, settings: Settings, part: Path, filename: str, subtitles: Path | None) -> Newcomer:
    """Check an upload that lies complete in the uploads folder."""
    name = intake.safe_filename(filename)
    media_probe.check_file(part, max_bytes=settings.max_file_bytes, filename=name)
    return Newcomer(intake.hash_file(part), name, _extension(part, name, settings), subtitles)


def _extension(path: Path, name: str, settings: Settings) -> str:
    """Refuse what cannot be a video before anything is copied; else the extension to keep it under."""
    info = media_probe.probe(
        path,
        max_bytes=settings.max_file_bytes,
        max_duration_s=settings.max_duration_s,
        filename=name,
        measure=False,
    )
    return intake.source_extension(name, info.container)


def admit(store: Store, settings: Settings, user_id: str, newcomer: Newcomer) -> tuple[Video, bool, bool]:
    """(video, created, work_to_do); afterwards the copy is in its place or gone."""
    try:
        video, created = store.register_video(
            user_id,
            newcomer.copied.sha256,
            title=(newcomer.title or Path(newcomer.filename).stem)[: settings.max_title_chars],
            filename=newcomer.filename,
            description=newcomer.description,
            language=newcomer.language or settings.language,
        )
        if not created:
            video, work_to_do = _meet_again(store, user_id, video, newcomer)
            return video, False, work_to_do
        try:
            _place(store, video, newcomer)
            _place_subtitles(store, video.video_id, newcomer.subtitles)
            return store.set_state(video.video_id, VideoState.VALIDATING), True, True
        except BaseException:
            store.purge_video(video.video_id)
            raise
    finally:
        newcomer.copied.path.unlink(missing_ok=True)


def _meet_again(store: Store, user_id: str, video: Video, newcomer: Newcomer) -> tuple[Video, bool]:
    if video.state == VideoState.DELETED:
        video = store.restore_video(user_id, video.video_id)
    if store.paths.source(video.video_id, missing_ok=True) is None:
        _place(store, video, newcomer)
    changed = _place_subtitles(store, video.video_id, newcomer.subtitles)
    if video.state == VideoState.INDEXED:
        return (store.set_state(video.video_id, VideoState.PROCESSING), True) if changed else (video, False)
    if video.state in (VideoState.FAILED, VideoState.UPLOADING):
        try:
            return store.set_state(video.video_id, VideoState.VALIDATING), True
        except InvalidTransition:
            # Another process met the same file and was a moment ahead; its work is ours too.
            return store.video(user_id, video.video_id), True
    in_the_queue = video.job_id is not None
    return video, not in_the_queue


def _place(store: Store, video: Video, newcomer: Newcomer) -> None:
    newcomer.copied.path.replace(store.paths.new_source(video.video_id, newcomer.extension))


def _place_subtitles(store: Store, video_id: str, subtitles: Path | None) -> bool:
    """Keep `subtitles` beside the source; true if that changed anything."""
    if subtitles is None:
        return False
    content = subtitles.read_bytes()
    existing = store.paths.subtitles(video_id)
    if existing is not None and existing.read_bytes() == content:
        return False
    if existing is not None:
        existing.unlink()
    store.paths.new_subtitles(video_id, subtitles.suffix.lower()).write_bytes(content)
    return True
