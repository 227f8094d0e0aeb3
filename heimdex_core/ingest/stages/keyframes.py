"""Stage `keyframes`: up to three pictures that stand for each scene, and what its pictures have in common.

    score = 0.4 * (1 - |brightness - 127.5| / 127.5) + 0.6 * min(sharpness / 1000, 1)

A scene is parted evenly and each part gives the candidate nearest to its middle that is neither dark nor
blurred; a part that has none gives nothing, unless the whole scene has none. The best score is the thumbnail.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import FileUnreadable
from heimdex_core.files import link_or_copy, write_json
from heimdex_core.ingest.context import EarlierResult, StageContext, StageOutput, StageSpec
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages import picture, scenes
from heimdex_core.ingest.stages.picture import Candidate, Picture
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.media.images import read_image, write_webp
from heimdex_core.types import Json, Keyframe, WorkContext, to_json

_log = logging.getLogger(__name__)

FOLDER = "frames"
_THREADS = 4
_ALIKE_COLOURS = 48.0
"""Euclidean distance in RGB under which two means count as one colour."""
_LEAST_SHARE = 0.05
"""Part of the pixels that a colour must cover."""
_FEW_SCENES = 24
"""So many scenes get their pictures by seeking; a seek decodes up to a group of pictures, some seconds of the video."""


@dataclass(frozen=True)
class SceneFrames:
    """A scene's keyframes and thumbnail (files in frames/), mean brightness, motion and colours (#rrggbb)."""

    keyframes: tuple[Keyframe, ...] = ()
    thumbnail: str | None = None
    brightness: float = 0.0
    motion: float = 0.0
    dominant_colours: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all its pictures."""
        thumbnail = (self.thumbnail,) if self.thumbnail is not None else ()
        return (*(keyframe.file for keyframe in self.keyframes), *thumbnail)

    @staticmethod
    def from_json(data: Json) -> SceneFrames:
        return SceneFrames(
            **{
                **data,
                "keyframes": tuple(Keyframe(**k) for k in data["keyframes"]),
                "dominant_colours": tuple(data["dominant_colours"]),
            }
        )


def choose_frames(
    spans: Sequence[SceneSpan],
    found_picture: Picture,
    candidates: Path,
    out: Path,
    params: IngestParams,
    context: WorkContext,
) -> list[SceneFrames]:
    """Write the keyframes of every scene into `out` from the JPEG files in `candidates`."""
    found: list[SceneFrames] = []
    # WebP costs several times what the rest of a scene does, and its encoder leaves the other cores free
    with ThreadPoolExecutor(max(1, min(_THREADS, os.cpu_count() or 1)), thread_name_prefix="keyframes") as pool:
        making = [pool.submit(_frames_of, scene, found_picture, candidates, out, params) for scene in spans]
        try:
            for future in making:
                found.append(future.result())
                context.check()
                context.report(len(found), len(spans))
        finally:
            pool.shutdown(cancel_futures=True)
    return found


def score(brightness: float, sharpness: float) -> float:
    """How well a frame stands for its scene, 0 to 1."""
    return 0.4 * (1 - abs(brightness - 127.5) / 127.5) + 0.6 * min(sharpness / 1000.0, 1.0)


def pick(scene: SceneSpan, inside: Sequence[Candidate], params: IngestParams) -> list[Candidate]:
    """The candidates that become keyframes, in order of time."""
    length_s = scene.end_s - scene.start_s
    count = 1 if length_s < params.keyframe_short_scene_s else params.keyframes_per_scene
    good = [
        c
        for c in inside
        if c.brightness >= params.keyframe_min_brightness and c.sharpness >= params.keyframe_min_sharpness
    ]
    chosen: list[Candidate] = []
    for n in range(count):
        start_s, end_s = (scene.start_s + length_s * m / count for m in (n, n + 1))
        part = [c for c in good or inside if start_s <= c.time_s < end_s]
        if part:
            chosen.append(min(part, key=lambda c: abs(c.time_s - (start_s + end_s) / 2)))  # noqa: B023 - used at once
    return chosen


def _frames_of(
    scene: SceneSpan, found_picture: Picture, candidates: Path, out: Path, params: IngestParams
) -> SceneFrames:
    inside = _inside(scene, found_picture.candidates)
    chosen = pick(scene, inside, params)
    if not chosen:
        return SceneFrames()
    stem = f"{round(scene.start_s * 1000):09d}"
    images, keyframes = [], []
    for n, candidate in enumerate(chosen):
        name = f"{stem}_{n}.webp"
        try:
            image = read_image(candidates / candidate.file)
            write_webp(image, out / name, quality=params.keyframe_quality)
        except (FileUnreadable, OSError, ValueError) as error:  # the others will do
            _log.warning("A keyframe at %.3f s is left out: %s", candidate.time_s, error)
            continue
        quality = round(score(candidate.brightness, candidate.sharpness), 4)
        keyframes.append(Keyframe(candidate.time_s, candidate.brightness, candidate.sharpness, quality, name))
        images.append(image)
    if not keyframes:
        return SceneFrames()
    best = max(range(len(keyframes)), key=lambda n: keyframes[n].score)
    thumbnail = f"{stem}_thumb.webp"
    write_webp(images[best], out / thumbnail, quality=params.thumbnail_quality, width_px=params.thumbnail_width_px)
    return SceneFrames(
        keyframes=tuple(keyframes),
        thumbnail=thumbnail,
        brightness=round(float(np.mean([c.brightness for c in inside])), 2),
        motion=scene_motion(scene, found_picture.motion),
        dominant_colours=dominant_colours(images),
    )


def _inside(scene: SceneSpan, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """The scene's candidates; where its frames are missing or damaged, the picture that stays on screen."""
    # candidates carry microseconds, scenes milliseconds: half of one is inside
    first = bisect_left(candidates, scene.start_s - 0.0005, key=lambda c: c.time_s)
    last = bisect_left(candidates, scene.end_s - 0.0005, key=lambda c: c.time_s)
    inside = candidates[first:last]
    if inside or not candidates:
        return [replace(c, time_s=max(c.time_s, scene.start_s)) for c in inside]
    return [replace(candidates[max(0, first - 1)], time_s=scene.start_s)]


