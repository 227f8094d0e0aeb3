"""The command `users`: it works as the operator of the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.errors import TokenInvalid
from heimdex_core.library import Library
from tests.support.frozen import SPOKEN, SUBTITLED, WAITING, frozen_library


def test_users_their_videos_and_tokens(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = frozen_library(tmp_path / "library")
    monkeypatch.setenv("HEIMDEX_ADMINS", "anna@example.com")

    def run(*args: str, status: int = 0) -> Any:
        assert main(["--library", str(root), "--json", "users", *args]) == status
        return json.loads(capfd.readouterr().out)

    assert [user["role"] for user in run("list")] == ["admin"]
    with Library.open(root) as lib:
        anna, ben = (
            lib.accounts.sign_in("https://login", name, f"{name}@example.com", True, name).user_id
            for name in ("anna", "ben")
        )
    assert [(user["name"], user["role"]) for user in run("list")] == [
        ("anna", "admin"),
        ("ben", "member"),
        ("local", "member"),
    ]
    assert [one["video_id"] for one in run("assign-videos", "local", "anna@example.com", SPOKEN)] == [SPOKEN]
    assert {one["video_id"] for one in run("assign-videos", "local", ben)} == {SUBTITLED, WAITING}
    assert run("assign-videos", "local", "nobody", status=1)["error"]["code"] == "USER_NOT_FOUND"

    made = run("tokens", "make", "backup", "--user", ben, "--scope", "read", "--scope", "write", "--days", "1")
    assert (made["user_id"], made["scopes"]) == (ben, ["read", "write"])
    with Library.open(root) as lib:
        assert lib.accounts.authenticate(made["secret"]).user_id == ben
        assert [video.video_id for video in lib.as_user(anna).videos()] == [SPOKEN]
    (listed,) = run("tokens", "list", "--user", "ben@example.com")
    assert listed["token_id"] == made["token_id"]
    assert "secret" not in listed
    assert run("tokens", "revoke", made["token_id"], status=1)["error"]["code"] == "TOKEN_NOT_FOUND"
    assert run("tokens", "revoke", made["token_id"], "--user", ben) == {"revoked": made["token_id"]}

    report = run("export", ben, str(tmp_path / "exported"))
    assert report["videos"] == 2
    deleted = run("delete", "ben@example.com", "--export", str(tmp_path / "deleted"))
    assert deleted == {"deleted": ben, "exported": report}
    with Library.open(root) as lib:
        with pytest.raises(TokenInvalid):
            lib.accounts.authenticate(made["secret"])
        assert [video.video_id for video in lib.as_user(anna).videos()] == [SPOKEN]
    assert not (root / "videos" / SUBTITLED).exists()
    assert main(["--library", str(root), "users", "list"]) == 0
    assert "anna@example.com" in capfd.readouterr().out
    assert run("delete", "local", status=1)["error"]["code"] == "INVALID_VALUE"
