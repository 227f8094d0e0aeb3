"""`models pull ocr`: from another host than the hub, without a listing, and only with the pinned content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from heimdex_core.errors import DownloadDamaged
from heimdex_core.models import families
from heimdex_core.models.download.hub import Hub
from heimdex_core.models.download.pull import Puller
from heimdex_core.models.ocr import rapid
from heimdex_core.models.ocr.rapid import PULLED, REPOSITORY
from heimdex_core.settings import Settings
from tests.support.fake_hub import FakeHub, Mood, Repo, fake_hub

CONTENT = b"\x08\x07" * 10_000


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Another host than the hub that is asked for listings, which nobody answers."""
    with fake_hub(RapidAI__RapidOCR=Repo({PULLED: CONTENT}, str(REPOSITORY.revision), licence="")) as running:
        sha256 = {PULLED: hashlib.sha256(CONTENT).hexdigest()}
        pinned = replace(REPOSITORY, sha256=sha256, size_bytes=len(CONTENT), endpoint=running.endpoint)
        assert rapid.FAMILY.hub is not None
        family = replace(rapid.FAMILY, hub=replace(rapid.FAMILY.hub, repositories=lambda name: (pinned,)))
        kept = tuple(family if one.name == "rapidocr" else one for one in families.FAMILIES)
        monkeypatch.setattr(families, "FAMILIES", kept)
        monkeypatch.setattr(rapid, "REPOSITORY", pinned)
        yield running


@pytest.fixture
def puller(settings: Settings) -> Puller:
    return Puller(settings, hub=Hub("http://127.0.0.1:9", retry_wait_s=0.01))


def test_the_recogniser_is_downloaded_without_the_hubs_token(
    host: FakeHub, puller: Puller, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    plan = puller.plan("ocr")
    (item,) = plan.items
    assert (item.kind, item.spec, item.revision, item.licence) == ("ocr", "rapidocr:ocr", "v3.10.0", "Apache-2.0")
    assert plan.bytes_missing == len(CONTENT)
    (folder,) = puller.pull(plan)
    assert rapid.find("ocr", settings.models_dir).folder == folder
    assert host.asked_for() == {PULLED}
    assert not any(request.authorization for request in host.requests)
    assert puller.plan("ocr").bytes_missing == 0


def test_another_content_is_removed(host: FakeHub, puller: Puller, settings: Settings) -> None:
    host.mood = Mood(wrong_bytes=True)
    with pytest.raises(DownloadDamaged, match="sha256"):
        puller.pull(puller.plan("ocr"))
    assert not families.is_there("ocr", "rapidocr:ocr", settings.models_dir)
