"""When a page is opened by its URL, and which changes of it become entries in the browser's history."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from ui import address, state


class FakeBrowser:
    """Keeps the query string as Streamlit does, and the history that ui/server/index.js makes of it."""

    def __init__(self) -> None:
        self.params: dict[str, str] = {}
        self.by_history = False
        self.history: list[dict[str, str]] = [{}]

    def items(self) -> Any:
        return self.params.items()

    def from_dict(self, params: dict[str, str]) -> None:
        self.params = dict(params)
        shown = {name: value for name, value in params.items() if name != address.MARKER}
        if params[address.MARKER].startswith("replace:"):
            self.history[-1] = shown
        else:
            self.history.append(shown)

    def run(self, page: str, *, by_history: bool = False, **params: str) -> dict[str, str] | None:
        """A full run of a page with this URL; returns what it has to restore."""
        self.params, self.by_history = params, by_history
        address.arrive(page)
        return address.opened()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> FakeBrowser:
    fake = FakeBrowser()
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(st, "query_params", fake)
    monkeypatch.setattr(address, "get_script_run_ctx", lambda: SimpleNamespace(is_history_navigation=fake.by_history))
    return fake


def test_a_link_is_opened_and_an_ordinary_rerun_is_not(browser: FakeBrowser) -> None:
    assert browser.run("search", q="red", hx="push:search") == {"q": "red"}
    address.show({"q": "red"})
    assert browser.run("search", q="red") is None
    assert browser.run("video", id="a") == {"id": "a"}


def test_back_names_a_state_also_without_parameters_and_a_button_does_not(browser: FakeBrowser) -> None:
    browser.run("search", q="red")
    address.show({"q": "red"})
    assert browser.run("search", by_history=True) == {}
    assert browser.run("reel") is None


def test_a_rerun_with_an_older_url_does_not_undo_what_is_shown(browser: FakeBrowser) -> None:
    browser.run("search", q="red")
    address.show({"q": "red"})
    address.show({"q": "blue"})
    assert browser.run("search", q="red") is None
    address.show({"q": "blue"})
    assert browser.params["q"] == "blue"


def test_entries_are_added_and_details_replace(browser: FakeBrowser) -> None:
    browser.run("search")
    address.show({"q": None}, {"w": None})
    address.show({"q": "red"}, {"w": "1"})
    address.show({"q": "red"}, {"w": "2"})
    address.show({"q": "red"}, {"w": "2"})
    address.show({"q": "blue"}, {"w": "2"})
    assert browser.history == [{}, {"q": "red", "w": "2"}, {"q": "blue", "w": "2"}]
    assert address.last_url("search") == "/search?q=blue&w=2"


def test_what_an_opened_page_adds_to_its_url_is_no_entry(browser: FakeBrowser) -> None:
    browser.history = [{"q": "red"}]
    browser.run("search", q="red")
    address.show({"q": "red"}, {"w": "1"})
    assert browser.history == [{"q": "red", "w": "1"}]


def test_details_are_left_out_of_a_url_that_would_be_too_long(browser: FakeBrowser) -> None:
    browser.run("search")
    address.show({"q": "red"}, {"hide": "x" * address.MAX_CHARS})
    assert browser.history[-1] == {"q": "red"}


def test_addresses_are_encoded() -> None:
    assert address.url("home") == "/"
    assert address.url("video", id="a&b=c#", scene=None) == "/video?id=a%26b%3Dc%23"
    assert address.url("search", q="지난 가을") == "/search?q=%EC%A7%80%EB%82%9C+%EA%B0%80%EC%9D%84"


def test_a_page_that_is_asked_for_is_opened_though_it_is_shown(browser: FakeBrowser) -> None:
    browser.run("video", id="a")
    address.show({"id": "a"})
    state.set_address(None)  # as ui.page.switch_if_requested does
    assert browser.run("video", id="b") == {"id": "b"}
