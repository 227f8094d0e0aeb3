"""How far two words are from each other."""

from __future__ import annotations

from collections.abc import Sequence


def distance(first: Sequence[str], second: Sequence[str]) -> int:
    """How many insertions, deletions, replacements and swaps of neighbours make one of the other.

    Optimal string alignment: Boytsov, "Indexing methods for approximate dictionary searching", JEA 16 (2011), 1.2.
    """
    before_last: list[int] = []
    last = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, before_last[j - 2] + 1)
            row.append(cost)
        before_last, last = last, row
    return last[-1]
