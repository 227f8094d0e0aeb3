from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from heimdex_core.store import Store
from heimdex_core.types import VideoState
from tests.store.making import TEXT, axis, new_store

REPOSITORY = Path(__file__).parents[2]
ROUNDS = 3


def test_three_processes_lose_nothing(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    command = [sys.executable, "-m", "tests.store.process_worker", str(store.paths.root)]
    workers = [
        subprocess.Popen(
            [*command, name, str(ROUNDS)], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in ("a", "b", "c")
    ]
    kept: set[str] = set()
    for worker in workers:
        out, err = worker.communicate(timeout=300)
        assert worker.returncode == 0, err[-3000:]
        kept |= set(json.loads(out))
    assert len(kept) == 3  # each keeps the video of round 0, deletes that of round 1 and purges that of round 2
    again = Store.open(store.paths.root)
    assert {v.video_id for v in again.videos("local")} == kept
    everything = again.videos("local", include_deleted=True)
    assert sum(v.state == VideoState.DELETED for v in everything) == 3
    assert len(everything) == 3 * 2
    assert {p.name for p in again.paths.videos.iterdir()} == {v.video_id for v in everything}
    view = again.reader().view()
    assert {v.video_id for v in view.visible_videos("local")} == kept
    assert {s.split("_")[0] for s, _ in view.lexical_search("spoken", k=99, user_id="local").hits} == kept
    assert len(view.vector_search(TEXT, axis(0, 8), k=99, user_id="local")) == 3 * 2
    assert again.maintenance.check_indexes() == []
