"""Damaging files: the same damage for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[bytearray, random.Random], None]
"""Changes the data in place."""

_SIZES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values at which lengths and counts go wrong."""
_HEADER_BYTES = 4096
"""At the beginning or at the end of a file, where its structure is; two thirds of the damage is done there."""


def _place(data: bytearray, rng: random.Random, length: int = 1) -> int:
    """Where to damage `length` bytes."""
    last = max(0, len(data) - length)
    where = rng.randrange(3)
    if where == 0:
        return rng.randint(0, min(last, _HEADER_BYTES))
    return rng.randint(max(0, last - _HEADER_BYTES), last) if where == 1 else rng.randint(0, last)


def flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def overwrite(data: bytearray, rng: random.Random) -> None:
    length = rng.choice((1, 4, 16, 256, 4096))
    at = _place(data, rng, length)
    data[at : at + length] = rng.randbytes(len(data[at : at + length]))


def set_number(data: bytearray, rng: random.Random) -> None:
    """A field of 1 to 8 bytes gets a value that programs do not expect."""
    for _ in range(rng.choice((1, 1, 3))):
        length = rng.choice((1, 2, 4, 4, 8))
        at = _place(data, rng, length)
        value = rng.choice(_SIZES) & ((1 << 8 * length) - 1)
        data[at : at + length] = value.to_bytes(length, rng.choice(("big", "little")))


def remove(data: bytearray, rng: random.Random) -> None:
    length = rng.choice((1, 3, 64, 1024))
    at = _place(data, rng, length)
    del data[at : at + length]


def repeat(data: bytearray, rng: random.Random) -> None:
    length = rng.choice((1, 8, 64, 1024))
    at = _place(data, rng, length)
    data[at:at] = data[at : at + length] * rng.choice((1, 2, 20))


def move(data: bytearray, rng: random.Random) -> None:
    length = rng.choice((8, 64, 1024))
    at = _place(data, rng, length)
    chunk = data[at : at + length]
    del data[at : at + length]
    to = _place(data, rng) if data else 0
    data[to:to] = chunk


def cut(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def blank(data: bytearray, rng: random.Random) -> None:
    """Zeros, as a lost network packet or a broken disk leaves them."""
    length = rng.choice((16, 512, 4096))
    at = _place(data, rng, length)
    data[at : at + length] = bytes(len(data[at : at + length]))


IN_PLACE: tuple[Damage, ...] = (flip_bits, set_number, set_number, overwrite, blank)
SHIFTING: tuple[Damage, ...] = (remove, repeat, move, cut)
"""Rarer: most containers are then found to be incomplete at once."""


def damaged(data: bytes, seed: str) -> bytes:
    """A damaged copy of `data`, at least one byte long: one to three damages, chosen by `seed`."""
    rng = random.Random(seed)  # noqa: S311 - it only has to be repeatable
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if len(changed) > 1:
            rng.choice(IN_PLACE if rng.random() < 0.8 else SHIFTING)(changed, rng)
    return bytes(changed) or data[:1]


def write_damaged(source: Path, folder: Path, seed: str, number: int) -> Path:
    """Write the damaged copy of number `number` beside the others."""
    path = folder / f"{source.stem}-{number:05d}{source.suffix}"
    path.write_bytes(damaged(source.read_bytes(), f"{seed}-{source.name}-{number}"))
    return path
