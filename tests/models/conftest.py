"""What the tests of several kinds of models share."""

from __future__ import annotations

import pytest

from heimdex_core.models import device


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a GPU."""
    import torch

    monkeypatch.setattr(device, "gpu_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
