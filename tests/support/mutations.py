"""Text files as damage and bad programs leave them."""

from __future__ import annotations

import random
from collections.abc import Sequence

_TOKENS = (
    b"-->",
    b"00:00:01,000 --> 00:00:02,000\n",
    b"<SYNC Start=",
    b"<P Class=KRCC>",
    b"<!--",
    b"-->",
    b"{\\p1}",
    b"{1}{2}",
    b"Dialogue: ",
    b'<p begin="',
    b"</",
    b"&#xD800;",
    b"&#0;",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\r\n",
    b"\n\n\n",
    b"99999999999999999999",
    b"-1",
    b"<00:00:01.000>",
    b"\xe2\x80\xa8",
    b"NaN",
    b"1e999",
    b"WEBVTT\n",
    b"[Events]\n",
    b"<tt>",
)


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """One of the seeds with one to eight changes: bytes flipped, cut, repeated, moved, or taken from another seed."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(data) + 1)
        length = rng.choice((1, 2, 5, 40, 400))
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = rng.choice(_TOKENS)
        elif kind == 3:
            data[at:at] = data[at : at + length] * rng.randint(1, 20)
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            other = rng.choice(seeds)
            begin = rng.randrange(len(other))
            data[at:at] = other[begin : begin + length]
        elif kind == 6:
            data[at : at + length] = rng.randbytes(min(length, 40))
        else:
            data[at : at + length] = bytes(sorted(data[at : at + length]))
    return bytes(data)