def scene_motion(scene: SceneSpan, motion: Sequence[tuple[float, float, float]]) -> float:
    """Mean luma difference of the sampled pairs that lie within the scene; 0 if none does."""
    inside = [value for start_s, end_s, value in motion if start_s >= scene.start_s and end_s < scene.end_s]
    return round(float(np.mean(inside)), 3) if inside else 0.0


def dominant_colours(images: Sequence[npt.NDArray[np.uint8]], *, count: int = 3) -> tuple[str, ...]:
    """Up to `count` colours as #rrggbb, most common first: means of the fullest cells of an 8x8x8 RGB grid.

    Neighbouring cells that hold nearly the same colour count as one; what covers under 5 % is left out.
    """
    if not images:
        return ()
    pixels = np.concatenate([image[:: _step(image), :: _step(image)].reshape(-1, 3) for image in images])
    cells = np.ravel_multi_index(tuple((pixels >> 5).T.astype(np.int64)), (8, 8, 8))
    sizes = np.bincount(cells, minlength=8**3)
    sums = np.stack([np.bincount(cells, pixels[:, n], minlength=sizes.size) for n in range(3)], axis=1)
    found: list[tuple[float, npt.NDArray[np.float64]]] = []
    for cell in np.argsort(-sizes, kind="stable")[:32]:
        if sizes[cell] == 0:
            break
        mean = sums[cell] / sizes[cell]
        for n, (size, colour) in enumerate(found):
            if np.linalg.norm(colour - mean) < _ALIKE_COLOURS:
                found[n] = (size + sizes[cell], colour)
                break
        else:
            found.append((float(sizes[cell]), mean))
    found.sort(key=lambda c: -c[0])
    kept = [colour for size, colour in found if size >= _LEAST_SHARE * len(pixels)][:count]
    return tuple("#" + "".join(f"{round(float(value)):02x}" for value in colour) for colour in kept)


