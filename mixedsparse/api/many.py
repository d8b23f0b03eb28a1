"""Many responses with one design: EEG samples, voxels, genes, items."""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.absent_rows import absent_rows
from mixedsparse.data.formula.frames import open_table
from mixedsparse.data.many import ResponseColumns, open_responses
from mixedsparse.data.sources.opening import is_source
from mixedsparse.fitted.model import Model, read
from mixedsparse.fitted.warnings import warn_of_data
from mixedsparse.ground.caller import CallerNames
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import ManyDdf
from mixedsparse.ground.errors import BackendError, DataError, FormulaError
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.inference.linear import read_linear
from mixedsparse.inference.many import response_fitter
from mixedsparse.inference.many_blocks import Contrasts, ManyBlock, Task
from mixedsparse.inference.many_table import many_table, write_many
from mixedsparse.inference.workers import work_off

__all__ = ["ManyResults", "fit_many", "fit_rows"]

# Numbers of the responses of one task, responses of one, and those that are fitted first for the others to start from:
# one in so many, within limits.
_NUMBERS, _LARGEST = 1_000_000, 512
_ONE_IN, _FEWEST, _MOST = 50, 3, 24
_NAME = re.compile(r"\s*([^\W\d]\w*|`[^`]+`)?\s*")


@dataclass(frozen=True, eq=False)
class ManyResults:
    """Fits of many responses.

    Attributes
    ----------
    failed : Series
        Why a response has no fit, by response; empty where all have one.
    path : str or None
        The Parquet file that `table` is in.

    Examples
    --------
    See `fit_many`.
    """

    failed: pd.Series
    n_responses: int
    path: str | None = None
    _table: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """A row per response and coefficient (or row of `L`), in the order of the responses.

        Columns: ``response, term, estimate, SE, df, statistic, p``; ``p_fdr`` and ``p_holm``, adjusted over the
        responses by Benjamini and Hochberg and by Holm, each term a family of its own; ``criterion, nobs, verdict``
        (that of the certificate, or ``"no fit"``); and standard deviations, correlations and ``sigma`` as `conf_int`
        names them. Read from the file where it was written to one.
        """
        if self._table is None:
            return pd.read_parquet(str(self.path))
        return self._table.copy(deep=False)

    def __repr__(self) -> str:
        where = f", written to {self.path!r}" if self.path else ""
        return f"<ManyResults: {self.n_responses} responses, {len(self.failed)} without a fit{where}>"


@explains_arguments
def fit_many(
    formula: str,
    data: Any,
    responses: Any,
    *,
    reml: bool = True,
    L: Any = None,
    ddf: ManyDdf = "satterthwaite",
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    n_jobs: int = 1,
    out: str | os.PathLike[str] | None = None,
    progress: CountOption = None,
) -> ManyResults:
    """Fit one linear mixed model to each of many responses.

    Parameters
    ----------
    formula : str
        ``"~ c + (1 + c | subject) + (1 | item)"``: a left side has no meaning, and may be left out or be a name.
    data : data frame
        The columns of the design, in memory.
    responses : array (n, r), frame, list of str, or path
        An array or a frame (pandas, polars, pyarrow, dict) with a column for each response, names of columns of `data`,
        or a Parquet file all of whose columns are responses, of which a few are read at a time. Rows are those of
        `data`; pandas objects go by their index.
    reml : bool
    L : optional
        Linear functions of the coefficients in their place, as in `MixedResults.t_test`.
    ddf : {"satterthwaite", "normal"}
    weights, offset, contrasts
        As in `lmer`, for all responses.
    n_jobs : int
        Processes; needs joblib if it is not 1. -1: one per core.
    out : path, optional
        Write the table to this Parquet file as the fits come, in place of keeping it: for millions of responses.
    progress : bool or callable, optional
        Whether a bar shows how many are done, by default on an interactive terminal or in a notebook after two seconds;
        a callable gets (done, responses).

    Returns
    -------
    ManyResults
        ``.table`` and ``.failed``.

    Raises
    ------
    DataError, FormulaError, ColumnError
        As for `lmer`; what is wrong with a single response is told in ``.failed``.

    Notes
    -----
    Every number is that of ``lmer`` for the response alone. Where the random effects are few enough, or of one factor,
    searches go on together, from the ends of a few responses that are fitted first, with exact second derivatives; what
    that cannot settle is fitted alone. A response without a value in some rows is fitted without these rows.

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> data = ms.datasets.load("sleepstudy")
    >>> noise = np.random.default_rng(1).normal(scale=20, size=(len(data), 3))
    >>> found = ms.fit_many("~ Days + (1 | Subject)", data, data["Reaction"].to_numpy()[:, None] + noise)
    >>> found.table.query("term == 'Days'")[["response", "estimate", "SE", "df", "verdict"]].round(2)
       response  estimate    SE     df    verdict
    1         0     10.11  0.92  161.0  converged
    3         1      9.85  0.95  161.0  converged
    5         2     11.13  0.90  161.0  converged
    """
    if is_source(data):
        raise DataError("fit_many needs the columns of the design in memory: read them into a data frame.")
    table = open_table(data)
    columns = open_responses(responses, table.index, table)
    if columns.n != table.n:
        raise DataError(f"The responses have {columns.n} rows, but the data have {table.n}: give one value per row.")
    name = next(n for n in (f"response{'_' * k}" for k in range(len(table.names) + 1)) if n not in table.names)
    # Whole numbers say which rows are left; what is added keeps a trend in the data from reproducing it.
    stand_in = np.arange(table.n) + np.random.default_rng(0).uniform(0.1, 0.9, table.n)
    env = ChainMap({name: stand_in}, CallerNames(2))  # type: ignore[arg-type]  # only looked up
    model = Model.of_design(
        *read(f"{name} ~ {_right_side(formula)}", data, weights=weights, offset=offset, contrasts=contrasts, env=env)
    )
    rows = np.floor(model.design.y).astype(int)
    every = None if len(rows) == table.n else rows
    return _fit_all(model, columns, every, reml=reml, L=L, ddf=ddf, n_jobs=n_jobs, out=out, progress=progress)


