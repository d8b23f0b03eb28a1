"""Wald tests of the coefficients of generalized models: normal for one function, chi-squared for several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.inference.anova import term_hypotheses
from mixedsparse.inference.contrast import JointTest, contrast_tests, joint_test
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.hypotheses import FixedTerms, known_terms, notes
from mixedsparse.inference.joint import joint_tests
from mixedsparse.inference.linear import read_linear

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["chisq_anova", "chisq_joint_tests", "chisq_rows", "chisq_table", "z_tests"]


def chisq_anova(fitted: GeneralizedFitted, type: int | str = 3, ddf: str = "normal") -> pd.DataFrame:
    """Chi-squared test of each term; see `GeneralizedResults.anova`."""
    return chisq_rows(fitted, *term_hypotheses(fitted, type), ddf)


def chisq_rows(
    fitted: GeneralizedFitted, terms: FixedTerms, hypotheses: Mapping[str, np.ndarray], ddf: str
) -> pd.DataFrame:
    """Test each of `hypotheses` about `terms`, term -> L (r, p); a column ``note`` is there if any row has one."""
    rows = {label: _row(joint_test(fitted, L, ddf)) for label, L in hypotheses.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["Chisq", "Df", "p"]).astype({"Df": int})
    said = notes(terms, hypotheses)
    return table.assign(note=[said[label] for label in table.index]) if any(said.values()) else table


def _row(test: JointTest) -> tuple[float, int, float]:
    return test.F * test.num_df, test.num_df, test.p


def z_tests(fitted: GeneralizedFitted, L: Any, ddf: str = "normal") -> pd.DataFrame:
    """Test each row of L on its own; see `GeneralizedResults.t_test`."""
    linear = read_linear(L, fitted.x_names, fitted.dropped_columns)
    tests = contrast_tests(fitted, linear.L, ddf, linear.rhs)
    columns = {"Estimate": tests.estimate, "SE": tests.se, "z": tests.t, "p": tests.p}
    return pd.DataFrame(columns, index=list(linear.labels))


def chisq_table(fitted: GeneralizedFitted, L: Any, ddf: str = "normal") -> pd.DataFrame:
    """Test all rows of L together; see `GeneralizedResults.wald_test`."""
    linear = read_linear(L, fitted.x_names, fitted.dropped_columns)
    test = joint_test(fitted, linear.L, ddf, linear.rhs, known_terms(fitted))
    return pd.DataFrame([_row(test)], columns=["Chisq", "Df", "p"], index=[", ".join(linear.labels)])


def chisq_joint_tests(
    fitted: GeneralizedFitted,
    by: str | Sequence[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    ddf: str = "normal",
) -> pd.DataFrame:
    """Test every term by its marginal means; see `GeneralizedResults.joint_tests`."""
    denominator(fitted, ddf)  # refused before any grid is made
    table = joint_tests(fitted, by, at=at, ddf=ddf)
    place = table.columns.get_loc("NumDF")
    assert isinstance(place, int)
    table.insert(place, "Chisq", table["F"] * np.asarray(table["NumDF"], dtype=float))
    return table.drop(columns=["DenDF", "F"]).rename(columns={"NumDF": "Df"})
