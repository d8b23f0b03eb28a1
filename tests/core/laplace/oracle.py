"""Dense referee: Z, M and every n x q matrix written out, Newton's method without any safeguard."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from mixedsparse import RandomTerm
from mixedsparse.core.likelihood.family import Family


@dataclass(frozen=True, eq=False)
class Dense:
    """One generalized model; terms in theta order."""

    family: Family
    y: np.ndarray
    X: np.ndarray
    terms: tuple[RandomTerm, ...]
    m: np.ndarray
    offset: np.ndarray
    Z: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        columns = []
        for term in self.terms:
            wide = np.zeros((len(self.y), term.n_levels, term.k))
            wide[np.arange(len(self.y)), term.codes] = term.z
            columns.append(wide.reshape(len(self.y), -1))
        object.__setattr__(self, "Z", np.hstack(columns))

    def factor(self, theta: np.ndarray) -> np.ndarray:
        """Lambda (q, q)."""
        q = self.Z.shape[1]
        out = np.zeros((q, q))
        position = start = 0
        for term in self.terms:
            lam = np.zeros((term.k, term.k))
            for column in range(term.k):
                for row in range(column, term.k):
                    lam[row, column] = theta[position]
                    position += 1
            size = term.n_levels * term.k
            out[start : start + size, start : start + size] = np.kron(np.eye(term.n_levels), lam)
            start += size
        return out

    def mode(self, theta: np.ndarray, beta: np.ndarray, psi: float) -> np.ndarray:
        """Spherical mode (q,)."""
        design, fixed = self.Z @ self.factor(theta), self.offset + self.X @ beta
        u = np.zeros(design.shape[1])
        for _ in range(200):
            rows = self.family.rows(self.y, self.m, fixed + design @ u, psi)
            score = design.T @ rows.s - u
            matrix = design.T @ (np.maximum(rows.w, 1e-8)[:, None] * design) + np.eye(len(u))
            step = np.linalg.solve(matrix, score)
            share = 1.0
            h = rows.value.sum() - 0.5 * u @ u
            while share > 1e-6:
                new = u + share * step
                there = self.family.rows(self.y, self.m, fixed + design @ new, psi).value.sum() - 0.5 * new @ new
                if np.isfinite(there) and there >= h - 1e-12 * abs(h):
                    break
                share /= 2
            u = new
            if score @ step < 1e-24:
                break
        return u

    def laplace(self, theta: np.ndarray, beta: np.ndarray, psi: float = 0.0) -> float:
        """-2 log-likelihood by Laplace's approximation, observed information."""
        u = self.mode(theta, beta, psi)
        design = self.Z @ self.factor(theta)
        rows = self.family.rows(self.y, self.m, self.offset + self.X @ beta + design @ u, psi)
        matrix = design.T @ (rows.w[:, None] * design) + np.eye(len(u))
        total = rows.value.sum() + self.family.constant(self.y, self.m)
        return float(-2.0 * total + u @ u + np.linalg.slogdet(matrix)[1])

    def quadrature(self, theta: np.ndarray, beta: np.ndarray, psi: float, nodes: int) -> float:
        """-2 log-likelihood by adaptive Gauss-Hermite quadrature, one grouping factor, a level at a time."""
        (term,) = self.terms
        k = term.k
        u = self.mode(theta, beta, psi)
        lam = self.factor(theta)[:k, :k]
        at, weight = np.polynomial.hermite_e.hermegauss(nodes)
        weight = weight / np.sqrt(2.0 * np.pi)
        total = 0.0
        for level in range(term.n_levels):
            mine = np.flatnonzero(term.codes == level)
            own, fixed = u[level * k : level * k + k], (self.offset + self.X @ beta)[mine]
            design, y, m = term.z[mine] @ lam, self.y[mine], self.m[mine]
            w = self.family.rows(y, m, fixed + design @ own, psi).w
            root = np.linalg.cholesky(design.T @ (w[:, None] * design) + np.eye(k))
            logs = []
            for index in product(range(nodes), repeat=k):
                x = at[list(index)]
                v = own + np.linalg.solve(root.T, x)
                value = self.family.rows(y, m, fixed + design @ v, psi).value.sum() - 0.5 * v @ v + 0.5 * x @ x
                logs.append(value + np.log(weight[list(index)]).sum())
            total += np.logaddexp.reduce(logs) - np.log(np.diag(root)).sum()
        return float(-2.0 * (total + self.family.constant(self.y, self.m)))


def gradient(function, at: np.ndarray, step: float = 1e-3) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Differences of the sixth order."""
    out = np.empty(len(at))
    for i in range(len(at)):
        move = np.zeros(len(at))
        move[i] = step
        weights = {1: 45.0, 2: -9.0, 3: 1.0}
        out[i] = sum(w * (function(at + k * move) - function(at - k * move)) for k, w in weights.items()) / (60 * step)
    return out
