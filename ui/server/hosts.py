"""The check of hosts (heimdex_core/api/hosts.py) as the app answers: a page for browsers, in their language."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from heimdex_core.api import hosts
from heimdex_core.errors import HostRefused
from ui.i18n import describe_error, pick_language
from ui.server.responses import error_response, html_page


class HostCheck(hosts.HostCheck):
    """ASGI middleware; see heimdex_core/api/hosts.py."""

    def refusal(self, scope: Scope, host: str) -> Response:
        """A page for browsers, else JSON as from the other routes; in the browser's language."""
        headers = Headers(scope=scope)
        accepted = (one.partition(";")[0].strip() for one in headers.get("accept-language", "").split(","))
        language = pick_language(*accepted)
        error = HostRefused(host=host)
        if "text/html" not in headers.get("accept", ""):
            return error_response(error, language)
        message, hint = describe_error(error.to_dict(), language)
        return html_page(language, message, hint, f"<code>{error.code}</code>")
