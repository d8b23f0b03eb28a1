"""Residuals as quantiles of simulated responses, and tests of them.

Sources: Dunn & Smyth (1996), J. Comput. Graph. Statist. 5, 236-244 (randomised quantile residuals); Gelman & Hill
(2007), section 8.3, and R's DHARMa (simulation); Davison & Hinkley (1997), section 4.2 (Monte Carlo tests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.core.choose.memory import available_memory
from mixedsparse.core.deletion.correlated import correlated_residuals
from mixedsparse.core.deletion.leverage import residuals_of
from mixedsparse.diagnostics.leverage import hat_of
from mixedsparse.diagnostics.refitted import own_scale_residuals, refitted_residuals
from mixedsparse.diagnostics.residuals import residual_values
from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.choices import Redraw
from mixedsparse.ground.errors import BackendError
from mixedsparse.ground.foreign import Answers
from mixedsparse.ground.progress import CountOption

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["ScaledResiduals", "check_simulations", "scaled_against", "scaled_residuals"]

_RANDOM = get_args(Redraw)
# Responses that are drawn at a time; arrays (n, nsim) of eight bytes that are held at once.
_BATCH = 25
_ARRAYS = 4


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScaledResiduals(Answers):
    """Quantile of each row's residual among those of simulated responses.

    Attributes
    ----------
    table : DataFrame
        On the data's index. ``residual``: between 0 and 1, uniform if the model holds; ``normal``: the same as a
        standard normal quantile; ``outlier``: whether the row's residual lies outside of all simulated ones.
    tests : DataFrame
        Rows ``uniformity`` (Kolmogorov-Smirnov distance) and ``outliers`` (their number). Columns ``statistic``;
        ``expected`` under the model; ``p``, two-sided but for uniformity, from the same statistic of the simulated
        responses, so that dependence between rows is allowed for; ``p_independent``, as if rows were independent
        (Kolmogorov, binomial; DHARMa's choice).
    nsim, seed : int
    random : {"redraw", "conditional"}
    refit : bool
        Whether all parameters were estimated for every simulated response.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    nsim: int
    seed: int
    random: str
    refit: bool

    @property
    def residuals(self) -> pd.Series:
        """The column ``residual`` of `table`."""
        return self.table["residual"]

    def __repr__(self) -> str:
        kind = "refits" if self.refit else "simulations"
        found = ", ".join(f"{name} p = {p:.3g}" for name, p in self.tests["p"].items())
        return f"<ScaledResiduals: {len(self.table)} rows, {self.nsim} {kind}, {self.random}; {found}>"


def scaled_residuals(
    fitted: Fitted,
    nsim: int = 250,
    seed: int | None = None,
    random: str = "redraw",
    *,
    refit: bool = False,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> ScaledResiduals:
    """Scale residuals by simulation; see `MixedResults.scaled_residuals`."""
    check_simulations(fitted, nsim, seed, random)
    root = np.random.SeedSequence(None if seed is None else int(seed))
    assert isinstance(root.entropy, int)
    *seeds, last = root.spawn(nsim + 1)
    if refit:
        simulated = refitted_residuals(fitted, seeds, random, n_jobs, progress)
        observed = own_scale_residuals(fitted, random)
    else:
        observed, simulated = _residuals(fitted, seeds, random)
    return scaled_against(fitted, observed, simulated, np.random.default_rng(last), root.entropy, random, refit)


def scaled_against(
    fitted: Fitted,
    observed: np.ndarray,
    simulated: np.ndarray,
    rng: np.random.Generator,
    seed: int,
    random: str,
    refit: bool = False,
) -> ScaledResiduals:
    """Rank residuals (n,) among simulated ones (nsim, n), none of which are equal, and test the ranks."""
    nsim = len(simulated)
    ranks = _ranks(observed, simulated)
    jitter = rng.random(len(observed))
    values = (ranks[:, 0] + jitter) / (nsim + 1)
    outlier = (ranks[:, 0] == 0) | (ranks[:, 0] == nsim)
    table = {"residual": values, "normal": ndtri(values), "outlier": outlier}
    return ScaledResiduals(
        table=pd.DataFrame(table, index=fitted.design.index),
        tests=_tests(values, ranks),
        nsim=nsim,
        seed=seed,
        random=random,
        refit=refit,
    )


def check_simulations(fitted: Fitted, nsim: int, seed: int | None, random: str) -> None:
    """Refuse arguments that are not known, and more simulations than there is memory for."""
    one_of("random", random, _RANDOM)
    check_draws(nsim, seed, least=2)
    needed = _ARRAYS * 8.0 * fitted.problem.n * nsim
    if needed > available_memory():
        raise BackendError(
            f"{nsim} simulations of {fitted.nobs:,} rows take about {needed / 2**30:,.1f} GiB of memory, "
            f"and this machine offers {available_memory() / 2**30:,.1f} GiB: ask for fewer simulations."
        )


def _residuals(fitted: Fitted, seeds: list[np.random.SeedSequence], random: str) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (n,) of the data and (nsim, n) of simulated responses, times root weights."""
    problem, fit, conditional = fitted.problem, fitted.fit, random == "conditional"
    fitted.needs("factor", "Residuals by simulation", "residuals('scaled') is there")
    fitted.needs("rows", "Residuals by simulation")
    engine, pls, plain = fitted.model.engine(), fit.search.pls, fit.residual is None
    sample = parametric_sampler(problem, fit)
    # Where variances have parameters these are in the root weights too, and only prior weights are wanted.
    weights = problem.root_weights if plain else fitted.model.white.root_weights
    root = 1.0 if weights is None else weights
    out = np.empty((len(seeds), problem.n))
    for start in range(0, len(seeds), _BATCH):
        drawn = sample(seeds[start : start + _BATCH]) * root
        if plain:
            own = residuals_of(engine, pls, hat_of(fitted).rows, drawn, conditional)
        else:
            own = correlated_residuals(engine, pls, drawn, conditional)
        out[start : start + _BATCH] = own
    if problem.terms:
        pls.factor.release()
    if conditional and plain:
        return hat_of(fitted).residual, out
    return residual_values(fitted, "conditional" if conditional else "marginal") * root, out


def _ranks(observed: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Rank 0 .. nsim of each response among the data's and all simulated ones, row by row: (n, nsim + 1)."""
    every = np.concatenate([observed[:, None], simulated.T], axis=1)
    order = np.argsort(every, axis=1)
    ranks = np.empty(every.shape, dtype=np.int32)
    np.put_along_axis(ranks, order, np.arange(every.shape[1], dtype=np.int32), axis=1)
    return ranks


def _tests(values: np.ndarray, ranks: np.ndarray) -> pd.DataFrame:
    """Each statistic for the data (first) and the simulated responses, which are exchangeable under the model."""
    from scipy.stats import binomtest, kstest

    n, count = ranks.shape
    distances = _distances(ranks)
    outliers = ((ranks == 0) | (ranks == count - 1)).sum(axis=0)
    rows = {
        "uniformity": (distances[0], distances[1:].mean(), _upper(distances), kstest(values, "uniform").pvalue),
        "outliers": (
            outliers[0],
            2.0 * n / count,
            _two_sided(outliers),
            binomtest(int(outliers[0]), n, 2.0 / count).pvalue,
        ),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "expected", "p", "p_independent"])


def _distances(ranks: np.ndarray) -> np.ndarray:
    """Largest distance (nsim + 1,) between the distribution of the ranks of each response and the uniform one."""
    n, count = ranks.shape
    out = np.empty(count)
    steps = np.arange(1, count + 1) / count
    for j in range(count):
        share = np.cumsum(np.bincount(ranks[:, j], minlength=count)) / n
        out[j] = np.abs(share - steps).max()
    return out


def _upper(statistics: np.ndarray) -> float:
    """Share of all responses whose statistic is at least that of the data, which comes first."""
    return float((statistics >= statistics[0]).mean())


def _two_sided(statistics: np.ndarray) -> float:
    return min(1.0, 2.0 * min(_upper(statistics), _upper(-statistics)))
