"""What a search of the lexical index costs in a large library, beside the way it was before, and what adding costs.

    python benchmarks/lexical.py [--scenes 100000] [--videos 1000] [--queries 40] [--keep DIR]

An index of made-up scenes (words as frequent as in a language, one of a hundred tags, 2 to 8 s). "Before" lists every
generation in each query, lists or over-reads a set of scenes, and reads the ids of hits one by one; both give the same
hits, which is checked. Milliseconds are medians over the queries, which alternate between the two ways; the last lines
are the times of commits of one video of 100 scenes. Non-zero if the hits differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import tantivy

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.search_data import TAGS, WORDS_PER_SCENE, sentence  # noqa: E402 - not installed
from heimdex_core.store import analysis, lexical_writing  # noqa: E402
from heimdex_core.store.lexical import LexicalIndex  # noqa: E402
from heimdex_core.store.lexical_files import FIELDS, key_name  # noqa: E402
from heimdex_core.store.scene_set import SceneSet  # noqa: E402
from heimdex_core.store.vector_segment import Key  # noqa: E402
from heimdex_core.types import Filters, Scene, make_scene_id  # noqa: E402

DEPTH = 1000
"""Hits of a search, as the channel asks for (HEIMDEX_CHANNEL_DEPTH)."""
LISTED_BEFORE = 2000
BATCH = 200
"""Generations that are written together while the index is made."""
ADDED = 20
Hits = list[tuple[str, float]]


def scenes_of(key: Key, count: int) -> list[Scene]:
    """The scenes of a generation, which depend on nothing but its key."""
    rng = np.random.default_rng(uuid.UUID(key[0]).int % 2**63)
    made = []
    for n in range(count):
        start_s = 10.0 * n
        end_s = start_s + float(rng.integers(2000, 8000)) / 1000
        made.append(
            Scene(
                scene_id=make_scene_id(key[0], start_s, end_s),
                video_id=key[0],
                index=n,
                start_s=start_s,
                end_s=end_s,
                transcript=sentence(rng, WORDS_PER_SCENE),
                language="en",
                tags=(f"t{rng.integers(TAGS)}",),
            )
        )
    return made


def keys_of(count: int) -> list[Key]:
    """So many generations."""
    return [(str(uuid.UUID(int=(n + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)), 1) for n in range(count)]


class Table:
    """The part of a scene table that a set of scenes uses."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.ids = [scene.scene_id for scene in scenes]
        self.durations_s = np.array([scene.end_s - scene.start_s for scene in scenes])
        self.tags = np.array([scene.tags[0] for scene in scenes])
        self.video_numbers = np.zeros(len(scenes), dtype=np.int32)
        self._rows = {scene_id: row for row, scene_id in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def ids_at(self, rows: Any) -> list[str]:
        return [self.ids[row] for row in rows]

    def rows_of(self, scene_ids: Sequence[str]) -> Any:
        return np.array([self._rows.get(scene_id, -1) for scene_id in scene_ids], dtype=np.int64)


class Before:
    """The search as it was."""

    def __init__(self, folder: Path) -> None:
        self._index = tantivy.Index.open(str(folder))
        self._searcher = self._index.searcher()

    def search(self, text: str, allowed: Collection[Key], chosen: SceneSet | None) -> Hits:
        """The best DEPTH scenes."""
        must, should = tantivy.Occur.Must, tantivy.Occur.Should
        words = [(should, self._anywhere(word)) for word in analysis.parse_query(text).words]
        clauses = [
            (must, tantivy.Query.boolean_query(words)),
            (must, self._within("generation", map(key_name, allowed))),
        ]
        if chosen is not None and len(chosen) <= LISTED_BEFORE:
            clauses.append((must, self._within("scene", chosen)))
            chosen = None
        query = tantivy.Query.boolean_query(clauses)
        wanted = DEPTH if chosen is None else int(DEPTH / chosen.share) + 1
        while True:
            found = self._searcher.search(query, wanted, count=False).hits
            hits = [(str(self._searcher.doc(address)["scene"][0]), float(score)) for score, address in found]
            if chosen is not None:
                hits = [hit for hit, is_in in zip(hits, chosen.has([i for i, _ in hits]), strict=True) if is_in]
            if len(hits) >= DEPTH or len(found) < wanted:
                return sorted(hits[:DEPTH], key=lambda hit: (-hit[1], hit[0]))
            wanted *= 4

    def _within(self, field: str, values: Any) -> tantivy.Query:
        query = tantivy.Query.term_set_query(self._index.schema, field, list(values))
        return tantivy.Query.const_score_query(query, 0.0)

    def _anywhere(self, word: str) -> tantivy.Query:
        fields = [
            tantivy.Query.boost_query(tantivy.Query.term_query(self._index.schema, name, word), weight)
            for name, weight in FIELDS.items()
        ]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in fields])


