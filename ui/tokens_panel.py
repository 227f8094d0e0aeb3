"""The part of the settings about tokens: the keys with which other programs use the library as the user."""

from __future__ import annotations

from typing import Any

from heimdex_core.library import Library
from heimdex_core.library.accounts import MAX_NAME_CHARS
from heimdex_core.types import SCOPES, Token, utc_now
from ui import page, resources, state
from ui.components import tokens_panel
from ui.i18n import t, tn

EXPIRY_DAYS = (30, 90, 365)
DEFAULT_EXPIRY = "90"
NEVER = "never"
_DAY_S = 24 * 3600
_LABELS = (
    "heading", "text", "secret", "copy", "copied", "done", "once", "name", "name_hint", "scopes", "made", "used",
    "expires", "valid_for", "expired", "never_used", "never_expires", "revoke", "revoke_sure", "keep", "make",
)  # fmt: skip


@page.error_boundary
def draw() -> None:
    """Draw the list, the form, and the secret that has just been made."""
    library = resources.library()
    page.show_flash("tokens")
    tokens_panel("hx_tokens", data_of(library), {"make": make, "revoke": revoke, "done": lambda _: forget()})


def data_of(library: Library) -> dict[str, Any]:
    """What the component shows."""
    scopes = SCOPES if library.accounts.is_admin else tuple(scope for scope in SCOPES if scope != "admin")
    made = state.made_token()
    return {
        "tokens": [_row(token) for token in library.accounts.tokens()],
        "made": {"id": made[0].token_id, "title": t("tokens.made_title", name=made[0].name), "secret": made[1]}
        if made
        else None,
        "scopes": [[scope, t(f"tokens.scope.{scope}")] for scope in scopes],
        "expiries": [*([str(days), tn("tokens.days", days)] for days in EXPIRY_DAYS), [NEVER, t("tokens.never")]],
        "expiry": DEFAULT_EXPIRY,
        "max_name": MAX_NAME_CHARS,
        "labels": {name: t(f"tokens.{name}") for name in _LABELS}
        | {"revoke_name": t("tokens.revoke_name", name="{name}")},
    }


def make(value: Any) -> None:
    """Make a token: {"name", "scopes", "expiry": days or NEVER}. Its secret is shown until the page is left."""
    days = None if value["expiry"] == NEVER else int(value["expiry"])
    scopes = [str(scope) for scope in value["scopes"]]
    made = resources.library().accounts.make_token(str(value["name"]), scopes, days and days * _DAY_S)
    state.set_made_token(made)


def revoke(value: Any) -> None:
    """Make a token invalid."""
    resources.library().accounts.revoke_token(str(value))
    made = state.made_token()
    if made and made[0].token_id == value:
        forget()


def forget() -> None:
    """Show the secret no longer."""
    state.set_made_token(None)


def _row(token: Token) -> dict[str, Any]:
    return {
        "id": token.token_id,
        "name": token.name,
        "scopes": ", ".join(t(f"tokens.scope.{scope}") for scope in token.scopes),
        "created_at": token.created_at.isoformat(),
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "expired": token.expires_at is not None and token.expires_at <= utc_now(),
    }
