"""A BERT sentence encoder in numpy: reads a model.safetensors and a tokenizer.json, needs neither torch nor a GPU.

For a small model and one query, importing torch takes longer than everything else together. The vectors are those of
sentence_transformers to 1e-6: mean pooling over the tokens, L2-normalised.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heimdex_core.models.base import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Weights = dict[str, npt.NDArray[np.float32]]

BATCH_TOKENS = 2048
"""Tokens of one batch, padding included: enough to make use of the matrix product, and small enough for the caches."""
_EPSILON = 1e-12
# Odd and even polynomial of the rational approximation of erf in Eigen and XLA (float32, error below 5e-7).
_ERF_ABOVE = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_BELOW = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


@dataclass(frozen=True)
class Bert:
    """The encoder. Uses as many threads as numpy's BLAS is set to."""

    weights: Weights
    tokenizer: Tokenizer
    layers: int
    heads: int

    @staticmethod
    def read(folder: Path, max_tokens: int) -> Bert:
        """The model in a folder; longer texts lose what comes after `max_tokens`.

        Raises whatever its files make the readers raise: OSError, ValueError, KeyError, or what tokenizers raises.
        """
        from tokenizers import Tokenizer

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(max_tokens)
        tokenizer.no_padding()
        weights = read_safetensors(folder / "model.safetensors")
        return Bert(weights, tokenizer, int(config["num_hidden_layers"]), int(config["num_attention_heads"]))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """The unit vectors (n, d) of n texts."""
        ids = [split.ids for split in self.tokenizer.encode_batch(list(texts))]
        found = np.empty((len(ids), self.weights["embeddings.LayerNorm.weight"].shape[0]), dtype=np.float32)
        for rows in _batches([len(one) for one in ids]):
            found[rows] = self._run([ids[row] for row in rows])
        return found

    def _run(self, ids: Sequence[Sequence[int]]) -> Vectors:
        longest = max(map(len, ids))
        padded = np.zeros((len(ids), longest), dtype=np.int64)
        is_text = np.zeros((len(ids), longest, 1), dtype=np.float32)
        for row, one in enumerate(ids):
            padded[row, : len(one)] = one
            is_text[row, : len(one)] = 1
        hidden = self.weights["embeddings.word_embeddings.weight"][padded]
        hidden += self.weights["embeddings.position_embeddings.weight"][:longest]
        hidden += self.weights["embeddings.token_type_embeddings.weight"][0]
        hidden = self._normalised(hidden, "embeddings.LayerNorm")
        hidden_tokens = np.where(is_text[:, None, None, :, 0] > 0, np.float32(0), np.float32(-1e9))
        for layer in range(self.layers):
            hidden = self._layer(hidden, hidden_tokens, f"encoder.layer.{layer}.")
        pooled = (hidden * is_text).sum(1) / is_text.sum(1)
        return np.asarray(pooled / np.linalg.norm(pooled, axis=1, keepdims=True), dtype=np.float32)

    def _layer(self, hidden: Vectors, hidden_tokens: Vectors, name: str) -> Vectors:
        """One layer, on (texts, tokens, d); `hidden_tokens` is very negative where there is padding."""
        texts, tokens, width = hidden.shape
        each = width // self.heads

        def part(which: str) -> Vectors:
            projected = self._linear(hidden, f"{name}attention.self.{which}")
            return projected.reshape(texts, tokens, self.heads, each).transpose(0, 2, 1, 3)

        scores = part("query") @ part("key").transpose(0, 1, 3, 2) / np.float32(each**0.5) + hidden_tokens
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        heard = (scores @ part("value")).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        heard = hidden + self._linear(heard, f"{name}attention.output.dense")
        heard = self._normalised(heard, f"{name}attention.output.LayerNorm")
        inner = gelu(self._linear(heard, f"{name}intermediate.dense"))
        return self._normalised(heard + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _linear(self, values: Vectors, name: str) -> Vectors:
        rows = values.reshape(-1, values.shape[-1])  # one product for all texts, where numpy would make one for each
        found: Vectors = rows @ self.weights[f"{name}.weight"].T
        found += self.weights[f"{name}.bias"]
        return found.reshape(*values.shape[:-1], -1)

    def _normalised(self, values: Vectors, name: str) -> Vectors:
        values -= values.mean(-1, keepdims=True)
        values /= np.sqrt(np.square(values).mean(-1, keepdims=True) + np.float32(_EPSILON))
        values *= self.weights[f"{name}.weight"]
        values += self.weights[f"{name}.bias"]
        return values


def gelu(values: Vectors) -> Vectors:
    """x * Phi(x), where Phi is the normal distribution (Hendrycks & Gimpel, 2016)."""
    return values * np.float32(0.5) * (1 + erf(values * np.float32(2**-0.5)))


def erf(values: Vectors) -> Vectors:
    """The error function of float32 values, without scipy, whose import takes half a second."""
    x = np.clip(values, np.float32(-4), np.float32(4))  # beyond, it is 1 in float32
    square = x * x
    above, below = (np.full_like(x, terms[0]) for terms in (_ERF_ABOVE, _ERF_BELOW))
    for total, terms in ((above, _ERF_ABOVE), (below, _ERF_BELOW)):
        for term in terms[1:]:
            total *= square
            total += np.float32(term)
    return x * above / below


def read_safetensors(path: Path) -> Weights:
    """The float32 tensors of a safetensors file by name, mapped into memory: what is not used is never read.

    The format: 8 bytes with the length of a JSON header, the header, the data. Raises OSError, ValueError, KeyError.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8:start]))
    found: Weights = {}
    for name, about in header.items():
        if name == "__metadata__" or about["dtype"] != "F32":
            continue
        first, last = about["data_offsets"]
        found[name] = np.asarray(data[start + first : start + last]).view("<f4").reshape(about["shape"])
    return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows in batches of similar length, of at most BATCH_TOKENS tokens with the padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if batch and (len(batch) + 1) * lengths[row] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
