"""Bootstrap distributions of all parameters, and of any function of the results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import check_draws, check_level, one_of
from mixedsparse.ground.choices import BootstrapKind
from mixedsparse.ground.errors import ConvergenceWarning, OptionError
from mixedsparse.ground.foreign import Answers
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.bootstrap_limits import KINDS, limits, skewness
from mixedsparse.inference.cases import NewRows, unit_of
from mixedsparse.inference.deletions import estimates_without
from mixedsparse.inference.drawing import drawn
from mixedsparse.inference.parameters import identified, parameters
from mixedsparse.inference.replicates import (
    NewResponses,
    Replicator,
    Statistic,
    as_it_is,
    estimates_of,
    in_tasks,
    run_blocks,
)
from mixedsparse.inference.residual_bootstrap import ResidualReplicates

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Bootstrap", "bootstrap", "bootstrap_of"]

_DRAWS = get_args(BootstrapKind)
_NEVER_ZERO = (
    "Limits of standard deviations of correlated effects never reach 0: ask conf_int(method='profile'), or ranova(), "
    "whether a variance is 0."
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bootstrap(Answers):
    """Bootstrap replicates of a fit.

    Attributes
    ----------
    table : DataFrame
        A row per replicate, numbered from 0; columns as rows of ``conf_int(which="all")``, then those of `statistic`.
        NaN throughout in a replicate that failed, for a correlation of an effect without variance, and for a parameter
        that is not identified.
    estimates : Series
        The same numbers for the fit itself.
    failures : Series
        Replicate -> why it failed; empty if none did.
    kind : str
        ``"parametric"``, ``"residual"`` or ``"cases"``.
    seed : int
        With which the same replicates come again.
    results : MixedResults
        The fit itself.
    without : callable
        Estimates without the rows of each level, for BCa limits.
    """

    table: pd.DataFrame
    estimates: pd.Series
    failures: pd.Series
    kind: str
    seed: int
    results: Any = field(repr=False)
    fitted: Fitted = field(repr=False)
    without: Callable[[Any, np.ndarray, int], np.ndarray] = field(repr=False)
    _made: dict[str, np.ndarray] = field(repr=False, default_factory=dict)

    @property
    def nsim(self) -> int:
        """Number of replicates: those asked for, unless the bootstrap was interrupted."""
        return len(self.table)

    def summary(self) -> pd.DataFrame:
        """Estimate, bias, standard error (SD of the replicates) and number of replicates in use, per column."""
        return pd.DataFrame(
            {
                "estimate": self.estimates,
                "bias": self.table.mean() - self.estimates,
                "SE": self.table.std(),
                "replicates": self.table.count(),
            }
        )

    def conf_int(self, level: float = 0.95, kind: str = "perc") -> pd.DataFrame:
        """Confidence limits from the replicates.

        Parameters
        ----------
        level : float
        kind : {"perc", "basic", "norm", "bca"}
            Percentiles of the replicates; percentiles mirrored at the estimate; normal, centred on the estimate less
            the bias, with the standard deviation of the replicates; or percentiles corrected for bias and acceleration,
            the latter from the estimates without each level of the factor whose levels are independent (`influence`; 0
            for columns of `statistic`). The second and third are made on the scale of log standard deviations and of
            Fisher's z of correlations, so that limits stay in the range of the parameter; where the estimate or some
            replicates are on its boundary there is no such scale, and what lies beyond the range is cut.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``; NaN for a column without replicates.

        Notes
        -----
        Replicates of the standard deviation of an effect that is correlated with others are hardly ever 0: a
        covariance matrix becomes singular by a correlation of 1. So percentile limits never cover a variance that is 0,
        at any level, as `note` says. Profile limits do (``conf_int(method="profile")``), and `ranova` tests it.

        References
        ----------
        Davison & Hinkley (1997), *Bootstrap Methods and their Application*, chapter 5; Efron (1987), Journal of the
        American Statistical Association 82, 171-185.
        """
        check_level(level)
        one_of("kind", kind, KINDS)
        acceleration = self._acceleration() if kind == "bca" else np.zeros(len(self.estimates))
        kinds = [p.kind for p in parameters(self.fitted)]
        scales = [*kinds, *["fixed"] * (len(self.estimates) - len(kinds))]
        columns = zip(self.table.to_numpy().T, self.estimates, scales, acceleration, strict=True)
        found = [limits(kind, values, best, level, scale, a) for values, best, scale, a in columns]
        table = pd.DataFrame(found, index=self.table.columns, columns=["lower", "upper"])
        if self.note:
            table.attrs["note"] = self.note
        return table

    @property
    def note(self) -> str:
        """What the limits of standard deviations do not say, where the model has any of correlated effects."""
        together = [p.name for p in parameters(self.fitted) if p.kind == "cor"]
        return _NEVER_ZERO if together else ""

    def _acceleration(self) -> np.ndarray:
        """Accelerations for BCa limits, a column each; 0 for those of `statistic`."""
        made = self._made.get("acceleration")
        if made is None:
            unit = unit_of(self.fitted)
            made = self._made["acceleration"] = skewness(self.without(self.fitted, unit.codes, unit.n_levels))
        return np.concatenate([made, np.zeros(len(self.estimates) - len(made))])

    def plot(self, which: str | Iterable[str] = "all", level: float = 0.95) -> np.ndarray:
        """Densities of the replicates, one panel per column, with the estimate and the percentile interval marked.

        Returns
        -------
        ndarray of matplotlib Axes
            One per panel; ``axes[0].figure`` is the figure.
        """
        return drawn("bootstrap", self, which, level)

    def __repr__(self) -> str:
        return f"<Bootstrap: {self.nsim} {self.kind} replicates, {len(self.failures)} failed, seed {self.seed}>"


def bootstrap(
    fitted: Fitted,
    nsim: int = 1000,
    seed: int | None = None,
    *,
    n_jobs: int = 1,
    statistic: Callable[[Any], Any] | None = None,
    kind: str = "parametric",
    group: str | None = None,
    progress: CountOption = None,
    wrap: Callable[[Fitted], Any] = as_it_is,
) -> Bootstrap:
    """Bootstrap `fitted`; see `MixedResults.bootstrap`. What `statistic` takes is made by `wrap`."""
    _check(nsim, seed, kind, group)
    fitted.needs("factor", "The bootstrap", "Refit simulated responses one by one: refit(simulate(1, seed)[0])")
    fitted.needs("rows", "The bootstrap")
    named = None if statistic is None else Statistic(statistic, wrap, fitted)
    return bootstrap_of(
        fitted, _replicator(fitted, kind, group, named), named, nsim, seed, kind, n_jobs, progress, wrap
    )


def bootstrap_of(
    fitted: Fitted,
    replicator: Replicator,
    named: Statistic | None,
    nsim: int,
    seed: int | None,
    kind: str,
    n_jobs: int,
    progress: CountOption,
    wrap: Callable[[Fitted], Any],
    without: Callable[[Any, np.ndarray, int], np.ndarray] = estimates_without,
) -> Bootstrap:
    """Make `nsim` replicates by `replicator` and put them into a table."""
    root = np.random.SeedSequence(seed)
    tasks = in_tasks(root.spawn(nsim), replicator.size)
    blocks = run_blocks(replicator, tasks, n_jobs, progress, "bootstrap")
    known = parameters(fitted)
    names = [p.name for p in known] + ([] if named is None else named.names)
    starts = np.cumsum([0, *(len(task) for task in tasks)])
    failures = {int(s + i): why for s, block in zip(starts, blocks, strict=False) for i, why in block.failures.items()}
    estimates = estimates_of(fitted) if named is None else np.concatenate([estimates_of(fitted), named.original])
    values = np.vstack([block.values for block in blocks])
    values[:, : len(known)][:, ~identified(fitted, known)] = np.nan
    out = Bootstrap(
        table=pd.DataFrame(values, columns=names),
        estimates=pd.Series(estimates, index=names, name="estimate"),
        failures=pd.Series(failures, dtype=object, name="reason").rename_axis("replicate"),
        kind=kind,
        seed=int(root.entropy),
        results=wrap(fitted),
        fitted=fitted,
        without=without,
    )
    if failures:
        warnings.warn(
            f"{len(failures)} of {out.nsim} bootstrap replicates failed and are NaN in the table; the first: "
            f"{out.failures.iloc[0]} See .failures for all.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    if out.nsim < nsim:
        warnings.warn(
            f"The bootstrap was interrupted: the table has {out.nsim} of {nsim} replicates.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    return out


def _check(nsim: int, seed: int | None, kind: str, group: str | None) -> None:
    check_draws(nsim, seed)
    one_of("kind", kind, _DRAWS)
    if group is not None and kind != "cases":
        raise OptionError(f"group={group!r} says whose levels kind='cases' draws; kind={kind!r} draws none.")


def _replicator(fitted: Fitted, kind: str, group: str | None, statistic: Statistic | None) -> Replicator:
    if fitted.fit.residual is not None:
        if kind != "parametric":
            fitted.needs_plain(f"A bootstrap of kind {kind!r}", "Use kind='parametric'.")
        return ResidualReplicates(fitted, statistic)
    if kind == "cases":
        return NewRows(fitted, group, statistic)
    return NewResponses(fitted, kind, statistic)
