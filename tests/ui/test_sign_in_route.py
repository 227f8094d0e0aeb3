"""What becomes of the answers of Streamlit's routes of a sign-in."""

from __future__ import annotations

import logging
from collections.abc import Callable

import httpx2
import pytest
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.i18n import texts
from ui.server.sign_in import REASONS, SignInProblems, reason_of

LOGGER = logging.getLogger("streamlit.web.server.starlette.starlette_auth_routes")


def client_of(answer: Callable[[], Response]) -> TestClient:
    """An application that answers so on the three routes and on another one."""

    def serve(request: Request) -> Response:
        return answer()

    paths = ("/auth/login", "/oauth2callback", "/auth/logout", "/library")
    app = Starlette(routes=[Route(path, serve) for path in paths])
    app.add_middleware(SignInProblems)
    return TestClient(app, follow_redirects=False)


def to_first_page(error: Exception | None = None, cookie: str = "") -> Callable[[], Response]:
    """Streamlit's answer to a provider's: a redirection, with the cookie or without."""

    def answer() -> Response:
        if error is not None:
            try:
                raise error
            except type(error):
                LOGGER.warning("OAuth token exchange failed", exc_info=True)
        response = RedirectResponse("/", 302)
        if cookie:
            response.set_cookie("_streamlit_user", cookie)
        else:
            response.delete_cookie("_streamlit_user")
        return response

    return answer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx2.ConnectError("refused"), "unreachable"),
        (httpx2.ReadTimeout("late"), "unreachable"),
        (ExpiredTokenError("exp"), "clock"),
        (InvalidClaimError("iat"), "clock"),
        (InvalidClaimError("nonce"), "failed"),
        (BadSignatureError(), "failed"),
        (ValueError("x"), "failed"),
    ],
)
def test_a_failed_sign_in_leads_to_its_reason(error: Exception, reason: str) -> None:
    answer = client_of(to_first_page(error)).get("/oauth2callback?code=1&state=2")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/?sign_in={reason}")
    assert "_streamlit_user=" in answer.headers["set-cookie"]  # that removes it


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("state=2&error=access_denied", "denied"),
        ("state=2&error=server_error&error_description=//evil.example", "failed"),
        ("state=2&code=1", "stale"),
    ],
)
def test_what_the_provider_says_leads_to_its_reason(query: str, reason: str) -> None:
    answer = client_of(to_first_page()).get(f"/oauth2callback?{query}")
    assert answer.headers["location"] == f"/?sign_in={reason}"


def test_a_sign_in_that_succeeds_is_left_alone() -> None:
    answer = client_of(to_first_page(cookie="signed")).get("/oauth2callback?code=1&state=2")
    assert answer.headers["location"] == "/"
    assert "_streamlit_user=signed" in answer.headers["set-cookie"]


def test_coming_back_from_a_sign_out_is_no_failure() -> None:
    assert client_of(to_first_page()).get("/oauth2callback").headers["location"] == "/"


def test_a_provider_that_cannot_be_asked_leads_to_the_first_page() -> None:
    def answer() -> Response:
        try:
            raise httpx2.ConnectTimeout("late")
        except httpx2.ConnectTimeout:
            LOGGER.warning("Error during OAuth authorization redirect.", exc_info=True)
        return Response("Authentication error", status_code=400)

    assert client_of(answer).get("/auth/login?provider=x").headers["location"] == "/?sign_in=unreachable"


def test_a_sign_out_empties_the_cache_of_the_browser() -> None:
    client = client_of(to_first_page())
    assert client.get("/auth/logout").headers["clear-site-data"] == '"cache"'
    assert "clear-site-data" not in client.get("/library").headers


def test_an_error_of_an_earlier_request_is_not_told_again() -> None:
    errors: list[Exception | None] = [ExpiredTokenError("exp"), None]
    client = client_of(lambda: to_first_page(errors.pop(0))())
    locations = [client.get("/oauth2callback?code=1&state=2").headers["location"] for _ in range(2)]
    assert locations == ["/?sign_in=clock", "/?sign_in=stale"]


def test_every_reason_has_its_words() -> None:
    assert reason_of([]) in REASONS
    for reason in (*REASONS, "unverified", "ended", "not_configured"):
        for language in ("en", "ko"):
            assert texts(language)[f"sign_in.problem.{reason}"]
            assert texts(language)[f"sign_in.problem.{reason}.hint"]
