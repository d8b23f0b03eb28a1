"""Structures of effects and residuals cost a fit that has none nothing: none of theirs runs, so no digit can move."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse import LinearMixedModel, RandomTerm
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.whitened import joined_by
from mixedsparse.core.residual.series import Series

ROOT = Path(ms.__file__).parent
# Rooms and files of structures; `unstructured` has the roots of plain covariances too.
THEIRS = (
    "core/structures/",
    "core/residual/",
    "core/likelihood/residual/",
    "core/likelihood/charted.py",
    "core/problem/correlated_rows.py",
    "core/fitting/residual.py",
    "core/fitting/structured_restarts.py",
)
SHARED = ("core/structures/unstructured.py", "core/structures/triangles.py")


def data(seed=1):
    rng = np.random.default_rng(seed)
    g, item, n = np.repeat(np.arange(12), 8), rng.integers(0, 6, 96), 96
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = (rng.normal(size=(12, 2))[g] * X).sum(axis=1) + rng.normal(size=6)[item] + rng.normal(size=n)
    return y, X, [RandomTerm("g", g, X), RandomTerm("item", item, np.ones((n, 1)))]


def files_run(call):
    """Files of the package whose functions `call` runs."""
    seen = set()

    def note(frame, event, _):
        if event == "call":
            seen.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return {str(Path(name).relative_to(ROOT)) for name in seen if name.startswith(str(ROOT))}


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_a_fit_without_structures_runs_nothing_of_theirs(reml):
    y, X, terms = data()

    def fit():
        found = LinearMixedModel.from_arrays(y, X, terms).fit(reml=reml)
        found.coef_table()
        found.conf_int()

    run = files_run(fit)
    assert {"core/problem/problem.py", "core/likelihood/pls.py"} <= run
    assert sorted(name for name in run if name.startswith(THEIRS) and name not in SHARED) == []


def test_a_problem_without_correlated_residuals_is_the_same_object():
    y, X, terms = data()
    problem = make_problem(y, X, terms)
    assert joined_by(problem, None) is problem
    # Nor is one whose terms keep to the groups of the residuals.
    nested = make_problem(y, X, terms[:1])
    assert joined_by(nested, Series(terms[0].codes, np.tile(np.arange(8.0), 12), "g")) is nested


def test_plain_terms_beside_a_structured_one_keep_every_digit_of_their_products():
    y, X, terms = data()
    problem = make_problem(y, X, terms)
    residual = Series(terms[0].codes, np.tile(np.arange(8.0), 12), "g")
    wide = joined_by(problem, residual)
    assert wide.coupled == {1}
    for b in range(2):
        assert (wide.grams[b] == problem.grams[b]).all()
        assert (wide.Zxy[b] == problem.Zxy[b]).all()
    assert (wide.pairs[0, 1].dense() == problem.pairs[0, 1].dense()).all()
    assert not wide.pairs[1, 1].data.any()
