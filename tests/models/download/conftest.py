"""A hub on this machine with one small model, and a Puller that downloads from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.models.download.pull import Puller
from heimdex_core.settings import Settings
from tests.models.download.small_hub import REVISION, SMALL, puller_of
from tests.support.fake_hub import FakeHub, Repo, fake_hub


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HEIMDEX_MODELS_DIR", raising=False)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub(tiny__said=Repo.of(SMALL / "sentences", REVISION)) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models", device="cpu")


@pytest.fixture
def puller(hub: FakeHub, settings: Settings) -> Puller:
    return puller_of(hub, settings)
