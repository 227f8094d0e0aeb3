"""A small model for a hub on this machine, and what tests of downloads ask about it."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.models import catalogue
from heimdex_core.models.download import hub
from heimdex_core.models.download import pull as pulling
from heimdex_core.models.download.pull import Puller
from heimdex_core.settings import Settings
from tests.support.fake_hub import FakeHub

SMALL = Path(__file__).resolve().parents[1] / "models_small"
SAID = "tiny/said"
WEIGHTS = "model.safetensors"
REVISION = "5a1d" * 10


def puller_of(there: FakeHub, settings: Settings, to: Path | None = None) -> Puller:
    return Puller(settings, to=to, hub=hub.Hub(there.endpoint, retry_wait_s=0.01))


def part_of(folder: Path) -> Path:
    (part,) = (folder / pulling.PARTS).iterdir()
    return part


def is_usable(settings: Settings, name: str = SAID) -> bool:
    return catalogue.is_there("text", f"sentence:{name}", settings.models_dir)
