"""Intervals, tests and corrections against worked examples of the literature and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdex_core.evaluation.statistics import (
    best_of_many_p,
    chance_gain,
    holm,
    interval,
    randomisation_p,
    t_test_p,
)

DARWIN = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
"""Darwin's maize: how much taller the crossed plant of each pair was, in eighths of an inch. R. A. Fisher, "The Design
of Experiments", 1935, sections 14 to 21: t = 2.148 with p just under 5 %; of the 2^15 changes of sign 863 have a sum of
at least 314, so the two-sided p-value is 1726/32768 = .0527."""


def test_the_t_interval_by_hand():
    # 1 to 5: mean 3, s = sqrt(2.5), standard error sqrt(.5); t(.975, 4) = 2.776445.
    found = interval([1, 2, 3, 4, 5], "t")
    assert (found.low, found.high) == pytest.approx((3 - 2.776445 * 0.5**0.5, 3 + 2.776445 * 0.5**0.5))


def test_the_bootstrap_interval_by_hand():
    # Means of 4 draws from (0, 0, 0, 1): 0 has (3/4)^4 = .316; up to .5 are .949, up to .75 are .996.
    found = interval([0, 0, 0, 1])
    assert (found.low, found.high) == (0.0, 0.75)


def test_no_interval_of_one_value_and_none_wider_than_equal_values():
    assert interval([0.4]).low is None
    assert interval([]).high is None
    assert (interval([0.4, 0.4]).low, interval([0.4, 0.4], "t").high) == (0.4, 0.4)


def test_the_same_values_have_the_same_interval():
    values = [0.1, 0.9, 0.3, 0.7, 0.2]
    assert interval(values) == interval(values)


def test_the_paired_tests_on_darwins_maize():
    # 15 pairs are above the limit of an exact test: 10,000 random changes have a standard error of .0022.
    assert randomisation_p(DARWIN) == pytest.approx(1726 / 32768, abs=0.0075)
    assert t_test_p(DARWIN) == pytest.approx(0.0497, abs=5e-5)


def test_the_randomisation_test_by_hand():
    # All 8 changes of sign of (1, 2, 3): only +++ and --- have a mean as far from 0.
    assert randomisation_p([1, 2, 3]) == 2 / 8
    # (1, 1, 1, -1) has the sum 2: with k positive signs it is 2k - 4, so all but the 6 with k = 2 are as far.
    assert randomisation_p([1, 1, 1, -1]) == 10 / 16


@pytest.mark.parametrize("test", [randomisation_p, t_test_p])
def test_nothing_differs_where_all_differences_are_zero(test):
    assert test([0.0, 0.0, 0.0]) == 1.0
    assert test([0.3]) == 1.0


def test_holm():
    # The worked example of https://en.wikipedia.org/wiki/Holm-Bonferroni_method, as adjusted p-values:
    # .005 * 4, .01 * 3, .03 * 2, and .04 * 1, which may not be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_best_of_two_settings_by_hand():
    # Changes of sign after which one of the two has three equal signs: +++, --- (first), +-+, -+- (second): 4 of 8.
    assert best_of_many_p([[1, 1], [1, -1], [1, 1]], chosen=0) == 4 / 8
    # Copies of a setting cost nothing.
    assert best_of_many_p([[1] * 30] * 3, chosen=7) == 2 / 8
    assert best_of_many_p(np.zeros((5, 30)), chosen=0) == 1.0


def test_a_setting_of_another_scale_does_not_hide_the_chosen_one():
    # The same as above: what counts is how one-sided the differences of a setting are, not how large.
    assert best_of_many_p([[0.01, 1], [0.01, -1], [0.01, 1]], chosen=0) == 4 / 8


def test_the_gain_by_chance_by_hand():
    # One setting, two queries: means 1, 0, 0, -1; the baseline is chosen instead of -1.
    assert chance_gain([[1.0], [1.0]]) == 1 / 4
    # Two opposite settings: the better of them has 1, 0, 0, 1.
    assert chance_gain([[1.0, -1.0], [1.0, -1.0]]) == 2 / 4
    assert chance_gain(np.zeros((4, 30))) == 0.0


def test_the_gain_by_chance_is_what_settings_without_merit_show():
    rng = np.random.default_rng(5)
    shown, expected = [], []
    for _ in range(40):
        differences = rng.normal(0, 0.1, size=(12, 30))
        shown.append(differences.mean(axis=0).max())
        expected.append(chance_gain(differences))
    # Both are the mean of the largest of 30 normal means of s = .1/sqrt(12): about 2.04 s = .059.
    assert np.mean(shown) == pytest.approx(0.059, abs=0.006)
    assert np.mean(expected) == pytest.approx(np.mean(shown), rel=0.12)


def test_without_merit_a_winner_is_seldom_called_better():
    rng = np.random.default_rng(11)
    tables = rng.normal(size=(200, 10, 20))
    # Chosen and tested on the same queries, by what the test looks at: then p is uniform.
    best = [int((np.abs(table.sum(axis=0)) / np.sqrt((table**2).sum(axis=0))).argmax()) for table in tables]
    found = [best_of_many_p(table, chosen) for table, chosen in zip(tables, best, strict=True)]
    # 5 % of 200 are 10 with s = 3.1, half of them 100 with s = 7.1
    assert sum(p < 0.05 for p in found) <= 19
    assert sum(p < 0.5 for p in found) == pytest.approx(100, abs=21)


rows = st.lists(st.sampled_from([-0.5, -0.1, 0.0, 0.2, 0.5]), min_size=3, max_size=3)


@settings(max_examples=20, deadline=None)
@given(st.lists(rows, min_size=2, max_size=6))
def test_a_corrected_p_value_is_never_below_the_plain_one(table):
    plain = randomisation_p([row[0] for row in table])
    assert plain - 1e-9 <= best_of_many_p(table, 0) <= 1.0
    assert best_of_many_p([row[:1] for row in table], 0) == pytest.approx(plain)
