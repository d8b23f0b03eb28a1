"""The criterion in exact rational arithmetic: no rounding at all until the logarithms at the end."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def exact_criterion(model, theta, reml=True):
    """REML criterion or -2 log-likelihood of `model` at theta from V = W^-1 + sum of Z Lambda Lambda'Z', (n, n)."""
    design = model.design
    y = [Fraction(float(v)) for v in design.y]
    if design.offset is not None:
        y = [v - Fraction(float(o)) for v, o in zip(y, design.offset, strict=True)]
    n = len(y)
    weights = np.ones(n) if design.weights is None else design.weights
    cov = [[Fraction(0)] * n for _ in range(n)]
    for i in range(n):
        cov[i][i] = 1 / Fraction(float(weights[i]))
    for term, lam in zip(model.problem.terms, model.problem.theta_layout.templates(np.asarray(theta)), strict=True):
        lam = [[Fraction(float(v)) for v in row] for row in lam]
        rows = [[sum(Fraction(float(z)) * lam[a][b] for a, z in enumerate(r)) for b in range(term.k)] for r in term.z]
        for i in range(n):
            for j in range(n):
                if term.codes[i] == term.codes[j]:
                    cov[i][j] += sum(a * b for a, b in zip(rows[i], rows[j], strict=True))
    kept = model.problem.basis.kept
    columns = [[Fraction(float(v)) for v in row] + [value] for row, value in zip(design.X[:, kept], y, strict=True)]
    # Elimination of V from [V, C; C', 0] leaves -C'V^-1 C; that of its X part then leaves r^2.
    p, width = len(kept), n + len(kept) + 1
    table = [cov[i] + columns[i] for i in range(n)]
    table += [[columns[i][j] for i in range(n)] + [Fraction(0)] * (p + 1) for j in range(p + 1)]
    logs = [0.0, 0.0]
    for k in range(n + p):
        pivot = table[k][k] if k < n else -table[k][k]
        logs[k >= n] += math.log(pivot.numerator) - math.log(pivot.denominator)
        for i in range(k + 1, width):
            if table[i][k]:
                share = table[i][k] / table[k][k]
                table[i] = [
                    *table[i][: k + 1],
                    *(a - share * b for a, b in zip(table[i][k + 1 :], table[k][k + 1 :], strict=True)),
                ]
    left = -table[-1][-1]
    df = n - p if reml else n
    pwrss = math.log(left.numerator) - math.log(left.denominator)
    value = logs[0] + df * (1.0 + math.log(2.0 * math.pi / df) + pwrss)
    return value + logs[1] if reml else value
