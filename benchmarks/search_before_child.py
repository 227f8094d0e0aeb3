"""One side of benchmarks/search_before.py, run by the code of one folder: makes a library, or measures its searches.

    python benchmarks/search_before_child.py CODE build LIBRARY --scenes N
    python benchmarks/search_before_child.py CODE index LIBRARY [--keyframes 3]
    python benchmarks/search_before_child.py CODE measure LIBRARY [--repeat N]

CODE is the folder of a version of this repository: the present one, or that of an older commit. Only what both have is
used. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

VIDEOS = 100
DIMENSIONS = {"text": 384, "vision": 512}
CLUSTERS = 200
"""Vectors lie around so many centres, as those of real scenes do."""
WORDS = 4000
SEED = 12
Vectors = npt.NDArray[np.float32]


def spaces() -> dict[str, Any]:
    """The library's spaces by role."""
    from heimdex_core.types import Space

    return {kind: Space(f"{kind}/made-up", kind, "made-up", "1", dim) for kind, dim in DIMENSIONS.items()}  # type: ignore[arg-type]


def centres(kind: str) -> Vectors:
    """(CLUSTERS, d) unit vectors."""
    found = np.random.default_rng([SEED, zlib.crc32(kind.encode())]).normal(size=(CLUSTERS, DIMENSIONS[kind]))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def near(kind: str, clusters: npt.NDArray[np.int64], rng: np.random.Generator) -> Vectors:
    """(n, d) unit vectors around the centres of these clusters (n,)."""
    noise = rng.normal(size=(len(clusters), DIMENSIONS[kind])) / np.sqrt(DIMENSIONS[kind])
    found = centres(kind)[clusters] + 0.7 * noise
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def sentence(rng: np.random.Generator, length: int) -> str:
    """Words of which some are common and most are rare, as in a language (Zipf)."""
    ranks = np.minimum(rng.zipf(1.3, length), WORDS)
    return " ".join(f"word{rank:x}" for rank in ranks)


# --- making a library -------------------------------------------------------------------------------


def build(folder: Path, scene_count: int) -> dict[str, Any]:
    """A library of VIDEOS videos with `scene_count` scenes, whose indexes have still to be made."""
    from heimdex_core.store import Store, indexing
    from heimdex_core.types import VideoState

    store = Store.create(folder, profile="made-up", models={"name": "made-up"}, spaces=spaces())
    indexing.sync = lambda *args, **kwargs: None  # type: ignore[assignment]
    rng = np.random.default_rng(SEED)
    for number in range(VIDEOS):
        name = f"video {number}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        video, _ = store.register_video("local", digest, name, f"{name}.mp4")
        store.paths.new_source(video.video_id, ".mp4").write_bytes(name.encode())
        store.set_state(video.video_id, VideoState.VALIDATING)
        store.set_state(video.video_id, VideoState.PROCESSING)
        staged = store.new_staging(video.video_id)
        write_generation(staged, video.video_id, scene_count // VIDEOS, rng)
        n = store.next_generation(video.video_id)
        store.commit_generation(video.video_id, staged, n=n, spaces=spaces().values(), transcript_source="subtitles")
    store.close()
    return {}


def index(folder: Path, keyframes: int) -> dict[str, Any]:
    """Make the indexes, after giving scenes that many vectors of the picture. Seconds and size."""
    from heimdex_core.store import Store

    store = Store.open(folder)
    if keyframes > 1:
        rng = np.random.default_rng(SEED + 2)
        for video in store.videos("local"):
            write_keyframes(store.paths.generation(video.video_id, video.generation or 1), keyframes, rng)
    started = time.perf_counter()
    store.maintenance.rebuild_indexes()
    indexed_s = time.perf_counter() - started
    size = sum(path.stat().st_size for path in store.paths.indexes.rglob("*") if path.is_file())
    store.close()
    return {"indexed_s": indexed_s, "index_mb": size / 1e6}


def write_generation(folder: Path, video_id: str, count: int, rng: np.random.Generator) -> None:
    """The files of `count` scenes of 5 s; every hundredth has the tag "rare", every second one "half"."""
    from heimdex_core.store import sidecar
    from heimdex_core.types import Keyframe, Scene, Segment, Transcript, make_scene_id, utc_now

    scenes = [
        Scene(
            scene_id=make_scene_id(video_id, 5.0 * i, 5.0 * (i + 1)),
            video_id=video_id,
            index=i,
            start_s=5.0 * i,
            end_s=5.0 * (i + 1),
            transcript=sentence(rng, 14),
            language="en",
            tags=("rare",) * (i % 100 == 0) + ("half",) * (i % 2 == 0),
            keyframes=tuple(Keyframe(5.0 * i + k + 1, 120.0, 500.0, 0.7, f"{i}-{k}.webp") for k in range(3)),
            thumbnail=f"{i}.webp",
            dominant_colours=("#808080",),
            created_at=utc_now(),
        )
        for i in range(count)
    ]
    lines = tuple(Segment(scene.start_s, scene.end_s, scene.transcript) for scene in scenes)
    sidecar.write_scenes(folder, scenes)
    sidecar.write_words(folder, Transcript(lines, "subtitles", language="en"), scenes)
    ids = [scene.scene_id for scene in scenes]
    for kind, space in spaces().items():
        sidecar.write_vectors(folder, space, ids, near(kind, rng.integers(0, CLUSTERS, count), rng))
    sidecar.write_provenance(folder, {"made": "up"})
    (folder / "frames").mkdir()


def write_keyframes(folder: Path, keyframes: int, rng: np.random.Generator) -> None:
    """A vector for each of a scene's keyframes, around the same centre; only in versions that keep them."""
    from heimdex_core.store import sidecar
    from heimdex_core.store.keyframe_vectors import VectorRows

    scenes = sidecar.read_scenes(folder)
    clusters = np.repeat(rng.integers(0, CLUSTERS, len(scenes)), keyframes)
    ids = [scene.scene_id for scene in scenes for _ in range(keyframes)]
    names = [keyframe.file for scene in scenes for keyframe in scene.keyframes[:keyframes]]
    sidecar.write_vectors(folder, spaces()["vision"], VectorRows(ids, near("vision", clusters, rng), names))


# --- measuring --------------------------------------------------------------------------------------


class NoModel:
    """A query encoder that takes no time: a vector that depends on the text alone."""

    def __init__(self, space: Any) -> None:
        self.space = space

    def understands(self, text: str) -> bool:
        return True

    def _vector(self, text: str) -> Vectors:
        rng = np.random.default_rng(zlib.crc32(text.encode()))
        return near(self.space.kind, rng.integers(0, CLUSTERS, 1), rng)[0]

    def encode_query(self, text: str) -> Any:
        from heimdex_core.models.base import QueryVector

        return QueryVector(self._vector(text))

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])


