"""What a page of a long list costs: read by its place from the catalog, and cut out of the whole list.

python benchmarks/lists.py [--videos 100000] [--searches 1000000]

Both sides are measured in turns in one run, as GET /api/v1/videos works them out: rows, shapes, JSON. Also how long the
query log of the other option takes to be summed up, and to be read from its end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from heimdex_core.api.paging import behind, first_of, page_of
from heimdex_core.library import Library
from heimdex_core.schemas import shapes
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import Video, utc_now

LIMIT = 50
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "library")
        Library.open(root, settings=Settings(profile="offline", min_free_bytes=0)).close()
        make_videos(root, args.videos)
        make_searches(root, args.searches)
        with Library.open(root, settings=Settings(profile="offline", min_free_bytes=0)) as library:
            print(json.dumps({**pages(library, args.videos), **searches(library)}, indent=2))


def make_videos(root: Path, count: int) -> None:
    """Videos that were never indexed, a second apart."""
    store = Store.open(root)
    store.register_video("local", "0" * 64, "a talk", "talk.mp4", language="en")
    with store.catalog.transaction() as transaction:
        transaction.run(
            """insert into videos select videos.* replace (cast(uuid() as varchar) as video_id,
               printf('%064x', n) as sha256, 'talk ' || n as title, created_us + n * 1000000 as created_us)
               from videos, range(1, ?) numbers(n)""",
            [count],
        )
    store.close()


def make_searches(root: Path, count: int) -> None:
    """A query log of 60 days, with the fields that are summed up."""
    now = utc_now()
    entry = {"user_id": "local", "text": "a red car on a bridge", "fusion": "rrf", "weights": {"lexical": 1.0}}
    log = root / "logs" / "searches.jsonl"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as file:
        for n in range(count):
            at = (now - timedelta(days=60) * (1 - n / count)).isoformat()
            file.write(json.dumps({"at": at, **entry, "timing_ms": {"total": 5.0 + n % 90}}) + "\n")


def place(video: Video) -> tuple[str, str]:
    return video.created_at.isoformat(), video.video_id


def pages(library: Library, count: int) -> dict[str, object]:
    """A page of the list, at its beginning and in its middle, both ways."""

    def by_place(cursor: str | None) -> tuple[str, str | None]:
        found = library.videos(limit=LIMIT + 1, after=behind(cursor))
        return _json(*first_of(found, LIMIT, lambda one: (one.created_at, one.video_id)))

    def of_whole_list(cursor: str | None) -> tuple[str, str | None]:
        return _json(*page_of(library.videos(), cursor, LIMIT, place))

    _, middle = first_of(library.videos(limit=2, offset=count // 2), 1, lambda one: (one.created_at, one.video_id))
    answer: dict[str, object] = {"videos": count}
    for name, cursor in {"first page": None, "page in the middle": middle}.items():
        assert by_place(cursor) == of_whole_list(cursor)  # noqa: S101 - that is what is compared
        new, old = in_turns(partial(by_place, cursor), partial(of_whole_list, cursor))
        answer[name] = {"by place ms": new, "whole list ms": old, "ratio": round(old / new, 1)}
    return answer


def _json(items: Sequence[Video], following: str | None) -> tuple[str, str | None]:
    return "".join(shapes.Video.of(one).model_dump_json() for one in items), following


def searches(library: Library) -> dict[str, object]:
    """The figures of /activity of the query log, and its last searches."""
    summed, last = in_turns(library.activity.report, library.searches.log)
    return {"activity ms": summed, "last searches ms": last}


def in_turns(*functions: Callable[[], object]) -> list[float]:
    """The medians of some rounds, in milliseconds."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, found in zip(functions, times, strict=True):
            began = time.perf_counter()
            function()
            found.append((time.perf_counter() - began) * 1000)
    return [round(statistics.median(found), 1) for found in times]


if __name__ == "__main__":
    main()
