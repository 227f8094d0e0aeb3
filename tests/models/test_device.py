from __future__ import annotations

import subprocess
import sys

import pytest

from heimdex_core.errors import DeviceUnavailable, InvalidValue
from heimdex_core.models.device import choose_device, gpu_count, has_fast_bf16


def test_looking_for_a_gpu_does_not_import_torch() -> None:
    script = (
        "import sys\n"
        "from heimdex_core.models.device import gpu_count\n"
        "print(gpu_count() >= 0, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == "cpu"
    assert isinstance(has_fast_bf16("cpu"), bool)


def test_a_gpu_that_is_asked_for_is_there_or_an_error_in_words() -> None:
    if gpu_count() == 0:
        assert choose_device("auto") == "cpu"
        with pytest.raises(DeviceUnavailable, match="no NVIDIA GPU") as caught:
            choose_device("cuda")
        assert "HEIMDEX_DEVICE=auto" in caught.value.hint
    else:
        assert choose_device("cuda") == choose_device("auto") == "cuda"


def test_another_device_is_not_known() -> None:
    with pytest.raises(InvalidValue, match="auto, cpu, cuda"):
        choose_device("tpu")
