"""An OpenID provider on this machine: a page with its people as links, and the faults that a test chooses.

It does what OpenID Connect Core 1.0 asks for with the code flow, and nothing else: discovery, authorization, token,
keys and RP-initiated logout. Secrets of clients are not checked.
"""

from __future__ import annotations

import contextlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "heimdex-tests"
Fault = Literal["down", "expired", "future", "nonce", "signature", "no_token"]


@dataclass
class Provider:
    """The provider as a test sees it.

    Attributes:
        address: of its server; also the issuer.
        people: the claims of who can sign in, by what the page calls them; `sub` is that name where it is not given.
        fault: what is wrong with all answers: "down" closes connections, "no_token" refuses every code, the others
            make ID tokens that have expired, are of the future, have another nonce, or are signed with another key.
        seen: the queries of the requests for authorization.
    """

    address: str
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    fault: Fault | None = None
    seen: list[dict[str, str]] = field(default_factory=list)

    def secrets_toml(self, title: str = "Test provider") -> str:
        """The content of .streamlit/secrets.toml with which the app uses it."""
        return "\n".join(
            (
                "[auth]",
                'redirect_uri = "http://localhost:{port}/oauth2callback"',
                f'cookie_secret = "{"a secret for the tests only " * 2}"',
                f'client_id = "{CLIENT_ID}"',
                'client_secret = "not checked"',
                f'server_metadata_url = "{self.address}/.well-known/openid-configuration"',
                f'title = "{title}"',
            )
        )


@contextlib.contextmanager
def running_provider(**people: dict[str, Any]) -> Iterator[Provider]:
    """A provider for the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    provider = Provider(f"http://localhost:{server.server_port}", dict(people))
    server.state = _State(provider)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="oidc-provider", daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _State:
    """What the requests have in common."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.other_key = RSAKey.generate_key(2048, {"kid": "one"})
        self.codes: dict[str, tuple[str, str]] = {}
        """(person, nonce) by code; each is good for one token."""

    def id_token(self, person: str, nonce: str) -> str:
        fault, now = self.provider.fault, int(time.time())
        issued_at = {"expired": now - 7200, "future": now + 7200}.get(str(fault), now)
        claims = {
            "iss": self.provider.address,
            "aud": CLIENT_ID,
            "sub": person,
            "iat": issued_at,
            "exp": issued_at + 3600,
            "nonce": "another" if fault == "nonce" else nonce,
            **self.provider.people[person],
        }
        key = self.other_key if fault == "signature" else self.key
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


class _Handler(BaseHTTPRequestHandler):
    @property
    def _state(self) -> _State:
        state: _State = self.server.state  # type: ignore[attr-defined]
        return state

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
        pass

    def handle_one_request(self) -> None:
        if self._state.provider.fault == "down":
            self.close_connection = True
            return
        super().handle_one_request()

    def do_GET(self) -> None:  # noqa: N802
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        address = self._state.provider.address
        if url.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": address,
                    "authorization_endpoint": f"{address}/authorize",
                    "token_endpoint": f"{address}/token",
                    "jwks_uri": f"{address}/keys",
                    "end_session_endpoint": f"{address}/end-session",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        elif url.path == "/keys":
            self._json({"keys": [self._state.key.as_dict(private=False)]})
        elif url.path == "/authorize":
            self._state.provider.seen.append(query)
            self._choice(query)
        elif url.path == "/chosen":
            self._chosen(query)
        elif url.path == "/end-session":
            self._redirect(query["post_logout_redirect_uri"])
        else:
            self.send_error(404)

    def do_POST(self) -> None:  # noqa: N802
        form = parse_qs(self.rfile.read(int(self.headers.get("content-length", 0))).decode())
        code = self._state.codes.pop(form.get("code", [""])[0], None)
        if self.path != "/token" or code is None or self._state.provider.fault == "no_token":
            self._json({"error": "invalid_grant"}, 400)
            return
        token = {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 3600}
        self._json({**token, "id_token": self._state.id_token(*code)})

    def _choice(self, query: dict[str, str]) -> None:
        links = [
            f'<p><a href="/chosen?{html.escape(urlencode({**query, "person": person}))}">{html.escape(person)}</a></p>'
            for person in (*self._state.provider.people, "Refuse")
        ]
        self._send(200, f"<!doctype html><title>Provider</title>{''.join(links)}".encode(), "text/html; charset=utf-8")

    def _chosen(self, query: dict[str, str]) -> None:
        answer = {"state": query["state"]}
        if query["person"] == "Refuse":
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe()
            self._state.codes[answer["code"]] = query["person"], query["nonce"]
        self._redirect(f"{query['redirect_uri']}?{urlencode(answer)}")

    def _redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
