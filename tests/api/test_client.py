"""The Python client: the methods of Library, the errors of the library, and requests that are sent again."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from heimdex_core.client import Client
from heimdex_core.client.client import ClientEvaluation, ClientExports, ClientSharing
from heimdex_core.client.people import ClientPeople
from heimdex_core.errors import (
    ExportNotFound,
    InvalidQuery,
    InvalidValue,
    NotAllowed,
    NotAVideo,
    ShareNotFound,
    TokenInvalid,
    VideoNotFound,
)
from heimdex_core.library import Library
from heimdex_core.library.evaluation import Evaluation
from heimdex_core.library.exports import Exports
from heimdex_core.library.people import People
from heimdex_core.library.sharing import Sharing
from heimdex_core.types import Example, Filters, Then
from tests.api.conftest import SCENE, Api
from tests.support.frozen import SUBTITLED


@pytest.fixture
def client(api: Api) -> Client:
    return Client("http://localhost", api.tokens["owner"], api.client)


OWN = {"wait", "events"}
"""What a library on this machine does not need."""
ANOTHER_WAY = {"file": "downloads the file of an export, instead of saying where it is"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Client, Library),
        (ClientExports, Exports),
        (ClientEvaluation, Evaluation),
        (ClientPeople, People),
        (ClientSharing, Sharing),
    ],
)
def test_names_are_those_of_the_library(ours: type, theirs: type) -> None:
    methods = {name for name, _ in inspect.getmembers(ours, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in methods if not hasattr(theirs, name)} <= OWN
    hints = {name: inspect.signature(getattr(ours, name)).return_annotation for name in methods}
    assert inspect.Signature.empty not in hints.values()
    for name in methods - OWN - ANOTHER_WAY.keys():
        own = inspect.signature(getattr(ours, name)).parameters
        there = inspect.signature(getattr(theirs, name)).parameters
        named = {one for one, parameter in own.items() if parameter.kind != parameter.VAR_KEYWORD}
        assert named <= there.keys(), name
        defaults = {one: own[one].default for one in named}
        assert defaults == {one: there[one].default for one in named}, name


def test_videos_and_scenes(client: Client) -> None:
    assert SUBTITLED in [video.video_id for video in client.videos()]
    assert len(client.videos(limit=2)) == 2
    assert client.rename(SUBTITLED, "바다").title == client.video(SUBTITLED).title == "바다"
    assert client.delete(SUBTITLED).state == "deleted"
    assert SUBTITLED in [video.video_id for video in client.videos(include_deleted=True)]
    assert client.restore(SUBTITLED).state == "indexed"
    assert [scene.scene_id for scene in client.scenes(SUBTITLED)][0] == client.scene(SCENE).scene_id == SCENE
    assert client.wait(SUBTITLED).scene_count == 2
    assert [name for name, _ in client.events(SUBTITLED)] == ["done"]


def test_what_is_shared_is_given_back(api: Api) -> None:
    other = api.user("other")
    trip = api.library.sharing.make_collection("Trip")
    api.library.sharing.put(trip.collection_id, [SUBTITLED])
    api.library.sharing.share("collection", trip.collection_id, other.user_id)
    api.library.sharing.share("video", SUBTITLED, other.user_id, "write")
    title = api.library.video(SUBTITLED).title
    client = Client("http://localhost", api.tokens["other"], api.client)
    found = [(one.kind, one.target_id, one.access, one.title) for one in client.sharing.shared_with_me()]
    assert found == [("collection", trip.collection_id, "read", "Trip"), ("video", SUBTITLED, "write", title)]
    client.sharing.give_back("video", SUBTITLED)
    assert client.video(SUBTITLED).title == title, "it is part of the collection"
    with pytest.raises(ShareNotFound):
        client.sharing.give_back("video", SUBTITLED)
    client.sharing.give_back("collection", trip.collection_id)
    assert client.sharing.shared_with_me() == []
    with pytest.raises(VideoNotFound):
        client.video(SUBTITLED)
    assert api.library.sharing.shares() == []


def test_a_search_with_everything(client: Client, tmp_path: Path) -> None:
    found = client.search(
        "sea", weights={"lexical": 1.0}, filters=Filters(min_s=0.5), then=Then("flowers", 5.0), facets=True, limit=3
    )
    assert [(hit.scene_id, hit.then) for hit in found.hits] == [(SCENE, f"{SUBTITLED}_1000_2000")]
    assert found.channels["lexical"].active
    assert SCENE not in [hit.scene_id for hit in client.search(example=Example(scene_ids=(SCENE,))).hits]


def test_shorts_reels_and_exports(client: Client, tmp_path: Path) -> None:
    short = client.short(SCENE, strategy="letterbox")
    assert client.exports.get(short.export_id).state == "pending"
    assert client.exports.progress(short.export_id) is None
    assert client.exports.cancel(short.export_id).state == "cancelled"
    reel = client.reel([SCENE, {"scene_id": SCENE, "end_s": 1.5}], title="t")
    assert [clip.end_s for clip in reel.clips] == [1.0, 1.5]
    assert {short.export_id, reel.export_id} <= {one.export_id for one in client.exports.list()}
    assert client.exports.remove(reel.export_id).state == "cancelled"
    with pytest.raises(ExportNotFound):
        client.exports.file(reel.export_id, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert "sea" in client.timeline([SCENE], "srt")


def test_judgements_and_runs(client: Client) -> None:
    judged = client.judge("sea", SCENE, 3, reason="it is")
    assert judged in client.evaluation.judgements(query="sea")
    run = client.evaluate("default", weights={"lexical": 1.0}, name="by client")
    assert run == client.evaluation.run("by client")
    client.evaluation.delete_run(run.run_id)
    client.evaluation.forget(judged.judgement_id)
    assert run.run_id not in [one.run_id for one in client.evaluation.runs()]


def test_a_file_is_uploaded_once(client: Client, api: Api, tmp_path: Path) -> None:
    source = api.library.playable_path(api.library.video(SUBTITLED))
    assert source is not None
    path = tmp_path / "새 영상.mp4"
    path.write_bytes(Path(source).read_bytes() + b"\0")
    subtitles = tmp_path / "새 영상.ko.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:01,000\n배\n", encoding="utf-8")
    added = client.add(path, title="배", language="ko", subtitles=subtitles)
    assert (added.title, added.filename, added.language) == ("배", "새 영상.mp4", "ko")
    assert client.add(path).video_id == added.video_id
    (tmp_path / "notes.mp4").write_text("text")
    with pytest.raises(NotAVideo):
        client.add(tmp_path / "notes.mp4")


def test_errors_are_those_of_the_library(client: Client, api: Api) -> None:
    with pytest.raises(VideoNotFound) as caught:
        client.video("none")
    assert caught.value.message == "There is no video none."
    with pytest.raises(InvalidQuery):
        client.search("x" * 5000)
    with pytest.raises(InvalidValue) as unusable:
        client._connection.json("POST", "/search", {"text": "sea", "filters": {"people": "Anna"}})
    assert unusable.value.details["reason"] == "Input should be a valid list"
    with pytest.raises(TokenInvalid):
        Client("http://localhost", "hdx_x_y", api.client).videos()
    reading = api.library.accounts.make_token("reads", ("read",))[1]
    with pytest.raises(NotAllowed):
        Client("http://localhost", reading, api.client).rename(SUBTITLED, "a")
