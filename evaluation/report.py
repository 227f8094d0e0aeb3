"""Measure the search on the judged queries of data/sample/judged.json, and write docs/evaluation.md.

    .venv/bin/python evaluation/report.py [--library DIR] [--out FILE]

Draws the clips of data/sample/make_clips.py, indexes them and the sample with the offline profile (about two minutes),
searches for every query with each channel alone and with all of them, and writes a page of tables. With --library the
library is kept, and used the next time.

A query whose id ends in an odd number may be looked at while something is being tuned; those that end in an even number
are held out, and the page is about them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
for folder in (ROOT, SAMPLE):
    if str(folder) not in sys.path:  # a script that is run as a file has only its own folder on the path
        sys.path.insert(0, str(folder))

from heimdex_core import Library  # noqa: E402
from heimdex_core.evaluation.judgements import JudgedQuery, Judgement, overlaps, read_queries  # noqa: E402
from heimdex_core.search.fusion import fusion_names  # noqa: E402
from heimdex_core.types import Scene  # noqa: E402
from heimdex_core.types.evaluation import EvaluationRun, MeasureSummary  # noqa: E402

JUDGED = SAMPLE / "judged.json"
SINGLE: Mapping[str, Mapping[str, float]] = {
    "transcript": {"transcript": 1.0},
    "vision": {"vision": 1.0},
    "lexical": {"lexical": 1.0},
}
MEASURES = ("nDCG@10", "MRR")
KINDS = {
    "said": "what is said",
    "seen": "what is seen",
    "both": "both together",
    "words": "exact words",
}
Found = Mapping[str, EvaluationRun]
"""Runs by the name of their setting."""


# --- library and queries ----------------------------------------------------------------------------


def fill(library: Library, folder: Path) -> None:
    """Add the sample and the further clips, drawn into `folder`, unless the library has them."""
    known = {video.filename for video in library.videos()}
    if "heimdex_sample.mp4" not in known:
        library.add(SAMPLE / "heimdex_sample.mp4", title="A Day in Nine Scenes")
    import make_clips

    folder.mkdir(parents=True, exist_ok=True)
    for clip in make_clips.CLIPS:
        if clip.filename not in known:
            print(clip.filename, file=sys.stderr)
            library.add(make_clips.make(clip, folder), title=clip.title, language=clip.language or None)


def is_held_out(query: JudgedQuery) -> bool:
    """Whether a query is kept for the report: its id ends in an even number."""
    return int(query.query_id.rsplit("-", 1)[1]) % 2 == 0


def completed(queries: Iterable[JudgedQuery], scenes: Mapping[str, Sequence[Scene]]) -> dict[str, object]:
    """The queries in the format of judgements.py, with a grade of 0 for every scene that a query does not name.

    `scenes` are the library's by file name.
    """
    rows = []
    for query in queries:
        grades = [
            {
                "video": judged.video,
                "start_s": judged.interval.start_s,
                "end_s": judged.interval.end_s,
                "grade": judged.grade,
            }
            for judged in query.relevant
        ]
        for filename, of_video in scenes.items():
            named = [judged.interval for judged in query.relevant if judged.video == filename]
            grades += [
                {"video": filename, "start_s": scene.start_s, "end_s": scene.end_s, "grade": 0}
                for scene in of_video
                if not any(overlaps(scene.interval, interval) for interval in named)
            ]
        rows.append(
            {
                "query_id": query.query_id,
                "query": query.text,
                "language": query.language,
                "kind": query.kind,
                "relevant": grades,
            }
        )
    return {"format": 1, "queries": rows}


def import_set(library: Library, name: str, queries: Sequence[JudgedQuery], folder: Path) -> None:
    """Make a query set of the library out of judged queries, instead of an older one of this name."""
    if name in {known.name for known in library.evaluation.query_sets()}:
        library.evaluation.delete_query_set(name)
    scenes = {video.filename: library.scenes(video.video_id) for video in library.videos()}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(completed(queries, scenes), ensure_ascii=False), encoding="utf-8")
    library.evaluation.import_table(path, query_set=name)


# --- tables -----------------------------------------------------------------------------------------


def value(summary: MeasureSummary) -> str:
    """A mean with its interval, as ".912 [.850, .961]"."""
    if summary.low is None or summary.high is None:
        return _short(summary.mean)
    return f"{_short(summary.mean)} [{_short(summary.low)}, {_short(summary.high)}]"


def _short(number: float) -> str:
    return f"{number:.3f}".replace("0.", ".", 1) if abs(number) < 1 else f"{number:.3f}"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    return ["| " + " | ".join(cells) + " |" for cells in (heading, ["---"] * len(heading), *rows)]


def main_table(found: Found) -> list[str]:
    """Each setting's measures."""
    rows = [
        [f"**{name}**" if name == "hybrid" else name, *(value(run.measures[measure]) for measure in MEASURES)]
        for name, run in found.items()
    ]
    return table(["", *MEASURES], rows)


