"""Errors of the conditional modes: what intervals of random effects rest on."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import BackendError, OptionError
from tests.models import DESIGNS, make
from tests.results.oracle import crossed_model


def by_henderson(fit: ms.MixedResults) -> np.ndarray:
    """Var(b-hat - b) (q, q) from the inverse of the mixed-model equations, Z Lambda in place of Z."""
    weights = fit.model.design.weights
    root = 1.0 if weights is None else np.sqrt(weights)[:, None]
    Lam = fit.get("Lam").toarray()
    X, U = root * fit.get("X"), root * (fit.get("Z") @ Lam)
    equations = np.block([[X.T @ X, X.T @ U], [U.T @ X, U.T @ U + np.eye(U.shape[1])]])
    p = X.shape[1]
    return fit.scale * Lam @ np.linalg.inv(equations)[p:, p:] @ Lam.T


def level_by_level(fit: ms.MixedResults, full: np.ndarray) -> dict[str, np.ndarray]:
    """Blocks (levels, k, k) of a covariance (q, q) of all random effects, per grouping factor."""
    terms, out, place = fit.model.problem.terms, {}, {}
    start = 0
    for term in terms:
        ids = start + np.arange(term.n_levels * term.k).reshape(term.n_levels, term.k)
        place.setdefault(term.group, []).append(ids)
        start += term.n_levels * term.k
    for group, pieces in place.items():
        ids = np.hstack(pieces)
        out[group] = np.array([full[np.ix_(row, row)] for row in ids])
    return out


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize("name", list(DESIGNS))
def test_errors_of_modes_are_those_of_the_mixed_model_equations(name):
    fit = make(name, 0).model().fit()
    full = level_by_level(fit, by_henderson(fit))
    for group, cov in fit.random_effects_error_cov.items():
        np.testing.assert_allclose(cov, full[group], rtol=1e-8, atol=1e-10 * np.abs(full[group]).max())
        more = np.linalg.eigvalsh(cov - fit.random_effects_cov[group])
        assert more.min() >= -1e-8 * np.abs(cov).max()


def test_errors_with_weights_offset_and_several_terms_per_factor():
    fit = crossed_model().fit()
    full = level_by_level(fit, by_henderson(fit))
    for group, cov in fit.random_effects_error_cov.items():
        np.testing.assert_allclose(cov, full[group], rtol=1e-8)
        assert not cov.flags.writeable


def test_errors_agree_with_the_interval_of_a_prediction():
    """In a row whose fixed part is 0 the interval is that of the random effects alone."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(6), 4), rng.normal(size=24)
    data = {"y": rng.normal(size=6)[g] + x + rng.normal(size=24), "x": x, "g": g}
    fit = ms.lmer("y ~ 0 + x + (1 | g)", data)
    row = fit.predict({"x": np.zeros(6), "g": np.arange(6)}, interval="confidence")
    errors = np.sqrt(fit.random_effects_error_cov["g"][:, 0, 0])
    half = (row["upper"] - row["lower"]).to_numpy() / 2
    np.testing.assert_allclose(half / half[0], errors / errors[0], rtol=1e-8)


def test_intervals_of_modes_cover_as_well_as_known_variances_let_them():
    """Small design, variances known: normal intervals hold 95 % with the errors of prediction, and less given beta."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(5), 4)
    x = rng.normal(size=20)
    data = {"y": rng.normal(size=5)[g] + rng.normal(size=20), "x": x, "g": g}
    fit = ms.lmer("y ~ x + (1 | g)", data)
    Z, X = fit.get("Z").toarray(), fit.get("X")
    V = fit.scale * np.eye(20) + fit.vcomp.iloc[0] * Z @ Z.T
    b = np.sqrt(fit.vcomp.iloc[0]) * rng.normal(size=(5, 4000))
    y = Z @ b + np.sqrt(fit.scale) * rng.normal(size=(20, 4000))
    W = np.linalg.inv(V)
    residual = y - X @ np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
    off = np.abs(fit.vcomp.iloc[0] * Z.T @ W @ residual - b)
    cover = {
        name: (off < 1.959964 * np.sqrt(cov["g"][:, 0, 0])[:, None]).mean()
        for name, cov in (("conditional", fit.random_effects_cov), ("prediction", fit.random_effects_error_cov))
    }
    assert cover["prediction"] == pytest.approx(0.95, abs=0.01)
    assert cover["conditional"] < 0.90


def test_what_is_refused():
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    with pytest.raises(OptionError, match="errors='condVar' is not known; use one of 'prediction', 'conditional'"):
        fit.tidy("ran_vals", errors="condVar")
    iterative = ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"), method="iterative")
    with pytest.raises(BackendError, match=r"Ask conditional_cov\(group, levels\)"):
        _ = iterative.random_effects_error_cov
