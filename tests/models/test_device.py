from __future__ import annotations

import pytest
import torch

from heimdex_core.errors import DeviceUnavailable, InvalidValue
from heimdex_core.models import device
from heimdex_core.models.device import choose_device, gpu_count, has_fast_bf16


def test_the_cpu_can_always_be_used() -> None:
    assert choose_device("cpu") == "cpu"
    assert isinstance(has_fast_bf16("cpu"), bool)
    assert gpu_count() >= 0


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu() -> None:
    assert choose_device("auto") == "cpu"
    with pytest.raises(DeviceUnavailable, match="no NVIDIA GPU") as caught:
        choose_device("cuda")
    assert "HEIMDEX_DEVICE=auto" in caught.value.hint


def test_with_a_gpu_that_torch_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpu_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cuda") == choose_device("auto") == "cuda"


@pytest.mark.parametrize(("built_for", "reason"), [(None, "for the CPU only"), ("13.0", "built for CUDA 13.0")])
def test_with_a_gpu_that_torch_cannot_use(monkeypatch: pytest.MonkeyPatch, built_for: str | None, reason: str) -> None:
    monkeypatch.setattr(device, "gpu_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    assert choose_device("auto") == "cpu"
    with pytest.raises(DeviceUnavailable, match=reason):
        choose_device("cuda")


def test_another_device_is_refused() -> None:
    with pytest.raises(InvalidValue, match="auto, cpu, cuda"):
        choose_device("tpu")
