"""deploy/compose.yaml fits itself and the code; whether its containers run is not tested here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from heimdex_core.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_services_wait_for_services_that_say_when_they_are_ready(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services.keys() == {"postgres", "storage", "bucket", "app", "worker"}
    for name, service in services.items():
        for other, about in service.get("depends_on", {}).items():
            is_task = about["condition"] == "service_completed_successfully"
            assert (services[other]["restart"] == "no") == is_task, (name, other)
            assert is_task or "healthcheck" in services[other], (name, other)


def test_volumes_and_configs_are_declared(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}
    assert used == set(compose["volumes"])
    named = {config["source"] for service in compose["services"].values() for config in service.get("configs", [])}
    assert named == set(compose["configs"])


def test_only_this_machine_reaches_the_ports(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_settings_exist(compose: dict[str, Any]) -> None:
    known = {f"HEIMDEX_{name.upper()}" for name in Settings.model_fields}
    for name in ("app", "worker"):
        given = {key for key in compose["services"][name]["environment"] if key.startswith("HEIMDEX_")}
        assert {"HEIMDEX_LIBRARY", "HEIMDEX_DATABASE_URL"} <= given <= known


def test_the_image_is_made_of_files_that_exist(compose: dict[str, Any]) -> None:
    build = compose["services"]["app"]["build"]
    root = (DEPLOY / build["context"]).resolve()
    lines = (root / build["dockerfile"]).read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1] if "=" not in word]
    assert "requirements-cluster.txt" in copied
    assert [name for name in copied if not (root / name).exists()] == []
