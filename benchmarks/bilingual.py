"""How often the first hit is the right one, in two languages: the offline text models, alone and together.

    python benchmarks/bilingual.py [--resamples 2000]

bilingual.jsonl has passages as people speak in videos, half of them English and half Korean, each with one query in
either language that asks for it in other words. All passages are searched at once, so a query also has to find the
right language. The queries were written before anything was measured. "Together" is the transcript channel as search
uses it, with its threshold; a model alone is asked for its nearest passage. Intervals: 95 %, bootstrapped over queries.

Wanted of both together: en-en at most .06 below MiniLM alone, en-ko at least .85, ko-ko and ko-en at most .05 below USE
alone, and more than USE alone over all. Non-zero if not reached. For comparison, a line for the sum of the cosines, and
one for USE where the language of the right passage is known, which is as much as any routing could reach with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.models.text.minilm import MiniLM
from heimdex_core.models.text.use import UniversalSentenceEncoder
from heimdex_core.search.channels.background import THRESHOLD, NullDistribution, background_queries, null_distribution
from heimdex_core.search.channels.base import ChannelRequest
from heimdex_core.search.channels.encoders import QueryEncoder, SharedEncoder
from heimdex_core.search.channels.routed import RoutedChannel, RoutedSpace
from heimdex_core.store.hits import Hits  # noqa: E402
from heimdex_core.types import Space

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.bool_]
DIRECTIONS = (("en", "en"), ("en", "ko"), ("ko", "ko"), ("ko", "en"))
"""(language of the query, language of the passage)"""
MODELS = (MiniLM(), UniversalSentenceEncoder())


class Passages:
    """The part of a library's view that the channel uses. A passage's number is its scene id."""

    def __init__(self, vectors: dict[str, Floats]) -> None:
        """`vectors` (n, d) by the name of the space, with rows of zeros where there is none."""
        self._vectors = vectors
        self._has: dict[str, Rows] = {name: np.any(found != 0, axis=1) for name, found in vectors.items()}

    def vector_search(self, space: Space, vector: Floats, *, k: int, outside: Space | None = None, **of: Any) -> Hits:
        scores = self._vectors[space.name] @ vector
        rows = self._has[space.name]
        if outside is not None:
            rows = rows & ~self._has[outside.name]
        best = np.array([row for row in np.argsort(-scores) if rows[row]][:k], dtype=np.int64)
        return Hits(list(map(str, best)), scores[best])

    token = "passages"  # noqa: S105

    def sample_vectors(self, space: Space, count: int, *, outside: Space | None = None) -> Floats:
        rows = self._has[space.name] if outside is None else self._has[space.name] & ~self._has[outside.name]
        return self._vectors[space.name][rows][:count]

    def has_vectors_outside(self, space: Space, other: Space, **of: Any) -> bool:
        return bool((self._has[space.name] & ~self._has[other.name]).any())


def main() -> int:
    """The tables; 0 if what is wanted was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=2000)
    resamples = parser.parse_args().resamples
    rows = [json.loads(line) for line in (Path(__file__).parent / "bilingual.jsonl").read_text("utf-8").splitlines()]
    languages = np.array([row["language"] for row in rows])
    started = time.perf_counter()
    vectors = {model.space.name: model.encode_passages([row["text"] for row in rows]) for model in MODELS}
    print(f"{len(rows)} passages, {2 * len(rows)} queries; passages encoded in {time.perf_counter() - started:.1f} s\n")
    queries = {language: [row[language] for row in rows] for language in ("en", "ko")}
    sides = {f"{model.space.model} alone": nearest(model, vectors[model.space.name], queries) for model in MODELS}
    sides["together"] = routed(Passages(vectors), queries, len(rows))
    sides["sum of the cosines"] = summed(vectors, queries)
    sides["USE, language known"] = nearest(MODELS[1], vectors[MODELS[1].space.name], queries, languages)
    found = {name: {ql: first == np.arange(len(rows)) for ql, first in side.items()} for name, side in sides.items()}
    r1 = {name: table_row(name, side, languages, resamples) for name, side in found.items()}
    nulls(vectors, languages, queries)
    mini, use, both, *_ = r1.values()
    reached = {
        "en-en at most .06 below MiniLM alone": both["en-en"] >= mini["en-en"] - 0.06,
        "en-ko at least .85": both["en-ko"] >= 0.85,
        "ko-ko at most .05 below USE alone": both["ko-ko"] >= use["ko-ko"] - 0.05,
        "ko-en at most .05 below USE alone": both["ko-en"] >= use["ko-en"] - 0.05,
        "more than USE alone over all": both["all"] > use["all"],
    }
    print("\n" + "\n".join(f"{'reached' if is_reached else 'MISSED '}  {what}" for what, is_reached in reached.items()))
    return 0 if all(reached.values()) else 1


