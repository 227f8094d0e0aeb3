"""One step of benchmarks/search.py with a library, in a process of its own. Prints one JSON object.

python benchmarks/search_library.py build LIBRARY DATA_FOLDER --data clustered --scenes N
python benchmarks/search_library.py merge|answers|exact|measure|add LIBRARY DATA_FOLDER --data clustered --scenes N
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402 - the clock of the measured process includes its imports
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterable, Iterator, Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.search_data import (  # noqa: E402 - the repository is not installed
    DIMS,
    SCENES_PER_VIDEO,
    Files,
    Floats,
    MadeUp,
    Role,
    Video,
    memory_mb,
)
from heimdex_core.models.base import QueryVector  # noqa: E402
from heimdex_core.models.threads import threads_for, use_blas_threads  # noqa: E402
from heimdex_core.search.channels.channel_set import ChannelSets  # noqa: E402
from heimdex_core.search.searcher import Searcher  # noqa: E402
from heimdex_core.settings import Settings  # noqa: E402
from heimdex_core.store import Store, sidecar, videos  # noqa: E402
from heimdex_core.store.commit import StagedGeneration  # noqa: E402
from heimdex_core.store.vector_codes import Found  # noqa: E402
from heimdex_core.store.vector_methods import Compressed, Exact, Inverted, Mask  # noqa: E402
from heimdex_core.types import (  # noqa: E402
    Filters,
    Keyframe,
    Query,
    Scene,
    Segment,
    Space,
    Transcript,
    VideoState,
    make_scene_id,
    utc_now,
)
from heimdex_core.types import Video as VideoRecord  # noqa: E402

BATCH_VIDEOS = 64
DEPTH = 1000
TIMED = 100
"""So many searches of each kind are timed."""
COMPARED = 50
"""So many queries have their answers compared."""
WARM_UP = 5
ADDED = 5
SPACES: dict[Role, Space] = {role: Space(f"{role}/made-up", role, "made-up", "1", dim) for role, dim in DIMS.items()}
USER = "local"


# --- building -------------------------------------------------------------------------------------


def build(folder: Path, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """The library, through the commits of a bulk import, and ids.npy: the id of each scene."""
    os.fsync = lambda *_: None  # waiting for the disk is no part of what is measured here
    started = time.perf_counter()
    store = Store.create(
        folder,
        profile="made-up",
        models={"name": "made-up"},
        spaces={str(role): space for role, space in SPACES.items()},
    )
    vectors = {role: files.vectors(role) for role in DIMS}
    ids = np.lib.format.open_memmap(files.folder / "ids.npy", "w+", "S64", (len(vectors["text"]),))
    for first in range(0, made_up.videos, BATCH_VIDEOS):
        numbers = range(first, min(first + BATCH_VIDEOS, made_up.videos))
        batch = [made_up.video(number) for number in numbers]
        with store.catalog.transaction() as transaction:
            for video in batch:
                videos.restore_record(transaction, record(video))
        staged = []
        for number, video in zip(numbers, batch, strict=True):
            own = slice(number * SCENES_PER_VIDEO, (number + 1) * SCENES_PER_VIDEO)
            one, scene_ids = stage(store, video, {role: vectors[role][own] for role in DIMS}, with_words=False)
            ids[own] = scene_ids
            staged.append(one)
        for outcome in store.commit_generations(staged):
            if isinstance(outcome, Exception):
                raise outcome
    ids.flush()
    store.close()
    return {"build_s": round(time.perf_counter() - started, 1)}


def record(video: Video) -> VideoRecord:
    """A video that is being processed."""
    name, now = f"video {video.video_id[:8]}", utc_now()
    return VideoRecord(
        video_id=video.video_id,
        user_id=USER,
        sha256=video.sha256,
        title=name,
        filename=f"{name}.mp4",
        state=VideoState.PROCESSING,
        created_at=now,
        updated_at=now,
        language=video.language,
    )


def stage(
    store: Store, video: Video, vectors: dict[Role, Any], *, with_words: bool = True
) -> tuple[StagedGeneration, list[str]]:
    """(the generation of a video, the ids of its scenes). No search reads the words, so the import is without them."""
    folder = store.new_staging(video.video_id)
    now = utc_now()
    scenes = []
    for index, end_s in enumerate(video.ends_s):
        start_s = video.ends_s[index - 1] if index else 0.0
        scenes.append(
            Scene(
                scene_id=make_scene_id(video.video_id, start_s, end_s),
                video_id=video.video_id,
                index=index,
                start_s=start_s,
                end_s=end_s,
                transcript=video.texts[index],
                language=video.language,
                tags=(video.tags[index],),
                keyframes=(Keyframe(start_s + 1.0, 120.0, 500.0, 0.7, f"{index}.webp"),),
                thumbnail=f"{index}.webp",
                speech_ratio=0.9,
                dominant_colours=("#808080",),
                created_at=now,
            )
        )
    scene_ids = [scene.scene_id for scene in scenes]
    sidecar.write_scenes(folder, scenes)
    if with_words:
        lines = tuple(Segment(scene.start_s, scene.end_s, scene.transcript) for scene in scenes)
        sidecar.write_words(folder, Transcript(lines, "subtitles", language=video.language), scenes)
    for role, space in SPACES.items():
        sidecar.write_vectors(folder, space, scene_ids, vectors[role])
    sidecar.write_provenance(folder, {"made": "up"})
    changes = {"transcript_source": "subtitles"}
    return StagedGeneration(video.video_id, folder, 1, changes, spaces=tuple(SPACES.values())), scene_ids


def merge(folder: Path, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """Merge the segments, as the worker does when nobody waits."""
    store = Store.open(folder)
    started = time.perf_counter()
    store.maintenance.merge_indexes()
    store.close()
    return {"merge_s": round(time.perf_counter() - started, 1), "index_mb": _size_mb(folder / "index")}


def _size_mb(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


# --- searching ------------------------------------------------------------------------------------


class NoModel:
    """An encoder that takes no time: the vector of each query is known."""

    def __init__(self, space: Space, known: dict[str, Floats]) -> None:
        self.space = space
        self._known = known
        self._other = next(iter(known.values()))

    def understands(self, text: str) -> bool:
        return True

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(self._known.get(text, self._other))

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return np.stack([self._known.get(text, self._other) for text in texts])


class NoModels:
    """The query side of the models of a set."""

    def __init__(self, files: Files) -> None:
        self._encoders = {
            role: NoModel(space, dict(zip(files.texts, files.queries(role), strict=True)))
            for role, space in SPACES.items()
        }

    def encoder(self, space_name: str) -> NoModel:
        return next(one for one in self._encoders.values() if space_name in (one.space.name, one.space.kind))


class Session:
    """An open library that is searched."""

    def __init__(self, folder: Path, files: Files, **options: Any) -> None:
        use_blas_threads(threads_for("query"))  # as the encoders of queries do
        settings = Settings(_env_file=None, **options)
        self.store = Store.open(folder, settings)
        models: Any = NoModels(files)
        self._searcher = Searcher(self.store.reader(), ChannelSets(lambda set_id: models).of, settings)

    def ask(self, text: str, **arguments: Any) -> list[str]:
        """The scenes of the first page."""
        result = self._searcher.search(Query(text, **arguments), user_id=USER)
        return [hit.scene.scene_id for hit in result.hits]

    def timed_ms(self, text: str, **arguments: Any) -> float:
        """How long a search takes."""
        started = time.perf_counter()
        self.ask(text, **arguments)
        return (time.perf_counter() - started) * 1000


def filters(share: float, count: int) -> Iterator[Filters]:
    """`count` filters that leave 1 % or 50 % of the scenes, each time others."""
    for number in range(count):
        if share == 0.01:
            yield Filters(tags=(f"t{number % 100}",))
        else:
            least_s = 2.0 + 3.0 * number / count
            yield Filters(min_s=least_s, max_s=least_s + 3.0)


def answers(folder: Path, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """The first ten scenes of the first COMPARED queries: of each vector channel at DEPTH, and of the hybrid search."""
    session = Session(folder, files, channel_timeout_s=60.0)  # so that every channel answers, however slow the disk
    found: dict[str, Any] = {"hybrid": [session.ask(text)[:10] for text in files.texts[:COMPARED]]}
    view = session.store.reader().view()
    for role, space in SPACES.items():
        search: Callable[..., Iterable[Any]] = view.vector_search
        options: dict[str, Any] = {}
        if role == "vision":
            search, options = view.keyframe_search, {"temperature": 0.1}
        times, tops = [], []
        for vector in files.queries(role)[:COMPARED]:
            started = time.perf_counter()
            hits = search(space, vector, k=DEPTH, user_id=USER, **options)
            times.append((time.perf_counter() - started) * 1000)
            tops.append([hit[0] for hit in list(hits)[:10]])
        found[role] = tops
        found[f"{role}_p50_ms"] = percentile(times, 50)
    session.store.close()
    return found


def exact(folder: Path, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """As `answers`, with all vectors compared."""

    def search(self: Inverted, query: Floats, count: int, chosen: Mask | None) -> Found:
        return self._probe(query, count, chosen, self.index.nlist)

    Inverted.search = search  # type: ignore[method-assign]
    Compressed.search = Exact.search  # type: ignore[method-assign]
    return answers(folder, files, made_up)


def measure(folder: Path, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """What it takes to open the library and to search in it, and the memory."""
    session = Session(folder, files)
    texts = iter(files.texts)
    session.ask(next(texts))
    found: dict[str, Any] = {"open_s": round(time.perf_counter() - STARTED, 2)}
    for _ in range(WARM_UP):
        session.ask(next(texts))
    cases: dict[str, Iterable[Filters | None]] = {
        "": [None] * TIMED,
        "_filter_1": filters(0.01, TIMED),
        "_filter_50": filters(0.5, TIMED),
    }
    for name, chosen in cases.items():
        times = [session.timed_ms(next(texts), **({} if one is None else {"filters": one})) for one in chosen]
        found |= {f"p50_ms{name}": percentile(times, 50), f"p95_ms{name}": percentile(times, 95)}
    found |= memory_mb()
    session.store.close()
    return found


def add(folder: Path, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """Add videos of SCENES_PER_VIDEO scenes one by one while a reader is open, and remove them."""
    session = Session(folder, files)
    store, texts = session.store, iter(files.texts)
    session.ask(next(texts))
    whole: list[float] = []
    alone: list[float] = []
    after: list[float] = []
    number = made_up.videos
    ids = []
    while len(whole) < ADDED:
        number += 1
        video = made_up.video(number)
        vectors: dict[Role, Any] = {role: made_up.of_one_more_video(role, number) for role in DIMS}
        if store.find_video(USER, video.sha256) is not None:  # added by an earlier run on the same library
            continue
        started = time.perf_counter()
        name = f"{video.video_id}.mp4"
        registered, _ = store.register_video(USER, video.sha256, name, name, language=video.language)
        store.set_state(registered.video_id, VideoState.VALIDATING)
        store.set_state(registered.video_id, VideoState.PROCESSING)
        video = replace(video, video_id=registered.video_id)
        staged, scene_ids = stage(store, video, vectors)
        ready = time.perf_counter()
        (outcome,) = store.commit_generations([staged])
        done = time.perf_counter()
        if isinstance(outcome, Exception):
            raise outcome
        whole.append(done - started)
        alone.append(done - ready)
        after.append(session.timed_ms(next(texts)))
        view = store.reader().view()
        if not view.scenes_by_id(scene_ids[:1]):
            raise SystemExit("the video that was added is not there")
        ids.append(video.video_id)
    store.bulk.delete(USER, ids)
    for video_id in ids:  # for a library that is used again
        store.purge_video(video_id)
    store.close()
    return {
        "add_video_s": round(float(np.median(whole)), 3),
        "commit_s": round(float(np.median(alone)), 3),
        "search_after_add_ms": round(float(np.median(after)), 1),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """Of times, to a tenth."""
    return round(float(np.percentile(values, percent)), 1)


STEPS: dict[str, Callable[[Path, Files, MadeUp], dict[str, Any]]] = {
    "build": build,
    "merge": merge,
    "answers": answers,
    "exact": exact,
    "measure": measure,
    "add": add,
}


def main() -> None:
    """Run a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("library", type=Path)
    parser.add_argument("files", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--scenes", type=int, required=True)
    args = parser.parse_args()
    print(json.dumps(STEPS[args.step](args.library, Files(args.files), MadeUp(args.data, args.scenes))))


if __name__ == "__main__":
    main()
