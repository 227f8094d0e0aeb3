"""Access tokens of a sign-in service: which are accepted, which are not, and what happens while it is away."""

from __future__ import annotations

import base64
import hmac
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from heimdex_core.api.oidc import AGAIN_S, KEYS_S, LEEWAY_S, BearerTokens, fetch_json
from heimdex_core.errors import EmailNotVerified, SignInUnavailable, TokenExpired, TokenInvalid
from heimdex_core.settings import Settings
from heimdex_core.types import User, utc_now
from tests.api.conftest import make_api
from tests.ui.fakes import Clock

ISSUER, AUDIENCE = "https://id.example/realm", "heimdex"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
AT = 1_000_000.0


class Provider:
    """A sign-in service: its documents by address, and how often they were asked for."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSA, EC]
        self.issuer = ISSUER
        self.is_away = False
        self.asked = 0

    def fetch(self, address: str) -> Mapping[str, Any]:
        if self.is_away:
            raise OSError("no route to host")
        if address == f"{ISSUER}/.well-known/openid-configuration":
            self.asked += 1
            return {"issuer": self.issuer, "jwks_uri": f"{ISSUER}/keys"}
        assert address == f"{ISSUER}/keys"
        return KeySet(self.keys).as_dict(private=False)


class SignedIn:
    """Stands for Library.accounts.sign_in."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, issuer: str, subject: str, email: str | None, email_verified: bool, name: str) -> User:
        self.calls.append((issuer, subject, email, email_verified, name))
        return User(f"user-{subject}", "", None, "member", utc_now(), None)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> Clock:
    return Clock(AT)


@pytest.fixture
def tokens(provider: Provider, clock: Clock) -> BearerTokens:
    return BearerTokens(ISSUER, AUDIENCE, fetch=provider.fetch, now=clock)


def token(key: Any = RSA, algorithm: str = "RS256", header: Mapping[str, Any] | None = None, **changed: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "exp": AT + 300, "iat": AT}
    claims |= {"email": "m@example.com", "email_verified": True}
    claims = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    found = {"alg": algorithm, "kid": key.kid, **(header or {})}
    return jwt.encode({k: v for k, v in found.items() if v is not None}, claims, key, algorithms=[algorithm])


def test_a_token_of_the_service_is_its_users(tokens: BearerTokens) -> None:
    sign_in = SignedIn()
    given = token(email_verified=True, name="Mina")
    assert tokens.principal(given, sign_in).user_id == "user-7"
    assert sign_in.calls == [(ISSUER, "7", "m@example.com", True, "Mina")]
    tokens.principal(given, sign_in)
    assert len(sign_in.calls) == 1, "it is known for a minute"
    other = token(EC, "ES256", aud=["other", AUDIENCE], email_verified="true")
    assert tokens.principal(other, sign_in).user_id == "user-7"
    assert sign_in.calls[-1] == (ISSUER, "7", "m@example.com", True, "")