def nearest(
    model: Any, passages: Floats, queries: dict[str, list[str]], languages: npt.NDArray[np.str_] | None = None
) -> dict[str, npt.NDArray[np.int64]]:
    """The number of each query's nearest passage, by language of the query; -1 where the model does not read it.

    With the passages' `languages`, only passages in the language of the right one are searched.
    """
    found = {}
    for language, texts in queries.items():
        vectors = model.encode_queries(texts)
        scores = vectors @ passages.T
        if languages is not None:
            scores[languages[:, None] != languages[None, :]] = -1
        found[language] = np.where(vectors.any(1), scores.argmax(1), -1)
    return found


def summed(vectors: dict[str, Floats], queries: dict[str, list[str]]) -> dict[str, npt.NDArray[np.int64]]:
    """The number of the passage with the highest sum of the cosines in both spaces."""
    scores = {ql: [m.encode_queries(texts) @ vectors[m.space.name].T for m in MODELS] for ql, texts in queries.items()}
    return {ql: np.sum(both, axis=0).argmax(1) for ql, both in scores.items()}


def routed(view: Passages, queries: dict[str, list[str]], count: int) -> dict[str, npt.NDArray[np.int64]]:
    """The same by the channel over both spaces; -1 where it finds nothing."""
    spaces = [RoutedSpace(model.space, SharedEncoder(partial(_same, model), "a first one")) for model in MODELS]
    channel = RoutedChannel("transcript", spaces[0], spaces[1], lambda request: None)
    found: dict[str, npt.NDArray[np.int64]] = {}
    for language, texts in queries.items():
        # the benchmark's view has what the channel asks for, and no more
        results = [channel.search(ChannelRequest(view, text, "", None, count, count)) for text in texts]  # type: ignore[arg-type]
        hits = [max(result.scenes.hits, key=lambda hit: hit[1], default=("-1", 0.0)) for result in results]
        found[language] = np.array([int(scene) for scene, _ in hits])
    return found


def _same(model: QueryEncoder) -> QueryEncoder:
    return model


def table_row(name: str, found: dict[str, Rows], languages: npt.NDArray[np.str_], resamples: int) -> dict[str, float]:
    """Print R@1 for each direction and over all, with intervals; the values."""
    parts = {f"{ql}-{pl}": found[ql][languages == pl] for ql, pl in DIRECTIONS}
    parts["all"] = np.concatenate(list(parts.values()))
    cells = [f"{label} {part.mean():.2f} ({' to '.join(interval(part, resamples))})" for label, part in parts.items()]
    print(f"{name:28} " + "   ".join(cells))
    return {label: float(part.mean()) for label, part in parts.items()}


def interval(found: Rows, resamples: int) -> Sequence[str]:
    """The 95 % interval of the mean of `found`, bootstrapped."""
    means = np.random.default_rng(0).choice(found, (resamples, len(found))).mean(1)
    return [f"{value:.2f}" for value in np.percentile(means, [2.5, 97.5])]


def nulls(vectors: dict[str, Floats], languages: npt.NDArray[np.str_], queries: dict[str, list[str]]) -> None:
    """Print the deviations of the null distributions, and what the threshold keeps."""
    print("\nStandard deviation of the cosine with background queries around a passage's mean; z above the threshold:")
    for model in MODELS:
        for ql, pl in DIRECTIONS:
            asked = model.encode_queries(background_queries(ql))
            if not asked.any() or not vectors[model.space.name][languages == pl].any():
                continue
            passages = vectors[model.space.name][languages == pl]
            scores = (asked - asked.mean(0)) @ passages.T
            deviation = float(np.sqrt(np.square(scores).sum() / (scores.size - scores.shape[1])))
            null = null_distribution(model.space, model, ql)
            right, others = z_scores(model, null, passages, np.array(queries[ql])[languages == pl])
            above = f"right passage {np.mean(right > THRESHOLD):.2f}, another passage {np.mean(others > THRESHOLD):.3f}"
            print(f"  {model.space.model:24} {ql}-{pl}  {deviation:.4f}   {above}")


def z_scores(model: Any, null: NullDistribution, passages: Floats, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """(z of each query's own passage, z of all other pairs)."""
    asked = np.array([null.standardised(model.encode_query(str(text)).vector) for text in texts])
    scores = asked @ passages.T
    own = np.eye(len(texts), dtype=bool)
    return scores[own], scores[~own]


if __name__ == "__main__":
    sys.exit(main())
