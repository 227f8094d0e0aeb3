"""Confidence intervals and paired tests over queries, and what choosing the best of many settings does to them.

All of them take one value a query. Random draws have a fixed seed, so the same values give the same results.
docs/decisions/evaluation-statistics.md has the reasons for these methods.

M. D. Smucker, J. Allan, B. Carterette, "A comparison of statistical significance tests for information retrieval
evaluation", CIKM 2007. B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993. S. Holm, "A simple
sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979), 65-70. P. H. Westfall,
S. S. Young, "Resampling-Based Multiple Testing", 1993. H. White, "A reality check for data snooping", Econometrica 68
(2000), 1097-1126.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
ALPHA = 0.05
"""A difference with a p-value below this counts."""

SEED = 20_261
RESAMPLES = 10_000
"""Bootstrap samples, and random sign changes where there are too many to try all."""
_EXACT_QUERIES = 13
"""Up to so many queries all 2^n sign changes are tried: 8,192."""
_EPSILON = 1e-12
"""Sums of the same numbers in another order differ by less; they are ties."""

Floats = npt.NDArray[np.float64]
IntervalMethod = Literal["bootstrap", "t"]


@dataclass(frozen=True, slots=True)
class Interval95:
    """The ends of a confidence interval; both None where there are too few values."""

    low: float | None
    high: float | None


def interval(values: Sequence[float], method: IntervalMethod = "bootstrap") -> Interval95:
    """The 95 % confidence interval of a mean.

    Args:
        values: one a query.
        method: "bootstrap" resamples queries and takes percentiles of their means, which stay in the range of the
            metric; "t" is Student's interval, mean plus and minus t * s / sqrt(n).

    Returns no interval for fewer than two values.
    """
    from scipy import stats

    data = np.asarray(values, dtype=np.float64)
    if len(data) < 2:
        return Interval95(None, None)
    if np.ptp(data) == 0:
        return Interval95(float(data[0]), float(data[0]))
    if method == "t":
        low, high = stats.t.interval(CONFIDENCE, len(data) - 1, loc=data.mean(), scale=stats.sem(data))
    else:
        found = stats.bootstrap(
            (data,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(SEED),
            batch=1000,
        ).confidence_interval
        low, high = found.low, found.high
    return Interval95(float(low), float(high))


def randomisation_p(differences: Sequence[float]) -> float:
    """The two-sided p-value of the paired randomisation (permutation) test.

    If two systems are equal, each query's difference might as well have the other sign. p is the share of sign changes
    whose mean lies at least as far from 0 as the observed one: of all 2^n of them, or of RESAMPLES random ones. It is 1
    for fewer than two queries, and where all differences are 0.
    """
    from scipy import stats

    data = np.asarray(differences, dtype=np.float64)
    if len(data) < 2 or not np.any(np.abs(data) > _EPSILON):
        return 1.0
    return float(
        stats.permutation_test(
            (data, np.zeros_like(data)),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=2**_EXACT_QUERIES if len(data) <= _EXACT_QUERIES else RESAMPLES,
            batch=1000,
            rng=np.random.default_rng(SEED),
        ).pvalue
    )


def t_test_p(differences: Sequence[float]) -> float:
    """The two-sided p-value of the paired t test; 1 for fewer than two queries, and where all differences are 0."""
    from scipy import stats

    data = np.asarray(differences, dtype=np.float64)
    if len(data) < 2 or not np.any(np.abs(data) > _EPSILON):
        return 1.0
    if np.ptp(data) <= _EPSILON:
        return 0.0  # the same difference everywhere: t is infinite
    return float(stats.ttest_1samp(data, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of a family of tests after Holm's correction, in the order given.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes smaller than the one before it.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for position, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - position) * p_values[index]))
        corrected[index] = largest
    return corrected


# --- the best of many -----------------------------------------------------------------------------


def best_of_many_p(differences: npt.ArrayLike, chosen: int) -> float:
    """The p-value of one setting's gain, corrected for all settings that were tried (Westfall and Young's max T).

    Args:
        differences: (queries, settings), each setting's value minus the baseline's.
        chosen: the column of the setting that was chosen.

    A query's sign is changed for all settings at once, which keeps what settings have in common. p is the share of
    sign changes in which *any* setting differs from the baseline as much as the chosen one does. As much means
    T = |sum of d| / sqrt(sum of d^2), of which the t statistic is a growing function, and which makes settings of
    different variance comparable. It is never below the uncorrected p-value.
    """
    data, scales = _scaled(differences)
    observed = abs(data[:, chosen].sum()) / scales[chosen]
    if observed <= _EPSILON:
        return 1.0
    signs, is_exact = _signs(len(data))
    largest = np.abs(signs @ data / scales).max(axis=1)
    hits = int((largest >= observed - _EPSILON).sum())
    # Random changes: the observed one counts among them, so that p is never 0.
    return hits / len(signs) if is_exact else (hits + 1) / (len(signs) + 1)


def chance_gain(differences: npt.ArrayLike) -> float:
    """The mean gain that the best of the settings would show if none of them were better than the baseline.

    Args:
        differences: (queries, settings), each setting's value minus the baseline's, of the queries chosen by.

    The expected maximum of the settings' mean differences over changes of sign as in `best_of_many_p` (White's reality
    check, with sign changes instead of bootstrap samples), at least 0 each time: the baseline may be chosen too.
    """
    data, _ = _scaled(differences)
    signs, _ = _signs(len(data))
    return float(np.maximum((signs @ data / len(data)).max(axis=1), 0.0).mean())


def _scaled(differences: npt.ArrayLike) -> tuple[Floats, Floats]:
    data = np.asarray(differences, dtype=np.float64)
    scales = np.sqrt((data**2).sum(axis=0))
    return data, np.where(scales > _EPSILON, scales, np.inf)


def _signs(count: int) -> tuple[Floats, bool]:
    """(changes, queries) of +1 and -1: all of them for few queries, else random ones; and whether it is all."""
    if count <= _EXACT_QUERIES:
        bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return np.asarray(1.0 - 2.0 * bits, dtype=np.float64), True
    return np.random.default_rng(SEED).choice(np.array([-1.0, 1.0]), size=(RESAMPLES, count)), False
