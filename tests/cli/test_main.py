"""The command line from end to end on generated videos: shapes, exit codes, nothing else on stdout."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from heimdex_core.cli.main import main
from heimdex_core.library import Library
from heimdex_core.types import Video, VideoState, utc_now
from tests.support import media

Run = Callable[..., tuple[int, Any]]
ROOT = Path(__file__).resolve().parents[2]
MISSING_ID = "0b8c1f6e-1111-4222-8333-444455556666"


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the library of this test; (exit status, parsed stdout)."""

    def call(*words: str | Path) -> tuple[int, Any]:
        capfd.readouterr()
        status = main(["--library", str(tmp_path / "library"), "--json", *(str(word) for word in words)])
        return status, json.loads(capfd.readouterr().out)

    return call


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red for 3 s ("bread"), blue for 4 s ("harbour"), with a tone and with subtitles beside it."""
    path = tmp_path_factory.mktemp("media") / "말하기 🎬.mp4"
    media.colour_clips(path, [("red", 3.0), ("blue", 4.0)], tone_hz=440)
    lines = [(0.5, 2.5, "Fresh bread from the bakery"), (3.5, 6.0, "The boat leaves the harbour")]
    path.with_suffix(".srt").write_text(media.srt(lines), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Added:
    """A library that `add` made, and what `add` printed."""

    library: Path
    status: int
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def added(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> Added:
    """`add` of an empty file and of the talk."""
    folder = tmp_path_factory.mktemp("added")
    empty = media.empty_file(folder / "empty.mp4")
    with stdout_in(folder / "stdout"):
        status = main(["--library", str(folder / "library"), "--json", "add", str(empty), str(talk)])
    return Added(folder / "library", status, json.loads((folder / "stdout").read_text(encoding="utf-8")))


@contextmanager
def stdout_in(path: Path) -> Iterator[None]:
    """The process's stdout goes to a file; capfd does not serve a whole module."""
    kept = os.dup(1)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


@pytest.fixture
def indexed(added: Added, tmp_path: Path) -> dict[str, Any]:
    """The library of this test has the talk; its row."""
    shutil.copytree(added.library, tmp_path / "library")
    return added.rows[1]


@pytest.mark.long
def test_a_scene_is_split_and_that_is_undone(indexed: dict[str, Any], run: Run) -> None:
    video_id = indexed["video_id"]
    before = run("scenes", video_id)[1]
    status, scenes = run("scenes", video_id, "--split", "0:05")
    assert (status, [scene["start_s"] for scene in scenes]) == (0, [0.0, before[1]["start_s"], 5.0])
    status, edits = run("scenes", video_id, "--edits")
    assert (status, [(one["op"], one["at_s"], one["state"]) for one in edits]) == (0, [("split", 5.0, "applied")])
    for words, code in (
        (("--split", "5.2"), "SPLIT_TOO_SHORT"),
        (("--merge", scenes[0]["scene_id"], scenes[2]["scene_id"]), "SCENES_NOT_NEIGHBOURS"),
        (("--undo", "ffffffff"), "EDIT_NOT_FOUND"),
    ):
        status, failed = run("scenes", video_id, *words)
        assert (status, failed["error"]["code"]) == (1, code)
    status, undone = run("scenes", video_id, "--undo")
    assert (status, [scene["scene_id"] for scene in undone]) == (0, [scene["scene_id"] for scene in before])
    assert run("scenes", video_id, "--edits") == (0, [])


@pytest.mark.long
def test_scenes_are_merged_in_any_order_and_any_edit_is_undone(indexed: dict[str, Any], run: Run) -> None:
    video_id = indexed["video_id"]
    first, second = run("scenes", video_id)[1]
    run("scenes", video_id, "--split", "5")
    split = run("scenes", video_id, "--edits")[1][0]
    scenes = run("scenes", video_id)[1]
    status, merged = run("scenes", video_id, "--merge", scenes[1]["scene_id"], scenes[0]["scene_id"])
    assert (status, [scene["start_s"] for scene in merged]) == (0, [0.0, 5.0])
    status, undone = run("scenes", video_id, "--undo", split["edit_id"])
    assert (status, [(scene["start_s"], scene["end_s"]) for scene in undone]) == (0, [(0.0, second["end_s"])])


