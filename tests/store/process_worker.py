"""One of several processes on the same library: python -m tests.store.process_worker LIBRARY NAME ROUNDS.

Adds a video a round and searches for it; deletes the one of round 1 and purges the one of round 2. Prints the ids of
those it kept as JSON.
"""

from __future__ import annotations

import json
import sys

from heimdex_core.errors import ViewOutdated
from heimdex_core.store import Store
from heimdex_core.store.reader import Reader
from tests.store.making import TEXT, add, axis


def main() -> None:
    root, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = Store.open(root)
    reader = store.reader()
    kept = []
    for number in range(rounds):
        word = f"word{name}" + "abcdefgh"[number]
        video = add(store, f"{name} {number}", (f"{word} spoken", "silence"), axis_of=number)
        hits, near = search(reader, word, number)
        if hits != [f"{video.video_id}_0_2000"]:
            raise SystemExit(f"{word} was not found: {hits}")
        if f"{video.video_id}_0_2000" not in near:
            raise SystemExit(f"the vector of {word} was not found")
        if number == 1:
            store.delete_video("local", video.video_id)
        elif number == 2:
            store.purge_video(video.video_id)
        else:
            kept.append(video.video_id)
    print(json.dumps(kept))


def search(reader: Reader, word: str, number: int) -> tuple[list[str], list[str]]:
    """The scenes with the word, and those near the axis. As in Searcher, a view that others outdated is taken again."""
    for attempts_left in reversed(range(20)):
        view = reader.view()
        try:
            hits = view.lexical_search(word, k=5, user_id="local").hits
            near = view.vector_search(TEXT, axis(number, 8), k=500, user_id="local")
            return [scene_id for scene_id, _ in hits], [scene_id for scene_id, _ in near]
        except ViewOutdated:
            if not attempts_left:
                raise
    raise AssertionError("unreachable")


if __name__ == "__main__":
    main()
