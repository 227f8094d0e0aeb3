"""Text-to-video retrieval on a public benchmark: index its videos, search for every caption, report recall and ranks.

    .venv/bin/python evaluation/benchmark.py msrvtt --videos DIR --annotations MSRVTT_JSFUSION_test.csv \
        --library DIR [--profile studio] [--only FILE] [--split test] [--limit N] [--out FILE] [--json]

A video's rank is that of its best scene among the annotated videos that are there. R@1, R@5, R@10 (in per cent), the
median rank and nDCG@10 are reported for the picture alone, each other channel alone and all of them together, with 95 %
confidence intervals from a bootstrap over videos. Started again, it goes on where it was stopped.
docs/benchmark-datasets.md says where the data comes from and what to compare.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # a script that is run as a file has only its own folder on the path
    sys.path.insert(0, str(ROOT))

from evaluation.benchmark_formats import FORMATS, Caption, read_captions, video_files  # noqa: E402
from heimdex_core import Library  # noqa: E402
from heimdex_core.errors import FileUnreadable, HeimdexError  # noqa: E402
from heimdex_core.files import atomic_path  # noqa: E402
from heimdex_core.types import VideoState  # noqa: E402

SETTINGS: Mapping[str, Mapping[str, float] | None] = {
    "vision": {"vision": 1.0},
    "transcript": {"transcript": 1.0},
    "lexical": {"lexical": 1.0},
    "hybrid": None,
}
"""What is measured: weights by name; None for the library's defaults."""
PAGE = 200
"""Hits that are asked for at a time, until the right video is among them."""
DRAWS, SEED = 1000, 2026
"""Of the bootstrap."""

Ranks = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure with the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


MEASURES: Mapping[str, Any] = {
    "R@1": lambda ranks: 100.0 * float(np.mean(ranks <= 1)),
    "R@5": lambda ranks: 100.0 * float(np.mean(ranks <= 5)),
    "R@10": lambda ranks: 100.0 * float(np.mean(ranks <= 10)),
    "MedR": lambda ranks: float(np.median(ranks)),
    "nDCG@10": lambda ranks: float(np.mean(np.where(ranks <= 10, 1.0 / np.log2(1.0 + ranks), 0.0))),
}
"""Of the ranks (n,) of the right videos, from 1. A query has one relevant video, so that its ideal gain is 1."""


# --- videos -----------------------------------------------------------------------------------------


