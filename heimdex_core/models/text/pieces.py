"""Texts as encoders can take them: without characters that no encoder can read, in pieces, and as one vector again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heimdex_core.models.base import Vectors


def readable(text: str) -> str:
    """`text` with U+FFFD in place of lone surrogates, which come from undecodable bytes and which encoders refuse."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def by_words(text: str, most: int) -> list[str]:
    """`text` in pieces of at most `most` words, of nearly equal length."""
    words = text.split()
    count = -(-len(words) // most)
    edges = [round(n * len(words) / count) for n in range(count + 1)]
    return [" ".join(words[a:b]) for a, b in zip(edges, edges[1:], strict=False)]


def by_chars(text: str, most: int) -> list[str]:
    """`text` in pieces of at most `most` characters, of nearly equal length; split between words if possible."""
    if len(text) <= most:
        return [text]
    back_off = most // 8
    count = -(-len(text) // (most - back_off))
    edges = [0]
    for n in range(1, count):
        at = round(n * len(text) / count)
        edges.append(next((at - k for k in range(back_off) if text[at - k].isspace()), at))
    edges.append(len(text))
    pieces = [text[a:b].strip() for a, b in zip(edges, edges[1:], strict=False)]
    return [piece for piece in pieces if piece]


def unit_sums(rows: Sequence[int], pieces: Vectors, count: int) -> Vectors:
    """Unit vectors (count, d): the direction of the sum of each row's `pieces` (n, d); zeros for a row without any."""
    sums = np.zeros((count, pieces.shape[1]), dtype=np.float32)
    np.add.at(sums, rows, pieces)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=sums, where=norms > 0)
