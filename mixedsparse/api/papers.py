"""What a paper needs: lines of tests, and tables of one or several models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.checks import check_level
from mixedsparse.ground.choices import Ddf
from mixedsparse.ground.errors import ArgumentTypeError, OptionError
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.inference.denominators import check_ddf
from mixedsparse.inference.estimates import Estimates

if TYPE_CHECKING:
    from mixedsparse.report.model_table import ModelTable

__all__ = ["apa", "model_table"]


@explains_arguments
def apa(tests: Any, row: Any = None, *, ddf: Ddf = "satterthwaite", level: float = 0.95) -> pd.Series | str:
    """Lines of text for tests, in the style of the American Psychological Association.

    Parameters
    ----------
    tests : fit, contrasts, marginal means or DataFrame
        A fit stands for its coefficients; a table is one that this package made: of `anova`, `mixedsparse.anova`,
        `drop1`, `ranova`, `joint_tests`, `t_test`, `wald_test`, `coef_table`, or of contrasts. With ratios, as of
        ``coef_table(exp=True)``, lines are theirs; tidy tables, which do not say what they hold, are refused.
    row : str or int, optional
        One row of them, by its label.
    ddf : {"satterthwaite", "kenward-roger", "normal"}
        Degrees of freedom of the coefficients of a linear fit.
    level : float
        Of the intervals of coefficients; that of a table is its own, and only said.

    Returns
    -------
    Series of str, or str
        A line per row; the one line where `row` names it.

    Raises
    ------
    OptionError
        There is no such row, or the table holds nothing that is known.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> ms.apa(fit, "Days")
    'b = 10.47, SE = 1.55, t(17) = 6.77, p < .001, 95% CI [7.21, 13.73]'
    >>> ms.apa(fit.anova(), "Days")
    'F(1, 17) = 45.85, p < .001'
    """
    from mixedsparse.report.apa import apa_lines
    from mixedsparse.report.tested import tested_coefficients

    check_level(level)
    check_ddf(ddf)
    if isinstance(tests, ResultsBase):
        table = tested_coefficients(tests._fitted, ddf, level)
    elif isinstance(tests, Estimates):
        table, level = tests.table, tests.level
    elif isinstance(tests, pd.DataFrame):
        table = tests
    else:
        raise ArgumentTypeError(f"tests must be a fit, contrasts or a table, not {type(tests).__name__}.")
    lines = apa_lines(table, level)
    if row is None:
        return lines
    if row not in lines.index:
        raise OptionError(f"row={row!r}: there is no such row, but {', '.join(map(repr, lines.index))}.")
    return str(lines.loc[row])


@explains_arguments
def model_table(
    models: Any,
    *,
    labels: Mapping[str, str] | None = None,
    ddf: Ddf = "satterthwaite",
    level: float = 0.95,
) -> ModelTable:
    r"""Table of one or several models for a paper, as text, Markdown, HTML, LaTeX or a Word document.

    Parameters
    ----------
    models : fit, sequence of fits, or dict of them
        Linear or generalized. The keys of a dict are the titles of their columns, else ``M1``, ``M2``, ...
    labels : dict, optional
        Name of a coefficient or grouping factor -> what the table calls it; interactions go by their parts.
    ddf : {"satterthwaite", "kenward-roger", "normal"}
        Degrees of freedom of linear fits.
    level : float
        Of the confidence intervals.

    Returns
    -------
    ModelTable
        ``print`` it, or ``.to_markdown()``, ``.to_html()``, ``.to_latex(caption, label)``, ``.to_word(path)``;
        ``.table`` is a DataFrame of its cells. One model has columns of standard errors and statistics, and one column
        of standard deviations for each grouping factor; several have rows for these. Below stand sizes, intraclass
        correlation (adjusted), R squared, criterion, AIC and BIC.

    Raises
    ------
    OptionError
        A label is for a name that no model has, or there is no model.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> print(ms.model_table(fit, labels={"Days": "Days awake"}).to_markdown())
    |  | Estimate | SE | 95% CI | t | p | SD Subject |
    | :-- | --: | --: | --: | --: | --: | --: |
    | Intercept | 251.405 | 6.825 | \[237.007, 265.804\] | 36.84 | \< .001 | 24.7 |
    | Days awake | 10.467 | 1.546 | \[7.206, 13.729\] | 6.77 | \< .001 | 5.92 |
    | SD residual | 25.6 |  |  |  |  |  |
    ...
    """
    from mixedsparse.report.model_table import model_table

    check_level(level)
    check_ddf(ddf)
    if isinstance(models, ResultsBase):
        models = [models]
    named = dict(models) if isinstance(models, Mapping) else {f"M{i}": m for i, m in enumerate(models, start=1)}
    if not named:
        raise OptionError("There are no models: give a fit, or several.")
    for name, fit in named.items():
        if not isinstance(fit, ResultsBase):
            raise ArgumentTypeError(f"models[{name!r}] must be a fit, as lmer returns it, not {type(fit).__name__}.")
    return model_table([m._fitted for m in named.values()], list(map(str, named)), labels or {}, ddf, level)