def index_videos(library: Library, files: Mapping[str, Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Add the files that the library does not have.

    Returns ({name: video_id} of the indexed ones, {name: message} of those that were refused).
    """
    known = {video.filename: video for video in library.videos()}
    indexed: dict[str, str] = {}
    refused: dict[str, str] = {}
    for number, (name, path) in enumerate(sorted(files.items()), start=1):
        video = known.get(path.name)
        try:
            if video is None or video.state != VideoState.INDEXED:
                print(f"{number}/{len(files)} {path.name}", file=sys.stderr)
                video = library.add(path)
            indexed[name] = video.video_id
        except HeimdexError as error:
            if error.code in ("DISK_FULL", "CANCELLED", "LIBRARY_BUSY"):
                raise
            refused[name] = error.message
    return indexed, refused


# --- ranks ------------------------------------------------------------------------------------------


def plain(caption: str) -> str:
    """A caption without what the query language would take for an operator: quotes, colons, a minus before a word."""
    return " ".join(re.sub(r'["“”:]|(?<!\S)-+', " ", caption).split())


def rank_of(
    library: Library, text: str, wanted: str, gallery: frozenset[str], weights: Mapping[str, float] | None
) -> int:
    """The rank of a video among those of the gallery, from 1; that of the last one where it is not found."""
    seen: dict[str, None] = {}
    offset = 0
    while True:
        result = library.search(text, weights=weights, limit=PAGE, offset=offset)
        for hit in result:
            for scene_id in (hit.scene_id, *hit.duplicates):
                video_id = scene_id.rsplit("_", 2)[0]
                if video_id in gallery:
                    seen.setdefault(video_id)
            if wanted in seen:
                return list(seen).index(wanted) + 1
        offset += PAGE
        if offset >= result.total:
            return len(gallery)


def configuration(library: Library, captions: Sequence[Caption], profile: str) -> str:
    """A digest of everything that ranks depend on, by which saved ones are recognised."""
    videos = sorted((video.video_id, video.generation) for video in library.searchable_videos())
    queries = [asdict(caption) for caption in captions]
    defaults = {"weights": library.preferences().get("weights"), "fusion": library.settings.fusion}
    content = json.dumps([videos, queries, defaults, profile, sorted(SETTINGS)], ensure_ascii=False, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def saved_ranks(path: Path, digest: str) -> dict[int, dict[str, int]]:
    """{number of the caption: {setting: rank}} of an earlier start with the same configuration; else {}."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    rows = list(_json_lines(lines))
    if not rows or rows[0].get("configuration") != digest:
        return {}
    return {row["caption"]: row["ranks"] for row in rows[1:]}


def _json_lines(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return  # the line that was being written when the script was stopped


def rank_all(
    library: Library, captions: Sequence[Caption], ids: Mapping[str, str], profile: str, out: Path
) -> list[dict[str, int]]:
    """The ranks of the right video for each caption, {setting: rank}, written to `out` one caption at a time."""
    digest = configuration(library, captions, profile)
    known = saved_ranks(out, digest)
    gallery = frozenset(ids.values())
    kept = [{"configuration": digest}, *({"caption": number, "ranks": ranks} for number, ranks in known.items())]
    out.parent.mkdir(parents=True, exist_ok=True)
    # Replaced at once: a stop at this point must not lose the ranks of an earlier start.
    with atomic_path(out) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    with out.open("a", encoding="utf-8") as file:
        for number, caption in enumerate(captions):
            if number in known:
                continue
            text = plain(caption.text)[: library.settings.max_query_chars]
            wanted = ids[caption.video]
            # A caption of nothing but punctuation finds nothing.
            ranks = {
                name: rank_of(library, text, wanted, gallery, weights) if text else len(gallery)
                for name, weights in SETTINGS.items()
            }
            known[number] = ranks
            file.write(json.dumps({"caption": number, "ranks": ranks}) + "\n")
            file.flush()
            if number % 100 == 99:
                print(f"{number + 1}/{len(captions)} captions", file=sys.stderr)
    return [known[number] for number in range(len(captions))]


# --- report -----------------------------------------------------------------------------------------


def measure(ranks: Ranks, videos: Sequence[str]) -> dict[str, Measured]:
    """The measures of ranks (n,) with 95 % percentile intervals (Efron & Tibshirani 1993, ch. 13).

    `videos` (n,) names the video of each rank: captions of one video are drawn together, because they are not
    independent of each other.
    """
    order = np.argsort(np.asarray(videos), kind="stable")
    _, starts = np.unique(np.asarray(videos)[order], return_index=True)
    groups = np.split(ranks[order], starts[1:])
    rng = np.random.default_rng(SEED)
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(DRAWS):
        sample = np.concatenate([groups[n] for n in rng.integers(0, len(groups), len(groups))])
        for name, of in MEASURES.items():
            drawn[name].append(of(sample))
    return {
        name: Measured(of(ranks), *(float(np.percentile(drawn[name], part)) for part in (2.5, 97.5)))
        for name, of in MEASURES.items()
    }


def table(results: Mapping[str, Mapping[str, Measured]]) -> str:
    """The measures as text, one row per setting."""
    lines = [" ".join([f"{'':10s}", *(f"{name:>22s}" for name in MEASURES)])]
    for setting, measured in results.items():
        cells = [cell(one, 3 if name.startswith("nDCG") else 1) for name, one in measured.items()]
        lines.append(" ".join([f"{setting:10s}", *(f"{text:>22s}" for text in cells)]))
    return "\n".join(lines)


def cell(measured: Measured, digits: int) -> str:
    """A measure with its interval, "12.3 [10.1, 14.5]"."""
    return f"{measured.value:.{digits}f} [{measured.low:.{digits}f}, {measured.high:.{digits}f}]"


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Index, search and measure; returns what is printed. Raises HeimdexError."""
    captions = read_captions(args.dataset, args.annotations, args.split)
    if args.only is not None:
        captions = [caption for caption in captions if caption.video in names_in(args.only)]
    if args.limit is not None:
        chosen = list(dict.fromkeys(caption.video for caption in captions))[: args.limit]
        captions = [caption for caption in captions if caption.video in frozenset(chosen)]
    names = {caption.video for caption in captions}
    files = video_files(args.videos, names)
    with Library.open(args.library, profile=args.profile) as library:
        ids, refused = index_videos(library, files)
        asked = [caption for caption in captions if caption.video in ids]
        if not asked:
            raise FileUnreadable(filename=str(args.videos), reason="none of the annotated videos is there")
        out = args.out or args.library.with_name(f"{args.library.name}.{args.dataset}.jsonl")
        rows = rank_all(library, asked, ids, library.models.choice.name, out)
        profile = library.models.choice.name
    videos = [caption.video for caption in asked]
    return {
        "dataset": args.dataset,
        "profile": profile,
        "captions": len(asked),
        "videos": len(ids),
        "annotated_videos": len(names),
        "missing": sorted(names - files.keys()),
        "refused": refused,
        "results": {name: measure(np.array([row[name] for row in rows], dtype=np.int64), videos) for name in SETTINGS},
    }


def names_in(path: Path) -> frozenset[str]:
    """The lines of a file that lists videos. Raises FileUnreadable."""
    try:
        return frozenset(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise FileUnreadable(filename=str(path), reason=str(error)) from error


def printed(report: Mapping[str, Any]) -> str:
    """The report as text."""
    absent = len(report["missing"]) + len(report["refused"])
    lines = [
        f"{report['dataset']}, profile {report['profile']}: {report['captions']} captions, {report['videos']} videos",
        table(report["results"]),
    ]
    if absent:
        lines.append(
            f"{absent} of {report['annotated_videos']} annotated videos are missing: {len(report['missing'])} have no "
            f"file, {len(report['refused'])} were refused. With fewer videos to choose from, figures are higher than "
            "over the whole benchmark: do not compare them with published ones."
        )
    lines += [f"refused: {name}: {message}" for name, message in report["refused"].items()]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("dataset", choices=sorted(FORMATS))
    result.add_argument(
        "--videos", type=Path, required=True, help="folder of the video files, searched with its folders"
    )
    result.add_argument("--annotations", type=Path, required=True, help="annotation file of the benchmark")
    result.add_argument(
        "--library", type=Path, required=True, help="library folder for the videos; made if there is none"
    )
    result.add_argument("--profile", default=None, help="models of a new library: offline, laptop or studio")
    result.add_argument("--split", default="test", help="split of MSR-VTT's JSON (default test)")
    result.add_argument("--only", type=Path, default=None, help="file that lists the videos to use, one a line")
    result.add_argument("--limit", type=int, default=None, help="use only the first N videos")
    result.add_argument("--out", type=Path, default=None, help="file for the ranks (default: beside the library)")
    result.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Run the script and return its exit status: 0 done, 1 failed."""
    args = parser().parse_args(arguments)
    try:
        report = run(args)
    except HeimdexError as error:
        if args.json:
            print(json.dumps({"error": error.to_dict()}, ensure_ascii=False))
        else:
            print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    if args.json:
        plain_results = {
            setting: {name: asdict(value) for name, value in measured.items()}
            for setting, measured in report["results"].items()
        }
        print(json.dumps({**report, "results": plain_results}, ensure_ascii=False, indent=2))
    else:
        print(printed(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
