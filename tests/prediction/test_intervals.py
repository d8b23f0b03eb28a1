from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

import mixedsparse as ms
from mixedsparse.ground.errors import DataError, SingularFitWarning
from tests.inference.dense import relative_cov
from tests.limits import relimited
from tests.models import DESIGNS, Small, make
from tests.oracle import one_hot, triangles

# Inverses of dense n x n matrices against the factor; variances.
DENSE = 1e-7


def error_variance(small: Small, results: ms.MixedResults, x: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """Var(x'beta-hat + z'b-hat - x'beta - z'b) from the definition: both estimates are linear in y.

    `parts` holds z (r, levels * k) of each term in theta order, zero where its effects are left out.
    """
    terms = sorted(small.terms, key=lambda t: -t.n_levels)
    Z, z = np.hstack([one_hot(t) for t in terms]), np.hstack(parts)
    roots = [np.kron(np.eye(t.n_levels), lam) for t, lam in zip(terms, triangles(terms, results.theta), strict=True)]
    G = np.zeros((Z.shape[1], Z.shape[1]))
    start = 0
    for root in roots:
        stop = start + len(root)
        G[start:stop, start:stop] = root @ root.T
        start = stop
    V = relative_cov(small, results.theta)
    inverse, X = np.linalg.inv(V), small.X_kept
    fixed = np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    modes = G @ Z.T @ inverse @ (np.eye(len(V)) - X @ fixed)
    c = x @ fixed + z @ modes
    variance = np.einsum("ri,ij,rj->r", c, V, c) - 2 * np.einsum("ri,ij,rj->r", c @ Z, G, z)
    return results.scale * (variance + np.einsum("ri,ij,rj->r", z, G, z))


def fitted(small: Small) -> ms.MixedResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return small.model().fit()


def half_width(table: pd.DataFrame) -> np.ndarray:
    centre = table[["lower", "upper"]].mean(axis=1)
    np.testing.assert_allclose(centre, table["predicted"], rtol=1e-10, atol=1e-10)
    return (table["upper"] - table["lower"]).to_numpy() / 2


@pytest.mark.parametrize("backend", ["split", "cholmod"])
@pytest.mark.parametrize("name", DESIGNS)
def test_matches_the_dense_formula(name, backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    small = make(name, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        results = small.model().fit(options=ms.FitOptions(backend=backend))
    noise = results.scale / (1.0 if small.weights is None else small.weights)
    terms = sorted(small.terms, key=lambda t: -t.n_levels)
    everything = [one_hot(t) for t in terms]
    confidence = half_width(results.predict(interval="confidence", level=0.9)) / ndtri(0.95)
    expected = error_variance(small, results, small.X_kept, everything)
    np.testing.assert_allclose(confidence**2, expected, rtol=DENSE)
    prediction = half_width(results.predict(interval="prediction")) / ndtri(0.975)
    np.testing.assert_allclose(prediction**2, expected + noise, rtol=DENSE)
    first = terms[0].group
    parts = [z if t.group == first else 0.0 * z for t, z in zip(terms, everything, strict=True)]
    some = half_width(results.predict(random=[first], interval="confidence")) / ndtri(0.975)
    np.testing.assert_allclose(some**2, error_variance(small, results, small.X_kept, parts), rtol=DENSE)
    # Effects that are left out of a prediction are unknown.
    roots = triangles(terms, results.theta)
    prior = [np.square(t.z @ lam).sum(axis=1) for t, lam in zip(terms, roots, strict=True) if t.group != first]
    wide = half_width(results.predict(random=[first], interval="prediction")) / ndtri(0.975)
    np.testing.assert_allclose(wide**2, some**2 + noise + results.scale * np.sum(prior, axis=0), rtol=DENSE)
    population = half_width(results.predict(random="population", interval="confidence", ddf="normal")) / ndtri(0.975)
    cov = results.cov_params().to_numpy()
    np.testing.assert_allclose(population**2, np.einsum("rp,pq,rq->r", small.X_kept, cov, small.X_kept), rtol=1e-9)


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    s, i = (codes.ravel() for codes in np.indices((14, 9)))
    x = rng.normal(size=len(s))
    by_s = rng.normal(size=(14, 2)) @ [[1.0, 0.4], [0.0, 0.7]]
    y = 1 + x + by_s[s, 0] + by_s[s, 1] * x + rng.normal(size=9)[i] + rng.normal(size=len(s))
    return pd.DataFrame({"y": y, "x": x, "s": s, "i": i, "w": rng.uniform(0.5, 2, len(s))})


def test_new_rows_and_new_levels_match_the_dense_formula(study):
    fit = ms.lmer("y ~ x + (x | s) + (1 | i)", study)
    small = Small(fit.get("y"), fit.get("X"), fit.model.design.terms)
    new = pd.DataFrame({"x": [0.3, -1.0, 2.0, 0.5, 9.0], "s": [0, 13, 99, 2, 98], "i": [8, 0, 3, 77, 76]})
    fixed = np.column_stack([np.ones(5), new["x"]])
    by_s, by_i = np.zeros((5, 14, 2)), np.zeros((5, 9))
    for row, (s, i) in enumerate(zip(new["s"], new["i"], strict=True)):
        if s < 14:
            by_s[row, s] = fixed[row]
        if i < 9:
            by_i[row, i] = 1.0
    variance = error_variance(small, fit, fixed, [by_s.reshape(5, -1), by_i])
    sigma_s, sigma_i = (fit.cov_re[g].to_numpy() for g in ("s", "i"))
    prior_s = np.einsum("ra,ab,rb->r", fixed, sigma_s, fixed)
    variance += np.where(new["s"] > 13, prior_s, 0.0) + np.where(new["i"] > 8, sigma_i[0, 0], 0.0)
    got = half_width(fit.predict(new, new_levels="zero", interval="confidence", ddf="normal")) / ndtri(0.975)
    np.testing.assert_allclose(got**2, variance, rtol=DENSE)
    # A new subject and a new item: the marginal distribution around the population mean.
    population = fit.predict({"x": new["x"]}, random="population", interval="prediction", ddf="normal")
    marginal = half_width(population) / ndtri(0.975)
    of_mean = np.einsum("rp,pq,rq->r", fixed, fit.cov_params().to_numpy(), fixed)
    np.testing.assert_allclose(marginal**2, of_mean + prior_s + sigma_i[0, 0] + fit.scale, rtol=1e-9)
    newcomer = fit.predict(new.iloc[[4]], new_levels="zero", interval="prediction", ddf="normal")
    np.testing.assert_allclose(half_width(newcomer) / ndtri(0.975), marginal[4:], rtol=1e-9)


def test_many_rows_are_solved_in_chunks(study):
    fit = ms.lmer("y ~ x + (x | s) + (1 | i)", study)
    whole = fit.predict(interval="confidence")
    fit = relimited(fit, solved=80)
    np.testing.assert_allclose(fit.predict(interval="confidence"), whole, rtol=1e-12)
    shuffled = study.sample(frac=1.0, random_state=0)
    np.testing.assert_allclose(fit.predict(shuffled, interval="confidence").loc[study.index], whole, rtol=1e-9)


def test_weights_of_new_rows(study):
    by_name = ms.lmer("y ~ x + (1 | s)", study, weights="w")
    by_array = ms.lmer("y ~ x + (1 | s)", study, weights=study["w"].to_numpy())
    own = by_name.predict(interval="prediction")
    np.testing.assert_allclose(by_array.predict(interval="prediction"), own, rtol=1e-12)
    np.testing.assert_allclose(by_name.predict(study, interval="prediction"), own, rtol=1e-9)
    np.testing.assert_allclose(by_array.predict(study, interval="prediction", weights="w"), own, rtol=1e-9)
    with pytest.raises(DataError, match=r"weights as an array.*weights=1"):
        by_array.predict(study, interval="prediction")
    equal = by_name.predict(study, interval="prediction", weights=4.0)
    confidence = half_width(by_name.predict(interval="confidence"))
    variance = (half_width(equal) ** 2 - confidence**2) / ndtri(0.975) ** 2
    np.testing.assert_allclose(variance, by_name.scale / 4.0, rtol=1e-8)
    with pytest.raises(DataError, match="must be positive"):
        by_name.predict(study, interval="prediction", weights=-1.0)


def test_singular_fit_has_intervals():
    with pytest.warns(SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    fixed = fit.predict(random="population", interval="confidence", ddf="normal")
    np.testing.assert_allclose(fit.predict(interval="confidence"), fixed, rtol=1e-9)


@pytest.mark.slow
def test_coverage(study):
    """Known levels, new levels and new observations; covariance parameters are estimated each time."""
    rng = np.random.default_rng(7)
    s, i, x = study["s"].to_numpy(), study["i"].to_numpy(), study["x"].to_numpy()
    rows = pd.DataFrame({"x": [0.5, -1.0, 1.0, 0.0], "s": [3, 7, 50, 51], "i": [2, 60, 5, 61]})
    fit = ms.lmer("y ~ x + (x | s) + (1 | i)", study)
    inside = {"confidence": [], "prediction": []}
    for _ in range(150):
        by_s = np.zeros((52, 2))
        by_s[[*range(14), 50, 51]] = rng.normal(size=(16, 2)) @ [[1.0, 0.4], [0.0, 0.7]]
        by_i = 0.8 * rng.normal(size=62)
        noise = rng.normal(size=len(s) + 4)

        def mean(x, s, i, by_s=by_s, by_i=by_i):
            return 1 + x + by_s[s, 0] + by_s[s, 1] * x + by_i[i]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)
            again = fit.refit(mean(x, s, i) + noise[4:])
        truth = mean(rows["x"], rows["s"], rows["i"])
        for interval, target in (("confidence", truth), ("prediction", truth + noise[:4])):
            table = again.predict(rows, new_levels="zero", interval=interval, level=0.9)
            inside[interval].append((table["lower"] < target) & (target < table["upper"]))
    for found in inside.values():
        # Four binomial standard errors of 0.9 in 150 responses make 0.1.
        assert np.abs(np.mean(found, axis=0) - 0.9).max() < 0.1
        assert np.mean(found) == pytest.approx(0.9, abs=0.05)
