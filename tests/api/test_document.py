"""The examples of docs/api.md are run, with curl and with the Python client, against a server on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from heimdex_core.api.server import server_app
from tests.api.conftest import SCENE, make_api, serving
from tests.support.docs import DOCS, ROOT, blocks
from tests.support.frozen import SPOKEN, SUBTITLED

EXAMPLES = blocks((DOCS / "api.md").read_text(encoding="utf-8"))


@dataclass
class Served:
    """A running server, and an environment for programs that ask it."""

    environment: dict[str, str]
    folder: Path

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("document")
    api = make_api(folder / "library")
    source = api.library.playable_path(api.library.video(SPOKEN))
    assert source is not None
    for name, more in (("talk.mp4", b"\0"), ("walk.mp4", b"\0\0")):
        (folder / name).write_bytes(Path(source).read_bytes() + more)
    # curl is quiet, and fails where the server refuses
    (folder / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n", encoding="utf-8")
    with serving(server_app(api.library, has_worker=False)) as address:
        environment = {
            **os.environ,
            "SERVER": address,
            "API": f"{address}/api/v1",
            "TOKEN": api.tokens["owner"],
            "VIDEO_ID": SUBTITLED,
            "SCENE_ID": SCENE,
            "CURL_HOME": str(folder),
            "PYTHONPATH": str(ROOT),
        }
        yield Served(environment, folder)
    api.library.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_examples_with_curl(served: Served) -> None:
    shell = [block.text for block in EXAMPLES if block.language == "sh"]
    assert len(shell) == 10
    printed = served.run("bash", "-euo", "pipefail", "-c", "\n".join(shell))
    for part in ('"scopes":["read"', '"view_token"', "event: done", '"title":"A walk"', '"state":"cancelled"'):
        assert part in printed


def test_the_examples_in_python(served: Served) -> None:
    (example,) = [block.text for block in EXAMPLES if block.language == "python"]
    printed = served.run(sys.executable, "-c", example)
    assert "A red sky over the sea" in printed
    assert printed.endswith("validating None\npending\n")