def make(folder: Path, keys: Sequence[Key], scenes_each: int) -> None:
    """The index of these generations."""
    for start in range(0, len(keys), BATCH):
        lexical_writing.sync(folder, keys[: start + BATCH], lambda key: ("", scenes_of(key, scenes_each)))


def cases(keys: Sequence[Key], table: Any) -> Iterator[tuple[str, Collection[Key], SceneSet | None, Sequence[Filters]]]:
    """What is searched in: its name, generations, scenes, and what these pass."""
    everything = frozenset(keys)
    yield "everything", everything, None, ()
    yield "1 % of the videos", frozenset(keys[::100]), None, ()
    yield "50 % of the videos", frozenset(keys[::2]), None, ()
    yield "1 % of the scenes, by tag", everything, SceneSet(table, table.tags == "t7"), [Filters(tags=("t7",))]
    long = SceneSet(table, table.durations_s >= 5.0)
    yield "50 % of the scenes, by length", everything, long, [Filters(min_s=5.0)]


def compare(folder: Path, keys: Sequence[Key], table: Any, args: argparse.Namespace) -> bool:
    """Print what each way takes; whether both found the same."""
    now, before = LexicalIndex.open(folder), Before(folder)
    assert now is not None  # noqa: S101
    rng = np.random.default_rng(5)
    is_same = True
    print(f"{'':32}{'before':>10}{'now':>10}{'ratio':>8}   ms")
    for name, allowed, chosen, filters in cases(keys, table):
        times: dict[str, list[float]] = {"before": [], "now": []}
        ways: dict[str, Callable[[str], Hits]] = {
            "before": partial(before.search, allowed=allowed, chosen=chosen),
            "now": partial(search_now, now, allowed=allowed, chosen=chosen, filters=filters),
        }
        for text in [sentence(rng, 3) for _ in range(args.queries)]:
            found = {way: timed(times[way], partial(ask, text)) for way, ask in ways.items()}
            is_same &= [i for i, _ in found["before"]] == [i for i, _ in found["now"]]
            is_same &= np.allclose([s for _, s in found["before"]], [s for _, s in found["now"]], rtol=1e-6)
        was, ms = median(times["before"]), median(times["now"])
        print(f"{name:32}{was:10.1f}{ms:10.1f}{was / ms:8.1f}", flush=True)
    return bool(is_same)


def search_now(
    index: LexicalIndex, text: str, allowed: Collection[Key], chosen: SceneSet | None, filters: Sequence[Filters]
) -> Hits:
    """The best DEPTH scenes as they are found now."""
    return list(index.search(text, k=DEPTH, allowed=allowed, scene_ids=chosen, filters=filters).hits)


def timed(times: list[float], ask: Callable[[], Hits]) -> Hits:
    """What `ask` returns; its milliseconds are added."""
    started = time.perf_counter()
    found = ask()
    times.append((time.perf_counter() - started) * 1000)
    return found


def commits_ms(folder: Path, keys: Sequence[Key], each: int) -> list[float]:
    """What it takes to add ADDED videos one by one, the last of `keys`; they are removed again."""
    times = []
    for count in range(len(keys) - ADDED + 1, len(keys) + 1):
        scenes = scenes_of(keys[count - 1], each)
        started = time.perf_counter()
        lexical_writing.sync(folder, keys[:count], {keys[count - 1]: ("", scenes)}.get)
        times.append((time.perf_counter() - started) * 1000)
    lexical_writing.sync(folder, keys[:-ADDED], lambda key: None)
    return times


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100_000)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="make the index in this folder, or use the one that is there")
    args = parser.parse_args()
    keys, each = keys_of(args.videos + ADDED), args.scenes // args.videos
    present = keys[: args.videos]
    with tempfile.TemporaryDirectory() as name:
        folder = (args.keep or Path(name)) / "lexical"
        started = time.perf_counter()
        make(folder, present, each)
        size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{args.scenes} scenes in {args.videos} videos: {time.perf_counter() - started:.0f} s, {size_mb:.0f} MB")
        is_same = compare(folder, present, Table([scene for key in present for scene in scenes_of(key, each)]), args)
        started = time.perf_counter()
        LexicalIndex.open(folder)
        print(f"opening {(time.perf_counter() - started) * 1000:.0f} ms")
        added = commits_ms(folder, keys, each)
        print(f"a commit of {each} scenes {median(added):.0f} ms, at most {max(added):.0f} ms")
    print(f"the hits are {'the same' if is_same else 'NOT the same'}")
    return 0 if is_same else 1


if __name__ == "__main__":
    raise SystemExit(main())
