"""A recogniser in the format of PP-OCR that reads colours: an ONNX file, written by hand.

Like PaddleOCR's it takes (n, 3, 48, width) with channels B, G, R from -1 to 1, gives the probabilities (n, steps,
classes) for CTC decoding (class 0 is the blank, the last one a space), and names its characters in its metadata.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heimdex_core.models.ocr.rapid import KOREAN
from tests.support.onnx_file import model, node, tensor, value

READS_RED = "서울 도서관"
"""What it reads where a line is redder than grey; where it is bluer, READS_BLUE, and nothing anywhere else."""
READS_BLUE = "바다 여행"
_CERTAIN = 400.0
_BLANK_AT_LEAST = 8.0


def write_small_recogniser(folder: Path, *, characters: bool = True) -> Path:
    """Write the recogniser into `folder` under the name that the reader looks for; returns the folder.

    Without `characters` its metadata do not name them.
    """
    alphabet = sorted({letter for letter in READS_RED + READS_BLUE if letter != " "})
    classes = ["", *alphabet, " "]
    steps = 2 * max(len(READS_RED), len(READS_BLUE))  # a blank after every character
    weights = np.zeros((3, steps, len(classes)), np.float32)
    for colour, text in ((2, READS_RED), (0, READS_BLUE)):  # B, G, R
        for step, letter in enumerate(_steps_of(text)):
            weights[colour, step, classes.index(letter)] += _CERTAIN
            weights[1, step, classes.index(letter)] -= _CERTAIN
    bias = np.zeros((steps, len(classes)), np.float32)
    bias[:, 0] = _BLANK_AT_LEAST
    nodes = [
        node("GlobalAveragePool", ["x"], "means"),
        node("Flatten", ["means"], "colours", axis=1),
        node("Gemm", ["colours", "w", "b"], "all"),
        node("Reshape", ["all", "shape"], "logits"),
        node("Softmax", ["logits"], "y", axis=2),
    ]
    tensors = [
        tensor("w", weights.reshape(3, -1)),
        tensor("b", bias.reshape(-1)),
        tensor("shape", np.array([-1, steps, len(classes)], np.int64)),
    ]
    metadata = {"character": "\n".join(alphabet)} if characters else {}
    content = model(
        nodes, tensors, [value("x", ["n", 3, 48, "width"])], [value("y", ["n", steps, len(classes)])], metadata
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KOREAN).write_bytes(content)
    return folder


def _steps_of(text: str) -> list[str]:
    """The class of each step: a character, then a blank."""
    return [step for letter in text for step in (letter, "")]
