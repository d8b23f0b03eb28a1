from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import DataError, OptionError

# Moments of a few thousand draws.
NSIM = 4000


@pytest.fixture(scope="module")
def fit() -> ms.MixedResults:
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


@pytest.fixture(scope="module")
def pastes() -> ms.MixedResults:
    return ms.lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", ms.datasets.load("Pastes"))


def test_seed_and_shape(fit):
    some = fit.simulate(3, seed=5)
    assert some.shape == (180, 3)
    assert some.index.equals(fit.fittedvalues.index)
    assert list(some.columns) == [0, 1, 2]
    pd.testing.assert_frame_equal(fit.simulate(3, seed=5), some)
    pd.testing.assert_frame_equal(fit.simulate(7, seed=5)[[0, 1, 2]], some)
    assert not np.allclose(fit.simulate(3, seed=6), some)
    fit.refit(some[1])


def test_the_bootstrap_refits_these_responses(fit):
    table = fit.bootstrap(4, seed=11).table
    drawn = fit.simulate(4, seed=11)
    again = fit.refit(drawn[2])
    np.testing.assert_allclose(table.loc[2, ["Intercept", "Days", "sigma"]], [*again.params, again.sigma], rtol=1e-6)


def test_moments_of_new_random_effects(fit):
    rows = [0, 4, 9, 12]
    drawn = fit.simulate(NSIM, seed=1).iloc[rows].to_numpy()
    expected = fit.marginal_cov(rows).to_numpy()
    sd = np.sqrt(np.diagonal(expected))
    population = fit.predict(random="population").iloc[rows]
    np.testing.assert_allclose(drawn.mean(axis=1), population, atol=4 * sd.max() / np.sqrt(NSIM))
    off = np.abs(np.cov(drawn) - expected) / np.outer(sd, sd)
    assert off.max() < 4 * np.sqrt(2 / NSIM)


def test_modes_that_are_kept(fit, pastes):
    drawn = fit.simulate(NSIM, seed=1, random="conditional")
    np.testing.assert_allclose(drawn.mean(axis=1), fit.fittedvalues, atol=4.5 * fit.sigma / np.sqrt(NSIM))
    np.testing.assert_allclose(drawn.std(axis=1), fit.sigma, rtol=0.06)
    # The errors are the same, whatever is drawn or kept: what is left is Z b, a line per subject.
    anew = fit.simulate(1, seed=1)[0] - fit.predict(random="population")
    lines = (anew - drawn[0] + fit.fittedvalues).to_numpy().reshape(18, 10)
    assert np.abs(lines).max() > 1
    np.testing.assert_allclose(np.diff(lines, n=2), 0.0, atol=1e-9)
    some = pastes.simulate(NSIM, seed=1, random=["batch"])
    error = 4.5 * np.sqrt((pastes.vcomp.iloc[0] + pastes.scale) / NSIM)
    np.testing.assert_allclose(some.mean(axis=1), pastes.predict(random=["batch"]), atol=error)


def test_new_rows(fit, pastes):
    rows = ms.datasets.load("sleepstudy")
    np.testing.assert_allclose(fit.simulate(2, seed=3, newdata=rows), fit.simulate(2, seed=3), rtol=1e-9)
    planned = pd.DataFrame(
        {"Days": [0, 0, 5, 5, 5], "Subject": ["308", "new", "new", "newer", None]}, index=list("abcde")
    )
    drawn = fit.simulate(NSIM, seed=2, newdata=planned)
    assert drawn.index.equals(planned.index)
    assert drawn.loc["e"].isna().all()
    cov = fit.cov_re["Subject"].to_numpy()
    z = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 5.0], [1.0, 5.0]])
    same = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    expected = (z @ cov @ z.T) * same + fit.scale * np.eye(4)
    sd = np.sqrt(np.diagonal(expected))
    assert (np.abs(np.cov(drawn.iloc[:4]) - expected) / np.outer(sd, sd)).max() < 4 * np.sqrt(2 / NSIM)
    nested = pd.DataFrame({"batch": ["A", "A", "Z", "Z"], "cask": ["a", "x", "x", "x"]})
    correlation = np.corrcoef(pastes.simulate(NSIM, seed=4, newdata=nested))
    assert correlation[2, 3] > correlation[0, 1] + 0.3  # one cask of one batch, two casks of one batch
    assert abs(correlation[0, 2]) < 0.1


def test_new_levels_have_no_modes_to_keep(fit):
    with pytest.raises(DataError, match=r"has not seen: 'new' .*cannot be kept"):
        fit.simulate(newdata={"Days": [1], "Subject": ["new"]}, random="conditional")


def test_new_levels_of_an_expression_must_be_told_apart():
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (1 | Subject.str[:3])", data)
    new = {"Days": [1, 1], "Subject": ["999", "998"]}
    assert fit.simulate(2, seed=1, newdata=new).notna().all(axis=None)
    with pytest.raises(DataError, match="1 levels that the fit has not seen, made from 2 combinations"):
        fit.simulate(newdata={"Days": [1, 1], "Subject": ["999a", "999b"]})


def test_weights_and_offset():
    data = ms.datasets.load("sleepstudy")
    data["w"] = np.where(data["Days"] < 5, 1.0, 9.0)
    data["o"] = 100.0 * data["Days"]
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w", offset="o")
    drawn = fit.simulate(NSIM, seed=1, random="conditional")
    np.testing.assert_allclose(drawn.std(axis=1), fit.sigma / np.sqrt(data["w"]), rtol=0.06)
    np.testing.assert_allclose(drawn.mean(axis=1), fit.fittedvalues, atol=4.5 * fit.sigma / np.sqrt(NSIM))
    np.testing.assert_allclose(fit.simulate(2, 1, newdata=data, offset="o"), fit.simulate(2, 1), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nsim": 0}, "nsim=0 must be a whole number"),
        ({"seed": 1.5}, "seed=1.5 must be a whole number"),
        ({"random": "keep"}, "random='keep' is no grouping factor"),
    ],
)
def test_options_are_checked(fit, options, message):
    with pytest.raises(OptionError, match=message):
        fit.simulate(**options)
