"""Server-sent events: what a client would see if it asked again and again, sent when it changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
from anyio import to_thread
from fastapi.sse import ServerSentEvent

from heimdex_core.api.services import Services
from heimdex_core.errors import HeimdexError
from heimdex_core.schemas.shapes import Shape

RETRY_MS = 2000


async def changes(
    services: Services, look: Callable[[], Shape], is_over: Callable[[Shape], bool]
) -> AsyncIterator[ServerSentEvent]:
    """An event "progress" for every change, "done" for the last one, "error" where it can no longer be seen.

    The stream ends after `services.stream_s` in any case, so that connections of clients that are gone are not kept.
    """
    shown: Shape | None = None
    left_s, number = services.stream_s, 0
    while left_s > 0:
        try:
            found = await to_thread.run_sync(look)
        except HeimdexError as error:
            yield ServerSentEvent(data=error.to_dict(), event="error", id=str(number))
            return
        over = is_over(found)
        if found != shown or over:
            number += 1
            name = "done" if over else "progress"
            yield ServerSentEvent(
                raw_data=found.model_dump_json(), event=name, id=str(number), retry=RETRY_MS if shown is None else None
            )
            shown = found
        if over:
            return
        await anyio.sleep(services.poll_s)
        left_s -= services.poll_s
