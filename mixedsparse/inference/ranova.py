"""Likelihood-ratio tests of random effects, one effect at a time (lmerTest's ranova)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula.structure import Structure, read_structure, separate_columns
from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.choices import RanovaTest
from mixedsparse.ground.errors import BackendError, OptionError
from mixedsparse.inference.drop1 import likelihood_table
from mixedsparse.inference.refit import Likelihood, check_exact, fit_terms, independent_columns, of_fit
from mixedsparse.inference.rlrt import null_ratios, null_spectrum

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Effects", "random_deletion_table", "random_deletions"]

# Terms by position in the formula, and how their effects combine those of the model, (k, r).
Effects = list[tuple[int, np.ndarray]]


_TESTS = get_args(RanovaTest)
# Likelihood ratios that differ by less are equal.
_EQUAL = 1e-8
# Levels up to which the eigenvalues that the exact distribution rests on are found in seconds.
_MOST_LEVELS = 4000


def random_deletions(
    fitted: Fitted, reduce_terms: bool, test: str = "Chisq", nsim: int = 10_000, seed: int | None = None
) -> pd.DataFrame:
    """Test the random effects; see `MixedResults.ranova`."""
    one_of("test", test, _TESTS)
    check_exact(fitted)
    if test == "exact":
        check_draws(nsim, seed)
        _check_one_variance(fitted)
    problem = fitted.problem

    def simpler(effects: Effects, starts: Sequence[np.ndarray], what: str) -> Likelihood:
        return fit_terms(fitted, effects, starts, what)

    table = random_deletion_table(fitted, reduce_terms, of_fit(fitted, fitted.fit), simpler)
    if test == "exact":
        ratio = table["LRT"].to_numpy()
        root = np.random.SeedSequence(seed)
        drawn = null_ratios(null_spectrum(problem), problem.degrees(True), nsim, np.random.default_rng(root))
        table["p_exact"] = [np.nan, (1 + (drawn >= ratio[1] - _EQUAL).sum()) / (1 + nsim)]
        table.attrs["seed"] = root.entropy
    return table


def random_deletion_table(
    fitted: Fitted,
    reduce_terms: bool,
    whole: Likelihood,
    fit: Callable[[Effects, Sequence[np.ndarray], str], Likelihood],
) -> pd.DataFrame:
    """Likelihood ratios of simpler random parts, with p of chi-squared and of the mixture on the boundary.

    `fit` takes the effects that are left (see `fit_terms`), covariances to start from by term of the formula, and the
    model's name in warnings.
    """
    design, problem = fitted.design, fitted.problem
    covariances = [lam @ lam.T for lam in fitted.fit.templates]
    # Templates stand in theta order, terms in formula order.
    covariances = [covariances[problem.order.index(i)] for i in range(len(design.terms))]
    rows = {"<none>": whole}
    for i in range(len(design.terms)):
        for label, columns in _simpler(fitted, i) if reduce_terms else [(_spelled(fitted, i), None)]:
            effects = [(j, np.eye(term.k)) for j, term in enumerate(design.terms)]
            starts = list(covariances)
            if columns is None:
                del effects[i], starts[i]
            else:
                back = np.linalg.pinv(columns)
                effects[i], starts[i] = (i, columns), back @ starts[i] @ back.T
            rows[_unique(label, rows)] = fit(effects, starts, f"the model without {label}")
    table = likelihood_table(rows)
    df, ratio = table["Df"].to_numpy(), table["LRT"].to_numpy()
    table["p_boundary"] = np.where(df > 0, 0.5 * (_tail(ratio, df - 1.0) + _tail(ratio, df)), np.nan)
    return table


def _check_one_variance(fitted: Fitted) -> None:
    """Refuse models for which there is no exact distribution."""
    problem = fitted.problem
    if problem.n_theta != 1 or not fitted.reml or problem.coupled:
        raise OptionError(
            "test='exact' is for a REML fit with one variance besides the residual's, of independent levels; for "
            "others compare two fits by ms.anova(smaller, larger, refit=False, test='bootstrap')."
        )
    if problem.terms[0].n_levels > _MOST_LEVELS:
        raise BackendError(
            f"test='exact' needs the eigenvalues of a matrix of {problem.terms[0].n_levels:,} levels, and up to "
            f"{_MOST_LEVELS:,} are computed: p_boundary is right with so many."
        )


def _tail(x: np.ndarray, df: np.ndarray) -> np.ndarray:
    """P(chi-square >= x); with no degrees of freedom it is 0 for sure."""
    return np.where(df > 0, chdtrc(np.where(df > 0, df, 1.0), x), (x <= 0).astype(float))


def _unique(label: str, taken: dict) -> str:
    number = sum(name == label or name.startswith(f"{label} #") for name in taken)
    return f"{label} #{number + 1}" if number else label


def _simpler(fitted: Fitted, i: int) -> Iterator[tuple[str, np.ndarray | None]]:
    """Simpler forms of term `i`: a label, and the columns (k, r) of what is left of its effects, None for nothing."""
    term, spelled = fitted.design.terms[i], _spelled(fitted, i)
    if term.structure is not None:
        yield spelled, None  # with one effect less a structure is another
        return
    structure = _structure(fitted, i)
    droppable = structure.droppable()
    if not droppable or term.k == 1:
        yield spelled, None
        return
    for j in droppable:
        left = independent_columns(structure.without(j))
        left = np.kron(np.eye(term.k // len(left)), left)  # the same in each role
        if not left.shape[1]:
            left = _constant(term, fitted.design.terms)
        yield f"{structure.labels[j]} in {spelled}", left if left is not None and left.shape[1] else None


def _structure(fitted: Fitted, i: int) -> Structure:
    encoding, term = fitted.design.encoding, fitted.design.terms[i]
    if encoding is not None and encoding.terms[i].column is None:
        return read_structure(encoding.terms[i].encoder)
    names = ["1" if name == "Intercept" else name for name in term.columns]
    return separate_columns({name: slice(j, j + 1) for j, name in enumerate(names)})


def _constant(term: RandomTerm, others: tuple[RandomTerm, ...]) -> np.ndarray | None:
    """Column (k, 1) that makes an intercept of effects such as ``0 + f``; None if the factor has one already."""
    if not term.is_plain:
        return None
    column = np.linalg.lstsq(term.z, np.ones(len(term.z)), rcond=None)[0]
    taken = any(o is not term and np.array_equal(o.codes, term.codes) and o.k == 1 and np.ptp(o.z) == 0 for o in others)
    return column[:, None] if np.allclose(term.z @ column, 1.0) and not taken else None


def _spelled(fitted: Fitted, i: int) -> str:
    """Term `i` as a formula has it: ``(1 + x | g)``; the pieces of ``||`` on their own."""
    encoding, term = fitted.design.encoding, fitted.design.terms[i]
    name = "" if term.structure is None else term.structure.label
    if encoding is not None and encoding.terms[i].column is None:
        return f"{name}({encoding.terms[i].encoder.side.label} | {term.group})"
    names = ["1" if name == "Intercept" else name for name in term.columns]
    return f"{name}({' + '.join(names if '1' in names else ['0', *names])} | {term.group})"
