"""The small sentence model on a hub on this machine, and what the tests of downloads ask about it."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.models import families
from heimdex_core.models.download import hub, pull
from heimdex_core.models.download.pull import Puller
from heimdex_core.settings import Settings
from tests.support.fake_hub import FakeHub

SMALL = Path(__file__).resolve().parents[2] / "models_small"
REPO = "tiny/said"
WEIGHTS = "model.safetensors"
REVISION = "5a1d" * 10


def puller_of(running: FakeHub, settings: Settings, to: Path | None = None) -> Puller:
    return Puller(settings, to=to, hub=hub.Hub(running.endpoint, retry_wait_s=0.01))


def part_of(folder: Path) -> Path:
    (part,) = (folder / pull.PARTS).iterdir()
    return part


def is_usable(settings: Settings, name: str = REPO) -> bool:
    return families.is_there("text", f"sentence:{name}", settings.models_dir)
