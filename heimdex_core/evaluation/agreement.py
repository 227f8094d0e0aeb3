"""How far judges agree beyond chance: Cohen's kappa for two, Fleiss' kappa for several.

    kappa = (observed agreement - agreement by chance) / (1 - agreement by chance)

Both treat the grades as names: 0 against 3 is as much of a disagreement as 2 against 3.

J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960), 37-46.
J. L. Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76 (1971), 378-382.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from heimdex_core.types import Agreement, Disagreement, KappaPair, SceneJudgement


def cohen_kappa(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Cohen's kappa of two judges.

    Args:
        first, second: their grades of the same items, in the same order.

    Returns -1 to 1; None without items, and where both gave one and the same grade throughout.
    """
    items = len(first)
    if not items:
        return None
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / items
    counts, others = Counter(first), Counter(second)
    return _kappa(observed, sum(counts[grade] * others[grade] for grade in counts) / items**2)


def fleiss_kappa(items: Sequence[Sequence[int]]) -> float | None:
    """Fleiss' kappa of several judges.

    Args:
        items: for each item the grades of all judges, at least two; the same number for each.

    Returns -1 to 1; None without items, and where all grades are the same.
    """
    if not items:
        return None
    judges = len(items[0])
    total: Counter[int] = Counter()
    agreeing = 0.0
    for grades in items:
        counts = Counter(grades)
        total += counts
        agreeing += sum(count * (count - 1) for count in counts.values()) / (judges * (judges - 1))
    by_chance = sum((count / (len(items) * judges)) ** 2 for count in total.values())
    return _kappa(agreeing / len(items), by_chance)


def _kappa(observed: float, by_chance: float) -> float | None:
    return None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)


def agreement(judgements: Sequence[SceneJudgement]) -> Agreement:
    """How far the judges of these judgements agree; those of scenes that have moved are left out."""
    grades: dict[tuple[str, str], dict[str, int]] = {}
    for one in judgements:
        if one.scene_id is not None:
            grades.setdefault((one.query, one.scene_id), {})[one.judge] = one.grade
    judges = tuple(sorted({judge for by_judge in grades.values() for judge in by_judge}))
    by_all = [by_judge for by_judge in grades.values() if len(judges) > 1 and by_judge.keys() == set(judges)]
    return Agreement(
        judges=judges,
        pairs=tuple(_pair(first, second, list(grades.values())) for first, second in combinations(judges, 2)),
        fleiss=fleiss_kappa([[by_judge[judge] for judge in judges] for by_judge in by_all]),
        items=len(by_all),
        disagreements=tuple(
            Disagreement(query, scene_id, dict(sorted(by_judge.items())))
            for (query, scene_id), by_judge in grades.items()
            if len(set(by_judge.values())) > 1
        ),
    )


def _pair(first: str, second: str, grades: Sequence[Mapping[str, int]]) -> KappaPair:
    common = [(by_judge[first], by_judge[second]) for by_judge in grades if {first, second} <= by_judge.keys()]
    return KappaPair((first, second), len(common), cohen_kappa([a for a, _ in common], [b for _, b in common]))
