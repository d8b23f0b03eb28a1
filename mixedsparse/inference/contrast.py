"""Tests of linear functions L beta, one row at a time (t) or all rows together (F).

Methods for degrees of freedom (`mixedsparse.inference.denominators`) differ in the covariance of beta and in the
denominator degrees of freedom only; everything that tests fixed effects goes through the two functions of this module.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import fdtrc, gammaincc, stdtr

from mixedsparse.core.problem.forms import quadratic_forms
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import DataError, UndefinedTestWarning
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.hypotheses import FixedTerms, deciding_rows
from mixedsparse.inference.row_space import has_root, independent_rows, uncorrelated

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["ContrastTests", "JointTest", "contrast_tests", "joint_test"]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastTests:
    """Tests of each row of L beta = rhs on its own, arrays (r,).

    Attributes
    ----------
    estimate : ndarray
        L beta, in units of the response.
    se : ndarray
        Standard errors.
    df : ndarray
        Denominator degrees of freedom; ``inf`` for the normal distribution.
    t : ndarray
        (estimate - rhs) / se.
    p : ndarray
        Two-sided.
    """

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    t: np.ndarray
    p: np.ndarray


@dataclass(frozen=True, slots=True)
class JointTest:
    """F test of all rows of L beta = rhs together.

    Attributes
    ----------
    F : float
        Statistic, `scale` included.
    num_df : int
        Rank of L.
    den_df : float
    p : float
    scale : float
        Factor on the Wald statistic; other than 1 for Kenward-Roger only.
    """

    F: float
    num_df: int
    den_df: float
    p: float
    scale: float = 1.0


def contrast_tests(
    fitted: Fitted, L: np.ndarray, ddf: str = "satterthwaite", rhs: np.ndarray | float = 0.0
) -> ContrastTests:
    """Test each row of ``L beta = rhs``.

    Parameters
    ----------
    fitted : Fitted
    L : ndarray, shape (r, p)
        Columns as `Fitted.x_names`.
    ddf : {"satterthwaite", "kenward-roger", "normal"}
    rhs : float or ndarray, shape (r,)
        Values under the null hypothesis, in units of the response.

    Returns
    -------
    ContrastTests

    Raises
    ------
    OptionError
        `ddf` is not known.
    DataError
        L has another number of columns.

    Warns
    -----
    UndefinedTestWarning
        A row hangs on covariance parameters that are not identified: its standard error and test are NaN.

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> contrast_tests(fit._fitted, np.array([[0.0, 1.0]])).df.round(3).tolist()
    [17.0]
    """
    L = _checked(fitted, L)
    method = denominator(fitted, ddf)
    estimate = L @ method.beta
    variance = quadratic_forms(L, method.cov)
    if (variance < 0.0).any():
        _warn_negative(ddf)
    se = np.sqrt(np.where(variance < 0.0, np.nan, variance))
    df = method.single(L) if len(L) else np.empty(0)
    loose = _hanging(fitted, L, method.cov)
    se[loose] = df[loose] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (estimate - rhs) / se
    return ContrastTests(estimate, se, df, t, 2.0 * stdtr(df, -np.abs(t)))


def joint_test(
    fitted: Fitted,
    L: np.ndarray,
    ddf: str = "satterthwaite",
    rhs: np.ndarray | float = 0.0,
    terms: FixedTerms | None = None,
) -> JointTest:
    """Test all rows of ``L beta = rhs`` together; rows that depend on others are left out of the count.

    Satterthwaite's degrees of freedom of several rows are those of the principal axes of their covariance, which
    depend on the rows that span the hypothesis; F and the other methods do not.

    Parameters
    ----------
    fitted, L, ddf, rhs
        See `contrast_tests`.
    terms : FixedTerms, optional
        Of the fit: the rows that fix the degrees of freedom are those of `deciding_rows`, the same however the
        hypothesis is written. None takes the rows of `L` as they are, which then come from that function.

    Returns
    -------
    JointTest

    Raises
    ------
    OptionError
        `ddf` is not known.
    DataError
        L has another number of columns, or rows that depend on each other contradict each other in `rhs`.

    Warns
    -----
    UndefinedTestWarning
        Kenward and Roger's moments belong to no F distribution: the degrees of freedom and p are NaN. Or a row hangs on
        covariance parameters that are not identified: F is NaN too.

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> test = joint_test(fit._fitted, np.eye(2))
    >>> round(test.F, 2), test.num_df, round(test.den_df, 2)
    (749.96, 2, 17.0)
    """
    L = _checked(fitted, L)
    method = denominator(fitted, ddf)
    if not np.isfinite(method.cov).all():  # a fit without estimates, which has said so
        return JointTest(np.nan, int(np.linalg.matrix_rank(L)), np.nan, np.nan)
    if L.size and not has_root(method.cov):
        _warn_negative(ddf)
        return JointTest(np.nan, int(np.linalg.matrix_rank(L)), np.nan, np.nan)
    rows, targets = independent_rows(L, np.broadcast_to(np.asarray(rhs, dtype=float), len(L)), method.cov)
    rank = len(rows)
    if rank == 0:
        return JointTest(np.nan, 0, np.nan, np.nan)
    if _hanging(fitted, L, method.cov).any():
        return JointTest(np.nan, rank, np.nan, np.nan)
    # Rows are uncorrelated with variance 1 now.
    wald = float(np.square(rows @ method.beta - targets).sum()) / rank
    if terms is not None and rank > 1:
        rows = deciding_rows(terms, rows)
        rows = uncorrelated(rows @ np.linalg.cholesky(method.cov), rank)[0] @ rows
    den_df, scale = method.joint(rows)
    if not den_df > 0:
        _warn_undefined(rank, ddf)
        return JointTest(wald, rank, np.nan, np.nan)
    F = scale * wald
    p = float(fdtrc(rank, den_df, F)) if np.isfinite(den_df) else float(gammaincc(rank / 2, rank * F / 2))
    return JointTest(F, rank, den_df, p, scale)


def _hanging(fitted: Fitted, L: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Mask (r,) of the rows of L whose standard error hangs on parameters that are not identified, with a warning."""
    found = fitted.fit.unidentified
    if found is None or not len(L):
        return np.zeros(len(L), dtype=bool)
    loose = found.moves(L, cov)
    if loose.any():
        warnings.warn(
            f"{np.count_nonzero(loose)} of {len(L)} linear functions of the coefficients have no standard error, since "
            f"it would depend on {', '.join(found.names)}, which the data do not identify: NaN stands in its place and "
            "in that of the test. See fit.certificate.",
            UndefinedTestWarning,
            stacklevel=user_level(),
        )
    return loose


def _warn_negative(ddf: str) -> None:
    text = f"The covariance by {ddf!r} is not positive: errors and tests are NaN. Simplify the random effects."
    warnings.warn(text, UndefinedTestWarning, stacklevel=user_level())


def _warn_undefined(rank: int, ddf: str) -> None:
    warnings.warn(
        f"The data hold too little on the covariance parameters for an F test on {rank} degrees of freedom by "
        f"{ddf!r}: no F distribution has the moments that it finds. DenDF and p are NaN; test fewer functions at once, "
        "or simplify the random effects.",
        UndefinedTestWarning,
        stacklevel=user_level(),
    )


def _checked(fitted: Fitted, L: np.ndarray) -> np.ndarray:
    L = np.atleast_2d(np.asarray(L, dtype=float))
    names = fitted.x_names
    if L.ndim != 2 or L.shape[1] != len(names):
        raise DataError(
            f"L has shape {L.shape}, but the model has {len(names)} coefficients: give one column for each of "
            f"{', '.join(map(repr, names))}."
        )
    return L
