"""Tables of tests of the fixed effects: by term (analysis of variance), and of linear functions that a user gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import shown
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.contrast import contrast_tests, joint_test
from mixedsparse.inference.denominators import denominator, with_information
from mixedsparse.inference.hypotheses import FixedTerms, fixed_terms, known_terms, notes, type1, type2, type3
from mixedsparse.inference.linear import Linear, read_linear

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["anova_table", "f_table", "t_rows", "t_table", "term_hypotheses", "wald_row", "wald_table"]

_TYPES: dict[int, Callable[[FixedTerms], dict[str, np.ndarray]]] = {1: type1, 2: type2, 3: type3}
_ROMAN = {"I": 1, "II": 2, "III": 3}


def anova_table(
    fitted: Fitted, type: int | str = 3, ddf: str = "satterthwaite", *, information: str | None = None
) -> pd.DataFrame:
    """F test of each term; see `MixedResults.anova`."""
    terms, hypotheses = term_hypotheses(fitted, type)
    return f_table(fitted, terms, hypotheses, with_information(ddf, information))


def term_hypotheses(fitted: Fitted, type: int | str) -> tuple[FixedTerms, dict[str, np.ndarray]]:
    """Terms of the fixed part, and what a table of `type` tests of each of them, L (r, p)."""
    kind = _ROMAN.get(str(type), type)
    if not isinstance(kind, int) or kind not in _TYPES:
        raise OptionError(f"type={shown(type)} is not known; use 1, 2 or 3 (or 'I', 'II', 'III').")
    terms = fixed_terms(fitted)
    return terms, _TYPES[kind](terms)


def f_table(fitted: Fitted, terms: FixedTerms, hypotheses: Mapping[str, np.ndarray], ddf: str) -> pd.DataFrame:
    """Test each of `hypotheses` about `terms`, term -> L (r, p), as `deciding_rows` gives it.

    Columns ``SumSq``, ``MeanSq``, ``NumDF``, ``DenDF``, ``F``, ``p``; MeanSq = F sigma^2 without the scale of
    Kenward-Roger, SumSq = MeanSq NumDF, as in lmerTest. A column ``note`` is there if any row has one.
    """
    rows = {}
    for label, L in hypotheses.items():
        test = joint_test(fitted, L, ddf)
        mean = test.F / test.scale * denominator(fitted, ddf).sigma2
        rows[label] = (mean * test.num_df, mean, test.num_df, test.den_df, test.F, test.p)
    columns = ["SumSq", "MeanSq", "NumDF", "DenDF", "F", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype({"NumDF": int})
    said = notes(terms, hypotheses)
    return table.assign(note=[said[label] for label in table.index]) if any(said.values()) else table


def t_table(fitted: Fitted, L: Any, ddf: str, *, information: str | None = None) -> pd.DataFrame:
    """Test each row of L on its own; see `MixedResults.t_test`."""
    linear = read_linear(L, fitted.x_names, fitted.dropped_columns)
    return t_rows(fitted, linear, with_information(ddf, information))


def t_rows(fitted: Fitted, linear: Linear, ddf: str) -> pd.DataFrame:
    """Test each row of `linear`; columns as `MixedResults.t_test`."""
    tests = contrast_tests(fitted, linear.L, ddf, linear.rhs)
    columns = {"Estimate": tests.estimate, "SE": tests.se, "df": tests.df, "t": tests.t, "p": tests.p}
    return pd.DataFrame(columns, index=list(linear.labels))


def wald_table(fitted: Fitted, L: Any, ddf: str, *, information: str | None = None) -> pd.DataFrame:
    """Test all rows of L together; see `MixedResults.wald_test`."""
    linear = read_linear(L, fitted.x_names, fitted.dropped_columns)
    return wald_row(fitted, linear, with_information(ddf, information))


def wald_row(fitted: Fitted, linear: Linear, ddf: str) -> pd.DataFrame:
    """Test all rows of `linear` together; columns as `MixedResults.wald_test`."""
    test = joint_test(fitted, linear.L, ddf, linear.rhs, known_terms(fitted))
    columns = {"NumDF": test.num_df, "DenDF": test.den_df, "F": test.F, "p": test.p}
    return pd.DataFrame(columns, index=[", ".join(linear.labels)])
