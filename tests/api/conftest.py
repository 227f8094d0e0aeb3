"""The API over the library of version 1, with the tokens of several users."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from heimdex_core.api.app import create_app, http_problem
from heimdex_core.api.links import Links
from heimdex_core.api.mounting import api_routes, with_cors
from heimdex_core.api.rate_limit import RateLimiter
from heimdex_core.api.services import Services
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import QueueDepth, WorkerActivity
from tests.support.frozen import SUBTITLED, frozen_library
from tests.ui.fakes import Clock

SCENE = f"{SUBTITLED}_0_1000"


class Queue:
    """Takes jobs and never does them."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, str]] = []

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str:
        return self._enqueue("ingest", video_id)

    def enqueue_reel(self, export_id: str) -> str:
        return self._enqueue("export", export_id)

    def enqueue_reindex(self) -> str:
        return self._enqueue("reindex", "library")

    def enqueue_migration(self, set_id: int) -> str:
        return self._enqueue("migration", str(set_id))

    def enqueue_sweep(self, sweep_id: str) -> str:
        return self._enqueue("sweep", sweep_id)

    def enqueue_faces(self, scan_id: str) -> str:
        return self._enqueue("faces", scan_id)

    def cancel(self, *job_ids: str) -> None:
        return

    def check(self, *, timeout_s: float) -> None:
        return

    def depths(self) -> list[QueueDepth]:
        return []

    def workers(self) -> list[WorkerActivity]:
        return []

    def _enqueue(self, kind: str, subject: str) -> str:
        self.jobs.append((kind, subject))
        return f"{kind}-{subject}-{len(self.jobs)}"


@dataclass
class Api:
    """The API in this process, and the tokens of users by name: "owner" (who has the videos), "other"."""

    library: Library
    services: Services
    links: Links
    app: Starlette
    client: TestClient
    clock: Clock
    tokens: dict[str, str] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)

    def ask(self, method: str, path: str, who: str | None = "owner", **more: Any) -> Any:
        """The answer to a request for a path below /api/v1."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers.setdefault("Authorization", f"Bearer {self.tokens[who]}")
        return self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    def get(self, path: str, who: str | None = "owner", **more: Any) -> Any:
        return self.ask("GET", path, who, **more)

    def post(self, path: str, json: Any = None, who: str | None = "owner", **more: Any) -> Any:
        return self.ask("POST", path, who, json={} if json is None else json, **more)

    def user(self, name: str, *scopes: str) -> Library:
        """A user who has signed in, and whose token has these scopes."""
        found = self.library.accounts.sign_in("https://id.example", name, f"{name}@example.com", True, name)
        library = self.library.as_user(found.user_id)
        self.tokens[name] = library.accounts.make_token("test", scopes or ("read", "write"))[1]
        return library


def make_api(folder: Path, settings: Settings | None = None, origins: tuple[str, ...] | None = None) -> Api:
    """The API over the library of version 1, unpacked into a folder."""
    settings = settings or Settings(profile="offline", min_free_bytes=0, api_requests_per_minute=0)
    library = Library.open(frozen_library(folder), settings=settings)
    queue, clock = Queue(), Clock(0.0)
    library.queue = queue
    links = Links("secret of the test", library.path, file_ttl_s=3600, upload_ttl_s=900)
    limiter = RateLimiter(settings.api_requests_per_minute, clock)
    services = Services(lambda: library, lambda: links, poll_s=0.01, stream_s=1.0, limiter=limiter)
    routes = api_routes(with_cors(create_app(services), origins))
    app = Starlette(routes=routes, exception_handlers={HTTPException: http_problem})
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    api = Api(library, services, links, app, client, clock, queue=queue)
    api.tokens["owner"] = library.accounts.make_token("test", ("read", "write", "admin"))[1]
    return api


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The address of an application while it is served on this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # who asks too early waits
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = make_api(tmp_path_factory.mktemp("api") / "library")
    yield made
    made.library.close()
