"""A new channel and a new fusion method each take one file and one line in a registry.

The files are toy_channel.py and toy_fusion.py; the line is the one in the fixture. Everything else is found through
the registry: weights, results, JSON, the command line and its help.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heimdex_core import Library, schemas
from heimdex_core.cli.main import build_parser, main
from heimdex_core.errors import UnknownName
from heimdex_core.models.profiles import profile_choice
from heimdex_core.search import channels, fusion
from heimdex_core.search.html import NotebookResult
from heimdex_core.store import Store
from tests.search import toy_channel, toy_fusion
from tests.store.making import SPACES, commit, register


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of three videos with one scene each, of 2, 5 and 3 seconds."""
    root = tmp_path_factory.mktemp("toys") / "library"
    store = Store.create(root, profile="offline", models=profile_choice("offline").to_dict(), spaces=SPACES)
    for n, (name, length_s) in enumerate((("short", 2.0), ("long", 5.0), ("medium", 3.0))):
        commit(store, register(store, name), [f"the {name} one"], length_s=length_s, axis_of=n)
    store.close()
    return root


@pytest.fixture
def with_toy_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "CHANNELS", (*channels.CHANNELS, toy_channel.SPEC))


@pytest.fixture
def with_toy_fusion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "METHODS", (*fusion.METHODS, toy_fusion.SPEC))


def run(folder: Path, capfd: pytest.CaptureFixture[str], *words: str) -> dict:
    capfd.readouterr()
    assert main(["--library", str(folder), "--json", "search", *words]) == 0
    return json.loads(capfd.readouterr().out)


def search_help(capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    with pytest.raises(SystemExit):
        build_parser().parse_args(["search", "--help"])
    return " ".join(capfd.readouterr().out.split())


@pytest.mark.usefixtures("with_toy_channel")
def test_a_channel_takes_one_file_and_one_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Library.open(folder, create=False) as lib:
        result = lib.search("anything", weights={"duration": 1.0})
        assert [(hit.video_title, hit.score) for hit in result] == [
            ("long", 1.0),
            ("medium", pytest.approx(1 / 3)),  # 3 s between 2 s and 5 s
            ("short", 0.0),
        ]
        assert list(result.channels) == ["transcript", "vision", "lexical", "duration"]
        state = result.channels["duration"]
        assert (state.active, state.weight, state.kind, state.space) == (True, 1.0, "duration", None)
        assert result[0].channels["duration"].score == 5.0
        assert result.to_pandas().loc[0, "duration_score"] == 5.0
        assert isinstance(result, NotebookResult)
        assert "duration 1.000" in result._repr_html_()
        # together with another channel: "medium" has the word (weight .6) and a third of the duration (.4)
        both = lib.search("medium", weights={"duration": 0.4, "lexical": 0.6})
        assert [hit.video_title for hit in both] == ["medium", "long", "short"]
        assert both[0].score == pytest.approx(0.6 + 0.4 / 3)

    document = run(folder, capfd, "anything", "--weight", "duration=1")
    assert [hit["scene_id"] for hit in document["hits"]] == [hit.scene_id for hit in result]
    assert document["channels"]["duration"] == {"active": True, "reason": None, "space": None}
    assert document["hits"][0]["channels"]["duration"]["score"] == 5.0
    assert document == {**json.loads(json.dumps(schemas.search_result(result))), "timing_ms": document["timing_ms"]}
    assert "transcript, vision, lexical, duration" in search_help(capfd)


def test_without_its_line_the_channel_is_unknown(folder: Path) -> None:
    with Library.open(folder, create=False) as lib, pytest.raises(UnknownName) as caught:
        lib.search("anything", weights={"duration": 1.0})
    assert caught.value.details["known"] == "transcript, vision, lexical"


@pytest.mark.usefixtures("with_toy_fusion")
def test_a_fusion_method_takes_one_file_and_one_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Library.open(folder, create=False) as lib:
        # "one" is in every scene, "long" in one: that is the best of three, the others share the second rank
        result = lib.search("the long one", weights={"lexical": 1.0}, fusion="borda")
        assert result.fusion == "borda"
        assert result[0].video_title == "long"
        assert [hit.score for hit in result] == [3.0, 2.0, 2.0]

    document = run(folder, capfd, "the long one", "--weight", "lexical=1", "--fusion", "borda")
    assert document["fusion"] == "borda"
    assert [hit["score"] for hit in document["hits"]] == [3.0, 2.0, 2.0]
    assert "minmax, rrf, weighted_rrf, zscore, combsum, combmnz, convex, borda" in search_help(capfd)


def test_without_its_line_the_fusion_method_is_unknown(folder: Path) -> None:
    with Library.open(folder, create=False) as lib, pytest.raises(UnknownName) as caught:
        lib.search("anything", weights={"lexical": 1.0}, fusion="borda")
    assert caught.value.details["known"] == "minmax, rrf, weighted_rrf, zscore, combsum, combmnz, convex"
