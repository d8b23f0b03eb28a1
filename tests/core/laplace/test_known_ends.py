"""Searches from further starts, which are left where they head for an end that is known."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.fitting.laplace.search import search
from mixedsparse.core.fitting.outcome import Stop
from tests.core.laplace.test_fit import fit
from tests.core.laplace.test_nested import criteria, vector_of


def test_a_search_that_heads_for_a_known_end_is_left_before_it_is_there() -> None:
    criterion, _ = criteria("two")
    start = vector_of(criterion)
    whole = search(criterion, start)
    assert whole.stop is Stop.CONVERGED
    end = whole.point.criterion
    left = search(criterion, start, known=end)
    assert left.nfev < whole.nfev
    assert left.point.criterion == pytest.approx(end, abs=2e-3)
    # One that is higher is no reason.
    again = search(criterion, start, known=end + 1e-3)
    assert again.stop is Stop.CONVERGED
    assert again.point.criterion == pytest.approx(end, abs=1e-9)


def test_counts_without_overdispersion_or_variance_are_not_searched_to_the_end_of_time() -> None:
    """Each further start followed the fall in the size to its end: 52 evaluations of one such set."""
    from mixedsparse import RandomTerm

    rng = np.random.default_rng(3)
    codes, n = np.repeat(np.arange(20), 5), 100
    term = RandomTerm("g", codes, np.ones((n, 1)))
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    found = fit("negative_binomial", "log", rng.binomial(4, 0.5, n), X, [term])
    assert found.theta == pytest.approx([0.0], abs=1e-6)
    assert found.evaluations <= 25
