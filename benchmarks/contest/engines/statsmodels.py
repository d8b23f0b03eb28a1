"""statsmodels from PyPI: `mixedlm`, whose models have one grouping factor.

Several factors become variance components: inside the coarsest factor where the others are nested in it, the package's
own way, and inside one group that holds all rows where they are crossed.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.base import Job
from benchmarks.contest.engines.formula import split, with_columns_for_products
from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, Printed, relative_factor, serve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Statsmodels"]


class Statsmodels(PipEngine):
    """`statsmodels.formula.api.mixedlm` with its defaults."""

    name = "statsmodels"
    requirements = ("statsmodels==0.15.0",)

    def refusal(self, job: Job) -> str | None:
        """Variance components are independent, so slopes need the one grouping factor."""
        bars = split(job.formula).bars
        if len(bars) > 1 and not all(bar.is_intercept for bar in bars):
            return "correlated random slopes with more than one grouping factor"
        return None


def spell(formula: str, data: pd.DataFrame) -> tuple[dict, pd.DataFrame]:
    """Return the arguments of `mixedlm` and the data, with a column for ``a:b``."""
    parts = split(formula)
    frame, bars = with_columns_for_products(data, parts.bars)
    arguments = {"formula": f"{parts.response} ~ {parts.fixed}"}
    if len(bars) == 1:
        return {**arguments, "groups": bars[0].group, "re_formula": f"~ {' + '.join(bars[0].effects)}"}, frame
    components = {bar.group: f"0 + C({bar.group})" for bar in bars}
    outer = bars[-1].group  # the table writes the factors by decreasing number of levels
    if all(frame.groupby(group, observed=True)[outer].nunique().max() == 1 for group in components):
        del components[outer]
        return {**arguments, "groups": outer, "re_formula": "~ 1", "vc_formula": components}, frame
    return {**arguments, "groups": "_all", "re_formula": "0", "vc_formula": components}, frame.assign(_all=0)


def fit(arguments: dict, data: pd.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call; after success it keeps no count of evaluations."""
    import statsmodels.formula.api as smf

    result = smf.mixedlm(data=data, **arguments).fit(reml=reml)
    components = dict(zip(result.model.exog_vc.names, result.vcomp, strict=True))
    # Variance components in the order of the formula, and the coarsest factor, which is written last.
    theta = [float((components[name] / result.scale) ** 0.5) for name in arguments.get("vc_formula", ())]
    if result.k_re:
        theta += relative_factor(result.cov_re.to_numpy() / result.scale)
    return Estimates(-2.0 * float(result.llf), None, theta, result.fe_params.tolist())


def table(arguments: dict, data: pd.DataFrame, reml: bool) -> Printed:
    """Fit and print the summary, which tests with z."""
    import statsmodels.formula.api as smf

    return Printed(str(smf.mixedlm(data=data, **arguments).fit(reml=reml).summary()), "z")


if __name__ == "__main__":
    serve(fit, table, metadata.version("statsmodels"), spell)