@pytest.mark.long
def test_words_and_tags_are_corrected_and_that_is_undone(indexed: dict[str, Any], run: Run) -> None:
    video_id = indexed["video_id"]
    first = run("scenes", video_id)[1][0]
    status, scenes = run("scenes", video_id, "--say", "0", str(first["end_s"]), "what a zebra says")
    assert (status, scenes[0]["transcript"]) == (0, "what a zebra says")
    assert run("search", "zebra")[1]["hits"][0]["scene_id"] == first["scene_id"]
    status, scenes = run("scenes", video_id, "--tag", first["scene_id"], "savanna")
    assert (status, scenes[0]["tags"]) == (0, ["savanna", *first["tags"]])
    edits = run("scenes", video_id, "--edits")[1]
    assert [(one["op"], one["start_s"], one["state"]) for one in edits] == [
        ("transcript", 0.0, "applied"),
        ("tags", first["start_s"], "applied"),
    ]
    for words, code in (
        (("--say", "5", "4", "x"), "INVALID_VALUE"),
        (("--say", "a", "4", "x"), "INVALID_VALUE"),
        (("--say", "0", "99999", "x"), "INVALID_VALUE"),
        (("--tag", first["scene_id"]), "INVALID_VALUE"),
        (("--untag", first["scene_id"], " "), "INVALID_VALUE"),
    ):
        status, failed = run("scenes", video_id, *words)
        assert (status, failed["error"]["code"]) == (1, code)
    for one in edits:
        assert run("scenes", video_id, "--undo", one["edit_id"])[0] == 0
    assert run("scenes", video_id)[1][0]["tags"] == first["tags"]
    assert run("scenes", video_id)[1][0]["transcript"] == first["transcript"]


def test_a_refused_file_does_not_stop_the_others(added: Added, indexed: dict[str, Any], run: Run) -> None:
    assert added.status == 1
    assert [(row["state"], (row["error"] or {}).get("code")) for row in added.rows] == [
        ("failed", "EMPTY_FILE"),
        ("indexed", None),
    ]
    assert [set(row) for row in added.rows] == [set(indexed)] * 2
    assert run("videos") == (0, [indexed])


def test_a_video_from_scenes_to_reel(indexed: dict[str, Any], run: Run, tmp_path: Path) -> None:
    video = indexed
    assert (video["title"], video["filename"]) == ("말하기 🎬", "말하기 🎬.mp4")
    assert (video["width"], video["height"], video["rotation"], video["has_audio"]) == (320, 180, 0, True)
    assert video["duration_s"] == pytest.approx(7.0, abs=0.1)
    assert (video["scene_count"], video["transcript_source"], video["error"]) == (2, "subtitles", None)

    status, scenes = run("scenes", video["video_id"])
    assert status == 0
    assert [(s["index"], s["start_s"]) for s in scenes] == [(0, 0.0), (1, pytest.approx(3.0, abs=0.05))]
    assert [s["transcript"] for s in scenes] == ["Fresh bread from the bakery", "The boat leaves the harbour"]
    assert all(Path(s["thumbnail"]).is_file() for s in scenes)

    edit = tmp_path / "reel.edl"
    status, written = run("reel", scenes[1]["scene_id"], "--timeline", "edl", "--title", "모음", "--out", edit)
    assert (status, written) == (0, {"timeline": "edl", "clips": 1, "out": str(edit)})
    assert "* FROM CLIP NAME: 말하기 🎬.mp4" in edit.read_text(encoding="utf-8")
    assert run("reel", scenes[1]["scene_id"], "--timeline", "srt", "--out", tmp_path / "reel.srt")[0] == 0
    assert "The boat leaves the harbour" in (tmp_path / "reel.srt").read_text(encoding="utf-8").replace("\n", " ")

    out = tmp_path / "reel.mp4"
    status, export = run("reel", scenes[1]["scene_id"], scenes[0]["scene_id"], "--out", out)
    assert (status, export["state"], export["width"], export["height"]) == (0, "completed", 1280, 720)
    assert export["out"] == str(out)
    with av.open(str(out)) as file:
        stream = file.streams.video[0]
        assert stream.average_rate is not None
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(7.0, abs=2 / float(stream.average_rate))