def fit_rows(model: Model, Y: Any, **given: Any) -> ManyResults:
    """Fit responses whose rows are those of `model`; see `mixedsparse.LinearMixedModel.fit_many`."""
    if not model.problem.has_rows:
        raise absent_rows("fits of many responses")
    design = model.design
    columns = open_responses(Y, design.index)
    if columns.n != len(design.y):
        left_out = f" ({design.nmissing} rows with missing values were left out)" if design.nmissing else ""
        raise DataError(
            f"The responses have {columns.n} rows, but the model has {len(design.y)}{left_out}: give one value per row."
        )
    return _fit_all(model, columns, None, **given)


def _right_side(formula: str) -> str:
    """Right side of a formula whose left side is nothing, or a name."""
    left, tilde, right = formula.partition("~")
    if not tilde or not _NAME.fullmatch(left):
        raise FormulaError(
            f"fit_many takes responses as they are, and the formula {formula!r} has more than a name on its left side: "
            "write '~ x + (1 | g)', and transform the responses before."
        )
    return right


def _fit_all(
    model: Model,
    columns: ResponseColumns,
    rows: np.ndarray | None,
    *,
    reml: bool,
    L: Any,
    ddf: str,
    n_jobs: int,
    out: str | os.PathLike[str] | None,
    progress: CountOption,
) -> ManyResults:
    """Fit all responses in `columns`, of which `rows` are those of the model (None: all), to the design of `model`."""
    one_of("ddf", ddf, ("satterthwaite", "normal"))
    if model.problem.p > model.engines.limits.narrowed:
        raise BackendError(
            "Fits of many responses hold matrices of the size of the covariance of all coefficients for each, and "
            f"there are {model.problem.p:,} of them: make the widest factor random, as in '(1 | factor)'."
        )
    total, design = len(columns), model.design
    names = [design.x_names[i] for i in model.problem.basis.kept]
    linear = read_linear(np.eye(len(names)) if L is None else L, names, model.dropped_columns)
    terms = names if L is None else linear.labels
    sample = _sample(columns, rows, min(total, max(_FEWEST, min(_MOST, total // _ONE_IN))))
    contrasts = Contrasts(linear.L, linear.rhs, tuple(names))
    warn_of_data(design, model.problem, model.dropped_columns)
    fitter = response_fitter(model, sample, contrasts, bool(reml), ddf, in_step=total > _FEWEST)
    size = max(1, min(_LARGEST, _NUMBERS // max(1, columns.n)))
    tasks = _Tasks(columns, rows, size)

    def blocks() -> Iterator[ManyBlock]:
        done = 0
        with counter(progress, "responses") as tell:
            for block in work_off(fitter, tasks, n_jobs):
                done += len(block.numbers)
                tell(done, total)
                yield block

    if out is not None:
        failures = write_many(blocks(), columns.names, terms, out)
        return ManyResults(_failed(failures, columns.names), total, os.fspath(out))
    made = list(blocks())
    failures = {number: why for block in made for number, why in block.failures.items()}
    return ManyResults(_failed(failures, columns.names), total, None, many_table(made, columns.names, terms))


def _sample(columns: ResponseColumns, rows: np.ndarray | None, count: int) -> np.ndarray:
    """Values (n, count) of responses at even distances."""
    chosen = np.unique(np.linspace(0, len(columns) - 1, count).astype(int))
    values = np.hstack([columns.read(int(i), int(i) + 1) for i in chosen])
    return values if rows is None else values[rows]


class _Tasks(Sequence[Task]):
    """Responses a few at a time, read when they are asked for."""

    def __init__(self, columns: ResponseColumns, rows: np.ndarray | None, size: int) -> None:
        self.columns, self.rows, self.size = columns, rows, size

    def __len__(self) -> int:
        return -(-len(self.columns) // self.size)

    def __getitem__(self, i: Any) -> Any:
        if not 0 <= i < len(self):
            raise IndexError(i)
        start = i * self.size
        stop = min(start + self.size, len(self.columns))
        values = self.columns.read(start, stop)
        labels = [str(name) for name in self.columns.names[start:stop]]
        return Task(np.arange(start, stop), labels, values if self.rows is None else values[self.rows])


def _failed(failures: Mapping[int, str], responses: Sequence[Any]) -> pd.Series:
    """Reasons by response."""
    numbers = sorted(failures)
    return pd.Series([failures[i] for i in numbers], index=[responses[i] for i in numbers], name="why", dtype=object)
