"""A process that searches a library in a loop, and writes every answer down.

    python -m tests.library.searching LIBRARY LOG STOP

Appends one JSON line a search to LOG until the file STOP is there: {"query", "answer"} or {"query", "error"}.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle
from pathlib import Path

from heimdex_core.library import Library
from heimdex_core.types import SearchResult

QUERIES = ("green triangle above a red circle", "blue star", "river")
PAUSE_S = 0.05
"""A person's pause, so that the library has the cores too."""
Answer = list[list[object]]


def answer_of(result: SearchResult) -> Answer:
    """What tells one set of models from another: the scenes in their order, with each channel's score."""
    return [
        [hit.scene_id, *(None if part.score is None else round(part.score, 4) for part in hit.channels.values())]
        for hit in result.hits
    ]


def main(library: str, log: Path, stop: Path) -> None:
    with Library.open(library, create=False, purpose="query") as opened, log.open("a", buffering=1) as out:
        for query in cycle(QUERIES):
            if stop.exists():
                return
            try:
                result = opened.search(query, weights={"transcript": 0.4, "vision": 0.4, "lexical": 0.2})
                broken = {
                    name: state.detail
                    for name, state in result.channels.items()
                    if state.reason in ("failed", "timeout")
                }
                line = {"query": query, "answer": answer_of(result), **({"error": broken} if broken else {})}
            except Exception as error:  # whatever it is, the test is to see it
                line = {"query": query, "error": f"{type(error).__name__}: {error}"}
            out.write(json.dumps(line) + "\n")
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