def _step(image: npt.NDArray[np.uint8]) -> int:
    return max(1, max(image.shape[:2]) // 64)


def best(frames: SceneFrames) -> Keyframe:
    """The keyframe that the thumbnail is made of."""
    return max(frames.keyframes, key=lambda keyframe: keyframe.score)


@dataclass(frozen=True)
class _KeptFrames:
    """The frames of scenes that are as they were in an earlier generation, and the folder of their files."""

    frames: Mapping[SceneSpan, SceneFrames]
    folder: Path


def _kept(context: StageContext) -> _KeptFrames | None:
    """What can be used again where only the scenes have changed; None where many have, or a file is missing.

    The pictures of the others are decoded one by one, which is quicker than the whole video for a few of them only.
    """
    earlier = context.cache.earlier(SPEC, scenes.SPEC)
    if earlier is None:
        return None
    spans = context.result(scenes.SPEC)
    then = zip(scenes.SPEC.parse(earlier.other), SPEC.parse(earlier.result), strict=True)
    before = {(span.start_s, span.end_s): frames for span, frames in then}
    kept = {span: before[span.start_s, span.end_s] for span in spans if (span.start_s, span.end_s) in before}
    folder = earlier.folder / FOLDER
    is_whole = all((folder / name).is_file() for frames in kept.values() for name in frames.files)
    return _KeptFrames(kept, folder) if is_whole and len(spans) - len(kept) <= _FEW_SCENES else None


def unchanged(context: StageContext, spec: StageSpec[Any]) -> tuple[EarlierResult, dict[int, int]] | None:
    """For a stage that makes something of each scene's keyframes: what it made before, of which scenes it still holds.

    Returns (what it made for an earlier generation, {the index of a scene now: its index then} of the scenes with the
    same frames), None where there is no such generation.
    """
    earlier, frames = context.cache.earlier(spec, SPEC), context.cache.earlier(SPEC, scenes.SPEC)
    if earlier is None or frames is None or earlier.folder != frames.folder:
        return None
    then = {one: n for n, one in enumerate(SPEC.parse(earlier.other)) if one.keyframes}
    return earlier, {n: then[one] for n, one in enumerate(context.result(SPEC)) if one in then}


def _fetch(context: StageContext, work: WorkContext, changed: Sequence[SceneSpan], found_picture: Picture) -> None:
    """Put the candidates of these scenes that become keyframes into the folder of candidates."""
    names = {
        candidate.file
        for span in changed
        for candidate in pick(span, _inside(span, found_picture.candidates), context.params)
    }
    wanted = [[one.time_s, one.file] for one in found_picture.candidates if one.file in names]
    write_json(context.work.file(picture.WANTED), wanted)
    picture.fetch_candidates(context, work)


def run(context: StageContext, work: WorkContext) -> StageOutput:
    out = context.work.fresh_folder(FOLDER)
    candidates = context.work.path / picture.FOLDER
    spans, found_picture = context.result(scenes.SPEC), context.result(picture.SPEC)
    record = context.work.record(picture.SPEC.name)
    kept = None if record is not None and record.has_files else _kept(context)
    if kept is None:
        found = choose_frames(spans, found_picture, candidates, out, context.params, work)
    else:
        changed = [span for span in spans if span not in kept.frames]
        _fetch(context, work, changed, found_picture)
        made = dict(
            zip(changed, choose_frames(changed, found_picture, candidates, out, context.params, work), strict=True)
        )
        for frames in kept.frames.values():
            for name in frames.files:
                link_or_copy(kept.folder / name, out / name)
        found = [kept.frames.get(span) or made[span] for span in spans]
    names = [name for frames in found for name in frames.files]
    return StageOutput({"scenes": to_json(found)}, tuple(f"{FOLDER}/{name}" for name in names))


SPEC = StageSpec(
    name="keyframes",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: [SceneFrames.from_json(frames) for frames in data["scenes"]],
    label={"en": "Choosing keyframes", "ko": "대표 화면 고르기"},
    needs=(picture.SPEC, scenes.SPEC),
    reads_files_of=(picture.SPEC,),
    reads_files=lambda context: _kept(context) is None,
    params=(
        "keyframes_per_scene",
        "keyframe_short_scene_s",
        "keyframe_quality",
        "keyframe_min_brightness",
        "keyframe_min_sharpness",
        "thumbnail_width_px",
        "thumbnail_quality",
    ),
    unit="items",
    weight=4.0,
)
