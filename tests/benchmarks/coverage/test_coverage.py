"""Designs are what they say, measures count right, and rows make a table."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.coverage import __main__ as command
from benchmarks.coverage import generalized
from benchmarks.coverage.designs import DESIGNS
from benchmarks.coverage.measures import MEASURES, _by_parameter, coefficients, modes, predictions, simulated
from benchmarks.coverage.report import report
from benchmarks.coverage.rows import OUT, CoverageRow, rows_of
from benchmarks.shared.records import read_rows


@pytest.mark.parametrize("key", DESIGNS)
def test_designs_have_the_covariance_that_they_name(key):
    """The covariance of the model at the truth is that of the generator, and it can be fitted."""
    design = DESIGNS[key]()
    model = ms.LinearMixedModel(
        design.formula, design.data.assign(y=np.arange(len(design.data))), weights=design.weights
    )
    truth = design.parameters()
    names = {f"sd({c}|{term.group})" for term in model.problem.terms for c in term.columns}
    assert names | {"sigma"} <= set(truth)
    rng = np.random.default_rng(1)
    draws = np.array([design.draw(rng)[0] for _ in range(400)])
    variance = design.sigma**2 / (1.0 if design.weights is None else design.data[design.weights].to_numpy())
    for effects in design.effects:
        variance = variance + np.einsum("ij,jk,ik->i", effects.z, effects.cov, effects.z)
    assert draws.mean() == pytest.approx(design.intercept, abs=0.2)
    assert np.mean(draws.var(axis=0) / variance) == pytest.approx(1.0, abs=0.12)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_shares_are_those_counted_by_hand():
    design = DESIGNS["small"]()
    one = next(simulated(design, 1, 3))
    again = next(simulated(design, 1, 3))
    np.testing.assert_array_equal(one.y, again.y)
    truth = np.array([2.0, 0.0, 0.0, 0.0, 0.0])
    table = one.fit.coef_table(ddf="normal")
    hits = np.abs(table["Estimate"] - truth) <= 1.959963985 * table["SE"]
    assert coefficients(one)["coefficients", "Wald, normal"] == hits.mean()
    error = np.abs(one.fit.random_effects["g"]["Intercept"].to_numpy() - one.b[0][:, 0])
    half = 1.959963985 * np.sqrt(one.fit.random_effects_error_cov["g"][:, 0, 0])
    assert modes(one)["random effects", "errors of prediction (default)"] == (error <= half).mean()
    assert set(predictions(one)) == {
        ("predict", what) for what in ("population means", "means of known levels", "responses of new levels")
    }


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_a_missing_interval_misses_and_a_zero_is_covered_from_zero():
    one = next(simulated(DESIGNS["zero-small"](), 1, 3))
    limits = one.fit.conf_int(which="all")
    limits.loc["sd(Intercept|g)"] = np.nan
    limits.loc["sigma"] = 0.9, 1.1
    found = _by_parameter(one, "m", limits)
    assert found["standard deviations of 0", "m"] == 0.0
    assert found["sigma", "m"] == 1.0
    limits.loc["sd(Intercept|g)"] = 0.0, 0.3
    assert _by_parameter(one, "m", limits)["standard deviations of 0", "m"] == 1.0


def test_rates_have_their_monte_carlo_errors():
    rows = rows_of("small", [{("modes", "m"): v} for v in (1.0, 0.8, 0.6, 0.8)], "c", "d")
    assert rows[0].rate == 0.8
    assert rows[0].error == pytest.approx(np.std([1.0, 0.8, 0.6, 0.8], ddof=1) / 2, abs=1e-4)
    certain = rows_of("small", [{("test of x", "m"): False}] * 96, "c", "d")[0]
    assert certain.nominal == 0.05
    assert 0 < certain.error < 0.03


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_the_command_writes_rows_and_tables(tmp_path):
    out = tmp_path / "coverage.csv"
    arguments = ["--designs", "small", "--out", str(out), "--replicates", "2", "--dear", "0"]
    assert command.main(arguments) == 0
    first = read_rows(out, CoverageRow)
    assert {row.replicates for row in first} == {2}
    assert command.main([*arguments, "--measures", "modes", "--replicates", "3"]) == 0
    rows = read_rows(out, CoverageRow)
    assert len(rows) == len(first)
    assert {row.replicates for row in rows if row.quantity == "random effects"} == {3}
    assert "## Random effects" in out.with_suffix(".md").read_text(encoding="utf-8")


def test_what_is_off_is_bold():
    common = {"commit": "c", "date": "d", "design": "small", "quantity": "random effects", "nominal": 0.95}
    rows = [
        CoverageRow(**common, method="off", rate=0.8, error=0.01, replicates=9),
        CoverageRow(**common, method="right", rate=0.94, error=0.01, replicates=9),
    ]
    text = report(rows)
    assert "| off | **80.0** (1.0) |" in text
    assert "| right | 94.0 (1.0) |" in text


def test_the_tables_that_are_stored_are_those_of_the_rows():
    rows = read_rows(OUT, CoverageRow)
    assert {row.design for row in rows} == {*DESIGNS, *generalized.DESIGNS}
    text = report(rows)
    assert OUT.with_suffix(".md").read_text(encoding="utf-8") == text
    assert text.count("\n## ") == len({(row.design in DESIGNS, row.quantity) for row in rows})
    assert len({measure.__name__ for measure in MEASURES}) == len(MEASURES)
