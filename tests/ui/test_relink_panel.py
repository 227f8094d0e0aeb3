"""Which videos the panel that finds files again is about, and what it says."""

from __future__ import annotations

from heimdex_core.errors import ClipsFailed, DiskFull, SourceChanged, SourceMissing
from ui.views import relink


def clip(video_id: str, problem: str) -> dict[str, object]:
    return {"number": 1, "video_id": video_id, "title": "T", "start": "0:00", "end": "0:01", "problem": problem}


def test_errors_name_the_videos_whose_file_is_missing_or_changed() -> None:
    failed = ClipsFailed(
        clips=[clip("c", "clip_file_missing"), clip("d", "clip_scene_gone"), clip("e", "clip_file_changed")]
    )
    errors = [
        SourceMissing(title="A", video_id="a").to_dict(),
        None,
        SourceChanged(title="B", video_id="b").to_dict(),
        SourceMissing(title="A", video_id="a").to_dict(),
        DiskFull(what="x", needed_bytes=1, free_bytes=0).to_dict(),
        failed.to_dict(),
    ]
    assert relink.named_by(errors) == ["a", "b", "c", "e"]
    assert relink.named_by([{"code": "SOURCE_MISSING"}]) == []


def test_what_was_searched_in_vain_is_said_while_something_is_lost() -> None:
    lost = {"a": SourceMissing(title="A", video_id="a")}
    last = {"searched": ["/films", "/카메라"], "unreadable": ["/films/locked"]}
    data = relink.panel(lost, last, takes_path=True)
    assert data["ids"] == ["a"]
    assert data["problems"] == ["The file of A is missing."]
    assert data["notes"] == [
        "Not found in /films, /카메라, nor where it was.",
        "Could not be read: /films/locked",
    ]
    assert relink.panel({}, last, takes_path=True)["notes"] == []
    nowhere: dict[str, list[str]] = {"searched": [], "unreadable": []}
    assert relink.panel(lost, nowhere, takes_path=False)["notes"] == ["Not found where it was."]
