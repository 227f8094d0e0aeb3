"""Who is signed in, from the claims of a provider, and the providers of the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from ui.identity import FRESH_FOR_S, Identity, problem_of, providers_of

CLAIMS = {
    "is_logged_in": True,
    "iss": "https://id.example",
    "sub": "4711",
    "email": "mina@example.com",
    "email_verified": True,
    "name": "Mina Park",
    "iat": 1_000_000,
}
TABLE = {"client_id": "id", "client_secret": "secret", "server_metadata_url": "https://id.example/metadata"}
SECTION = {"redirect_uri": "https://videos.example/oauth2callback", "cookie_secret": "x" * 32}


def identity(**changes: Any) -> Identity:
    found = Identity.of({**CLAIMS, **changes})
    assert found is not None
    return found


# --- identities -----------------------------------------------------------------------------------


def test_the_claims_of_a_provider() -> None:
    found = identity()
    assert (found.key, found.email, found.email_verified, found.name) == (
        ("https://id.example", "4711"),
        "mina@example.com",
        True,
        "Mina Park",
    )


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {**CLAIMS, "is_logged_in": False},
        {**CLAIMS, "is_logged_in": "true"},
        {name: value for name, value in CLAIMS.items() if name != "is_logged_in"},  # headers of a proxy
        {**CLAIMS, "iss": ""},
        {**CLAIMS, "sub": None},
        {**CLAIMS, "sub": 4711},
    ],
)
def test_nobody_is_signed_in(claims: dict[str, Any]) -> None:
    assert Identity.of(claims) is None


@pytest.mark.parametrize(
    ("claim", "verified"), [(True, True), ("true", True), (False, False), ("false", False), (None, False), ("1", False)]
)
def test_an_address_is_verified_only_if_the_provider_says_so(claim: object, verified: bool) -> None:
    assert identity(email_verified=claim).email_verified is verified


def test_a_name_is_made_of_what_there_is() -> None:
    assert identity(name=None, preferred_username="mina").name == "mina"
    assert identity(name="").name == "mina@example.com"
    assert identity(name=None, email=None).name == ""


def test_a_sign_in_is_fresh_for_ten_minutes() -> None:
    assert FRESH_FOR_S == 600
    assert identity().is_fresh(1_000_599.0)
    assert not identity().is_fresh(1_000_600.0)
    assert not identity(iat=None).is_fresh(1_000_000.0)


# --- providers ------------------------------------------------------------------------------------


def titles(section: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.name, one.title) for one in providers_of(section)]


def test_one_provider_without_a_name_is_called_by_its_host() -> None:
    assert titles({**SECTION, **TABLE}) == [("default", "id.example")]
    google = "https://accounts.google.com/.well-known/openid-configuration"
    assert titles({**SECTION, **TABLE, "server_metadata_url": google}) == [("default", "Google")]


def test_several_providers_in_their_order_with_their_titles() -> None:
    section = {
        **SECTION,
        "keycloak": {**TABLE, "title": "회사 계정"},
        "okta": TABLE,
        "client_kwargs": {"scope": "openid"},
    }
    assert titles(section) == [("keycloak", "회사 계정"), ("okta", "Okta")]
    assert problem_of(section) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"redirect_uri": None}, "no redirect_uri"),
        ({"redirect_uri": "https://videos.example/"}, "/oauth2callback"),
        ({"cookie_secret": ""}, "no cookie_secret"),
        ({"cookie_secret": "x" * 31}, "shorter than 32"),
        ({"client_id": None}, "names no provider"),
        ({"client_secret": None}, "default in .streamlit/secrets.toml lacks client_secret"),
        ({"client_id": None, "my_idp": TABLE}, "underscore"),
        ({"client_id": None, "idp": {"client_id": "x"}}, "lacks client_secret, server_metadata_url"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in problem_of({**SECTION, **TABLE, **changes})
