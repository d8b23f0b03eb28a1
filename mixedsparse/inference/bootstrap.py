"""Bootstrap distributions of all parameters, and of any function of the results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.caller import user_level
from mixedsparse.errors import ConvergenceWarning, OptionError
from mixedsparse.inference.parameters import identified, parameters
from mixedsparse.inference.profile import check_level
from mixedsparse.inference.replicates import Block, NewResponses, Replicator, Statistic, estimates_of
from mixedsparse.inference.workers import work_off
from mixedsparse.progress import CountOption, counter

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["Bootstrap", "bootstrap"]

_KINDS = ("parametric", "residual", "cases")
_INTERVALS = ("perc", "basic", "norm")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bootstrap:
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
    """

    table: pd.DataFrame
    estimates: pd.Series
    failures: pd.Series
    kind: str
    seed: int

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
        kind : {"perc", "basic", "norm"}
            Percentiles of the replicates; percentiles mirrored at the estimate; or normal, centred on the estimate less
            the bias, with the standard deviation of the replicates. Source: Davison & Hinkley (1997), chapter 5.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``; NaN for a column without replicates.
        """
        check_level(level)
        if kind not in _INTERVALS:
            raise OptionError(f"kind={kind!r} is not known; use one of {', '.join(map(repr, _INTERVALS))}.")
        if kind == "norm":
            half = float(ndtri(0.5 + 0.5 * level)) * self.table.std()
            centre = 2.0 * self.estimates - self.table.mean()
            return pd.DataFrame({"lower": centre - half, "upper": centre + half})
        tails = np.array([_tails(self.table[name].to_numpy(), level) for name in self.table.columns])
        if kind == "basic":
            tails = 2.0 * self.estimates.to_numpy()[:, None] - tails[:, ::-1]
        return pd.DataFrame(tails, index=self.table.columns, columns=["lower", "upper"])

    def plot(self, which: str | Iterable[str] = "all", level: float = 0.95) -> np.ndarray:
        """Densities of the replicates, one panel per column, with the estimate and the percentile interval marked.

        Returns
        -------
        ndarray of matplotlib Axes
            One per panel; ``axes[0].figure`` is the figure.
        """
        from mixedsparse.plotting.parameters import draw_bootstrap

        return draw_bootstrap(self, which, level)

    def __repr__(self) -> str:
        return f"<Bootstrap: {self.nsim} {self.kind} replicates, {len(self.failures)} failed, seed {self.seed}>"


def _tails(values: np.ndarray, level: float) -> tuple[float, float]:
    """Percentiles (nsim + 1) alpha of the replicates that are there."""
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    alpha = 0.5 - 0.5 * level
    lower, upper = np.quantile(values, [alpha, 1.0 - alpha], method="weibull")
    return float(lower), float(upper)


def bootstrap(
    results: MixedResults,
    nsim: int = 1000,
    seed: int | None = None,
    *,
    n_jobs: int = 1,
    statistic: Callable[[MixedResults], Any] | None = None,
    kind: str = "parametric",
    group: str | None = None,
    progress: CountOption = None,
) -> Bootstrap:
    """Bootstrap `results`; see `MixedResults.bootstrap`."""
    _check(nsim, seed, kind, group)
    results._needs_factor("The bootstrap", "Refit simulated responses one by one: refit(simulate(1, seed)[0])")
    root = np.random.SeedSequence(seed)
    named = None if statistic is None else Statistic(statistic, results)
    replicator = _replicator(results, kind, group, named)
    seeds = root.spawn(nsim)
    tasks = [seeds[start : start + replicator.size] for start in range(0, nsim, replicator.size)]
    blocks = _run(replicator, tasks, n_jobs, progress)
    known = parameters(results)
    names = [p.name for p in known] + ([] if named is None else named.names)
    starts = np.cumsum([0, *(len(task) for task in tasks)])
    failures = {int(s + i): why for s, block in zip(starts, blocks, strict=False) for i, why in block.failures.items()}
    estimates = estimates_of(results) if named is None else np.concatenate([estimates_of(results), named.original])
    values = np.vstack([block.values for block in blocks])
    values[:, : len(known)][:, ~identified(results, known)] = np.nan
    out = Bootstrap(
        table=pd.DataFrame(values, columns=names),
        estimates=pd.Series(estimates, index=names, name="estimate"),
        failures=pd.Series(failures, dtype=object, name="reason").rename_axis("replicate"),
        kind=kind,
        seed=int(root.entropy),
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
    if isinstance(nsim, bool) or not isinstance(nsim, int | np.integer) or nsim < 1:
        raise OptionError(f"nsim={nsim!r} must be a whole number of at least 1.")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
        raise OptionError(f"seed={seed!r} must be a whole number that is not negative, or None.")
    if kind not in _KINDS:
        raise OptionError(f"kind={kind!r} is not known; use one of {', '.join(map(repr, _KINDS))}.")
    if group is not None and kind != "cases":
        raise OptionError(f"group={group!r} says whose levels kind='cases' draws; kind={kind!r} draws none.")


def _replicator(results: MixedResults, kind: str, group: str | None, statistic: Statistic | None) -> Replicator:
    if kind == "cases":
        from mixedsparse.inference.cases import NewRows

        return NewRows(results, group, statistic)
    return NewResponses(results, kind, statistic)


def _run(
    replicator: Replicator, tasks: Sequence[Sequence[np.random.SeedSequence]], n_jobs: int, progress: CountOption
) -> list[Block]:
    """Work off the tasks; blocks come in their order, those that are done if it is interrupted."""
    total = sum(len(task) for task in tasks)
    blocks: list[Block] = []
    with counter(progress, "bootstrap") as tell:
        try:
            for block in work_off(replicator, tasks, n_jobs):
                blocks.append(block)
                tell(sum(len(b.values) for b in blocks), total)
        except KeyboardInterrupt:
            if not blocks:
                raise
    return blocks
