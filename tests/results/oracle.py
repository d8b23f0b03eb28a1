"""A crossed design with several terms per factor, and every quantity of it from the dense covariance of y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import mixedsparse as ms

SUBJECTS, ITEMS = 30, 12


def crossed_model() -> ms.LinearMixedModel:
    """Subjects x items; formula order item, subject, item, subject, so that theta order and formula order differ."""
    rng = np.random.default_rng(5)
    subject, item = (codes.ravel() for codes in np.indices((SUBJECTS, ITEMS)))
    n = len(subject)
    x, z = rng.normal(size=(2, n))
    subjects = np.array([f"s{i:02d}" for i in range(SUBJECTS)])
    terms = [
        ms.RandomTerm("item", item, np.ones(n)),
        ms.RandomTerm("subject", subject, np.column_stack([x, z]), columns=("x", "z"), levels=subjects),
        ms.RandomTerm("item", item, x, columns=("x",)),
        ms.RandomTerm("subject", subject, np.ones(n), levels=subjects),
    ]
    effects = rng.normal(size=(SUBJECTS, 3)) @ [[1.2, 0.5, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 1.5]]
    y = 2.0 + x + (effects[subject] * np.column_stack([x, z, np.ones(n)])).sum(axis=1)
    y = y + rng.normal(size=ITEMS)[item] + 0.5 * rng.normal(size=ITEMS)[item] * x + rng.normal(size=n)
    return ms.LinearMixedModel.from_arrays(
        y,
        np.column_stack([np.ones(n), x]),
        terms,
        weights=rng.uniform(0.5, 2.0, n),
        offset=rng.normal(size=n),
        x_names=["Intercept", "x"],
    )


@dataclass(frozen=True)
class Dense:
    """V, and the random effects given y; `group`, `level` and `effect` label the columns of Z."""

    V: np.ndarray
    modes: np.ndarray
    cov: np.ndarray
    cov_beta: np.ndarray
    labels: list[tuple[str, object, str]]

    def at(self, group: str, levels, effects) -> np.ndarray:
        """Positions (levels, effects) of the random effects of one factor."""
        return np.array([[self.labels.index((group, level, effect)) for effect in effects] for level in levels])


def dense(results: ms.MixedResults) -> Dense:
    """Everything from theta, sigma and beta by n x n matrices."""
    design, theta = results.model.design, results.theta
    labels, columns, blocks = [], [], []
    for term in sorted(design.terms, key=lambda t: -t.n_levels):
        k = term.k
        lam = np.zeros((k, k))
        lam.T[np.triu_indices(k)] = theta[: term.n_theta]
        theta = theta[term.n_theta :]
        for level in range(term.n_levels):
            labels += [(term.group, term.levels[level], name) for name in term.columns]
            columns.append(term.z * (term.codes == level)[:, None])
            blocks.append(results.scale * lam @ lam.T)
    assert len(theta) == 0
    Z = np.hstack(columns)
    G = np.zeros((Z.shape[1], Z.shape[1]))
    start = 0
    for block in blocks:
        stop = start + len(block)
        G[start:stop, start:stop] = block
        start = stop
    weights = np.ones(len(design.y)) if design.weights is None else design.weights
    V = Z @ G @ Z.T + np.diag(results.scale / weights)
    GZtVinv = np.linalg.solve(V, Z @ G).T
    offset = 0.0 if design.offset is None else design.offset
    residual = design.y - offset - design.X @ results.params.to_numpy()
    return Dense(
        V=V,
        modes=GZtVinv @ residual,
        cov=G - GZtVinv @ Z @ G,
        cov_beta=np.linalg.inv(design.X.T @ np.linalg.solve(V, design.X)),
        labels=labels,
    )