class NoModels:
    """The query side of the models of a set."""

    def encoder(self, space_name: str) -> NoModel:
        return NoModel(next(space for space in spaces().values() if space_name in (space.name, space.kind)))


def measure(folder: Path, repeat: int) -> dict[str, Any]:
    """Milliseconds by what was done (median), and the resident memory."""
    from heimdex_core.models.threads import threads_for, use_blas_threads
    from heimdex_core.search.searcher import Searcher
    from heimdex_core.settings import Settings
    from heimdex_core.store import Store

    use_blas_threads(threads_for("query"))  # as the encoders of queries do
    settings = Settings(_env_file=None)
    store = Store.open(folder, settings)
    searcher = Searcher(store.reader(), channels_of(lambda set_id: NoModels()), settings)
    texts = queries()
    started = time.perf_counter()
    ask(searcher, next(texts))
    first_ms = (time.perf_counter() - started) * 1000
    for _ in range(3):
        ask(searcher, next(texts))
    found = {"first": first_ms}
    for name, arguments in cases(store):
        times = [timed(searcher, text, arguments) for text in (next(texts) for _ in range(repeat))]
        found[name] = median(times)
    text = next(texts)
    ask(searcher, text)
    weights = [{"transcript": part / 40, "vision": 1 - part / 40, "lexical": 0.2} for part in range(1, 40)]
    found["re-weighting"] = median(timed(searcher, text, {"weights": one}) for one in weights)
    found["next page"] = median(timed(searcher, text, {"offset": 20 * page}) for page in range(1, 11))
    store.close()
    return {"ms": found, "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def channels_of(models_of: Callable[[int], NoModels]) -> Any:
    """What a Searcher of this version takes."""
    try:
        from heimdex_core.search.channels.channel_set import ChannelSets
    except ImportError:  # an older version, whose searchers took the models
        return models_of
    return ChannelSets(models_of).of


def queries() -> Iterator[str]:
    """Texts of three words, each another one."""
    rng = np.random.default_rng(SEED + 1)
    while True:
        yield sentence(rng, 3)


def cases(store: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is searched in, by name; filters by tag only where the version has filters."""
    yield "everything", {}
    videos = sorted(video.video_id for video in store.videos("local"))
    for percent in (1, 50):
        yield f"{percent} % of the videos", {"video_ids": tuple(videos[: max(1, len(videos) * percent // 100)])}
    try:
        from heimdex_core.types import Filters
    except ImportError:
        return
    for percent, tag in ((1, "rare"), (50, "half")):
        yield f"{percent} % of the scenes, by tag", {"filters": Filters(tags=(tag,))}


def ask(searcher: Any, text: str, **arguments: Any) -> Any:
    from heimdex_core.types import Query

    return searcher.search(Query(text, **arguments), user_id="local")


def timed(searcher: Any, text: str, arguments: dict[str, Any]) -> float:
    """Milliseconds of one search."""
    started = time.perf_counter()
    ask(searcher, text, **arguments)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", type=Path)
    parser.add_argument("what", choices=("build", "index", "measure"))
    parser.add_argument("library", type=Path)
    parser.add_argument("--scenes", type=int, default=10_000)
    parser.add_argument("--keyframes", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=15)
    args = parser.parse_args()
    sys.path.insert(0, str(args.code.resolve()))
    run: dict[str, Callable[[], dict[str, Any]]] = {
        "build": lambda: build(args.library, args.scenes),
        "index": lambda: index(args.library, args.keyframes),
        "measure": lambda: measure(args.library, args.repeat),
    }
    print(json.dumps(run[args.what]()))


if __name__ == "__main__":
    main()
