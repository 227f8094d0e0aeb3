"""The command line from end to end, on generated media: shapes, exit codes, nothing else on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from heimdex_core.cli.main import main
from tests.support import media

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Call a command on a library of this test; (exit status, parsed stdout)."""

    def call(*words: str | Path) -> tuple[int, Any]:
        capfd.readouterr()
        status = main(["--library", str(tmp_path / "library"), "--json", *(str(word) for word in words)])
        return status, json.loads(capfd.readouterr().out)

    return call


def lines_of(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Red for 3 s ("bread"), blue for 4 s ("harbour"), with subtitles beside it and a tone."""
    path = media.colour_clips(tmp_path / "말하기 🎬.mp4", [("red", 3.0), ("blue", 4.0)], tone_hz=440)
    said = [(0.5, 2.5, "Fresh bread from the bakery"), (3.5, 6.0, "The boat leaves the harbour")]
    lines_of(path.with_suffix(".srt"), media.srt(said))
    return path


def test_the_main_path(run: Run, talk: Path, tmp_path: Path) -> None:
    status, added = run("add", talk, "--title", "A talk")
    assert status == 0
    (video,) = added
    assert video["state"] == "indexed"
    assert video["title"] == "A talk"
    assert video["filename"] == "말하기 🎬.mp4"
    assert (video["width"], video["height"], video["rotation"], video["has_audio"]) == (320, 180, 0, True)
    assert video["duration_s"] == pytest.approx(7.0, abs=0.1)
    assert (video["scene_count"], video["transcript_source"], video["error"]) == (2, "subtitles", None)

    assert run("videos") == (0, [video])

    status, scenes = run("scenes", video["video_id"])
    assert status == 0
    assert [(s["index"], s["start_s"]) for s in scenes] == [(0, 0.0), (1, pytest.approx(3.0, abs=0.05))]
    assert [s["transcript"] for s in scenes] == ["Fresh bread from the bakery", "The boat leaves the harbour"]
    assert all(Path(s["thumbnail"]).is_file() for s in scenes)

    status, found = run("search", "the boat leaves the harbour", "--weight", "lexical=1", "--limit", "1")
    assert status == 0
    (hit,) = found["hits"]
    assert hit["scene_id"] == scenes[1]["scene_id"]
    assert set(hit) >= {"scene_id", "video_id", "start_s", "end_s", "score", "transcript", "channels"}
    assert set(hit["channels"]["lexical"]) >= {"score", "rank", "weight", "contribution"}
    assert hit["channels"]["lexical"]["rank"] == 1
    assert found["channels"]["lexical"]["active"] is True
    assert found["query"] == "the boat leaves the harbour"
    assert found["fusion"] == "minmax"
    assert found["timing_ms"]["total"] > 0

    status, seen = run("search", "blue", "--weight", "vision=1", "--fusion", "rrf")
    assert (status, seen["fusion"], seen["hits"][0]["scene_id"]) == (0, "rrf", scenes[1]["scene_id"])

    status, named = run("search", "bread", "--space", "all-MiniLM-L6-v2", "--weight", "text/all-MiniLM-L6-v2=1")
    assert (status, list(named["channels"])) == (0, ["text/all-MiniLM-L6-v2", "vision", "lexical"])
    assert named["hits"][0]["scene_id"] == scenes[0]["scene_id"]

    out = tmp_path / "reel.mp4"
    status, export = run("reel", scenes[1]["scene_id"], scenes[0]["scene_id"], "--out", out)
    assert (status, export["state"], export["width"], export["height"]) == (0, "completed", 1280, 720)
    with av.open(str(out)) as file:
        stream = file.streams.video[0]
        frame_s = float(1 / stream.average_rate)
        assert stream.duration * stream.time_base == pytest.approx(7.0, abs=2 * frame_s)

    status, deleted = run("delete", video["video_id"])
    assert (status, deleted[0]["state"]) == (0, "deleted")
    assert run("videos") == (0, [])
    assert run("search", "harbour")[1]["hits"] == []
    assert run("restore", video["video_id"])[1][0]["state"] == "indexed"
    assert run("reindex")[0] == 0
    assert len(run("search", "harbour", "--weight", "lexical=1")[1]["hits"]) == 1
    status, report = run("doctor")
    assert (status, report["problems"], report["profile"], report["videos"]["indexed"]) == (0, [], "offline", 1)


BAD: dict[str, tuple[Callable[[Path], Any], set[str]]] = {
    "zero bytes": (lambda p: media.empty_file(p / "a.mp4"), {"EMPTY_FILE"}),
    "text": (lambda p: media.text_file_mp4(p / "a.mp4"), {"NOT_A_VIDEO"}),
    "audio": (lambda p: media.audio_only(p / "a.mp4"), {"NO_VIDEO_STREAM"}),
    "flac": (lambda p: media.audio_only(p / "a.flac"), {"NO_VIDEO_STREAM", "NOT_A_VIDEO"}),
    "cover art": (lambda p: media.audio_with_cover(p / "a.m4a"), {"NO_VIDEO_STREAM"}),
    "no index": (lambda p: media.truncated_mp4(p / "a.mp4"), {"TRUNCATED_FILE", "UNDECODABLE_VIDEO", "NOT_A_VIDEO"}),
    "no frame decodes": (lambda p: media.undecodable_mkv(p / "a.mkv"), {"UNDECODABLE_VIDEO"}),
    "cut in its first frame": (lambda p: media.cut_mkv(p / "a.mkv"), {"UNDECODABLE_VIDEO", "TRUNCATED_FILE"}),
    "cut short": (lambda p: media.cut_mp4(p / "a.mp4"), {"TRUNCATED_FILE", "DURATION_MISMATCH"}),
    "claims ten hours": (lambda p: media.lying_duration(p / "a.mp4"), {"DURATION_MISMATCH", "TRUNCATED_FILE"}),
    "claims less": (lambda p: media.lying_duration(p / "a.mkv", 1.0, true_s=8.0), {"DURATION_MISMATCH"}),
    "playlist": (lambda p: media.playlist_mp4(p / "a.mp4", p / "b.mp4"), {"NOT_A_VIDEO"}),
    "missing": (lambda p: p / "none.mp4", {"FILE_UNREADABLE"}),
    "a folder": (lambda p: p, {"FILE_UNREADABLE"}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_and_leaves_nothing(case: str, run: Run, tmp_path: Path) -> None:
    make, codes = BAD[case]
    (tmp_path / "in").mkdir()
    bad = make(tmp_path / "in")
    status, (row,) = run("add", bad)
    assert status == 1
    assert row["error"]["code"] in codes
    assert row["error"]["category"] == "validation"
    assert row["error"]["hint"]
    assert run("videos") == (0, [])
    library = tmp_path / "library"
    left = [
        p for name in ("videos", "uploads", "work") if (library / name).exists() for p in (library / name).iterdir()
    ]
    assert left == []


def test_a_refused_file_does_not_touch_the_others(run: Run, talk: Path, tmp_path: Path) -> None:
    status, rows = run("add", media.empty_file(tmp_path / "empty.mp4"), talk)
    assert status == 1
    assert [(row["state"], (row["error"] or {}).get("code")) for row in rows] == [
        ("failed", "EMPTY_FILE"),
        ("indexed", None),
    ]
    assert [row["filename"] for row in run("videos")[1]] == [talk.name]


def test_limits_are_settings_and_are_said(run: Run, talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heimdex_core.settings import get_settings

    for name, value, code, said in (
        ("HEIMDEX_MAX_FILE_BYTES", "1000", "FILE_TOO_LARGE", "1000"),
        ("HEIMDEX_MAX_DURATION_S", "5", "VIDEO_TOO_LONG", "5"),
        ("HEIMDEX_MIN_FREE_BYTES", str(10**18), "DISK_FULL", "full"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            get_settings.cache_clear()
            status, (row,) = run("add", talk)
        get_settings.cache_clear()
        assert (status, row["error"]["code"]) == (1, code)
        assert said in row["error"]["message"]
    assert run("videos") == (0, [])


def test_the_same_file_twice_is_one_video(run: Run, talk: Path, tmp_path: Path) -> None:
    first = run("add", talk)[1][0]
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(talk.read_bytes())
    status, (second,) = run("add", copy)
    assert (status, second["video_id"], second["filename"]) == (0, first["video_id"], talk.name)
    subtitles = lines_of(tmp_path / "new.srt", media.srt([(0.0, 3.0, "Something else entirely")]))
    third = run("add", copy, "--subtitles", subtitles)[1][0]
    assert third["video_id"] == first["video_id"]
    assert run("scenes", first["video_id"])[1][0]["transcript"] == "Something else entirely"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["scenes", "0b8c1f6e-1111-4222-8333-444455556666"], "VIDEO_NOT_FOUND"),
        (["scenes", "../../etc"], "VIDEO_NOT_FOUND"),
        (["search", " "], "INVALID_QUERY"),
        (["search", "a", "--weight", "smell=1"], "UNKNOWN_NAME"),
        (["search", "a", "--weight", "vision=x"], "INVALID_WEIGHTS"),
        (["search", "a", "--weight", "vision=0"], "INVALID_WEIGHTS"),
        (["search", "a", "--fusion", "magic"], "UNKNOWN_NAME"),
        (["search", "a", "--space", "bge-m4"], "UNKNOWN_NAME"),
        (["reel", "nonsense", "--out", "x.mp4"], "SCENE_NOT_FOUND"),
        (["delete", "0b8c1f6e-1111-4222-8333-444455556666"], "VIDEO_NOT_FOUND"),
    ],
)
def test_failures_are_one_document(words: list[str], code: str, run: Run, tmp_path: Path) -> None:
    assert run("add", media.empty_file(tmp_path / "e.mp4"))[0] == 1  # makes the library
    status, document = run(*words)
    assert status == 1
    assert document["error"]["code"] == code
    assert set(document["error"]) >= {"code", "category", "message", "hint"}


@pytest.mark.parametrize("words", [[], ["dance"], ["search"], ["reel", "x"], ["videos", "--bogus"]])
def test_wrong_usage_is_two(words: list[str], run: Run) -> None:
    status, document = run(*words)
    assert (status, document["error"]["code"]) == (2, "USAGE")


def test_no_library_is_said(run: Run) -> None:
    status, document = run("videos")
    assert (status, document["error"]["code"]) == (1, "LIBRARY_NOT_FOUND")
