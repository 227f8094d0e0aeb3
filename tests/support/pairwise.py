"""Rows in which every pair of values of every two factors occurs together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product

Row = dict[str, str]
Pair = tuple[tuple[str, str], tuple[str, str]]


def pairs_of(row: Row) -> Iterator[Pair]:
    """The pairs of a row that may be incomplete."""
    return combinations(sorted(row.items()), 2)


def possible_pairs(factors: Mapping[str, Sequence[str]], is_possible: Callable[[Row], bool]) -> set[Pair]:
    """Every pair that can occur."""
    found = set()
    for one, other in combinations(sorted(factors), 2):
        for a, b in product(factors[one], factors[other]):
            if is_possible({one: a, other: b}):
                found.add(((one, a), (other, b)))
    return found


def pairwise(factors: Mapping[str, Sequence[str]], is_possible: Callable[[Row], bool]) -> list[Row]:
    """A short list of rows with every possible pair, the same each time.

    Greedily: each row begins with a pair that is missing, and every further value is the one that adds most pairs.

    Args:
        factors: values by factor; the first value of each goes with every value of every other.
        is_possible: whether the values of a row, which may be incomplete, can occur together.
    """
    missing = possible_pairs(factors, is_possible)
    rows: list[Row] = []
    while missing:
        row: Row = dict(min(missing))
        for name in sorted(factors.keys() - row.keys(), key=lambda name: (-len(factors[name]), name)):
            fitting = [choice for value in factors[name] if is_possible(choice := {**row, name: value})]
            row = max(fitting, key=lambda choice: len(missing.intersection(pairs_of(choice))))
        rows.append({name: row[name] for name in factors})
        missing.difference_update(pairs_of(row))
    return rows