@pytest.mark.parametrize("changed", [{"email_verified": None}, {"email_verified": "yes"}, {"email": None}], ids=str)
def test_nobody_is_let_in_without_a_verified_address(tokens: BearerTokens, changed: dict[str, Any]) -> None:
    sign_in = SignedIn()
    with pytest.raises(EmailNotVerified):
        tokens.principal(token(**changed), sign_in)
    assert sign_in.calls == []


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another program"}, {"aud": None}, {"sub": None},
        {"exp": None}, {"nbf": AT + LEEWAY_S + 10}, {"iat": AT + LEEWAY_S + 10}, {"exp": "never"},
    ],
    ids=str,
)  # fmt: skip
def test_other_claims_are_refused(tokens: BearerTokens, changed: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        tokens.principal(token(**changed), SignedIn())


def test_clocks_may_differ_by_a_minute(tokens: BearerTokens, clock: Clock) -> None:
    given = token(exp=AT - LEEWAY_S + 1, nbf=AT + LEEWAY_S - 1)
    assert tokens.principal(given, SignedIn()).user_id == "user-7"
    clock.at = AT + 1
    for one in (given, token(exp=AT - LEEWAY_S)):
        with pytest.raises(TokenExpired):
            tokens.principal(one, SignedIn())


def with_public_key_as_secret() -> str:
    """A token that is signed with what everybody knows."""
    parts = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa"}').decode().rstrip("=") + "." + token().split(".")[1]
    mac = hmac.new(RSA.as_pem(private=False), parts.encode(), "sha256").digest()
    return f"{parts}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def test_other_signatures_are_refused(tokens: BearerTokens) -> None:
    unsigned = token().rpartition(".")[0] + "."
    none = "eyJhbGciOiJub25lIn0." + token().split(".")[1] + "."
    header, claims, signature = token().split(".")
    for given in (
        token(STRANGER),
        with_public_key_as_secret(),
        unsigned,
        none,
        f"{header}.{claims}.{signature[:-4]}AAAA",
        "a.b.c",
        "x" * 20_000,
    ):
        with pytest.raises(TokenInvalid):
            tokens.principal(given, SignedIn())


def test_new_keys_are_found_and_old_ones_forgotten(tokens: BearerTokens, provider: Provider, clock: Clock) -> None:
    new = RSAKey.generate_key(2048, {"kid": "new"})
    tokens.principal(token(), SignedIn())
    provider.keys = [new]
    with pytest.raises(TokenInvalid):
        tokens.principal(token(new), SignedIn())  # it has been asked a moment ago
    assert provider.asked == 1
    clock.at += AGAIN_S + 1
    assert tokens.principal(token(new), SignedIn()).user_id == "user-7"
    clock.at += KEYS_S + 1
    with pytest.raises(TokenInvalid):
        tokens.principal(token(exp=clock.at + 60, iat=clock.at), SignedIn())
    assert provider.asked >= 3


def test_while_the_service_is_away_known_keys_stay(tokens: BearerTokens, provider: Provider, clock: Clock) -> None:
    provider.is_away = True
    with pytest.raises(SignInUnavailable):
        tokens.principal(token(), SignedIn())
    provider.is_away = False
    tokens.principal(token(), SignedIn())
    provider.is_away = True
    clock.at += KEYS_S + 1
    assert tokens.principal(token(exp=clock.at + 60), SignedIn()).user_id == "user-7"


class NoticedLock:
    """A lock that says when a second thread wants it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self.is_awaited = threading.Event()

    def __enter__(self) -> None:
        self._wanted += 1
        if self._wanted == 2:
            self.is_awaited.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_service_that_is_away_is_awaited_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ends: list[str] = []

    def ask() -> None:
        try:
            tokens.principal(token(), SignedIn())
        except SignInUnavailable as error:
            ends.append(error.code)

    def fetch(address: str) -> Mapping[str, Any]:
        asked.append(address)
        if len(asked) == 1:
            other.start()
            assert lock.is_awaited.wait(60)
        raise OSError("no route to host")

    tokens, lock, other = (
        BearerTokens(ISSUER, AUDIENCE, fetch=fetch, now=clock),
        NoticedLock(),
        threading.Thread(target=ask),
    )
    monkeypatch.setattr(tokens, "_keys_lock", lock)
    ask()
    other.join()
    assert ends == ["SIGN_IN_UNAVAILABLE"] * 2
    assert len(asked) == 1
    ask()
    assert len(asked) == 2, "later requests ask again"


def test_a_service_that_calls_itself_otherwise_is_not_believed(tokens: BearerTokens, provider: Provider) -> None:
    provider.issuer = "https://evil.example"
    with pytest.raises(SignInUnavailable):
        tokens.principal(token(), SignedIn())


# --- over the network -----------------------------------------------------------------------------


@pytest.fixture
def address() -> Iterator[str]:
    """A server that answers with JSON that is no object at /list, with an error at /error, with text at /text."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500 if self.path == "/error" else 302 if self.path == "/away" else 200)
            self.send_header("Location", "/object")
            self.end_headers()
            self.wfile.write({"/object": b'{"a": 1}', "/list": b"[1]"}.get(self.path, b"text"))

        def log_message(self, *given: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_no_json_object_is_an_error(address: str) -> None:
    assert fetch_json(f"{address}/object") == {"a": 1}
    for path in ("/list", "/error", "/text", "/away"):
        with pytest.raises((OSError, ValueError)):
            fetch_json(address + path)
    with pytest.raises(OSError, match=r"."):
        fetch_json("http://127.0.0.1:1/nobody")


def test_the_api_takes_them_if_the_settings_name_the_service(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        profile="offline",
        min_free_bytes=0,
        api_requests_per_minute=0,
        oidc_issuer=ISSUER,
        oidc_audience=AUDIENCE,
        sign_in_allowed=("@example.com",),
    )
    api = make_api(tmp_path / "library", settings)
    try:
        now = utc_now().timestamp()
        headers = {"Authorization": f"Bearer {token(exp=now + 60, iat=now, email_verified=True, name='Mina')}"}
        monkeypatch.setattr("heimdex_core.api.oidc.fetch_json", provider.fetch)
        provider.is_away = True
        away = api.get("/me", None, headers=headers)
        assert (away.status_code, away.json()["code"]) == (503, "SIGN_IN_UNAVAILABLE")
        provider.is_away = False
        me = api.get("/me", None, headers=headers).json()
        assert (me["name"], me["email"], me["role"]) == ("Mina", "m@example.com", "member")
        assert api.get("/videos", None, headers=headers).json()["items"] == []
        eve: dict[str, Any] = {"exp": now + 60, "iat": now, "sub": "8", "email": "eve@elsewhere.example"}
        for verified, code in ((True, "SIGN_IN_NOT_ALLOWED"), (False, "EMAIL_NOT_VERIFIED")):
            bearer = f"Bearer {token(email_verified=verified, **eve)}"
            refused = api.get("/me", None, headers={"Authorization": bearer})
            assert (refused.status_code, refused.json()["code"]) == (403, code)
        assert api.get("/videos").status_code == 200, "tokens of the library need no sign-in service"
    finally:
        api.library.close()


def test_an_issuer_needs_an_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_OIDC_ISSUER", ISSUER)
    with pytest.raises(ValueError, match="HEIMDEX_OIDC_AUDIENCE"):
        Settings()
