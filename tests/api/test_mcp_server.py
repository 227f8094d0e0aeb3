"""The library as tools of the Model Context Protocol: a session of a client, and who may do what."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from PIL import Image

from heimdex_core.api.mcp_server import make_server
from heimdex_core.cli.main import main
from heimdex_core.errors import SignInRequired, TokenInvalid
from heimdex_core.library import Library
from heimdex_core.models.profiles import profile_choice
from heimdex_core.store import Store
from tests.store import making
from tests.support.frozen import SUBTITLED, frozen_library

READING = ["get_scene", "search", "videos"]


def answers(server: Any, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """The results of calls of tools, in one session."""

    async def session() -> list[Any]:
        async with Client(server) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return anyio.run(session)


def tools_of(server: Any) -> dict[str, Any]:
    async def session() -> dict[str, Any]:
        async with Client(server) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return anyio.run(session)


@pytest.fixture
def lib(tmp_path: Path) -> Iterator[Library]:
    models = profile_choice("offline").to_dict()
    Store.create(tmp_path / "library", profile="offline", models=models, spaces=making.SPACES).close()
    with Library.open(tmp_path / "library", create=False) as opened:
        yield opened


def token_of(lib: Library, subject: str, *scopes: str) -> tuple[str, str, str]:
    """(user_id, token_id, secret) of somebody who has signed in."""
    user = lib.accounts.sign_in("https://login.example", subject, f"{subject}@example.com", True, subject)
    token, secret = lib.as_user(user.user_id).accounts.make_token("mcp", scopes)
    return user.user_id, token.token_id, secret


# --- a session over stdio -------------------------------------------------------------------------


def test_a_session_over_stdio(tmp_path: Path) -> None:
    """A real process and the client of the SDK, which takes nothing but the protocol from its stdout."""
    library = frozen_library(tmp_path / "library")
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "heimdex_core", "mcp", "--library", str(library)],
        env={"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.getcwd()},
    )

    async def session() -> tuple[Any, ...]:
        async with Client(server) as client:
            tools = await client.list_tools()
            listed = await client.call_tool("videos", {"limit": 10})
            first = await client.call_tool("videos", {"limit": 1})
            found = await client.call_tool("search", {"text": "yellow flowers", "limit": 2, "videos": [SUBTITLED]})
            scene_id = found.structured_content["scenes"][0]["scene_id"]
            scene = await client.call_tool("get_scene", {"scene_id": scene_id})
            missing = await client.call_tool("get_scene", {"scene_id": f"{SUBTITLED}_0_9999999"})
            return client.server_info, tools, listed, first, found, scene, missing

    info, tools, listed, first, found, scene, missing = anyio.run(session)
    assert info.name == "heimdex"
    assert sorted(tool.name for tool in tools.tools) == READING
    assert SUBTITLED in {one["video_id"] for one in listed.structured_content["videos"]}
    assert (listed.structured_content["next_offset"], first.structured_content["next_offset"]) == (None, 1)
    assert {one["video_id"] for one in found.structured_content["scenes"]} == {SUBTITLED}
    text, picture = scene.content
    assert json.loads(text.text)["scene_id"] == found.structured_content["scenes"][0]["scene_id"]
    assert picture.mime_type == "image/webp"
    assert Image.open(io.BytesIO(base64.b64decode(picture.data))).size[0] > 0
    assert missing.is_error
    assert "SCENE_NOT_FOUND" in missing.content[0].text


# --- what is offered, and to whom -----------------------------------------------------------------


def test_only_reading_is_offered_unless_writing_is_asked_for(lib: Library) -> None:
    tools = tools_of(make_server(lib))
    assert sorted(tools) == READING
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    tools = tools_of(make_server(lib, allow_writes=True))
    assert sorted(tools) == sorted([*READING, "make_reel"])
    assert not tools["make_reel"].annotations.read_only_hint


def test_a_token_sees_its_users_videos_only(lib: Library) -> None:
    user_id, _, secret = token_of(lib, "ann", "read")
    own = making.add(lib._store, "harbour", ["the sea"], user_id=user_id)
    other = making.add(lib._store, "pier", ["wood"], user_id="bob")
    scene_id = f"{other.video_id}_0_2000"
    listed, scene = answers(make_server(lib, token=secret), ("videos", {}), ("get_scene", {"scene_id": scene_id}))
    assert [one["video_id"] for one in listed.structured_content["videos"]] == [own.video_id]
    assert scene.is_error
    assert "SCENE_NOT_FOUND" in scene.content[0].text


def test_a_token_that_is_revoked_ends_at_once(lib: Library) -> None:
    user_id, token_id, secret = token_of(lib, "ann", "read")
    server = make_server(lib, token=secret)
    assert not answers(server, ("videos", {}))[0].is_error
    lib.as_user(user_id).accounts.revoke_token(token_id)
    (refused,) = answers(server, ("videos", {}))
    assert refused.is_error
    assert "TOKEN_INVALID" in refused.content[0].text
    assert secret not in refused.content[0].text
    with pytest.raises(TokenInvalid):
        make_server(lib, token=secret)


def test_a_shared_library_needs_a_token(lib: Library) -> None:
    server = make_server(lib)
    token_of(lib, "ann", "read")
    with pytest.raises(SignInRequired):
        make_server(lib)
    (refused,) = answers(server, ("videos", {}))  # somebody signed in while the server ran
    assert refused.is_error


def test_making_a_reel_needs_the_scope(lib: Library) -> None:
    _, _, secret = token_of(lib, "ann", "read")
    (refused,) = answers(make_server(lib, token=secret, allow_writes=True), ("make_reel", {"scene_ids": ["x_0_1"]}))
    assert refused.is_error
    assert "NOT_ALLOWED" in refused.content[0].text
    _, _, secret = token_of(lib, "bob", "read", "write")
    (refused,) = answers(make_server(lib, token=secret, allow_writes=True), ("make_reel", {"scene_ids": ["x_0_1"]}))
    assert "CLIPS_FAILED" in refused.content[0].text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search", {"text": "a", "limit": 0}),
        ("search", {"text": "x" * 5000}),
        ("search", {"text": "a", "filters": ["no such=1"]}),
        ("search", {"text": "a", "videos": ["../x"]}),
        ("search", {}),
        ("get_scene", {"scene_id": ""}),
        ("videos", {"limit": 10**9}),
        ("drop_tables", {}),
    ],
)
def test_what_cannot_be_used_is_an_error_in_words(
    lib: Library, name: str, arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    making.add(lib._store, "harbour", ["the sea"])

    async def session() -> Any:
        async with Client(make_server(lib)) as client:
            return await client.call_tool(name, arguments)

    found = anyio.run(session)
    assert found.is_error or found.structured_content["scenes"] == []
    assert "Traceback" not in str(found.content)


def test_a_search_says_how_it_took_the_query_and_has_pages(lib: Library) -> None:
    making.add(lib._store, "harbour", ["the sea", "a boat", "the quay"])
    first, rest, unknown = answers(
        make_server(lib),
        ("search", {"filters": ["title=harbour"], "limit": 2}),
        ("search", {"text": "title:harbour", "offset": 2}),
        ("search", {"text": "sea person:Anna"}),
    )
    assert first.structured_content["total"] == 3
    assert [one["transcript"] for one in first.structured_content["scenes"]] == ["the sea", "a boat"]
    assert [one["transcript"] for one in rest.structured_content["scenes"]] == ["the quay"]
    assert first.structured_content["notes"] == [
        "all scenes that fit title=harbour are listed, from the most recently added video on, each from its beginning"
    ]
    assert unknown.structured_content["notes"] == ["nobody is known yet, so no scene shows this person"]
    assert "on_screen_text" in first.structured_content["scenes"][0]


@pytest.mark.expect_errors
def test_a_defect_is_told_without_what_was_asked(
    lib: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Library, text: str, **__: Any) -> Any:
        raise RuntimeError(text)

    monkeypatch.setattr(Library, "search", fail)
    (found,) = answers(make_server(lib), ("search", {"text": "the secret " + "words"}))
    assert found.is_error
    assert "the secret words" not in found.content[0].text + caplog.text
    assert "RuntimeError" in caplog.text


def test_a_library_that_is_missing_and_a_wrong_token_end_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mcp", "--library", str(tmp_path / "none")]) == 1
    out = capsys.readouterr()
    assert out.out == ""
    assert "none" in out.err
