"""Sentences of advice beside a verdict, and the names that they need."""

from __future__ import annotations

from mixedsparse.core.fitting.laplace.separation import single_trials
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.likelihood.laplace.quadrature import takes_quadrature
from mixedsparse.core.problem.problem import Problem

__all__ = ["group_names", "hints_of"]

# Rows per level below which Laplace's approximation is known to be off, in binary outcomes.
_FEW_ROWS = 20


def group_names(problem: Problem, blocks: list[int]) -> tuple[str, ...]:
    """Return the grouping factors of blocks."""
    return tuple(problem.terms[problem.layout.term_block.index(b)].group for b in blocks)


def hints_of(data: Data, nodes: int) -> tuple[str, ...]:
    """Advice that the design calls for."""
    layout, hints = data.problem.layout, []
    if nodes == 0:
        hints.append("Coefficients are those of penalised least squares, not of the maximum: nAGQ=1 has it.")
    alone = single_trials(data)
    if alone:
        names = ", ".join(group_names(data.problem, alone))
        hints.append(f"One binary outcome per level of {names} tells little of its variances: leave the term out.")
    trials = data.m.sum() if data.family.name == "binomial" else float(data.problem.n)
    few = takes_quadrature(data) and trials < _FEW_ROWS * layout.n_levels[0]
    if few and nodes == 1 and data.family.name == "binomial" and not alone:
        hints.append(
            f"With {trials / layout.n_levels[0]:.1f} binary outcomes per level Laplace's approximation may be off: "
            "compare with nAGQ=7."
        )
    return tuple(hints)
