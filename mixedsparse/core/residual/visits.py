"""Covariances between the visits of a group, by a template over all visits, of which a group may have any part.

Groups with the same visits are stacked: one triangle (m, m) whitens them all, and what the derivatives ask of them
is a sum of (m, m) matrices, added up to one (k, k) matrix over all patterns of visits.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.residual.grouped import Grouped, numbered
from mixedsparse.core.residual.interface import Entries, Quantity
from mixedsparse.core.residual.templates import Template, slopes_of
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Visits", "too_sparse"]

# Squared pivot of a visit over its variance, given those before it, below which it counts as a function of them.
_LEAST = 1e-8
# Eigenvalues of the correlations to start from, at least.
_FLOOR = 0.05


class _Pattern(NamedTuple):
    """Groups with the same visits: these (m,), and the rows of each group (N, m)."""

    visits: np.ndarray
    rows: np.ndarray


class Visits:
    """R of the visits of a group by a `template`; see `interface.Residual`.

    Attributes
    ----------
    groups, visits : ndarray of int, shape (n,)
        No two rows of a group have the same visit.
    labels : tuple of str, length k
        Names of the visits.
    """

    def __init__(self, groups: np.ndarray, visits: np.ndarray, labels: tuple[str, ...], template: Template) -> None:
        self.groups, self.visits, self.labels, self.template = groups, visits, labels, template
        self.patterns = _patterns(groups, visits)

    @property
    def size(self) -> int:
        """See `Residual.size`."""
        return self.template.size

    @cached_property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """All pairs within groups, pattern by pattern; see `Residual.joined`."""
        first, second = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
        for pattern in self.patterns:
            one, other = np.triu_indices(len(pattern.visits), 1)
            first.append(pattern.rows[:, one].ravel())
            second.append(pattern.rows[:, other].ravel())
        return np.concatenate(first), np.concatenate(second)

    def at(self, phi: np.ndarray) -> _At:
        """See `Residual.at`."""
        return _At(self, np.asarray(phi, dtype=float))

    def start(self, residuals: np.ndarray) -> np.ndarray:
        """Covariances of the visits from the pairs that there are, made positive definite; see `Residual.start`."""
        k = len(self.labels)
        sums, counts = np.zeros((k, k)), np.zeros((k, k))
        for pattern in self.patterns:
            own, place = residuals[pattern.rows], np.ix_(pattern.visits, pattern.visits)
            sums[place] += own.T @ own
            counts[place] += len(own)
        variances = np.diagonal(sums) / np.maximum(np.diagonal(counts), 1.0)
        deviations = np.sqrt(np.maximum(variances, 1e-6 * variances.max()))
        correlation = sums / np.maximum(counts, 1.0) / np.outer(deviations, deviations)
        np.fill_diagonal(correlation, 1.0)
        values, vectors = np.linalg.eigh(np.clip(correlation, -1.0, 1.0))
        covariance = (vectors * np.maximum(values, _FLOOR)) @ vectors.T
        return self.template.start(covariance * np.outer(deviations, deviations))

    def centred(self) -> None:
        """See `Residual.centred`."""
        return

    def on_rows(self, at: np.ndarray, phi: np.ndarray) -> tuple[Visits, np.ndarray]:
        """See `Residual.on_rows`; visits that are lost keep their parameters."""
        return Visits(numbered(self.groups[at]), self.visits[at], self.labels, self.template), phi

    def quantities(self, phi: np.ndarray) -> list[Quantity]:
        """Deviations of the visits over that of the first, then correlations; see `Residual.quantities`."""
        R, labels = self.template.covariance(np.asarray(phi, dtype=float)), self.labels
        deviations = np.sqrt(np.diagonal(R))
        out = [Quantity("sd", label, float(sd)) for label, sd in zip(labels, deviations, strict=True)]
        for i, j in zip(*np.triu_indices(len(labels), 1), strict=True):
            correlation = float(R[i, j] / (deviations[i] * deviations[j]))
            out.append(Quantity("cor", f"{labels[i]},{labels[j]}", correlation))
        return out


class _At:
    """See `interface.ResidualAt`."""

    def __init__(self, family: Visits, phi: np.ndarray) -> None:
        self.family, self.phi = family, phi
        with np.errstate(over="ignore", invalid="ignore"):
            self.R = family.template.covariance(phi)
        self.triangles: list[np.ndarray] = []
        self.inverses: list[np.ndarray] = []
        self.logdet = 0.0
        for pattern in family.patterns:
            root, info = lapack.dpotrf(self.R[np.ix_(pattern.visits, pattern.visits)], lower=1, clean=1)
            if info != 0 or not np.isfinite(root).all():
                raise NotPositiveDefiniteError("The residual covariance of the visits is singular.")
            self.triangles.append(root)
            self.inverses.append(lapack.dtrtri(root, lower=1)[0])
            self.logdet += 2.0 * len(pattern.rows) * float(np.log(np.diagonal(root)).sum())
        self._turns: np.ndarray | None = None

    @property
    def turns(self) -> np.ndarray:
        """DR / dphi_i, (size, k, k)."""
        if self._turns is None:
            self._turns = slopes_of(self.family.template, self.phi)
        return self._turns

    @property
    def slopes(self) -> np.ndarray:
        """See `ResidualAt.slopes`."""
        total = np.zeros_like(self.R)
        for pattern, inverse in zip(self.family.patterns, self.inverses, strict=True):
            total[np.ix_(pattern.visits, pattern.visits)] += len(pattern.rows) * (inverse.T @ inverse)
        return np.tensordot(self.turns, total, axes=2)

    def _apply(self, matrices: list[np.ndarray], columns: np.ndarray) -> np.ndarray:
        """Multiply the stacked visits of each pattern by its own matrix (m, m)."""
        out = np.empty_like(columns)
        for pattern, matrix in zip(self.family.patterns, matrices, strict=True):
            out[pattern.rows] = matrix @ columns[pattern.rows]
        return out

    def whiten(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.whiten`."""
        return self._apply(self.inverses, columns)

    innovations = whiten

    def colour(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.colour`."""
        return self._apply(self.triangles, columns)

    def transposed(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.transposed`."""
        return self._apply([triangle.T for triangle in self.triangles], columns)

    def precision(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.precision`."""
        return self._apply([inverse.T @ inverse for inverse in self.inverses], columns)

    def forms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """See `ResidualAt.forms`."""
        total = np.zeros_like(self.R)
        for pattern, inverse in zip(self.family.patterns, self.inverses, strict=True):
            precision = inverse.T @ inverse
            pair = np.tensordot(left[pattern.rows], right[pattern.rows], axes=((0, 2), (0, 2)))
            total[np.ix_(pattern.visits, pattern.visits)] += precision @ pair @ precision
        return np.tensordot(self.turns, total, axes=2)

    def moved(self, columns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """See `ResidualAt.moved`."""
        turn, matrices = np.tensordot(direction, self.turns, axes=1), []
        for pattern, inverse in zip(self.family.patterns, self.inverses, strict=True):
            own = turn[np.ix_(pattern.visits, pattern.visits)]
            matrices.append(inverse @ own @ (inverse.T @ inverse))
        return self._apply(matrices, columns)

    def working(self, e: np.ndarray) -> np.ndarray:
        """See `ResidualAt.working`."""
        out = np.empty((len(e), len(self.turns)))
        for pattern, inverse in zip(self.family.patterns, self.inverses, strict=True):
            precise = inverse.T @ (inverse @ e[pattern.rows].T)  # (m, N)
            turns = inverse @ self.turns[:, pattern.visits[:, None], pattern.visits]
            out[pattern.rows] = (turns @ precise).transpose(2, 1, 0)
        return out

    def inverse(self) -> Entries:
        """See `ResidualAt.inverse`."""
        diagonal, pairs = np.empty(len(self.family.groups)), [np.empty(0)]
        for pattern, inverse in zip(self.family.patterns, self.inverses, strict=True):
            precision = inverse.T @ inverse
            diagonal[pattern.rows] = np.diagonal(precision)
            pairs.append(np.tile(precision[np.triu_indices(len(precision), 1)], len(pattern.rows)))
        return Entries(diagonal, np.concatenate(pairs))

    def turned(self, entries: Entries) -> np.ndarray:
        """See `ResidualAt.turned`."""
        total, start = np.zeros_like(self.R), 0
        for pattern, inverse in zip(self.family.patterns, self.inverses, strict=True):
            m, precision = len(pattern.visits), inverse.T @ inverse
            W, stop = np.zeros((m, m)), start + len(pattern.rows) * (m * (m - 1) // 2)
            W[np.triu_indices(m, 1)] = entries.pairs[start:stop].reshape(len(pattern.rows), -1).sum(axis=0)
            W += W.T + np.diag(entries.diagonal[pattern.rows].sum(axis=0))
            total[np.ix_(pattern.visits, pattern.visits)] += precision @ W @ precision
            start = stop
        return np.tensordot(self.turns, total, axes=2)

    def variances(self) -> np.ndarray:
        """See `ResidualAt.variances`."""
        return np.asarray(np.diagonal(self.R)[self.family.visits])

    def between(self, at: np.ndarray) -> np.ndarray:
        """See `ResidualAt.between`."""
        own, visits = self.family.groups[at], self.family.visits[at]
        return np.where(own[:, None] == own, self.R[np.ix_(visits, visits)], 0.0)

    def degenerate(self, loose: float = 1.0) -> str:
        """See `ResidualAt.degenerate`."""
        labels = self.family.labels
        variances = np.diagonal(self.R)
        flat = variances < _LEAST * loose * variances.max()
        if flat.any():
            return f"the residual variance at {', '.join(np.array(labels)[flat])} goes to 0 beside that of other visits"
        for pattern, root in zip(self.family.patterns, self.triangles, strict=True):
            own = np.square(np.diagonal(root)) < _LEAST * loose * variances[pattern.visits]
            if own.any():
                j = int(np.flatnonzero(own)[0])
                before = ", ".join(labels[v] for v in pattern.visits[:j])
                return f"the residual at visit {labels[pattern.visits[j]]} becomes a function of those at {before}"
        return ""


def _patterns(groups: np.ndarray, visits: np.ndarray) -> list[_Pattern]:
    """Stack groups by the visits that they have."""
    grouped = Grouped(groups, visits)
    ordered = visits[grouped.order]
    out: dict[bytes, list[np.ndarray]] = {}
    for start, count in zip(grouped.starts, grouped.counts, strict=True):
        inside = slice(start, start + count)
        out.setdefault(ordered[inside].tobytes(), []).append(grouped.order[inside])
    return [_Pattern(visits[rows[0]], np.array(rows)) for rows in out.values()]


def too_sparse(family: Visits, X: np.ndarray, reml: bool) -> tuple[int, tuple[str, ...]] | None:
    """Count the groups that have all of some visits, and name these, if they leave a free covariance without optimum.

    With N groups that have all of m visits, some combination of the visits is the same for all of them once their c
    fixed effects are taken out, if N <= m - 1 + c; the likelihood grows without limit as its variance goes to 0 (REML:
    if N > c). X (n, p) has the fixed effects.
    """
    rng = np.random.default_rng(0)
    for pattern in sorted(family.patterns, key=lambda found: -len(found.visits)):
        m = len(pattern.visits)
        rows = [
            other.rows[:, np.searchsorted(other.visits, pattern.visits)]
            for other in family.patterns
            if np.isin(pattern.visits, other.visits).all()
        ]
        together = np.concatenate(rows)
        if len(together) > m - 1 + X.shape[1]:
            continue
        means = np.tensordot(X[together], rng.normal(size=m), axes=((1,), (0,)))
        c = int(np.linalg.matrix_rank(means)) if X.shape[1] else 0
        if c * reml < len(together) <= m - 1 + c and (m > 1 or len(together) > c):
            return len(together), tuple(family.labels[v] for v in pattern.visits)
    return None
