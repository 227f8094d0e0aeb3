"""The JSON shapes have the keys that docs/command-line.md lists, and consist of plain JSON values."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heimdex_core import schemas
from heimdex_core.errors import EmptyFile, StageFailed, WeightsMissing
from heimdex_core.types import (
    ChannelScore,
    ChannelState,
    Export,
    ExportState,
    FolderReport,
    Hit,
    Keyframe,
    Query,
    ReelClip,
    Scene,
    SearchResult,
    SeenPerson,
    Video,
    VideoState,
    WaitingFile,
    WatchedFile,
    WatchedFolder,
    WatchStatus,
)
from tests.store.making import INFO

DOCUMENT = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text(encoding="utf-8")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
SCENE = Scene(
    "v_0_2000",
    "v",
    0,
    0.0,
    2.0,
    transcript="그 배",
    keyframes=(Keyframe(1.0, 9.0, 9.0, 0.5, "0-0.webp"),),
    created_at=NOW,
)


# --- reading the document -------------------------------------------------------------------------


def documented(command: str) -> Any:
    """The shape that the document gives for the JSON of a command, as nested dicts and lists; None for any value."""
    lines = DOCUMENT.splitlines()
    # the exact words of the command, or else its beginning
    rows = [line for line in lines if line.startswith(f"| `{command}` |")] or [
        line for line in lines if line.startswith(f"| `{command}")
    ]
    assert len(rows) == 1, f"one row for `{command}`"
    found = re.search(r"`([\[{].*?[\]}])`", rows[0].split(" | ")[1])
    assert found, rows[0]
    tokens = re.findall(r"[\w?]+|\.\.\.|[\[\]{}:,]", found.group(1))
    shape = parse(tokens)
    assert tokens == []
    return shape


def parse(tokens: list[str]) -> Any:
    opening = tokens.pop(0)
    if opening == "[":
        inner = parse(tokens)
        assert tokens.pop(0) == "]"
        return [inner]
    assert opening == "{"
    shape: dict[str, Any] = {}
    while tokens[0] != "}":
        name = tokens.pop(0)
        shape[name] = None
        if tokens[0] == ":":
            tokens.pop(0)
            shape[name] = parse(tokens)
        if tokens[0] == ",":
            tokens.pop(0)
    tokens.pop(0)
    return shape


def differences(shape: Any, value: Any, where: str = "") -> list[str]:
    """Where `value` does not have the shape; "..." allows further keys, "name?" a missing one, "name" any name."""
    if isinstance(shape, list):
        return [text for number, item in enumerate(value) for text in differences(shape[0], item, f"{where}[{number}]")]
    if not isinstance(shape, dict):
        return []
    if set(shape) == {"name"}:
        return [text for name, item in value.items() for text in differences(shape["name"], item, f"{where}.{name}")]
    wanted = {name for name in shape if name != "..." and not name.endswith("?")}
    known = wanted | {name.rstrip("?") for name in shape}
    found = [f"{where}.{name} is missing" for name in sorted(wanted - set(value))]
    if "..." not in shape:
        found += [f"{where}.{name} is not documented" for name in sorted(set(value) - known)]
    for name in wanted & set(value):
        found += differences(shape[name], value[name], f"{where}.{name}")
    return found


def test_the_document_is_read_as_it_is_written() -> None:
    assert documented("search") == {
        **dict.fromkeys(("query", "fusion", "total", "nothing_close", "corrected", "notes", "conditions", "order")),
        "hits": [
            {
                **dict.fromkeys(("scene_id", "video_id", "start_s", "end_s", "score", "strength", "keyframe_s")),
                **dict.fromkeys(("duplicates", "then", "transcript", "on_screen_text")),
                **dict.fromkeys(("matched_words", "matched_on_screen")),
                "people": [dict.fromkeys(("person_id", "name", "time_s", "similarity", "is_by_hand", "keyframe"))],
                "channels": {"name": dict.fromkeys(("score", "rank", "weight", "contribution"))},
            }
        ],
        "channels": {"name": dict.fromkeys(("active", "reason", "space", "error?"))},
        "timing_ms": None,
    }
    assert differences({"a": None, "b?": None}, {"c": 1}) == [".a is missing", ".c is not documented"]


# --- the shapes -----------------------------------------------------------------------------------


def video(**more: Any) -> Video:
    return Video("v", "local", "0" * 64, "바다", "바다.mp4", VideoState.INDEXED, NOW, NOW, **more)


def result() -> SearchResult:
    part = ChannelScore(0.5, 1, 1.0, 1.0, 1.0)
    missing = ChannelScore(None, None, 0.0, 0.0, 0.0)
    error = WeightsMissing(name="bge-m3", reason="no file").to_dict()
    return SearchResult(
        query=Query("배"),
        fusion="minmax",
        weights={"lexical": 1.0},
        hits=(
            Hit(
                SCENE,
                "바다",
                1.0,
                1,
                {"lexical": part, "transcript": missing},
                people=(SeenPerson("p", "Anna", 1.0, 0.9),),
            ),
        ),
        total=1,
        channels={
            "lexical": ChannelState(True, 1.0),
            "transcript": ChannelState(False, reason="failed", space="text/bge-m3", error=error),
        },
        timing_ms={"total": 1.23456},
        cached=False,
        thumbnails={"v_0_2000": Path("/frames/0.webp")},
    )


def export() -> Export:
    return Export("e", "local", "reel", "T", ExportState.COMPLETED, (ReelClip("v", 0.0, 1.0, 0.0, 2.0),), NOW)


def watched(*, looked: bool) -> FolderReport:
    folder = WatchedFolder("f", "local", "/카메라", "/", NOW)
    if not looked:
        return FolderReport(folder, None)
    status = WatchStatus("watching", NOW, files=2, waiting=1, next_files=(WaitingFile("a.mp4", "queue"),))
    error = EmptyFile(filename="b.mp4").to_dict()
    refused = WatchedFile("b.mp4", 0, 1, 1, "", "refused", NOW, error=error)
    return FolderReport(folder, status, {"refused": 1}, (refused,))


SHAPES: dict[str, tuple[str, Any]] = {
    "videos": (
        "videos",
        [
            schemas.video(video(info=INFO, scene_count=2, transcript_source="subtitles", notes=("no_audio",))),
            schemas.video(video(error=StageFailed(stage="audio", reason="x").to_dict())),
            schemas.refused_video("/in/말.mp4", EmptyFile(filename="말.mp4").to_dict()),
        ],
    ),
    "scenes": ("scenes VIDEO_ID", [schemas.scene(SCENE, Path("/frames/0.webp")), schemas.scene(SCENE, None)]),
    "search": ("search", schemas.search_result(result())),
    "watched": (
        "watched",
        [schemas.watched_folder(watched(looked=True)), schemas.watched_folder(watched(looked=False))],
    ),
    "reel": ("reel SCENE_ID... --out", schemas.export(export(), Path("/out/reel.mp4"))),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_the_documented_keys(name: str) -> None:
    command, value = SHAPES[name]
    assert differences(documented(command), value) == []


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_plain_json(name: str) -> None:
    _, value = SHAPES[name]
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_values() -> None:
    indexed, failed, refused = SHAPES["videos"][1]
    assert (indexed["width"], indexed["height"], indexed["duration_s"]) == (640, 360, 10.0)
    assert (indexed["state"], indexed["created_at"]) == ("indexed", "2027-01-01T00:00:00+00:00")
    assert indexed["error"] is None
    assert (failed["width"], failed["error"]["code"]) == (None, "STAGE_FAILED")
    assert set(failed["error"]) == {"code", "category", "message", "hint"}
    assert (refused["video_id"], refused["title"], refused["filename"], refused["state"]) == (
        None,
        "말",
        "말.mp4",
        "failed",
    )
    found = schemas.search_result(result())
    assert found["timing_ms"] == {"total": 1.235}
    assert "error" not in found["channels"]["lexical"]
    assert found["channels"]["transcript"]["error"]["code"] == "WEIGHTS_MISSING"
    assert found["hits"][0]["channels"]["transcript"]["rank"] is None
    assert schemas.scene(SCENE, None)["thumbnail"] is None
