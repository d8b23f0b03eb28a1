"""Results of tests: tables of this package, and statsmodels' attributes on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from mixedsparse.compat.tables import TextTable
from mixedsparse.ground.errors import OptionError

__all__ = ["ContrastResults", "Tested", "WaldTestResults", "chi2_test", "f_test", "single_tests"]

_DISTRIBUTIONS = {"norm": stats.norm, "t": stats.t, "F": stats.f, "chi2": stats.chi2}


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """A test, or one for each row of a matrix of weights, as statsmodels gives it.

    Attributes
    ----------
    distribution : {"norm", "t", "F", "chi2"}
    statistic, pvalue : float or ndarray
    df_num, df_denom : float or ndarray or None
        Degrees of freedom; of a chi-square test, `df_denom`.
    effect, sd : ndarray or None
        Estimates and their standard errors, of tests for each row.
    """

    distribution: str
    statistic: Any
    pvalue: Any
    df_num: Any = None
    df_denom: Any = None
    effect: Any = None
    sd: Any = None


def single_tests(effect: np.ndarray, sd: np.ndarray, rhs: np.ndarray, df: Any = None) -> Tested:
    """Test each of `effect` = `rhs`, by a normal distribution or by t with `df` degrees of freedom."""
    value = (effect - rhs) / np.where(sd > 0, sd, np.nan)
    p = 2.0 * (stats.norm.sf(np.abs(value)) if df is None else stats.t.sf(np.abs(value), df))
    return Tested("norm" if df is None else "t", value, np.squeeze(p), df_denom=df, effect=effect, sd=sd)


def chi2_test(value: float, df: int, scalar: bool) -> Tested:
    """Test by a chi-square distribution."""
    statistic = value if scalar else np.array([[value]])
    return Tested("chi2", statistic, np.squeeze(stats.chi2.sf(value, df)), df_denom=df)


def f_test(value: float, df_num: float, df_denom: float, scalar: bool) -> Tested:
    """Test by an F distribution."""
    statistic = value if scalar else np.array([[value]])
    p = np.squeeze(stats.f.sf(value, df_num, df_denom))
    return Tested("F", statistic, p, df_num=df_num, df_denom=df_denom)


class ContrastResults(pd.DataFrame):
    """A table of tests that has statsmodels' attributes too.

    Attributes
    ----------
    statistic, pvalue, effect, sd, tvalue, fvalue, df_num, df_denom, distribution
        statsmodels' test: asymptotic, unless degrees of freedom were asked for.
    """

    _metadata: ClassVar[list[str]] = ["_tested"]
    _tested: Tested

    @classmethod
    def of(cls, frame: pd.DataFrame, tested: Tested) -> ContrastResults:
        """Put the attributes of `tested` on `frame`."""
        out = cls(frame)
        out._tested = tested
        return out

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    @property
    def distribution(self) -> str:
        """Name of the distribution under the null hypothesis."""
        return self._tested.distribution

    @property
    def statistic(self) -> Any:
        """Test statistic."""
        return self._tested.statistic

    @property
    def tvalue(self) -> Any:
        """Test statistic of tests row by row."""
        return self._of_rows("tvalue", self._tested.statistic)

    @property
    def fvalue(self) -> Any:
        """F statistic."""
        if self.distribution != "F":
            raise AttributeError(f"fvalue: this is a {self.distribution} test, whose value is `statistic`.")
        return self._tested.statistic

    @property
    def pvalue(self) -> Any:
        """P value of `statistic`, two-sided for tests row by row."""
        return self._tested.pvalue

    @property
    def effect(self) -> Any:
        """Estimates, for tests row by row; None for a joint test."""
        return self._tested.effect

    @property
    def sd(self) -> Any:
        """Standard errors of `effect`."""
        return self._tested.sd

    @property
    def df_num(self) -> Any:
        """Degrees of freedom of the numerator of an F test."""
        return self._tested.df_num

    @property
    def df_denom(self) -> Any:
        """Degrees of freedom of the denominator; of a chi-square test, its degrees of freedom."""
        return self._tested.df_denom

    @property
    def dist(self) -> Any:
        """The distribution, of scipy.stats."""
        return _DISTRIBUTIONS[self.distribution]

    @property
    def dist_args(self) -> tuple[Any, ...]:
        """Degrees of freedom, as `dist` takes them."""
        return tuple(df for df in (self.df_num, self.df_denom) if df is not None)

    def _of_rows(self, what: str, value: Any) -> Any:
        if self.effect is None:
            raise AttributeError(f"{what}: a joint test has no {what}; its value is `statistic`.")
        return value

    def conf_int(self, alpha: float = 0.05) -> np.ndarray:
        """Confidence limits of `effect`, shape (r, 2)."""
        if self.effect is None:
            raise OptionError("A joint test has no confidence limits: give t_test the same weights.")
        reach = self.dist.ppf(1.0 - alpha / 2.0, *self.dist_args) * self.sd
        return np.column_stack([self.effect - reach, self.effect + reach])

    def summary_frame(self, xname: Sequence[str] | None = None, alpha: float = 0.05) -> pd.DataFrame:
        """Estimates, standard errors, tests and confidence limits of tests row by row."""
        limits = self.conf_int(alpha)
        letter = "z" if self.distribution == "norm" else "t"
        columns = [self.effect, self.sd, self.statistic, np.atleast_1d(self.pvalue), limits[:, 0], limits[:, 1]]
        names = ["coef", "std err", letter, f"P>|{letter}|", "Conf. Int. Low", "Conf. Int. Upp."]
        index = [f"c{i}" for i in range(len(self.effect))] if xname is None else list(xname)
        return pd.DataFrame(np.column_stack(columns), index=index, columns=names)

    def summary(self, xname: Sequence[str] | None = None, alpha: float = 0.05, title: str | None = None) -> Any:
        """Text of a joint test, as statsmodels writes it; a table of tests row by row."""
        value, p = self.statistic, self.pvalue
        if self.distribution == "F":
            return f"<F test: F={value!r}, p={p}, df_denom={self.df_denom:.3g}, df_num={self.df_num:.3g}>"
        if self.distribution == "chi2":
            return f"<Wald test (chi2): statistic={value}, p-value={p}, df_denom={self.df_denom:.3g}>"
        frame = self.summary_frame(xname, alpha)
        cells = frame.map(lambda cell: f"{cell:.3f}" if abs(cell) < 1e4 else f"{cell:.4g}")
        header = [*frame.columns[:4], f"[{alpha / 2:g}", f"{1 - alpha / 2:g}]"]
        return TextTable("Test for Constraints" if title is None else title, cells.set_axis(header, axis=1))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WaldTestResults:
    """One joint test for each term.

    Attributes
    ----------
    table : DataFrame
        ``statistic``, ``pvalue``, ``df_constraint``; a row for each term.
    """

    table: pd.DataFrame
    distribution: str = "chi2"

    @property
    def statistic(self) -> np.ndarray:
        """Test statistics."""
        return self.table["statistic"].to_numpy()

    @property
    def pvalues(self) -> np.ndarray:
        """P values."""
        return self.table["pvalue"].to_numpy()

    @property
    def df_constraints(self) -> np.ndarray:
        """Degrees of freedom."""
        return self.table["df_constraint"].to_numpy()

    @property
    def col_names(self) -> list[str]:
        """Titles of `summary_frame`."""
        return [self.distribution, f"P>{self.distribution}", "df constraint"]

    def summary_frame(self) -> pd.DataFrame:
        """Return `table` under other titles."""
        return self.table.set_axis(self.col_names, axis=1)

    def __repr__(self) -> str:
        return self.summary_frame().to_string()
