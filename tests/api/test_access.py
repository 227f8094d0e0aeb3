"""Tokens that are missing, wrong, expired, revoked or of another scope; forged headers; too many requests; CORS."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from heimdex_core.api.rate_limit import RateLimiter, SharedRateLimiter
from heimdex_core.api.server import server_app
from heimdex_core.errors import DatabaseUnavailable, LibraryBusy, RateLimited
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.store.request_records import count_requests
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.types import Principal, Video
from tests.api.conftest import SCENE, Api, make_api
from tests.support.docs import ROOT
from tests.support.frozen import SUBTITLED
from tests.support.postgres import TestServer
from tests.ui.fakes import Clock


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "Basic bG9jYWw6", "Bearer", "Bearer ", "hdx_a_b", "Negotiate x"])
def test_a_request_without_a_bearer_token_has_to_sign_in(api: Api, given: str) -> None:
    answer = api.get("/videos", who=None, headers={"Authorization": given} if given else {})
    assert code(answer) == (401, "SIGN_IN_REQUIRED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="heimdex"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["hdx_", "hdx_x_y", "x", "eyJhbGciOiJub25lIn0.e30.", "hdx_" + "a" * 5000])
def test_a_wrong_token_is_refused(api: Api, token: str) -> None:
    assert code(api.get("/videos", who=None, headers={"Authorization": f"Bearer {token}"})) == (401, "TOKEN_INVALID")


def test_two_tokens_are_refused(api: Api) -> None:
    headers = [("Authorization", f"Bearer {api.tokens['owner']}"), ("Authorization", "Bearer hdx_x_y")]
    assert code(api.client.get("/api/v1/videos", headers=headers)) == (401, "TOKEN_INVALID")


def test_which_process_has_the_library_is_for_admins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_api(
        tmp_path / "library",
        Settings(profile="offline", min_free_bytes=0, api_requests_per_minute=0, admins=("mina@example.com",)),
    )

    def fail(self: Library, video_id: str) -> Video:
        raise LibraryBusy(what="The search index", pid=4711, program="python", seconds=9)

    def told(who: str, path: str, method: str = "GET") -> tuple[int, str, bool]:
        answer = made.ask(method, path, who)
        return answer.status_code, answer.json()["code"], "4711" in answer.text

    monkeypatch.setattr(Library, "video", fail)
    monkeypatch.setattr(Library, "restore", fail)
    asked = [(f"/videos/{SUBTITLED}", "GET"), (f"/videos/{SUBTITLED}/restore", "POST")]
    assert [told("owner", *one) for one in asked] == [(503, "LIBRARY_BUSY", True)] * 2
    made.user("mina")
    made.user("jun")
    assert [told("mina", *one) for one in asked] == [(503, "LIBRARY_BUSY", True)] * 2
    assert [told("jun", *one) for one in asked] == [(503, "LIBRARY_IN_USE", False)] * 2
    made.library.close()


def test_a_token_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = api.library.accounts
    token, secret = accounts.make_token("short", ("read",), expires_in_s=60.0)
    headers = {"Authorization": f"Bearer {secret}"}
    assert api.get("/videos", who=None, headers=headers).status_code == 200
    changed = {"Authorization": f"Bearer {secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}"}
    assert code(api.get("/videos", who=None, headers=changed)) == (401, "TOKEN_INVALID")
    accounts.revoke_token(token.token_id)
    assert code(api.get("/videos", who=None, headers=headers)) == (401, "TOKEN_INVALID")


def test_a_scope_allows_what_it_says_and_no_more(api: Api) -> None:
    reads = api.library.accounts.make_token("reads", ("read",))[1]
    writes = api.library.accounts.make_token("writes", ("write",))[1]
    rename = {"json": {"title": "a"}}
    by = lambda token: {"Authorization": f"Bearer {token}"}  # noqa: E731
    refused = api.ask("PATCH", f"/videos/{SUBTITLED}", None, headers=by(reads), **rename)
    assert code(refused) == (403, "NOT_ALLOWED")
    assert refused.json()["details"]["needed"] == "a token with the scope write"
    assert api.ask("PATCH", f"/videos/{SUBTITLED}", None, headers=by(writes), **rename).status_code == 200
    assert code(api.get("/videos", None, headers=by(writes))) == (403, "NOT_ALLOWED")


def test_a_user_who_was_deleted_has_no_library(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = api.user("gone")
    assert api.get("/videos", "gone").json()["items"] == []
    monkeypatch.setattr(type(api.library.accounts), "is_admitted", lambda self, user_id: user_id != gone.user_id)
    assert code(api.get("/videos", "gone")) == (401, "TOKEN_INVALID")


# --- headers that anybody can make up -------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    api = make_api(tmp_path_factory.mktemp("served") / "library")
    app = server_app(api.library, has_worker=False)
    yield TestClient(app, base_url="http://localhost"), api.tokens["owner"]
    api.library.close()


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "a b", "localhost@evil.example"])
def test_another_host_is_refused_with_and_without_a_token(served: tuple[TestClient, str], host: str) -> None:
    client, token = served
    for headers in ({"Host": host}, {"Host": host, "Authorization": f"Bearer {token}"}):
        answer = client.get("/api/v1/videos", headers={**headers, "X-Forwarded-Host": "localhost"})
        assert (answer.status_code in (400, 403), answer.json()["code"]) == (True, "HOST_REFUSED")


def test_what_a_proxy_would_say_changes_nothing(served: tuple[TestClient, str]) -> None:
    client, token = served
    forged = {
        "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "//evil.example", "X-Forwarded-User": "local", "X-Remote-User": "local",
        "Forwarded": "for=127.0.0.1;host=evil.example",
    }  # fmt: skip
    assert code(client.get("/api/v1/videos", headers=forged)) == (401, "SIGN_IN_REQUIRED")
    answer = client.get(f"/api/v1/scenes/{SCENE}/preview", headers={**forged, "Authorization": f"Bearer {token}"})
    assert answer.json()["url"].startswith("/api/v1/files/")
    assert "evil" not in answer.text
    assert "evil" not in client.get("/api/v1", headers=forged, follow_redirects=False).headers["location"]


def test_serving_has_health_checks_and_leads_to_the_page_of_the_api(served: tuple[TestClient, str]) -> None:
    client, _ = served
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/", follow_redirects=True).url.path == "/api/v1/docs"
    assert code(client.get("/api/v1/nothing")) == (404, "ROUTE_NOT_FOUND")
    assert code(client.get("/elsewhere")) == (404, "ROUTE_NOT_FOUND")
    wrong = client.put("/api/v1/videos")
    assert (*code(wrong), wrong.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "GET, HEAD")


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.expect_errors
def test_a_fault_of_the_program_says_nothing_of_its_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(api.library, "videos", fail)
    answer = api.get("/videos")
    assert code(answer) == (500, "INTERNAL")
    assert "1234" not in answer.text


def test_a_body_that_is_no_json_or_too_large(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    assert code(api.ask("POST", "/search", content=b"{", headers=headers)) == (422, "INVALID_VALUE")
    assert code(api.ask("POST", "/search", content=b"[1]", headers=headers)) == (422, "INVALID_VALUE")
    assert code(api.post("/search", {"text": "a", "no_such": 1})) == (422, "INVALID_VALUE")
    assert code(api.post("/search", {"text": "a", "filters": {"min_s": 2, "max_s": 1}})) == (422, "INVALID_FILTER")
    large = b'{"text": "' + b"x" * (8 * 1024 * 1024) + b'"}'
    assert code(api.ask("POST", "/search", content=large, headers=headers)) == (413, "BODY_TOO_LARGE")
    pieces = (large[n : n + 65536] for n in range(0, len(large), 65536))  # chunked, without a content length
    assert code(api.ask("POST", "/search", content=pieces, headers=headers)) == (413, "BODY_TOO_LARGE")


# --- too many requests ----------------------------------------------------------------------------


def test_ten_thousand_requests_of_a_token_are_counted() -> None:
    clock = Clock(0.0)
    limiter = RateLimiter(600, clock)

    def is_answered() -> bool:
        try:
            limiter.take("a")
        except RateLimited:
            return False
        return True

    assert [is_answered() for _ in range(10_000)] == [True] * 600 + [False] * 9_400
    with pytest.raises(RateLimited) as refused:
        limiter.take("a")
    assert refused.value.details["retry_after_s"] == 1
    limiter.take("another token")
    clock.at = 10.0  # 600 a minute are 100 in ten seconds
    for _ in range(100):
        limiter.take("a")
    with pytest.raises(RateLimited):
        limiter.take("a")


def test_the_limit_holds_for_all_processes_that_share_a_table() -> None:
    clock, table, planned = Clock(0.0), Counter[str](), list[Callable[[], None]]()

    def exchange(counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        table.update(counts)
        return {key: (int(clock.at // 60), table[key]) for key in counts}

    one, two = (SharedRateLimiter(60, clock, exchange, lambda _, do: planned.append(do)) for _ in range(2))
    for _ in range(40):
        one.take("a")
        two.take("a")
    assert len(planned) == 2  # one for each process
    two.take("b")
    for do in planned[:]:
        do()
    # the first one did not know of the others' 40 when it told its own
    with pytest.raises(RateLimited) as refused:
        two.take("a")
    assert refused.value.details["retry_after_s"] == 21  # 80 were sent, of 60
    one.take("a")
    planned[-1]()
    with pytest.raises(RateLimited) as refused:
        one.take("a")
    assert refused.value.details["retry_after_s"] == 22
    one.take("b")
    two.take("b")


def test_without_the_table_each_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    planned: list[Callable[[], None]] = []

    def exchange(counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        raise DatabaseUnavailable(reason="it is away")

    limiter = SharedRateLimiter(2, Clock(0.0), exchange, lambda _, do: planned.append(do))
    limiter.take("a")
    planned.pop()()
    assert "counted in this process alone" in caplog.text
    limiter.take("a")
    assert len(planned) == 1
    with pytest.raises(RateLimited):
        limiter.take("a")


def test_processes_count_requests_in_a_table(postgres: TestServer, tmp_path: Path) -> None:
    key = uuid.uuid4().hex[:12]
    one, two = (SharedTables(postgres.url(), key, str(tmp_path)) for _ in range(2))
    (minute, first) = count_requests(one, {"a": 3, "b": 1})["a"]
    found = count_requests(two, {"a": 4, "c'\"%": 1})
    assert first == 3
    # unless a minute has begun in between
    assert found["a"] in ((minute, 7), (minute + 1, 4))
    assert found["c'\"%"][1] == 1
    one.rows("update shared.request_counts set minute = minute - interval '3 minutes'")
    assert count_requests(one, {"a": 1})["a"][1] == 1
    assert one.rows("select count(*) from shared.request_counts") == [(1,)]


def test_requests_over_the_limit_cost_others_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = make_api(tmp_path / "library", Settings(profile="offline", min_free_bytes=0, api_requests_per_minute=3))
    looked_up: list[str] = []
    principal = api.services.principal

    def noting(token: str) -> Principal:
        looked_up.append(token)
        return principal(token)

    monkeypatch.setattr(api.services, "principal", noting)
    try:
        api.user("other")
        assert [api.get("/me").status_code for _ in range(20)] == [200] * 3 + [429] * 17
        assert api.get("/me", "other").status_code == 200
        # they end before the token is looked up, and before the library is asked
        assert looked_up == [api.tokens["owner"]] * 3 + [api.tokens["other"]]
    finally:
        api.library.close()


def test_a_token_that_asks_too_often_is_told_when_to_ask_again(tmp_path: Path) -> None:
    api = make_api(tmp_path / "library", Settings(profile="offline", min_free_bytes=0, api_requests_per_minute=2))
    try:
        api.user("other")
        assert [api.get("/search/options").status_code for _ in range(3)] == [200, 200, 429]
        refused = api.get("/search/options")
        assert (*code(refused), refused.headers["retry-after"]) == (429, "RATE_LIMITED", "30")
        assert api.get("/search/options", "other").status_code == 200
        # what only knows the id of a token uses up nothing of it
        stranger = {"Authorization": f"Bearer {api.tokens['other'][:-1]}x"}
        assert [api.get("/me", None, headers=stranger).status_code for _ in range(3)] == [401, 401, 429]
        assert api.get("/search/options", "other").status_code == 200
        api.clock.at = 30.0
        assert api.get("/search/options").status_code == 200
    finally:
        api.library.close()


# --- CORS -----------------------------------------------------------------------------------------


def test_pages_of_allowed_origins_can_read_answers_and_errors(tmp_path: Path) -> None:
    api = make_api(tmp_path / "library", origins=("https://videos.example",))
    try:
        ours, others = {"Origin": "https://videos.example"}, {"Origin": "https://evil.example"}
        for answer in (
            api.get("/search/options", headers=ours),
            api.get("/videos", None, headers=ours),
            api.get("/nothing", headers=ours),
        ):
            assert answer.headers["access-control-allow-origin"] == "https://videos.example"
        assert "access-control-allow-origin" not in api.get("/search/options", headers=others).headers
        for method, path in (("PUT", "/people-status"), ("PATCH", "/videos/x")):
            asked = {
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,if-match",
            }
            assert api.ask("OPTIONS", path, None, headers={**ours, **asked}).status_code == 200
        assert api.ask("OPTIONS", "/videos/x", None, headers={**others, **asked}).status_code == 400
    finally:
        api.library.close()


def test_without_the_setting_no_other_page_can_read_answers(api: Api) -> None:
    answer = api.get("/search/options", headers={"Origin": "https://videos.example"})
    assert "access-control-allow-origin" not in answer.headers


# --- links ----------------------------------------------------------------------------------------


def test_links_end_and_are_for_one_file(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    url = api.get(f"/videos/{SUBTITLED}/preview").json()["url"]
    assert api.client.get(url).status_code == 200
    assert code(api.client.get(url[:-1])) == (403, "LINK_INVALID")
    clock = Clock(0.0)
    old = Links("secret of the test", api.library.path, file_ttl_s=60, upload_ttl_s=60, now=clock)
    path = api.library.playable_path(api.library.video(SUBTITLED))
    assert path is not None
    assert code(api.client.get("/api/v1" + old.file_url(path, "local"))) == (410, "LINK_EXPIRED")


def test_a_library_that_has_gone_is_said_so(tmp_path: Path) -> None:
    api = make_api(tmp_path / "library")
    api.library.close()
    (tmp_path / "library").rename(tmp_path / "elsewhere")
    assert code(api.get("/videos"))[0] in (401, 503)


def test_neither_the_library_nor_the_app_loads_fastapi_before_it_is_asked() -> None:
    code = "import sys, heimdex_core, heimdex_core.cli.main, ui.server.routes; print('fastapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
