"""Small libraries with made-up scenes: every vector and word is chosen by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heimdex_core.store import Store, sidecar
from heimdex_core.store.commit import CommitTarget
from heimdex_core.types import (
    Keyframe,
    MediaInfo,
    ModelSet,
    Scene,
    Segment,
    Space,
    Transcript,
    Video,
    VideoState,
    Word,
    make_scene_id,
    utc_now,
)

TEXT = Space("text/made-up", "text", "made-up", "1", 8)
VISION = Space("vision/made-up", "vision", "made-up", "1", 4)
SPACES = {"text": TEXT, "vision": VISION}
OTHER_TEXT = Space("text/other", "text", "other", "7", 6)
OTHER_SPACES = {"text": OTHER_TEXT, "vision": VISION}
"""Another text model and the same vision model."""

INFO = MediaInfo(
    container="mp4",
    size_bytes=100,
    claimed_duration_s=10.0,
    duration_s=10.0,
    origin_s=0.0,
    video_stream_index=0,
    video_codec="h264",
    video_profile=None,
    pixel_format="yuv420p",
    width=640,
    height=360,
    coded_width=640,
    coded_height=360,
    rotation_deg=0,
    fps=25.0,
    frame_count=250,
    is_variable_frame_rate=False,
    first_frame_s=0.0,
)

PICTURE = b"RIFF\x04\x00\x00\x00WEBP"
"""The header of a WebP file, and no picture."""


def name_tray(store: Store, user_id: str, title: str) -> None:
    """Change the title of a user's tray."""
    store.reels.change_tray(user_id, lambda tray: replace(tray, title=title, revision=tray.revision + 1))


def new_store(root: Path) -> Store:
    return Store.create(root, profile="offline", models={"name": "offline"}, spaces=SPACES)


def axis(number: int, dim: int) -> np.ndarray:
    """The unit vector along one axis."""
    return np.eye(dim, dtype=np.float32)[number % dim]


def make_scenes(video_id: str, texts: Sequence[str], *, length_s: float = 2.0, tags: Sequence[str] = ()) -> list[Scene]:
    """One scene a text, each `length_s` long, one after another."""
    return [
        Scene(
            scene_id=make_scene_id(video_id, i * length_s, (i + 1) * length_s),
            video_id=video_id,
            index=i,
            start_s=i * length_s,
            end_s=(i + 1) * length_s,
            transcript=text,
            language="en",
            tags=tuple(tags),
            keyframes=(Keyframe(i * length_s + 1.0, 120.0, 500.0, 0.7, f"{i}-0.webp"),),
            thumbnail=f"{i}.webp",
            dominant_colours=("#ff0000",),
            created_at=utc_now(),
        )
        for i, text in enumerate(texts)
    ]


def make_transcript(scenes: Sequence[Scene]) -> Transcript:
    """Each scene's text as one line with evenly spread words."""
    segments = []
    for scene in scenes:
        words = scene.transcript.split()
        step = scene.duration_s / max(1, len(words))
        timed = tuple(Word(w, scene.start_s + i * step, scene.start_s + (i + 1) * step) for i, w in enumerate(words))
        if words:
            segments.append(Segment(scene.start_s, scene.end_s, scene.transcript, words=timed))
    return Transcript(tuple(segments), "subtitles", language="en")


def stage(
    store: Store,
    video: Video,
    texts: Sequence[str],
    *,
    axis_of: int = 0,
    length_s: float = 2.0,
    spaces: Mapping[str, Space] = SPACES,
) -> Path:
    """A whole generation; scene i has the text vector along axis (axis_of + i), the same for vision."""
    folder = store.new_staging(video.video_id)
    scenes = make_scenes(video.video_id, texts, length_s=length_s)
    sidecar.write_scenes(folder, scenes)
    sidecar.write_words(folder, make_transcript(scenes), scenes)
    for space in spaces.values():
        array = np.stack([axis(axis_of + i, space.dim) for i in range(len(scenes))])
        sidecar.write_vectors(folder, space, [s.scene_id for s in scenes], array)
    sidecar.write_provenance(folder, {"made": "up"})
    (folder / "frames").mkdir()
    for scene in scenes:
        for name in (str(scene.thumbnail), *(keyframe.file for keyframe in scene.keyframes)):
            (folder / "frames" / name).write_bytes(PICTURE)
    return folder


def content_of(name: str) -> bytes:
    """The bytes of the source of a made-up video, as many as INFO says."""
    return f"the bytes of {name}".encode().ljust(INFO.size_bytes)


def register(store: Store, name: str, *, user_id: str = "local") -> Video:
    """A video in state processing with a source of made-up bytes."""
    content = content_of(name)
    video, created = store.register_video(user_id, hashlib.sha256(content).hexdigest(), name, f"{name}.mp4")
    if created:
        store.paths.new_source(video.video_id, ".mp4").write_bytes(content)
        store.set_state(video.video_id, VideoState.VALIDATING)
        video = store.set_state(video.video_id, VideoState.PROCESSING, info=INFO)
    return video


def commit(store: Store, video: Video, texts: Sequence[str], *, axis_of: int = 0, length_s: float = 2.0) -> Video:
    staged = stage(store, video, texts, axis_of=axis_of, length_s=length_s)
    n = store.next_generation(video.video_id)
    return store.commit_generation(video.video_id, staged, n=n, spaces=SPACES.values(), transcript_source="subtitles")


def add(store: Store, name: str, texts: Sequence[str], *, axis_of: int = 0, user_id: str = "local") -> Video:
    """Registered and committed."""
    return commit(store, register(store, name, user_id=user_id), texts, axis_of=axis_of)


def other_set(store: Store) -> ModelSet:
    """The set of the other text model."""
    return store.sets.add("other", {"name": "other", "text": "made:other"}, OTHER_SPACES)


def commit_in(store: Store, video: Video, made_with: ModelSet, texts: Sequence[str], *, axis_of: int = 0) -> Video:
    """A generation of the video for a set that need not be the active one."""
    staged = stage(store, video, texts, axis_of=axis_of, spaces=made_with.spaces)
    return store.commit_generation(
        video.video_id,
        staged,
        n=store.next_generation(video.video_id),
        target=CommitTarget(made_with.set_id, inputs=store.sets.inputs_of(video)),
        spaces=made_with.spaces.values(),
        transcript_source="recognised",
    )
