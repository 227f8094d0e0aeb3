"""The app with sign-in at a provider on this machine, for all modules that need it (conftest.py), and steps in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from heimdex_core.library import Library
from tests.e2e import driver
from tests.support.frozen import WAITING, frozen_library
from tests.support.oidc_provider import Provider, running_provider

MINA, JUN = "Mina Park", "Jun"
"""An admin, and a member."""


@dataclass(frozen=True)
class SignInApp:
    """The app over a library with two videos from the time before sign-in."""

    library: Path
    address: str
    provider: Provider
    cookies: dict[str, Any] = field(default_factory=dict)
    """Of users who have signed in already, by name."""

    def open_as(self, context: BrowserContext, name: str) -> Page:
        """A page of a browser in which a user has signed in."""
        page = context.new_page()
        if name not in self.cookies:
            signed_in(page, name)
            self.cookies[name] = context.cookies()
        context.add_cookies(self.cookies[name])
        return page


@contextlib.contextmanager
def running_sign_in_app(folder: Path) -> Iterator[SignInApp]:
    """The app for the block, with its files in an empty folder."""
    root = frozen_library(folder / "library")
    with Library.open(root) as found:
        found.delete(WAITING)
    people = {
        MINA: {"email": "mina@example.com", "email_verified": True, "name": MINA},
        JUN: {"email": "jun@example.com", "email_verified": True, "name": JUN},
        "Eve": {"email": "mina@example.com", "email_verified": False, "name": "Eve"},
        "Max": {"email": "max@elsewhere.example", "email_verified": True, "name": "Max"},
    }
    secrets = folder / "secrets.toml"
    with running_provider(**people) as provider:
        secrets.write_text(provider.secrets_toml(), encoding="utf-8")
        settings = {
            "STREAMLIT_SECRETS_FILES": str(secrets),
            "HEIMDEX_ADMINS": "mina@example.com",
            "HEIMDEX_SIGN_IN_ALLOWED": "@example.com",
        }
        with driver.running_app(root, folder / "app.log", **settings) as address:
            yield SignInApp(root, address, provider)


def sign_in(page: Page, name: str, *, path: str = "/library") -> None:
    """Sign in from the page that asks for it."""
    page.goto(path)
    page.get_by_role("button", name="Sign in with Test provider").click()
    page.get_by_role("link", name=name, exact=True).click()


def signed_in(page: Page, name: str, *, path: str = "/library") -> Page:
    sign_in(page, name, path=path)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def sign_out(page: Page, *, button: str = "Sign out") -> None:
    """Press the button, and wait until the cookie is gone: the page asks to sign in before that."""
    with page.expect_response("**/auth/logout"):
        page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def received(page: Page) -> list[str]:
    """Everything that the page receives from now on: frames of websockets, and addresses of what it loads."""
    parts: list[str] = []

    def note(frame: bytes | str) -> None:
        parts.append(frame.decode("utf-8", "replace") if isinstance(frame, bytes) else frame)

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    page.on("request", lambda request: parts.append(request.url))
    return parts


def drawn(page: Page) -> None:
    """Wait until the page has been drawn."""
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
