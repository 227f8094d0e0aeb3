"""Score the searches of a library against judged queries.

    .venv/bin/python evaluation/run.py [--library DIR] [--queries FILE] [--weights transcript=.5,vision=.5]
                                       [--fusion NAME] [--json]

Prints one line per query, then the means and the weak queries. Without --queries, those of the sample are used.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # a script that is run as a file has only its own folder on the path
    sys.path.insert(0, str(ROOT))

from heimdex_core import Library  # noqa: E402
from heimdex_core.errors import HeimdexError, InvalidWeights  # noqa: E402
from heimdex_core.evaluation.judgements import JudgedQuery, VideoScenes, qrels_of, read_queries  # noqa: E402
from heimdex_core.evaluation.metrics import WEAK_BELOW, Evaluation, evaluate  # noqa: E402
from heimdex_core.search.fusion import fusion_names  # noqa: E402

SAMPLE_QUERIES = ROOT / "data" / "sample" / "queries.json"
DEPTH = 100
"""Hits that are scored per query."""


def parse_weights(text: str) -> dict[str, float]:
    """{"transcript": 0.5, "vision": 0.5} from "transcript=.5,vision=.5". Raises InvalidWeights."""
    try:
        pairs = [piece.split("=", 1) for piece in text.split(",") if piece.strip()]
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError as error:
        raise InvalidWeights(weights=text, reason="write channel=number, separated by commas") from error


def videos_of(library: Library) -> list[VideoScenes]:
    """The library's videos and their scenes, by the names that judgements use."""
    return [
        VideoScenes(video.title, video.filename, tuple(library.scenes(video.video_id))) for video in library.videos()
    ]


def score(
    library: Library, queries: tuple[JudgedQuery, ...], weights: dict[str, float] | None, fusion: str | None
) -> Evaluation:
    """Search for every query and score the hits. `weights` and `fusion` None mean the library's defaults."""
    run = {}
    for query in queries:
        result = library.search(query.text, weights=weights, fusion=fusion, limit=DEPTH)
        run[query.query_id] = [(hit.scene_id, hit.score) for hit in result]
    return evaluate(run, qrels_of(queries, videos_of(library)))


def table(evaluation: Evaluation, queries: tuple[JudgedQuery, ...]) -> str:
    """The scores as text, one row per query."""
    texts = {query.query_id: query.text for query in queries}
    wide = max((len(name) for name in evaluation.per_query), default=5)
    lines = [" ".join([" " * wide, *(f"{name:>8s}" for name in evaluation.metrics)])]
    for name, values in [*evaluation.per_query.items(), ("mean", evaluation.mean)]:
        numbers = " ".join(f"{values[metric]:8.3f}" for metric in evaluation.metrics)
        lines.append(f"{name:{wide}s} {numbers}  {texts.get(name, '')}".rstrip())
    if evaluation.weak:
        lines.append(f"weak (nDCG@10 below {WEAK_BELOW:g}): {', '.join(evaluation.weak)}")
    if evaluation.unjudged:
        lines.append(f"left out (no relevant judgement): {', '.join(evaluation.unjudged)}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the script and return its exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(description="Score a library against judged queries.")
    parser.add_argument("--library", type=Path, default=None, help="library folder (default HEIMDEX_LIBRARY)")
    parser.add_argument("--queries", type=Path, default=SAMPLE_QUERIES, help="judged queries (default: the sample's)")
    parser.add_argument("--weights", default=None, help="for example transcript=.5,vision=.3,lexical=.2")
    parser.add_argument("--fusion", default=None, help=f"fusion method: {', '.join(fusion_names())}")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    args = parser.parse_args(arguments)
    try:
        queries = read_queries(args.queries)
        weights = parse_weights(args.weights) if args.weights else None
        with Library.open(args.library, create=False) as library:
            evaluation = score(library, queries, weights, args.fusion)
    except HeimdexError as error:
        if args.json:
            print(json.dumps({"error": error.to_dict()}, ensure_ascii=False))
        else:
            print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    if args.json:
        document = {
            "mean": dict(evaluation.mean),
            "queries": {name: dict(values) for name, values in evaluation.per_query.items()},
            "weak": list(evaluation.weak),
            "unjudged": list(evaluation.unjudged),
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print(table(evaluation, queries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
