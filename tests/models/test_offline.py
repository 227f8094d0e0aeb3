"""Models load and encode without a network, in a fresh process where every connection is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.models.random_models import random_open_clip, random_sentences, random_whisper
from tests.models.speech.recordings import speech_at_16k

SCRIPT = """
import socket, sys
from pathlib import Path

def refuse(*args, **kwargs):
    raise RuntimeError("the network was used")

socket.getaddrinfo = socket.socket.connect = socket.create_connection = refuse

from heimdex_core.models import families
from heimdex_core.settings import Settings
from heimdex_core.types import WorkContext
import numpy

root = Path(sys.argv[1])
settings = Settings(device="cpu")
models = {
    "heard": families.make("speech", f"whisper:{root / 'heard'}", settings),
    "said": families.make("text", f"sentence:{root / 'said'}", settings),
    "seen": families.make("vision", f"openclip:local-dir:{root / 'seen'}", settings),
    "packaged": families.make("text", "minilm:all-MiniLM-L6-v2", settings),
}
spaces = [models[name].space.dim for name in ("said", "seen", "packaged")]
heavy = [name for name in ("torch", "ctranslate2") if name in sys.modules]
print(spaces, [model.is_loaded for model in models.values()], heavy)
print(models["heard"].transcribe(root / "one.wav", language="auto", context=WorkContext()).source)
print(models["said"].encode_query("one two").vector.shape, models["packaged"].encode_passages(["hello"]).shape)
image = numpy.zeros((9, 16, 3), numpy.uint8)
print(models["seen"].encode_query("red").vector.shape, models["seen"].encode_images([image]).shape)
"""


def test_models_load_and_encode_without_a_network(tmp_path: Path) -> None:
    random_whisper(tmp_path / "heard")
    random_sentences(tmp_path / "said")
    random_open_clip(tmp_path / "seen")
    speech_at_16k(tmp_path / "one.wav", "one two three")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[16, 16, 384] [False, False, False, False] []",
        "recognised",
        "(16,) (1, 384)",
        "(16,) (1, 16)",
    ]