def test_searching_by_example(indexed: dict[str, Any], run: Run, tmp_path: Path) -> None:
    red, blue = (scene["scene_id"] for scene in run("scenes", indexed["video_id"])[1])
    picture = tmp_path / "blue.png"
    Image.new("RGB", (320, 180), (0, 0, 255)).save(picture)
    status, found = run("search", "--image", picture, "--box", "0,0,.5,1")
    assert (status, found["hits"][0]["scene_id"], found["nothing_close"]) == (0, blue, False)
    assert 3.0 <= found["hits"][0]["keyframe_s"] < 7.0
    status, found = run("search", "--like", red)
    assert (status, red in [hit["scene_id"] for hit in found["hits"]]) == (0, False)
    status, found = run("search", "bread", "--then", "harbour", "--within", "1")
    assert (status, [(hit["scene_id"], hit["then"]) for hit in found["hits"]]) == (0, [(red, blue)])
    picture.write_text("no picture")
    for words, code in (
        (("--image", picture), "NOT_AN_IMAGE"),
        (("--image", tmp_path / "none.png"), "FILE_UNREADABLE"),
        (("--like", f"{MISSING_ID}_0_2000"), "SCENE_NOT_FOUND"),
        (("--like", red, "--box", "1,2"), "INVALID_VALUE"),
        (("bread", "--then", "harbour", "--within", "-1"), "INVALID_VALUE"),
    ):
        status, failed = run("search", *words)
        assert (status, failed["error"]["code"]) == (1, code)


def test_searching(indexed: dict[str, Any], run: Run) -> None:
    first, second = (scene["scene_id"] for scene in run("scenes", indexed["video_id"])[1])
    status, found = run("search", "the boat leaves the harbour", "--weight", "lexical=1", "--limit", "1")
    assert status == 0
    assert [hit["scene_id"] for hit in found["hits"]] == [second]
    assert found["hits"][0]["channels"]["lexical"]["rank"] == 1
    assert found["channels"]["lexical"]["active"] is True
    assert (found["query"], found["fusion"]) == ("the boat leaves the harbour", "minmax")
    assert found["timing_ms"]["total"] > 0

    status, seen = run("search", "blue", "--weight", "vision=1", "--fusion", "rrf", "--video", indexed["video_id"])
    assert (status, seen["fusion"], seen["hits"][0]["scene_id"]) == (0, "rrf", second)

    status, named = run("search", "bread", "--space", "all-MiniLM-L6-v2", "--weight", "text/all-MiniLM-L6-v2=1")
    assert (status, list(named["channels"])) == (0, ["text/all-MiniLM-L6-v2", "vision", "lexical"])
    assert named["hits"][0]["scene_id"] == first

    ids = [[hit["scene_id"] for hit in run("search", *words)[1]["hits"]] for words in (
        ["", "--filter", "max-s=3.5"],
        ["", "--filter", "speech=yes", "--sort", "time", "--group-by-video"],
        [" -harbour"],
        ["title:nothing"],
    )]  # fmt: skip
    assert ids == [[first], [first, second], [first], []]
    status, similar = run("search", "harbuor", "--weight", "lexical=1")
    assert (similar["corrected"], similar["total"]) == ({"harbuor": "harbour"}, 1)
    assert {"nothing_close", "notes"} <= similar.keys()
    assert {"strength", "keyframe_s", "duplicates"} <= similar["hits"][0].keys()


