"""What a library is searched with, side by side: files of FAISS and tantivy, and tables of LanceDB.

    python benchmarks/search_backends.py [--scenes 10000] [--queries 50] [--data clustered] [--keep DIR] [--json]

The vectors (384 wide) and words of benchmarks/search_data.py, in a folder on the disk. Both backends index the same
generations, merge, and add one video of 100 scenes a few times; then the queries alternate between them. Milliseconds
are medians of searches for the best 1,000, as the channels ask for. Agreement is of the best 10: their overlap, and
Spearman's correlation of the ranks of those that both have; the recall of vectors is against an exact search. Ratios
are LanceDB's times over those of FAISS or tantivy. Non-zero if the recall of either is below .98.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.search_data import DATA, SCENES_PER_VIDEO, Files, MadeUp  # noqa: E402 - not installed
from heimdex_core.store import analysis  # noqa: E402
from heimdex_core.store.keyframe_vectors import VectorRows  # noqa: E402
from heimdex_core.store.lance_search import LanceSearch  # noqa: E402
from heimdex_core.store.layout import LibraryPaths  # noqa: E402
from heimdex_core.store.local_search import LocalSearch  # noqa: E402
from heimdex_core.store.locks import index_lock  # noqa: E402
from heimdex_core.store.opened_indexes import OpenedIndexes  # noqa: E402
from heimdex_core.store.search_index import IndexOrder, SearchBackend  # noqa: E402
from heimdex_core.store.vector_segment import Key  # noqa: E402
from heimdex_core.types import ModelSet, Scene, Space, WorkContext, make_scene_id, utc_now  # noqa: E402

DEPTH, BEST = 1000, 10
ADDED = 5
BATCH_VIDEOS = 100
REQUIRED_RECALL = 0.98
SPACE = Space("text/made-up", "text", "made-up", "1", 384)


class Generations:
    """The made-up videos, as indexes read them; one that is not among them has vectors of its own."""

    def __init__(self, made: MadeUp, files: Files) -> None:
        self.made, self.files = made, files
        self.numbers = {self.made.video(number).video_id: number for number in range(made.videos + ADDED)}
        self.keys: list[Key] = [(video_id, 1) for video_id in self.numbers]

    def vector_rows(self, space: Space, key: Key) -> VectorRows:
        """See GenerationReader."""
        number = self.numbers[key[0]]
        if number >= self.made.videos:
            vectors = self.made.of_one_more_video("text", number)
        else:
            first = number * SCENES_PER_VIDEO
            vectors = self.files.vectors("text")[first : first + SCENES_PER_VIDEO].astype(np.float32)
        return VectorRows([scene.scene_id for scene in self.texts(key)[1]], vectors)

    def texts(self, key: Key) -> tuple[str, list[Scene]]:
        """See GenerationReader."""
        video = self.made.video(self.numbers[key[0]])
        starts_s = [0.0, *video.ends_s[:-1]]
        now = utc_now()
        return "", [
            Scene(
                scene_id=make_scene_id(key[0], start_s, end_s),
                video_id=key[0],
                index=n,
                start_s=start_s,
                end_s=end_s,
                transcript=text,
                language=video.language,
                tags=(tag,),
                created_at=now,
            )
            for n, (start_s, end_s, text, tag) in enumerate(
                zip(starts_s, video.ends_s, video.texts, video.tags, strict=True)
            )
        ]


class Measured:
    """One backend over a folder of its own."""

    def __init__(self, make: Callable[[LibraryPaths], SearchBackend], root: Path, source: Generations) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.paths = LibraryPaths(root)
        self.backend, self.source = make(self.paths), source
        self.sets = [ModelSet(1, "made-up", {}, {"text": SPACE}, utc_now(), is_active=True)]
        keys = source.keys[: source.made.videos]
        began = time.perf_counter()
        for stop in range(BATCH_VIDEOS, len(keys) + BATCH_VIDEOS, BATCH_VIDEOS):
            self.write(keys[:stop])
        self.write_s = time.perf_counter() - began
        began = time.perf_counter()
        self.backend.merge(self.sets, index_lock(self.paths.index_lock), WorkContext())
        self.merge_s = time.perf_counter() - began
        added = []
        for stop in range(len(keys) + 1, len(keys) + ADDED + 1):
            began = time.perf_counter()
            self.write(source.keys[:stop])
            added.append(time.perf_counter() - began)
        self.add_video_s = median(added)
        self.allowed = frozenset(source.keys)

    def write(self, keys: Sequence[Key]) -> None:
        wanted = frozenset(keys)
        self.backend.write(IndexOrder(self.source, {SPACE: wanted}, {1: wanted}), WorkContext())

    @cached_property
    def opened(self) -> tuple[Any, Any]:
        held = OpenedIndexes()
        return self.backend.vector_index(SPACE, held), self.backend.word_index(1, held)

    def nearest(self, query: Any) -> list[str]:
        return [one for one, _ in self.opened[0].search(query, k=DEPTH, allowed=self.allowed)]

    def said(self, text: str) -> list[str]:
        return [one for one, _ in self.opened[1].search(text, k=DEPTH, allowed=self.allowed).hits]


def asked(
    sides: Sequence[Measured], ask: Callable[[Measured, Any], list[str]], queries: Sequence[Any]
) -> tuple[list[float], list[list[list[str]]]]:
    """(median milliseconds of each side, its answers), the queries alternating between the sides."""
    for side in sides:
        ask(side, queries[0])
    times: list[list[float]] = [[] for _ in sides]
    answers: list[list[list[str]]] = [[] for _ in sides]
    for query in queries:
        for n, side in enumerate(sides):
            began = time.perf_counter()
            answers[n].append(ask(side, query))
            times[n].append(1000 * (time.perf_counter() - began))
    return [median(one) for one in times], answers


def overlap(first: list[list[str]], second: list[list[str]]) -> float:
    """The mean share of the best of `second` that are among the best of `first`."""
    pairs = [(set(a[:BEST]), set(b[:BEST])) for a, b in zip(first, second, strict=True) if b]
    return float(np.mean([len(a & b) / len(b) for a, b in pairs]))


def spearman(first: list[list[str]], second: list[list[str]]) -> float:
    """The mean rank correlation of those of the best that both have."""
    found = []
    for a, b in zip(first, second, strict=True):
        both = [b[:BEST].index(one) for one in a[:BEST] if one in b[:BEST]]
        if len(both) > 1:
            found.append(np.corrcoef(np.arange(len(both)), np.argsort(np.argsort(both)))[0, 1])
    return float(np.mean(found))


def score_share(side: Measured, texts: Sequence[str], found: list[list[str]]) -> float:
    """The mean score, on this side, of the best that the other has found, as a share of that of its own best."""
    shares = []
    for text, ids in zip(texts, found, strict=True):
        own = dict(side.opened[1].search(text, k=DEPTH, allowed=side.allowed).hits)
        best = list(own.values())[:BEST]
        if best:
            shares.append(sum(own.get(one, 0.0) for one in ids[:BEST]) / sum(best))
    return float(np.mean(shares))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures of one data set."""
    made = MadeUp(args.data, args.scenes)
    made.write(folder / "data")
    files = Files(folder / "data")
    source = Generations(made, files)
    for key in source.keys:  # so that the second side does not find the stems of words in a cache that the first filled
        for scene in source.texts(key)[1]:
            analysis.for_index(scene.transcript)
    sides = [Measured(LocalSearch, folder / "local", source), Measured(LanceSearch, folder / "lancedb", source)]
    queries, texts = files.queries("text")[: args.queries], files.texts[: args.queries]
    vector_ms, nearest = asked(sides, Measured.nearest, list(queries))
    word_ms, said = asked(sides, Measured.said, texts)

    rows = np.concatenate([source.vector_rows(SPACE, key).vectors for key in source.keys])
    ids = [scene.scene_id for key in source.keys for scene in source.texts(key)[1]]
    exact = [[ids[row] for row in np.argsort(-(rows @ query))[:BEST]] for query in queries]
    names = ("local", "lancedb")
    return {
        "scenes": args.scenes,
        "data": args.data,
        "vectors_ms": dict(zip(names, vector_ms, strict=True)),
        "words_ms": dict(zip(names, word_ms, strict=True)),
        "write_s": {name: side.write_s for name, side in zip(names, sides, strict=True)},
        "merge_s": {name: side.merge_s for name, side in zip(names, sides, strict=True)},
        "add_video_s": {name: side.add_video_s for name, side in zip(names, sides, strict=True)},
        "recall_at_10": {name: overlap(found, exact) for name, found in zip(names, nearest, strict=True)},
        "vectors_agree": {"overlap": overlap(nearest[1], nearest[0]), "spearman": spearman(nearest[1], nearest[0])},
        "words_agree": {
            "overlap": overlap(said[1], said[0]),
            "spearman": spearman(said[1], said[0]),
            "score": score_share(sides[0], texts, said[1]),
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--data", choices=DATA, default="clustered")
    parser.add_argument("--keep", type=Path, help="the folder of data and indexes; a temporary one if not given")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(args, args.keep or Path(temporary))
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            shown = value
            if isinstance(value, dict):
                shown = ", ".join(f"{key} {number:.4g}" for key, number in value.items())
                if name.endswith(("_ms", "_s")) and value["local"]:
                    shown += f", ratio {value['lancedb'] / value['local']:.2f}"
            print(f"{name}: {shown}")
    return int(min(found["recall_at_10"].values()) < REQUIRED_RECALL)


if __name__ == "__main__":
    sys.exit(main())
