"""What the list of exports says of one that is not finished."""

from __future__ import annotations

import pytest

from heimdex_core.types import Export, ExportState, StageProgress, utc_now
from ui.views.exports import progress_card


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.state.language", lambda: "en")


def at(done: float, stage: str, eta_s: float | None) -> StageProgress:
    return StageProgress(stage, 1, 1, done, 10.0, eta_s, "", overall=done / 10.0)


@pytest.mark.parametrize(
    ("state", "progress", "said"),
    [
        (ExportState.PENDING, None, "Waiting in the queue"),
        (ExportState.PROCESSING, None, "Rendering"),
        (ExportState.PROCESSING, at(5.0, "render", None), "Rendering · 50%"),
        (ExportState.PROCESSING, at(9.99, "render", None), "Rendering · 99%"),
        (ExportState.PROCESSING, at(10.0, "check", None), "Finishing and checking"),
    ],
)
def test_an_unfinished_export_says_what_is_being_done(
    state: ExportState, progress: StageProgress | None, said: str
) -> None:
    card = progress_card(Export("e", "local", "reel", "T", state, (), utc_now()), progress)
    assert card["title"] + card["text"] == said
