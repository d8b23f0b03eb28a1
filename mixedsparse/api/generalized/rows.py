"""Row by row: means, residuals and predictions of `GeneralizedResults`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.ground.choices import GeneralizedResidual, Interval, NewLevels, Scale
from mixedsparse.inference.labels import per_row

if TYPE_CHECKING:
    import pyarrow as pa

    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["RowsMixin"]


class RowsMixin(ResultsBase):
    """Observations' side of `GeneralizedResults`; every Series is on the index of the data, dropped rows left out."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    @table_property
    def fittedvalues(self) -> pd.Series:
        """Conditional means of the response: probabilities of a binomial one, means of counts and other numbers."""
        return per_row(self._fitted, self._fitted.values, "fittedvalues")

    @table_property
    def linear_predictor(self) -> pd.Series:
        """X beta + Z b + offset."""
        return per_row(self._fitted, self._fitted.linear_predictor, "linear_predictor")

    @table_property
    def resid(self) -> pd.Series:
        """Deviance residuals, as ``residuals()``."""
        return self.residuals()

    def residuals(self, kind: GeneralizedResidual = "deviance", *, seed: int | None = None) -> pd.Series:
        """Residuals of one kind, given the conditional modes.

        Parameters
        ----------
        kind : {"deviance", "pearson", "response", "working", "quantile", "normalized"}
            ``"deviance"``: signed root of the row's deviance; ``"pearson"``: response less mean, over its standard
            deviation; ``"normalized"``: the same, since responses are independent given the modes; ``"response"``:
            response less mean (of a binomial response the proportion less the probability); ``"working"``: the same
            over d mu / d eta; ``"quantile"``: normal quantiles of the distribution function at the response, at random
            between its two sides where that is discrete (Dunn & Smyth 1996): normal if the model is right.
        seed : int, optional
            Of ``"quantile"``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.residuals("pearson").round(3).head(3).tolist()
        [-1.34, 1.075, 2.88]
        """
        from mixedsparse.diagnostics.generalized import residuals

        return residuals(self._fitted, kind, seed)

    def overdispersion(self) -> pd.Series:
        """Pearson's chi squared over its degrees of freedom, for Poisson counts and binomial rows of several trials.

        Returns
        -------
        Series
            ``chisq``, ``df`` (rows less parameters), ``ratio``, ``p`` of the chi squared distribution, which is rough
            where means are small.

        Raises
        ------
        OptionError
            Rows of one trial tell nothing of it; or the family has a dispersion of its own.
        """
        from mixedsparse.diagnostics.generalized import overdispersion

        return overdispersion(self._fitted)

    @overload
    def predict(
        self,
        newdata: Any = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        interval: None = None,
        level: float = 0.95,
        *,
        type: Scale = "response",
        offset: Any = None,
    ) -> pd.Series: ...

    @overload
    def predict(
        self,
        newdata: Any = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        *,
        interval: Interval,
        level: float = 0.95,
        type: Scale = "response",
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
    ) -> pd.DataFrame: ...

    def predict(
        self,
        newdata: Any = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        interval: Interval | None = None,
        level: float = 0.95,
        *,
        type: Scale = "response",
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
    ) -> pd.Series | pd.DataFrame:
        """Predict rows, those of the fit or new ones.

        Parameters
        ----------
        newdata, random, new_levels
            See `MixedResults.predict`.
        offset : str, array of shape (r,) or number, optional
            Added to the linear predictor of new rows. An offset in the formula is read from `newdata`; one that the fit
            got as an argument counts in new rows only if it is given here again, as in lme4: so give an exposure again.
        type : {"response", "link"}
            The mean of the response, or the linear predictor. Without random effects (``random="population"``) the
            mean is that of a level whose effects are all 0, which is not the mean over levels.
        interval : {"confidence", "prediction"}, optional
            ``"confidence"``: around the mean: limits of the linear predictor, from the joint covariance of the
            estimates of all parameters and of the random effects, taken to the scale of the response.
            ``"prediction"``: around a new response: quantiles of its distribution, the mean as uncertain as for
            ``"confidence"`` and the dispersion as estimated; random effects that are left out, or of levels that the
            fit has not seen, are drawn anew. Of a binomial response the limits are proportions of the trials; those of
            discrete responses hold at least `level`. NaN where linear predictors may leave the range of the link.
        level : float
        trials, weights : str, number or array, optional
            For ``interval="prediction"``, as in `simulate`.

        Returns
        -------
        Series ``predicted`` or, with an interval, DataFrame ``predicted, lower, upper``
            On the index of `newdata`; a row in which a variable is missing is NaN.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.predict({"period": ["1", "4"], "herd": ["1", "1"]}).round(3).tolist()
        [0.308, 0.084]
        """
        from mixedsparse.prediction.generalized import predict_generalized

        return predict_generalized(
            self._fitted,
            newdata,
            random,
            new_levels,
            interval,
            level,
            type=type,
            trials=trials,
            weights=weights,
            offset=offset,
        )

    def stream_predictions(
        self,
        path: str | os.PathLike[str] | None = None,
        source: Any = None,
        columns: Sequence[str] | None = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        *,
        type: Scale = "response",
        table: str | None = None,
        interval: Interval | None = None,
        level: float = 0.95,
        trials: str | None = None,
        weights: str | None = None,
        row_number: str | None = None,
        offset: str | None = None,
        progress: bool | Callable[[int, int], None] | None = None,
    ) -> int:
        """Write predictions and residuals of all rows of a source, batch by batch, to a Parquet file or a table.

        Parameters
        ----------
        path, source, columns, random, new_levels, table, row_number, offset, progress
            See `MixedResults.stream_predictions`.
        type : {"response", "link"}
            Whether ``predicted`` is the mean of the response, or the linear predictor.
        interval, level
            See `predict`.
        trials, weights : str, optional
            Columns, for ``interval="prediction"``; see `predict`.

        Returns
        -------
        int
            Number of rows that were written. ``lower`` and ``upper`` are there for an `interval`. ``resid`` are
            deviance residuals, as `residuals`; they are there if the response is, and the columns of its trials or
            prior weights, which the fit must have got by name.

        Examples
        --------
        >>> import tempfile, pathlib, mixedsparse as ms
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     source = pathlib.Path(folder) / "cbpp.parquet"
        ...     ms.datasets.load("cbpp").to_parquet(source)
        ...     fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", source)
        ...     fit.stream_predictions(pathlib.Path(folder) / "predicted.parquet")
        56
        """
        from mixedsparse.prediction.generalized import stream_generalized

        return stream_generalized(
            self._fitted,
            path,
            source,
            columns,
            random,
            new_levels,
            type=type,
            table=table,
            interval=interval,
            level=level,
            trials=trials,
            weights=weights,
            row_number=row_number,
            offset=offset,
            progress=progress,
        )

    def prediction_batches(
        self,
        source: Any = None,
        columns: Sequence[str] | None = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        *,
        type: Scale = "response",
        interval: Interval | None = None,
        level: float = 0.95,
        trials: str | None = None,
        weights: str | None = None,
        row_number: str | None = None,
        offset: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Predict the rows of a source batch by batch, to be written to anything that takes batches of Arrow.

        Parameters
        ----------
        source, columns, random, new_levels, type, interval, level, trials, weights, row_number, offset
            See `stream_predictions`.

        Returns
        -------
        iterator of pyarrow.RecordBatch
            With the columns that `stream_predictions` writes; rows are read as batches are asked for.
        """
        from mixedsparse.prediction.generalized import generalized_batches

        return generalized_batches(
            self._fitted,
            source,
            columns,
            random,
            new_levels,
            type=type,
            interval=interval,
            level=level,
            trials=trials,
            weights=weights,
            row_number=row_number,
            offset=offset,
        )
