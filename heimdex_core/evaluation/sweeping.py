"""What a sweep tries, how its queries are split, and what the best setting is worth.

Settings are chosen by the tuning queries and judged by the held-out ones. Which side a query is on depends on its text
alone, so it stays there when other queries are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import InvalidValue, TooFewQueries
from heimdex_core.evaluation.comparison import summary
from heimdex_core.evaluation.statistics import (
    ALPHA,
    SEED,
    best_of_many_p,
    chance_gain,
    interval,
    randomisation_p,
)
from heimdex_core.types import RunSettings, SetQuery, SweepOutcome, SweepScore, tidy_query

HELD_OUT_SHARE = 0.35
MIN_QUERIES = 2
"""On each side."""
MAX_SETTINGS = 2000

SEEN_STEPS = 11
WORDS_STEPS = 6
_MOST_WORDS = 0.5
"""The largest weight of exact words in the default grid."""

_TIE = 1e-9

Models = tuple[int | None, Sequence[str]]
"""(the number of a model set, names of its spaces), as in RunSettings."""


def default_grid() -> tuple[dict[str, float], ...]:
    """The weights of the dial: said against seen in 11 steps, by the weight of exact words from 0 to 0.5 in 6."""
    grid = []
    for words, seen in product(range(WORDS_STEPS), range(SEEN_STEPS)):
        lexical = words / (WORDS_STEPS - 1) * _MOST_WORDS
        share = seen / (SEEN_STEPS - 1)
        weights = {"transcript": (1 - lexical) * (1 - share), "vision": (1 - lexical) * share, "lexical": lexical}
        grid.append({name: round(value, 4) for name, value in weights.items()})
    return tuple(grid)


def combinations(
    baseline: RunSettings,
    *,
    weights: Sequence[Mapping[str, float]],
    fusions: Sequence[str],
    temperatures: Sequence[float],
    models: Sequence[Models],
    budget: int | None,
) -> tuple[RunSettings, ...]:
    """The settings of a sweep: the baseline, then all combinations, or `budget` of them drawn with a fixed seed.

    What is not named stays as in the baseline. Random draws find a good setting with fewer tries than a coarser grid
    where only some of the parameters matter (J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization",
    JMLR 13 (2012), 281-305). Raises InvalidValue for a budget below 1 and for too many settings.
    """
    tried = [
        replace(
            baseline,
            weights=dict(weight),
            fusion=fusion,
            temperature=temperature,
            spaces=tuple(spaces),
            model_set=model_set,
        )
        for weight, fusion, temperature, (model_set, spaces) in product(
            weights or (baseline.weights,),
            fusions or (baseline.fusion,),
            temperatures or (baseline.temperature,),
            models or ((baseline.model_set, baseline.spaces),),
        )
    ]
    if budget is not None and budget < 1:
        raise InvalidValue(name="budget", value=budget, reason="it must be at least 1")
    if budget is not None and budget < len(tried):
        chosen = np.random.default_rng(SEED).choice(len(tried), size=budget, replace=False)
        tried = [tried[index] for index in sorted(chosen)]
    if len(tried) > MAX_SETTINGS:
        reason = f"at most {MAX_SETTINGS} can be tried; give a budget"
        raise InvalidValue(name="settings", value=len(tried), reason=reason)
    return (baseline, *tried)


def split(queries: Sequence[SetQuery]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The query_ids of the tuning and of the held-out queries.

    A query is held out if the SHA-256 of its text, as a number from 0 to 1, is below HELD_OUT_SHARE. Raises
    TooFewQueries if a side has fewer than MIN_QUERIES.
    """
    held_out = tuple(query.query_id for query in queries if _place(query.text) < HELD_OUT_SHARE)
    tuning = tuple(query.query_id for query in queries if query.query_id not in held_out)
    if min(len(held_out), len(tuning)) < MIN_QUERIES:
        raise TooFewQueries(queries=len(queries), tuning=len(tuning), held_out=len(held_out), minimum=MIN_QUERIES)
    return tuning, held_out


def _place(text: str) -> float:
    return int.from_bytes(hashlib.sha256(tidy_query(text).encode()).digest()[:8], "big") / 2**64


def scores_of(settings: Sequence[RunSettings], tuning: npt.NDArray[np.float64]) -> tuple[SweepScore, ...]:
    """The mean of each setting over the tuning queries, (queries, settings)."""
    means = tuning.mean(axis=0)
    return tuple(SweepScore(number, one, float(means[number])) for number, one in enumerate(settings))


def outcome_of(
    settings: Sequence[RunSettings],
    tuning: npt.NDArray[np.float64],
    held_out: npt.NDArray[np.float64],
    unjudged: npt.NDArray[np.float64],
) -> SweepOutcome:
    """The best setting, and what it is worth.

    Args:
        settings: what was tried; the first is the baseline.
        tuning: (queries, settings), the measure of each setting for each tuning query.
        held_out: the same for the held-out queries. Of these only the baseline and the winner are reported.
        unjudged: (queries, settings), the share of scenes without a judgement for each held-out query.

    Of settings that are equally good on the tuning queries the first one wins, so the baseline before all others.
    """
    scores = scores_of(settings, tuning)
    best = max(one.tuning for one in scores)
    winner = next(one for one in scores if best - one.tuning <= _TIE)
    differences = held_out - held_out[:, :1]
    gains = differences[:, winner.number]
    ends = interval(gains.tolist())
    p_corrected = best_of_many_p(differences, winner.number)
    delta = float(gains.mean())
    return SweepOutcome(
        winner=winner,
        baseline=scores[0],
        tuning_gain=winner.tuning - scores[0].tuning,
        chance_gain=chance_gain(tuning - tuning[:, :1]),
        held_out_baseline=summary(held_out[:, 0].tolist(), unjudged[:, 0].tolist()),
        held_out_winner=summary(held_out[:, winner.number].tolist(), unjudged[:, winner.number].tolist()),
        delta=delta,
        low=ends.low,
        high=ends.high,
        p=randomisation_p(gains.tolist()),
        p_corrected=p_corrected,
        verdict="no difference" if p_corrected >= ALPHA else "better" if delta > 0 else "worse",
    )
