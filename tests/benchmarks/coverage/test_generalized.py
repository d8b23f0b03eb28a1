"""Generalized designs are what they say, and their measures count right."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.coverage import __main__ as command
from benchmarks.coverage.generalized import DESIGNS, MEASURES, ratios, recovery, simulated, wald
from benchmarks.coverage.report import report
from benchmarks.coverage.rows import CoverageRow, rows_of
from benchmarks.shared.records import read_rows


@pytest.mark.parametrize("key", DESIGNS)
def test_designs_have_the_means_that_they_name(key):
    design = DESIGNS[key]()
    data = design.data.assign(y=design.draw(np.random.default_rng(0)))
    model = ms.GeneralizedLinearMixedModel(design.formula, data, design.family)
    names = {f"sd({c}|{term.group})" for term in model.problem.terms for c in term.columns}
    assert names <= set(design.parameters())
    assert set(design.beta) <= set(model.design.x_names)
    rng = np.random.default_rng(1)
    mean = np.mean([design.draw(rng).mean() for _ in range(300)])
    # Means over the random effects, by quadrature of their sum on the linear predictor.
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    sd = np.sqrt(sum(effects.cov[0, 0] for effects in design.effects))
    fixed = sum(v * (1.0 if name == "Intercept" else design.data[name].to_numpy()) for name, v in design.beta.items())
    eta = np.broadcast_to(fixed, len(design.data))[:, None] + sd * nodes
    mu = np.exp(eta) if design.family == "poisson" else design.data[["m"]].to_numpy() / (1 + np.exp(-eta))
    assert mean == pytest.approx((mu @ weights).mean() / weights.sum(), rel=0.06)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_shares_are_those_counted_by_hand():
    one = next(simulated(DESIGNS["binary-groups"](), 1, 3))
    limits = one.fit.conf_int()
    truth = np.array([0.3, 0.5, 0.0])
    hits = (limits["lower"] <= truth) & (truth <= limits["upper"])
    assert limits.index.tolist() == ["Intercept", "x", "f[T.b]"]
    found = wald(one)
    assert found["coefficients", "Wald"] == hits.mean()
    assert ("standard deviations", "Wald, nAGQ=7") in found
    off = recovery(one)
    assert off["recovery of standard deviations", "nAGQ=7"] == pytest.approx(one.exact.theta[0] / 1.2)
    want = np.mean([one.fit.params["Intercept"] / 0.3, one.fit.params["x"] / 0.5])
    assert off["recovery of coefficients", "Laplace"] == pytest.approx(want)
    p = ms.anova(one.smaller, one.fit)["p"].iloc[1]
    assert ratios(one)["test of a term", "likelihood ratio, chi-squared"] == (p <= 0.05)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_the_command_takes_generalized_designs(tmp_path):
    out = tmp_path / "coverage.csv"
    arguments = ["--designs", "poisson-small", "--out", str(out), "--replicates", "2", "--dear", "0"]
    assert command.main(arguments) == 0
    rows = read_rows(out, CoverageRow)
    assert {row.nominal for row in rows if row.quantity.startswith("recovery")} == {1.0}
    text = out.with_suffix(".md").read_text(encoding="utf-8")
    assert "# Generalized models" in text
    assert "## Generalized: recovery of coefficients" in text
    assert len({measure.__name__ for measure in MEASURES}) == len(MEASURES)


def test_linear_and_generalized_quantities_have_tables_of_their_own():
    rows = rows_of("small", [{("coefficients", "Wald"): 1.0}] * 9, "c", "d")
    rows += rows_of("poisson-small", [{("coefficients", "Wald"): 1.0}] * 9, "c", "d")
    text = report(rows)
    assert text.count("## Coefficients\n") == text.count("## Generalized: coefficients\n") == 1