def differences(library: Library, found: Found) -> list[str]:
    """Hybrid minus each channel alone, with interval and p-value."""
    rows = []
    for name in SINGLE:
        measures = library.evaluation.compare(found[name], found["hybrid"]).measures
        for measure in MEASURES:
            delta = measures[measure]
            spread = "" if delta.low is None or delta.high is None else f"[{delta.low:+.3f}, {delta.high:+.3f}]"
            counts = f"{delta.wins}, {delta.losses}, {delta.ties}"
            rows.append([name, measure, f"{delta.delta:+.3f} {spread}", f"{delta.p_corrected:.4f}", counts])
    return table(["hybrid against", "measure", "difference", "p (Holm)", "better, worse, equal"], rows)


def mean_of(runs: Sequence[EvaluationRun], wanted: Callable[[str], bool]) -> tuple[float, int]:
    """(mean nDCG@10, number) of the queries in the runs whose id is `wanted`."""
    values = [one["nDCG@10"] for run in runs for query_id, one in run.per_query.items() if wanted(query_id)]
    return (sum(values) / len(values) if values else float("nan")), len(values)


def groups(queries: Sequence[JudgedQuery]) -> dict[str, frozenset[str]]:
    """The ids of the queries that rows of the second table are about, by the text of the row."""
    scored = [query for query in queries if any(judged.grade > 0 for judged in query.relevant)]
    found = {text: frozenset(q.query_id for q in scored if q.kind == kind) for kind, text in KINDS.items()}
    found["English"] = frozenset(query.query_id for query in scored if query.language == "en")
    found["Korean"] = frozenset(query.query_id for query in scored if query.language == "ko")
    return {text: ids for text, ids in found.items() if ids}


def without_speech(queries: Iterable[JudgedQuery], scenes: Mapping[str, Sequence[Scene]]) -> frozenset[str]:
    """The ids of the queries in whose best scenes nobody speaks."""
    scored = [query for query in queries if any(judged.grade > 0 for judged in query.relevant)]
    return frozenset(
        query.query_id for query in scored if not any(_is_spoken(judged, scenes) for judged in _best(query))
    )


def _best(query: JudgedQuery) -> list[Judgement]:
    top = max(judged.grade for judged in query.relevant)
    return [judged for judged in query.relevant if judged.grade == top]


def _is_spoken(judged: Judgement, scenes: Mapping[str, Sequence[Scene]]) -> bool:
    of_video = scenes.get(judged.video, ())
    return any(scene.transcript for scene in of_video if overlaps(scene.interval, judged.interval))


def by_group(sets: Sequence[Found], ids: Mapping[str, frozenset[str]]) -> list[str]:
    """nDCG@10 of each setting by group of queries, of all the sets together."""
    names = [*SINGLE, "hybrid"]
    rows = []
    for text, members in ids.items():
        means = [mean_of([found[name] for found in sets], members.__contains__) for name in names]
        rows.append([text, str(means[0][1]), *(_short(mean) for mean, _ in means)])
    return table(["queries about", "number", *names], rows)


