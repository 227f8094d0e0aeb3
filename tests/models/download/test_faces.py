"""`models pull faces`: from the pinned commit, and only with the pinned content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from heimdex_core.errors import DownloadDamaged, DownloadUnexpected, HubRefused
from heimdex_core.models import families
from heimdex_core.models.download.plan import recorded
from heimdex_core.models.faces import finding, sface, yunet
from heimdex_core.models.faces.yunet import PULLED, REPOSITORY, model_file
from heimdex_core.settings import Settings
from tests.models.download.small_hub import puller_of
from tests.support.fake_hub import FakeHub, Mood, Repo, fake_hub

CONTENT = b"\x08\x07" * 10_000
ENCODER = b"\x08\x09" * 10_000
"""Large enough for the hub to list their sha256."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    pin(monkeypatch, CONTENT)
    repo = Repo({PULLED: CONTENT, "README.md": b"# YuNet", "demo.py": b""}, str(REPOSITORY.revision), licence="")
    encoder = Repo({sface.PULLED: ENCODER, "sface.py": b""}, str(sface.REPOSITORY.revision), licence="")
    with fake_hub(opencv__face_detection_yunet=repo, opencv__face_recognition_sface=encoder) as running:
        yield running


def pin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Expect other contents than the published ones; `content` is the detector's."""
    changed = {}
    for module, wanted in ((yunet, content), (sface, ENCODER)):
        sha256 = hashlib.sha256(wanted).hexdigest()
        pinned = replace(module.REPOSITORY, sha256={module.PULLED: sha256})
        assert module.FAMILY.hub is not None
        hub = replace(module.FAMILY.hub, repositories=lambda name, pinned=pinned: (pinned,))
        changed[module.FAMILY.name] = replace(module.FAMILY, hub=hub)
        monkeypatch.setattr(module, "FILES", {module.PULLED: (len(wanted), sha256)})
    monkeypatch.setattr(families, "FAMILIES", tuple(changed.get(one.name, one) for one in families.FAMILIES))


def test_detector_and_recogniser_are_downloaded_and_nothing_else(hub: FakeHub, settings: Settings) -> None:
    puller = puller_of(hub, settings)
    plan = puller.plan("faces")
    item, other = plan.items
    assert (item.kind, item.spec, item.revision) == ("face", "yunet:faces", REPOSITORY.revision)
    assert (other.kind, other.spec, other.revision) == ("face_encoder", "sface:faces", sface.REPOSITORY.revision)
    assert plan.licences == ("MIT", "Apache-2.0")
    assert plan.bytes_missing == len(CONTENT) + len(ENCODER)
    folder, second = puller.pull(plan)
    assert hub.asked_for() == {PULLED, sface.PULLED}
    assert sface.find("faces", settings.models_dir).path == second / sface.PULLED
    assert finding.are_there(settings)
    assert model_file(settings.models_dir) == folder / PULLED
    note = recorded(folder)
    assert note is not None
    assert note.files[PULLED]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert puller.plan("faces").bytes_missing == 0


def test_another_file_on_the_hub_is_refused_before_it_is_downloaded(hub: FakeHub, settings: Settings) -> None:
    hub.repos[REPOSITORY.repo].files[PULLED] = CONTENT + b"?"
    with pytest.raises(DownloadUnexpected, match=r"sha256 is [0-9a-f]{12}\.\.\. instead of [0-9a-f]{12}") as caught:
        puller_of(hub, settings).plan("faces")
    assert "HEIMDEX_MODELS_DIR" in caught.value.hint
    assert hub.asked_for() == set()


def test_another_content_than_the_listing_promises_is_removed(hub: FakeHub, settings: Settings) -> None:
    puller = puller_of(hub, settings)
    plan = puller.plan("faces")
    hub.mood = Mood(wrong_bytes=True)
    with pytest.raises(DownloadDamaged, match="sha256"):
        puller.pull(plan)
    assert model_file(settings.models_dir) is None


def test_a_hub_that_lists_no_checksums(hub: FakeHub, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.mood = Mood(no_sizes=True)
    puller = puller_of(hub, settings)
    puller.pull(puller.plan("faces"))
    assert model_file(settings.models_dir) is not None
    pin(monkeypatch, b"another file")
    with pytest.raises(DownloadDamaged, match="sha256"):
        puller.pull(puller.plan("faces", again=True))


def test_another_commit_is_not_taken(hub: FakeHub, settings: Settings) -> None:
    hub.repos[REPOSITORY.repo].revision = "0" * 40
    with pytest.raises(HubRefused, match="revision"):
        puller_of(hub, settings).plan("faces")


def test_who_has_the_detector_gets_the_recogniser_alone(hub: FakeHub, settings: Settings) -> None:
    puller = puller_of(hub, settings)
    puller.pull(puller.plan("yunet:faces"))
    plan = puller.plan("faces")
    assert [item.is_here for item in plan.items] == [True, False]
    assert plan.bytes_missing == len(ENCODER)
