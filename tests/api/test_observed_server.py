"""A whole server as its operator sees it: metrics of its library, and a log without secrets and texts."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from heimdex_core import logs
from heimdex_core.api.server import server_app
from heimdex_core.library import Library
from heimdex_core.search import runner
from heimdex_core.settings import Settings
from tests.support.frozen import frozen_library

WORDS = "yellow submarine"
METRICS_TOKEN = "metrics-token-0123456789"  # noqa: S105 - of this test


class Lines(logging.Handler):
    """Everything that is logged, as lines of JSON."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logs.JsonFormatter("serve"))
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))


@pytest.mark.expect_errors
def test_metrics_and_log_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(profile="offline", min_free_bytes=0, metrics_token=METRICS_TOKEN)
    root = logging.getLogger()
    lines = Lines()
    monkeypatch.setattr(root, "handlers", [*root.handlers, lines])
    monkeypatch.setattr(root, "level", logging.INFO)
    monkeypatch.setattr("heimdex_core.api.requests.counts", Counter())  # other tests have asked servers, too
    with Library.open(frozen_library(tmp_path / "library"), settings=settings) as library:
        secret = library.accounts.make_token("test", ("read",))[1]
        headers = {"Authorization": f"Bearer {secret}"}
        for_metrics = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        with TestClient(server_app(library, has_worker=False), base_url="http://localhost") as client:
            assert client.get("/metrics").status_code == 401
            client.get("/metrics", headers=for_metrics)  # searches are counted from here on
            link = client.post("/api/v1/search", json={"text": "flowers"}, headers=headers).json()["hits"][0][
                "thumbnail"
            ]
            monkeypatch.setattr(runner, "_timed", _defect)
            asked = client.post(
                "/api/v1/search", json={"text": WORDS}, headers={**headers, "X-Request-ID": "of-search"}
            )
            client.get(link)
            client.get(f"/api/v1/videos/none?q={quote(WORDS)}", headers=headers)
            client.post("/api/v1/search", json={"text": WORDS, "limit": "many"}, headers=headers)
            client.get("/api/v1/me", headers={"Authorization": "Bearer hdx_0123_no-such-secret"})
            monkeypatch.setattr("heimdex_core.api.metrics._KEEP_S", 0.0)
            found = client.get("/metrics", headers=for_metrics).text
    assert asked.headers["X-Request-ID"] == "of-search"
    # --- metrics
    assert 'heimdex_videos{state="indexed"} 2.0' in found
    assert "heimdex_library_up 1.0" in found
    assert 'heimdex_jobs{queue="ingest",state="waiting"} 1.0' in found
    assert 'heimdex_search_duration_seconds_count{part="total"} 1.0' in found
    assert 'heimdex_http_requests_total{method="POST",route="/api/v1/search",status="200"} 1.0' in found
    # --- the log
    said = [json.loads(line) for line in lines.written]
    requests = {(line["route"], line["status"]) for line in said if "route" in line}
    assert ("/api/v1/search", 200) in requests
    assert ("/api/v1/files/{token}", 200) in requests
    assert {line["request_id"] for line in said if "of-search" in line.get("request_id", "")} == {"of-search"}
    every = "\n".join(lines.written)
    token = link.rsplit("/", 1)[1]
    for hidden in (WORDS, quote(WORDS), secret, secret.rsplit("_", 1)[1], METRICS_TOKEN, token, "no-such-secret"):
        assert hidden not in every


def _defect(channel: object, request: object) -> None:
    raise RuntimeError(f"cannot look for {WORDS}")