def closeness(library: Library, queries: Sequence[JudgedQuery]) -> list[str]:
    """How many queries are said to have nothing close, of those that have an answer and of those that have none."""
    rows = []
    for text, has_answer in (("have an answer", True), ("have none", False)):
        asked = [q for q in queries if any(judged.grade > 0 for judged in q.relevant) == has_answer]
        told = [query for query in asked if library.search(query.text, limit=1).nothing_close]
        rows.append([text, str(len(asked)), str(len(told))])
    return table(["queries that", "number", '"nothing here is close"'], rows)


# --- page -------------------------------------------------------------------------------------------


def page(library: Library, queries: Sequence[JudgedQuery], folder: Path) -> str:
    """The page about the held-out ones of the queries. `folder` is for temporary files."""
    held_out = [query for query in queries if is_held_out(query)]
    tuning = [query for query in queries if not is_held_out(query)]
    import_set(library, "held-out", held_out, folder)
    import_set(library, "tuning", tuning, folder)

    def runs(query_set: str) -> dict[str, EvaluationRun]:
        singles = {name: library.evaluate(query_set, weights=weights, name=name) for name, weights in SINGLE.items()}
        return {**singles, "hybrid": library.evaluate(query_set, name="hybrid")}

    found, other = runs("held-out"), runs("tuning")
    default = found["hybrid"].settings
    fusions = {name: library.evaluate("held-out", fusion=name, name=name) for name in fusion_names()}
    scenes = {video.filename: library.scenes(video.video_id) for video in library.videos()}
    count = sum(len(of_video) for of_video in scenes.values())
    scored = len(found["hybrid"].per_query)
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in default.weights.items())
    lines = [
        "# Evaluation",
        "",
        "Made by `evaluation/report.py`, which draws the clips, indexes them, searches and writes this page.",
        "",
        f"{len(queries)} queries over {len(scenes)} clips with {count} scenes: the sample and what "
        "`data/sample/make_clips.py` draws. The queries (`data/sample/judged.json`, English and Korean) were written "
        "and judged from what is drawn and said in the clips, before any of them was searched for. Grades are 0 to 3; "
        "every scene was considered for every query. Queries whose id ends in an odd number were free to be looked at "
        f"while the search was changed, the others were not: this page is about those {len(held_out)}, of which "
        f"{scored} have an answer.",
        "",
        "The models are those of the `offline` profile. The clips are drawings, and the vision model (`palette`) knows "
        "colours, light and layout and no objects, so the figures say how the channels work together, and not how well "
        "another model finds things in real videos. 95 % confidence intervals are in brackets.",
        "",
        "## Each channel alone and all together",
        "",
        *main_table(found),
        "",
        f"Hybrid is the default: {default.fusion} with weights {weights}.",
        "",
        *differences(library, found),
        "",
        "On the other half of the queries:",
        "",
        *main_table(other),
        "",
        "## What they are good at",
        "",
        "nDCG@10 by kind of query:",
        "",
        *by_group([found], groups(held_out)),
        "",
        "Of all queries, those in whose best scenes nobody speaks. The transcript cannot find such a scene, and words "
        "only by its tags; that must be no disadvantage:",
        "",
        *by_group([found, other], {"scenes without speech": without_speech(queries, scenes)}),
        "",
        "## Fusion methods",
        "",
        "With the default weights.",
        "",
        *main_table(fusions),
        "",
        "## Nothing here is close",
        "",
        *closeness(library, held_out),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the script and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, default=None, help="keep the library in this folder")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "evaluation.md")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Library.open(args.library or folder / "library", profile="offline") as library:
            fill(library, folder / "clips")
            text = page(library, read_queries(JUDGED), folder)
    args.out.write_text(text, encoding="utf-8")
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
