"""Bearer tokens of a sign-in service: JSON Web Tokens, checked by the public keys that OpenID Connect Discovery names.

Accepted are signatures of asymmetric keys only, of the issuer and for the audience of the settings, with a leeway of a
minute for clocks that differ. Keys are kept for ten minutes, and asked for again earlier, but at most once a minute,
when a token names a key that is not among them. While the service cannot be reached, keys that are known stay in use.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from heimdex_core.errors import EmailNotVerified, SignInUnavailable, TokenExpired, TokenInvalid
from heimdex_core.settings import Settings
from heimdex_core.types import Principal, User

_LOG = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 60
KEYS_S = 600.0
AGAIN_S = 60.0
_TIMEOUT_S = 5.0
_MAX_TOKEN_CHARS = 16_000
_KEPT_S = 60.0
"""So long a token is not checked again; one that expires earlier is."""


class SignIn(Protocol):
    """Library.accounts.sign_in."""

    def __call__(self, issuer: str, subject: str, email: str | None, email_verified: bool, name: str) -> User: ...


Fetch = Callable[[str], Mapping[str, Any]]
"""Returns the JSON object at an address; raises OSError or ValueError."""


class BearerTokens:
    """Checks the tokens of one issuer. Safe to share between threads.

    Args:
        issuer: its address, as in the claim iss.
        audience: what the claim aud has to name.
        fetch: asks the issuer.
        now: seconds since 1970.
    """

    def __init__(self, issuer: str, audience: str, *, fetch: Fetch, now: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._audience = audience
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._keys_lock = threading.Lock()
        self._keys: KeySet | None = None
        self._failures = 0
        self._asked_at = float("-inf")
        self._known: TTLCache[str, tuple[Principal, float]] = TTLCache(1000, _KEPT_S, timer=now)

    @classmethod
    def of(cls, settings: Settings) -> BearerTokens:
        """As the settings have it."""
        return cls(settings.oidc_issuer or "", settings.oidc_audience or "", fetch=fetch_json)

    def principal(self, token: str, sign_in: SignIn) -> Principal:
        """Whose token it is; a user who comes for the first time is made.

        Raises TokenInvalid, TokenExpired, SignInUnavailable, EmailNotVerified.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            raise TokenInvalid()
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._lock:
            found, ends_at = self._known.get(digest, (None, 0.0))
        if found is not None and self._now() < ends_at:
            return found
        claims = self._claims(token)
        email = _text(claims.get("email"))
        # some services send it as text
        if email is None or claims.get("email_verified") not in (True, "true"):
            raise EmailNotVerified()  # as in the browser: nobody uses the library without one
        name = _text(claims.get("name")) or _text(claims.get("preferred_username")) or ""
        user = sign_in(self._issuer, str(claims["sub"]), email, True, name)
        principal = Principal(user.user_id, ("read", "write", "admin"))
        with self._lock:
            self._known[digest] = principal, float(claims["exp"]) + LEEWAY_S
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        registry = JWTClaimsRegistry(
            now=lambda: int(self._now()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            try:
                claims = jwt.decode(token, self._key_set(), algorithms=list(ALGORITHMS)).claims
            except InvalidKeyIdError:
                claims = jwt.decode(token, self._key_set(is_missing_one=True), algorithms=list(ALGORITHMS)).claims
            registry.validate(claims)
        except ExpiredTokenError:
            raise TokenExpired(expired_at=str(claims.get("exp"))) from None
        except (JoseError, ValueError, TypeError):
            raise TokenInvalid() from None
        return dict(claims)

    def _key_set(self, *, is_missing_one: bool = False) -> KeySet:
        """The keys of the issuer. Raises SignInUnavailable where it was never reached."""
        failures = self._failures
        with self._keys_lock:
            if self._keys is None and self._failures != failures:
                # asked in vain while this request waited: else all would wait for the issuer, one after the other
                raise SignInUnavailable(issuer=self._issuer)
            age_s = self._now() - self._asked_at
            if self._keys is None or age_s > KEYS_S or (is_missing_one and age_s > AGAIN_S):
                self._asked_at = self._now()
                try:
                    about = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                    if about.get("issuer") != self._issuer:
                        raise ValueError("it names another issuer")
                    self._keys = KeySet.import_key_set({"keys": list(self._fetch(str(about["jwks_uri"]))["keys"])})
                except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
                    _LOG.warning("the keys of %s cannot be read: %s", self._issuer, error)
                    self._failures += 1
                    if self._keys is None:
                        self._asked_at = float("-inf")
                        raise SignInUnavailable(issuer=self._issuer) from error
            return self._keys


def fetch_json(address: str) -> Mapping[str, Any]:
    """The JSON object at an address. Raises OSError, ValueError."""
    import httpx2

    try:
        answer = httpx2.get(address, timeout=_TIMEOUT_S, follow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except httpx2.HTTPError as error:
        raise OSError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
