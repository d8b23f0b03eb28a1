"""Tests of the parameters under statsmodels' names."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.compat.tested import ContrastResults, Tested, WaldTestResults, chi2_test, f_test, single_tests
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults
    from mixedsparse.compat.facts import FactsMixin
    from mixedsparse.inference.linear import Linear

__all__ = ["TestingMixin"]


class TestingMixin(Answers):
    """Tests' side of `MixedLMResults`."""

    model: FactsMixin
    _mixed: MixedResults
    params: Any
    fe_params: Any
    df_resid: int
    use_t: bool

    def cov_params(self) -> Any:
        """Return the covariance of `params`."""
        raise NotImplementedError

    def t_test(self, r_matrix: Any, use_t: bool | None = None, *, ddf: str | None = None) -> ContrastResults:
        """Test linear functions of the fixed effects, each on its own.

        Parameters
        ----------
        r_matrix : array_like of shape (k_fe,) or (r, k_fe), dict, str, or list of dict or str
            Weights in the order of `fe_params`, or anything else that ``mixed.t_test`` reads.
        use_t : bool, optional
            Whether statsmodels' attributes are by a t distribution with `df_resid` degrees of freedom rather than
            a normal one.
        ddf : {"satterthwaite", "kenward-roger", "normal"}, optional
            Degrees of freedom of the table, Satterthwaite's by default; when given, the attributes follow them too.

        Returns
        -------
        ContrastResults
            A DataFrame with a row per function, ``Estimate``, ``SE``, ``df``, ``t``, ``p``, that has statsmodels'
            attributes: ``.effect``, ``.sd``, ``.statistic``, ``.pvalue`` (normal, as in statsmodels),
            ``.conf_int()``, ``.summary()``.

        Raises
        ------
        DataError, FormulaError
            See ``mixed.t_test``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.mixedlm("Weight ~ Time", ms.datasets.load("dietox"), groups="Pig").fit()
        >>> fit.t_test([[1, 10]])[["Estimate", "SE"]].round(3).to_numpy().tolist()
        [[85.149, 0.767]]
        >>> fit.t_test([[1, 10]]).conf_int().round(2)
        array([[83.65, 86.65]])
        """
        if isinstance(use_t, str):
            raise OptionError(f"use_t={use_t!r} is not True or False: write ddf={use_t!r} for degrees of freedom.")
        linear = self._linear(r_matrix)
        if linear.L[:, self.model.k_fe :].any():
            raise DataError(f"r_matrix for t-test should have {self.model.k_fe} columns, those of the fixed effects.")
        frame = self._t_frame(linear, ddf)
        effect, sd = linear.L @ np.asarray(self.params), np.sqrt(np.diagonal(self._covariance_of(linear.L)))
        if ddf is None:
            df: Any = self.df_resid if use_t else None
        else:
            df = frame["df"].to_numpy()
        return ContrastResults.of(frame, single_tests(effect, sd, linear.rhs, df))

    def wald_test(
        self,
        r_matrix: Any,
        cov_p: Any = None,
        invcov: Any = None,
        use_f: bool | None = None,
        df_constraints: int | None = None,
        scalar: bool = True,
        *,
        ddf: str | None = None,
    ) -> ContrastResults:
        """Test linear functions of the parameters all together.

        Parameters
        ----------
        r_matrix : array_like, dict, str, list, or tuple
            As in `t_test`, also with weights for all of `params`; a tuple ``(R, q)`` tests R params = q.
        cov_p, invcov : array_like, optional
            Covariance of the parameters, or inverse covariance of the functions, in place of the fit's own.
        use_f : bool, optional
            Whether statsmodels' attributes are by an F distribution with `df_resid` degrees of freedom rather than
            chi-square.
        df_constraints : int, optional
            Number of constraints, in place of their rank.
        scalar : bool
            Whether ``.statistic`` is a number rather than an array of shape (1, 1).
        ddf : {"satterthwaite", "kenward-roger", "normal"}, optional
            Degrees of freedom of the table, Satterthwaite's by default; when given, the attributes follow them too.

        Returns
        -------
        ContrastResults
            A DataFrame with one row, ``NumDF``, ``DenDF``, ``F``, ``p``, that has statsmodels' attributes
            ``.statistic``, ``.pvalue`` (chi-square, as in statsmodels), ``.df_denom``, ``.summary()``. With weights on
            variances, of which no degrees of freedom are known, the row is asymptotic too.

        Raises
        ------
        DataError, FormulaError
            See ``mixed.wald_test``; also if a parameter has no standard error, being zero.
        """
        linear = self._linear(r_matrix)
        if ddf is not None:
            frame = self._wald_frame(linear, ddf)
            row = frame.iloc[0]
            return ContrastResults.of(frame, f_test(float(row["F"]), int(row["NumDF"]), float(row["DenDF"]), scalar))
        value, rank = self._quadratic(linear, cov_p, invcov)
        df = rank if df_constraints is None else df_constraints
        asymptotic = cov_p is not None or invcov is not None or linear.L[:, self.model.k_fe :].any()
        if use_f is None and not asymptotic:
            return ContrastResults.of(self._wald_frame(linear, None), chi2_test(value, df, scalar))
        tested = f_test(value / df, df, self.df_resid, scalar) if use_f else chi2_test(value, df, scalar)
        return ContrastResults.of(_as_row(tested, linear, value / df, df), tested)

    def f_test(self, r_matrix: Any, cov_p: Any = None, invcov: Any = None) -> ContrastResults:
        """Test linear functions of the parameters by an F distribution with `df_resid` degrees of freedom.

        As in statsmodels; ``wald_test(r_matrix, ddf="satterthwaite")`` has better degrees of freedom.

        Parameters
        ----------
        r_matrix, cov_p, invcov
            See `wald_test`.
        """
        return self.wald_test(r_matrix, cov_p, invcov, use_f=True)

    def wald_test_terms(
        self,
        skip_single: bool = False,
        extra_constraints: Sequence[tuple[str, Any]] | None = None,
        combine_terms: Sequence[str] | None = None,
        scalar: bool = True,
    ) -> WaldTestResults:
        """Test all coefficients of each term together, by chi-square.

        ``mixed.anova()`` tests hypotheses that do not depend on the coding, with degrees of freedom.

        Parameters
        ----------
        skip_single : bool
            Whether terms of one coefficient are left out.
        extra_constraints : list of (str, array), optional
            Further hypotheses, name and weights.
        combine_terms : list of str, optional
            Each is tested on all terms whose name contains it.
        scalar : bool
            Whether statistics are numbers rather than arrays.

        Returns
        -------
        WaldTestResults
            ``.table``: ``statistic``, ``pvalue``, ``df_constraint``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.mixedlm("Weight ~ Time + Cu", ms.datasets.load("dietox"), groups="Pig").fit()
        >>> fit.wald_test_terms(skip_single=True).table.round(3)
            statistic  pvalue  df_constraint
        Cu      2.093   0.351              2
        """
        rows = np.eye(len(self.params))
        columns = self.model.structure.fixed.terms or {str(n): [i] for i, n in enumerate(self.model.exog_names)}
        wanted = {name: rows[of] for name, of in columns.items() if not (skip_single and len(of) == 1)}
        for part in combine_terms or ():
            found = [rows[of] for name, of in columns.items() if part in name]
            if not found:
                raise OptionError(
                    f"combine_terms: no term contains {part!r}; there are {', '.join(map(repr, columns))}."
                )
            wanted[part] = np.vstack(found)
        wanted |= dict(extra_constraints or ())
        tests = {name: self.wald_test(weights, use_f=False, scalar=scalar) for name, weights in wanted.items()}
        table = {name: (test.statistic, test.pvalue, int(test.df_denom)) for name, test in tests.items()}
        return WaldTestResults(
            pd.DataFrame.from_dict(table, orient="index", columns=["statistic", "pvalue", "df_constraint"])
        )

    def _linear(self, given: Any) -> Linear:
        """Read hypotheses about `params`; weights of the fixed effects alone do."""
        from mixedsparse.inference.linear import Linear, read_linear

        names, k = list(map(str, self._names)), self.model.k_fe
        if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) >= 1:
            known = self._linear(given[0])
            return Linear(known.L, np.broadcast_to(np.asarray(given[1], dtype=float), len(known.L)), known.labels)
        shape = np.shape(given) if not isinstance(given, str | dict) else ()
        if shape and shape[-1] not in (k, len(names)) and not isinstance(np.ravel(given)[0], str | dict):
            raise DataError(
                f"r_matrix has shape {shape} but should have {k} columns, one weight for each of "
                f"{', '.join(map(repr, names[:k]))}, or {len(names)} with those of the covariance parameters."
            )
        linear = read_linear(given, names[:k] if shape and shape[-1] == k else names, self._mixed.dropped_columns)
        L = np.zeros((len(linear.L), len(names)))
        L[:, : linear.L.shape[1]] = linear.L
        return Linear(L, linear.rhs, linear.labels)

    @property
    def _names(self) -> list[Any]:
        raise NotImplementedError

    def _of_mixed(self, linear: Linear) -> Linear:
        """Weights of the fixed effects in the order of `mixed.params`."""
        order = self.model.structure.fixed.order
        L = np.zeros((len(linear.L), len(order)))
        L[:, order] = linear.L[:, : len(order)]
        return replace(linear, L=L)

    def _degrees(self, ddf: str | None) -> str:
        """Degrees of freedom of a table: Satterthwaite's, where there is one variance for each term."""
        if not self.model.structure.is_tied:
            return ddf or "satterthwaite"
        if ddf not in (None, "normal"):
            raise OptionError("Terms with a common variance have normal and chi-square tests only: leave ddf out.")
        return "normal"

    def _t_frame(self, linear: Linear, ddf: str | None) -> pd.DataFrame:
        from mixedsparse.inference.anova import t_rows

        return t_rows(self._mixed._fitted, self._of_mixed(linear), self._degrees(ddf))

    def _wald_frame(self, linear: Linear, ddf: str | None) -> pd.DataFrame:
        from mixedsparse.inference.anova import wald_row

        if linear.L[:, self.model.k_fe :].any():
            raise DataError("Degrees of freedom are those of fixed effects: leave ddf out to test variances.")
        return wald_row(self._mixed._fitted, self._of_mixed(linear), self._degrees(ddf))

    def _covariance_of(self, L: np.ndarray, cov_p: Any = None) -> np.ndarray:
        """L cov L'; parameters without weight may be without variance."""
        used = L.any(axis=0)
        cov = np.asarray(self.cov_params() if cov_p is None else cov_p, dtype=float)[np.ix_(used, used)]
        return np.asarray(L[:, used] @ cov @ L[:, used].T)

    def _quadratic(self, linear: Linear, cov_p: Any, invcov: Any) -> tuple[float, int]:
        """Wald statistic, and the rank of the hypotheses."""
        distance = linear.L @ np.asarray(self.params) - linear.rhs
        if invcov is not None:
            return float(distance @ np.asarray(invcov, dtype=float) @ distance), len(distance)
        cov = self._covariance_of(linear.L, cov_p)
        if not np.isfinite(cov).all():
            raise DataError(
                "r_matrix has weights on a variance that is estimated as zero, which has no standard error."
            )
        rank = int(np.linalg.matrix_rank(cov))
        if rank < len(cov):
            warnings.warn(
                f"Of {len(cov)} constraints {rank} are independent: the test has {rank} degrees of freedom.",
                UserWarning,
                stacklevel=4,
            )
        return float(distance @ np.linalg.pinv(cov, hermitian=True) @ distance), rank


def _as_row(tested: Tested, linear: Linear, value: float, df: int) -> pd.DataFrame:
    """Table of an asymptotic joint test, or of one with `df_resid` degrees of freedom."""
    den = tested.df_denom if tested.distribution == "F" else np.inf
    columns = {"NumDF": df, "DenDF": float(den), "F": value, "p": float(tested.pvalue)}
    return pd.DataFrame(columns, index=[", ".join(linear.labels)])