def test_delete_restore_reindex_and_doctor(indexed: dict[str, Any], run: Run) -> None:
    video_id = indexed["video_id"]
    status, deleted = run("delete", video_id)
    assert (status, deleted[0]["state"]) == (0, "deleted")
    assert run("videos") == (0, [])
    assert run("search", "harbour", "--weight", "lexical=1")[1]["hits"] == []
    assert run("restore", video_id)[1][0]["state"] == "indexed"
    assert run("rename", video_id, "zeppelin")[1][0]["title"] == "zeppelin"
    # the title is a part of both scenes
    assert len(run("search", "zeppelin", "--weight", "lexical=1")[1]["hits"]) == 2
    assert run("reindex")[0] == 0
    assert len(run("search", "harbour", "--weight", "lexical=1")[1]["hits"]) == 1
    status, report = run("doctor")
    assert (status, report["problems"], report["profile"], report["videos"]["indexed"]) == (0, [], "offline", 1)
    status, removed = run("clean-up")
    assert (status, removed) == (0, {"videos": 0, "uploads": 0, "exports": 0, "work": 0, "merged": 0})


def test_the_same_file_again_is_the_same_video(indexed: dict[str, Any], talk: Path, run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(talk.read_bytes())
    assert run("add", copy) == (0, [indexed])
    subtitles = tmp_path / "new.srt"
    subtitles.write_text(media.srt([(0.0, 3.0, "Something else entirely")]), encoding="utf-8")
    status, (again,) = run("add", copy, "--subtitles", subtitles)
    assert (status, again["video_id"], again["state"]) == (0, indexed["video_id"], "indexed")
    assert run("scenes", indexed["video_id"])[1][0]["transcript"] == "Something else entirely"


def test_the_options_of_add_reach_the_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def add(lib: Library, path: str, **options: Any) -> Video:
        given.update(options, path=path)
        now = utc_now()
        return Video(MISSING_ID, "local", "0" * 64, "A talk", "a.mp4", VideoState.VALIDATING, now, now)

    monkeypatch.setattr(Library, "add", add)
    words = ["--title", "A talk", "--description", "D", "--subtitles", "a.vtt", "--language", "ko", "--queue"]
    status, (row,) = run("add", "a.mp4", *words)
    assert (status, row["title"], row["state"], row["duration_s"]) == (0, "A talk", "validating", None)
    assert given.pop("progress")
    assert given == {
        "path": "a.mp4",
        "title": "A talk",
        "description": "D",
        "subtitles": "a.vtt",
        "language": "ko",
        "audio_track": None,
        "bulk": False,
        "queue": True,
    }


def test_text_without_json(indexed: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is printed without --json: one line per row, results on stdout and errors on stderr."""

    def text(*words: str) -> str:
        capfd.readouterr()
        assert main(["--library", str(tmp_path / "library"), *words]) == 0
        return capfd.readouterr().out

    assert re.fullmatch(
        rf"indexed    {indexed['video_id']}    0:07\.\d    320x180    2 scenes  말하기 🎬\n", text("videos")
    )
    scenes = text("scenes", indexed["video_id"]).splitlines()
    assert [line.split()[0] for line in scenes] == ["0", "1"]
    assert scenes[1].endswith("The boat leaves the harbour")
    hits = text("search", "harbour", "--weight", "lexical=1").splitlines()
    assert hits[0].startswith(" 1.00  말하기 🎬  0:03.0-0:07.0  The boat leaves the harbour")
    assert len(hits) == 2, "channels of weight 0 are not mentioned"
    assert text("search", "zeppelin", "--weight", "lexical=1") == "No matching scenes.\nlexical: no matching scene\n"
    assert 'no scene has "harbuor", "harbour" was looked up' in text("search", "harbuor", "--weight", "lexical=1")
    assert text("delete", indexed["video_id"]).startswith("deleted ")
    assert text("videos") == "No videos yet. Add one with `add FILE`.\n"

    assert main(["--library", str(tmp_path / "none"), "videos"]) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"There is no library at {tmp_path / 'none'}.\n")
