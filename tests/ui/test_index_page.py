"""The page that browsers load: our title, language and script before Streamlit's, and a page for unknown paths."""

from __future__ import annotations

import json
import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.i18n import translate
from ui.server.index_page import IndexPage, index_page


async def streamlit_answer(request: Request) -> Response:
    """Streamlit's page for every path that is no file of its own."""
    if request.url.path == "/_stcore/host-config":
        return JSONResponse({"blockErrorDialogs": False})
    return HTMLResponse("<title>Streamlit</title>")


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/{path:path}", streamlit_answer, methods=["GET", "POST"])]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(IndexPage, ["/", "/library"])]))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("ko-KR,ko;q=0.9", "ko"), ("en-US", "en"), ("fr,ko;q=0.5", "ko"), ("", "en"), ("*", "en")],
)
def test_a_page_is_in_the_language_of_the_browser(client: TestClient, accepted: str, language: str) -> None:
    answer = client.get("/library?q=x", headers={"Accept-Language": accepted})
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert "<title>Heimdex</title>" in answer.text
    assert "Streamlit</title>" not in answer.text
    assert answer.headers["Vary"] == "Accept-Language"


def test_our_script_runs_before_streamlits_and_has_its_texts() -> None:
    page = index_page("en")
    assert page.index("window.__streamlit") < page.index('type="module"')
    texts = json.loads(re.findall(r"const TEXTS = (\{.*\});", page)[0])
    assert texts["ko"]["lost"] == translate("ko", "connection.lost")
    assert texts["en"]["hint"] == translate("en", "connection.hint")


def test_an_unknown_path_says_so_instead_of_showing_another_page(client: TestClient) -> None:
    for language, home in (("en", "Open the home page"), ("ko", "홈 열기")):
        answer = client.get("/libary?q=<b>", headers={"Accept-Language": language})
        assert answer.status_code == 404
        assert f'<a href="/">{home}</a>' in answer.text
        assert translate(language, "page.not_found") in answer.text
        assert "<script" not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_other_answers_and_methods_pass(client: TestClient) -> None:
    assert client.get("/_stcore/host-config").json() == {"blockErrorDialogs": False}
    assert client.post("/library").text == "<title>Streamlit</title>"
    assert client.head("/library").status_code == 200
