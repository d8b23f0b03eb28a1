"""Marginal means: averages of the model's predictions over a reference grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Ddf, Scale, Weighting

if TYPE_CHECKING:
    from mixedsparse.inference.means import MarginalMeans

__all__ = ["MeansMixin"]


class MeansMixin(ResultsBase):
    """Marginal means of `MixedResults`, with the meanings of R's emmeans."""

    def emmeans(
        self,
        specs: Any,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: Weighting = "equal",
        type: Scale = "link",
        ddf: Ddf = "satterthwaite",
        information: str | None = None,
        level: float = 0.95,
    ) -> MarginalMeans:
        """Estimated marginal means: predictions at the combinations of some factors, averaged over the others.

        Parameters
        ----------
        specs : str or sequence of str
            Factors (or covariates) whose means are wanted: ``"a"``, ``["a", "b"]``, ``"~ a * b | c"``; ``"1"`` for the
            overall mean.
        by : str or sequence of str, optional
            Factors within whose combinations contrasts are taken.
        at : dict, optional
            Predictor -> values of the reference grid: numbers for a covariate, some of the levels for a factor.
            By default a covariate stands at its mean, or at both of its values if it has two.
        weights : {"equal", "proportional", "outer", "cells"}
            How the other factors are averaged over: equally, by how often their combinations occur, by the product
            of their margins, or by how often the cells occur (prior weights count as frequencies).
        type : {"link", "response"}
            Scale of the tables: that of the response as the formula has it, or ``"response"``, which goes back from
            ``log(y)``, ``sqrt(y)``, ``1 / y``, ``log(y + 1)`` and the like: means in a column ``response``, with
            standard errors by the delta method and limits taken there; contrasts of logarithms become ``ratio``, those
            of others stay differences of the scale of the model. It changes nothing where the response is a column.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            Degrees of freedom; Kenward-Roger adjusts the standard errors too.
        information : {"expected", "observed"}, optional
            For Kenward-Roger; see `coef_table`.
        level : float
            Of the confidence intervals.

        Returns
        -------
        MarginalMeans
            ``.table`` has the factor columns, then ``emmean, SE, df, lower, upper``, in units of the response as it is
            modelled, or with ``response`` in place of ``emmean``; ``.contrast()`` compares the means, or contrasts of
            them (``interaction=``); ``.notes`` says what they are averages over, and which of it interacts. A mean
            that the data do not determine (its combination of levels does not occur and X has dependent columns) is
            NaN, with a DroppedColumnsWarning, and no member of a family of comparisons.

        Raises
        ------
        OptionError
            A name is not a predictor, or a level or an option does not exist.
        DataError
            The model was made from arrays.

        Notes
        -----
        Nested factors are found as emmeans finds them, and `notes` names them: each level of one occurs with one level
        of another, or it has no main effect (``geno/strain``). Its means come with those of the factors that it is
        nested in, for levels that occur there; averages over it are taken within these first.

        References
        ----------
        Searle, Speed & Milliken (1980), The American Statistician 34, 216-221.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("score ~ Machine + (1 | Worker/Machine)", ms.datasets.load("Machines"))
        >>> fit.emmeans("Machine").table.round(2)
          Machine  emmean    SE    df  lower  upper
        0       A   52.36  2.49  8.52  46.68  58.03
        1       B   60.32  2.49  8.52  54.65  65.99
        2       C   66.27  2.49  8.52  60.60  71.94
        >>> fit = ms.lmer("log(angle) ~ recipe + temperature + (1 | recipe:replicate)", ms.datasets.load("cake"))
        >>> means = fit.emmeans("recipe", type="response")
        >>> means
          recipe   response        SE    df      lower      upper
        0      A  32.339966  1.621457  42.0  29.227834  35.783472
        1      B  30.659525  1.537203  42.0  27.709105  33.924101
        2      C  30.524326  1.530425  42.0  27.586917  33.774507
        Averaged over temperature.
        Limits are those of log(angle).
        Degrees of freedom: Satterthwaite.
        Intervals of level 0.95.
        >>> means.contrast().table[["contrast", "ratio", "SE", "p"]].round(3)
          contrast  ratio     SE      p
        0    A / B  1.055  0.075  0.734
        1    A / C  1.059  0.075  0.696
        2    B / C  1.004  0.071  0.998
        """
        from mixedsparse.inference.denominators import with_information
        from mixedsparse.inference.emmeans import emmeans
        from mixedsparse.inference.response_scale import response_scale

        ddf, scale = with_information(ddf, information), response_scale(self._fitted, type)
        return emmeans(self._fitted, specs, by, at=at, weights=weights, ddf=ddf, level=level, scale=scale)

    def emtrends(
        self,
        specs: Any,
        var: str,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: Weighting = "equal",
        ddf: Ddf = "satterthwaite",
        information: str | None = None,
        level: float = 0.95,
    ) -> MarginalMeans:
        """Slopes in the covariate `var` at the combinations of some factors, averaged over the others.

        Parameters
        ----------
        var : str
            Covariate. The slope is the difference quotient of the prediction over a thousandth of its range, at its
            mean or at its value in `at` (as in emmeans), so that it may enter as ``poly(x, 2)`` or ``log(x)``.
        specs, by, at, weights, ddf, information, level
            See `emmeans`.

        Returns
        -------
        MarginalMeans
            With the column ``trend`` in place of ``emmean``.

        Raises
        ------
        OptionError
            `var` is a factor, or a name, a level or an option does not exist.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("distance ~ age * Sex + (age | Subject)", ms.datasets.load("Orthodont"))
        >>> fit.emtrends("Sex", "age").table.round(3)
              Sex  trend     SE    df  lower  upper
        0    Male  0.784  0.086  25.0  0.607  0.961
        1  Female  0.480  0.104  25.0  0.266  0.693
        """
        from mixedsparse.inference.denominators import with_information
        from mixedsparse.inference.emmeans import emtrends

        ddf = with_information(ddf, information)
        return emtrends(self._fitted, specs, var, by, at=at, weights=weights, ddf=ddf, level=level)

    def joint_tests(
        self,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        ddf: Ddf = "satterthwaite",
        information: str | None = None,
    ) -> pd.DataFrame:
        """F tests of the interaction contrasts of marginal means, term by term; of simple effects with `by`.

        In a model of factors these are the type III tests, whatever their coding. Covariates take part at their mean
        less and plus one, or at both values if they have two. Means are always compared, never tested against zero,
        which `anova` does where a model has no intercept; its note says so.

        Parameters
        ----------
        by : str or sequence of str, optional
            Factors within whose levels the others are tested.
        at, ddf, information
            See `emmeans`.

        Returns
        -------
        DataFrame
            Columns ``term``, the `by` factors, ``NumDF``, ``DenDF``, ``F``, ``p``. Denominator degrees of freedom are
            those of the F test in `anova` (emmeans takes the smallest of those of the single contrasts instead).
            Contrasts that the data do not determine are left out: a column ``note`` marks these rows by ``e``, and by
            ``d`` those of contrasts that depend on each other, as of a line through three values. Nested
            factors are tested within those that they are nested in, see `emmeans`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", ms.datasets.load("cake"))
        >>> fit.joint_tests()[["term", "NumDF", "DenDF", "F"]].round(2)
                         term  NumDF  DenDF      F
        0              recipe      2   42.0   0.25
        1         temperature      5  210.0  20.52
        2  recipe:temperature     10  210.0   1.01
        """
        from mixedsparse.inference.denominators import with_information
        from mixedsparse.inference.joint import joint_tests

        return joint_tests(self._fitted, by, at=at, ddf=with_information(ddf, information))
