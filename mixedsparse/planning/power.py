"""Power of tests of fixed effects, by simulation."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from mixedsparse.ground.caller import CallerNames, user_level
from mixedsparse.ground.checks import as_array, check_draws, one_of
from mixedsparse.ground.errors import ConvergenceWarning, OptionError
from mixedsparse.ground.foreign import Answers, explains_arguments
from mixedsparse.planning.components import is_number
from mixedsparse.planning.design import whole
from mixedsparse.planning.plan import Plan, plan

if TYPE_CHECKING:
    from mixedsparse.ground.progress import CountOption
    from mixedsparse.inference.replicates import Block

__all__ = ["Power", "power"]

# Responses of one task: results do not depend on how tasks are shared out.
_BLOCK = 10
# Columns of a design that the short forms subjects= and items= mean.
_SHORT = {"subjects": "subject", "items": "item"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Power(Answers):
    """Power of tests, with its Monte-Carlo error.

    Attributes
    ----------
    table : DataFrame
        A row per size of the design and test. Sizes that were varied; ``test``; ``power``: share of responses with p <
        alpha; ``se``: its Monte-Carlo standard error; ``lower``, ``upper``: 95 % limits (Clopper & Pearson 1934);
        ``nsim``: responses that the share rests on; ``failures``: further ones, whose fit or test failed;
        ``singular``: fits on the boundary, which count like others; ``nobs``: rows of the design.
    pvalues : DataFrame
        A row per size and response, a column per test; NaN where the fit failed.
    failures : Series
        Why, by size and response; empty if none did.
    alpha : float
    seed : int
        With which the same responses come again.
    """

    table: pd.DataFrame
    pvalues: pd.DataFrame
    failures: pd.Series
    alpha: float
    seed: int

    @property
    def power(self) -> pd.Series:
        """Power by size and test."""
        keys = list(self.table.columns[: self.table.columns.get_loc("power")])
        return self.table.set_index(keys)["power"]

    def __repr__(self) -> str:
        shown = self.table.to_string(index=False, float_format="{:.3f}".format)
        return f"Power at alpha = {self.alpha:g}, seed {self.seed}\n{shown}"


@explains_arguments
def power(
    design: Any,
    formula: str | None = None,
    effects: Any = None,
    random: Mapping[str, Any] | None = None,
    sigma: float | None = None,
    *,
    family: Any = None,
    link: str | None = None,
    trials: Any = None,
    dispersion: float | None = None,
    correlations: Mapping[str, Any] | None = None,
    contrasts: Mapping[str, Any] | None = None,
    relations: Mapping[str, Any] | None = None,
    test: Any = None,
    nsim: int = 1000,
    alpha: float = 0.05,
    ddf: str | None = None,
    reml: bool = True,
    subjects: int | Sequence[int] | None = None,
    items: int | Sequence[int] | None = None,
    sizes: Mapping[str, int | Sequence[int]] | None = None,
    n_jobs: int = 1,
    seed: int | None = None,
    progress: CountOption = None,
) -> Power:
    """Power of tests of fixed effects: responses are drawn from hypothesised effects, fitted, and tested.

    Parameters
    ----------
    design : data frame or Plan
        Rows of the experiment, from `mixedsparse.design` or your own, such as the data of a pilot study; or a `Plan`,
        which has the next arguments in it.
    formula, effects, random, sigma, family, link, trials, dispersion, correlations, contrasts, relations, reml
        See `mixedsparse.plan`.
    test : str, dict, array or list of str and dict, optional
        What is tested: a coefficient (``"A[T.a2]"``), a term as in ``anova(type=3)`` (``"A:B"``), or linear functions
        of coefficients as for ``wald_test``; a list has several tests. All terms by default. A name that is both a
        coefficient and a term means the coefficient.
    nsim : int
        Responses per size of the design.
    alpha : float
        Level of the tests.
    ddf : {"satterthwaite", "kenward-roger", "normal", "lrt"}, optional
        Degrees of freedom of the tests, ``"satterthwaite"`` by default. Of generalized models ``"normal"`` (Wald's
        tests, the default) or ``"lrt"`` (likelihood ratios).
    subjects, items : int or sequence of int, optional
        Short for ``sizes={"subject": ..., "item": ...}``.
    sizes : dict, optional
        Grouping factor -> number of levels, or several: every combination is tried. Levels that there are come first;
        beyond them they are copied in turn with all their rows, and levels nested in them get new names.
    n_jobs : int
        Number of workers, by joblib; -1 means all cores. The figures do not depend on it, nor on the back end: inside
        ``joblib.parallel_config(backend="dask")`` the work is done by a dask cluster.
    seed : int, optional
        The same seed gives the same figures; a size draws the same whatever other sizes there are.
    progress : bool or callable, optional
        True shows a bar with the time left (plain lines without tqdm), False nothing; by default a bar appears on an
        terminal or in a notebook after two seconds. A callable gets (responses done, responses).

    Returns
    -------
    Power
        ``.table`` has power, Monte-Carlo error and interval, failures and singular fits.

    Warns
    -----
    ConvergenceWarning
        Ctrl-C: the table rests on the responses that were done.

    Raises
    ------
    OptionError
        An option, a coefficient or a grouping factor is not known; the message lists those that are.
    DataError
        `test` names no coefficient.

    Notes
    -----
    Every fit shares designs, cross-products and analysis, and starts at the hypothesised covariances. Idea: simr
    (Green & MacLeod 2016).

    Examples
    --------
    >>> import mixedsparse as ms
    >>> rows = ms.design(subjects=20, items=12, within={"A": ["a1", "a2"]})
    >>> found = ms.power(
    ...     rows,
    ...     "rt ~ A + (A | subject) + (1 | item)",
    ...     effects={"Intercept": 500, "A[T.a2]": 30},
    ...     random={"subject": {"Intercept": 80, "A[T.a2]": 30}, "item": 40},
    ...     sigma=120,
    ...     subjects=[20, 40],
    ...     nsim=50,
    ...     seed=1,
    ... )
    >>> found.table[["subject", "test", "nsim"]]
       subject test  nsim
    0       20    A    50
    1       40    A    50
    """
    from mixedsparse.ground.progress import counter
    from mixedsparse.inference.denominators import DDF
    from mixedsparse.inference.workers import work_off
    from mixedsparse.planning.replicates import tester

    check_draws(nsim, seed)
    if not (is_number(alpha) and 0 < alpha < 1):
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1.")
    one_of("ddf", ddf, (None, *DDF, "lrt"))
    given = (formula, effects, random, sigma)
    if isinstance(design, Plan):
        others = correlations, contrasts, relations, family, link, trials, dispersion
        if any(part is not None for part in (*given, *others)):
            raise OptionError("A Plan has its formula, effects, random, sigma, correlations and contrasts in it.")
        base = design
    elif any(part is None for part in given[: 4 if family is None else 3]):
        raise OptionError("power needs formula, effects, random and sigma besides the rows of a design.")
    else:
        options = {"correlations": correlations, "contrasts": contrasts, "reml": reml, "env": CallerNames(2)}
        options |= {"relations": relations, "family": family, "link": link, "trials": trials, "dispersion": dispersion}
        base = plan(design, formula, effects, random, sigma, **options)
    wanted = _sizes(sizes, {"subjects": subjects, "items": items})
    root = np.random.SeedSequence(seed)
    seeds = root.spawn(nsim)
    tasks = [seeds[k : k + _BLOCK] for k in range(0, nsim, _BLOCK)]
    combinations = list(itertools.product(*wanted.values()))
    studies: dict[tuple[int, ...], _Study] = {}
    with counter(progress, "power") as tell:
        try:
            for i, size in enumerate(combinations):
                study = base.resized(dict(zip(wanted, size, strict=True))) if size else base
                truth = study.truth._fitted
                tested = tester(truth, test, ddf)
                blocks: list[Block] = []
                for block in work_off(tested, tasks, n_jobs):
                    blocks.append(block)
                    studies[size] = _Study(truth.nobs, tuple(tested.tests), blocks)
                    tell(i * nsim + sum(len(b.values) for b in blocks), nsim * len(combinations))
        except KeyboardInterrupt:
            if not studies:
                raise
            _warn_of_interrupt(sum(len(b.values) for s in studies.values() for b in s.blocks), nsim * len(combinations))
    return _collect(studies, tuple(wanted), alpha, int(root.entropy))


def _warn_of_interrupt(done: int, total: int) -> None:
    warnings.warn(
        f"power was interrupted: the table rests on {done} of {total} responses.",
        ConvergenceWarning,
        stacklevel=user_level(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """What was found at one size of the design."""

    nobs: int
    tests: tuple[str, ...]
    blocks: list[Block]


def _sizes(
    sizes: Mapping[str, int | Sequence[int]] | None, short: Mapping[str, int | Sequence[int] | None]
) -> dict[str, list[int]]:
    """Numbers of levels to try, by grouping factor."""
    sizes = dict(sizes or {})
    out = {_SHORT[name]: value for name, value in short.items() if value is not None}
    for name, factor in _SHORT.items():
        if factor in out and factor in sizes:
            raise OptionError(f"{name}= is short for {factor!r} in sizes=: give one of them.")
    out |= sizes
    for factor, wanted in out.items():
        if not as_array(wanted, f"sizes[{factor!r}]").size:
            raise OptionError(f"sizes[{factor!r}] is empty: give one number of levels, or several.")
    return {
        factor: [whole(size, f"sizes[{factor!r}]", least=2) for size in np.atleast_1d(np.asarray(wanted)).tolist()]
        for factor, wanted in out.items()
    }


def _collect(studies: Mapping[tuple[int, ...], _Study], factors: tuple[str, ...], alpha: float, seed: int) -> Power:
    """Put the blocks of all sizes together."""
    rows, frames, failures = [], {}, {}
    for size, study in studies.items():
        values = np.vstack([block.values for block in study.blocks])
        starts = np.cumsum([0, *(len(block.values) for block in study.blocks)])
        for start, block in zip(starts, study.blocks, strict=False):
            failures |= {(*size, int(start + i)): why for i, why in block.failures.items()}
        frames[size] = pd.DataFrame(values[:, :-1], columns=list(study.tests))
        singular = int(np.nansum(values[:, -1]))
        for j, test in enumerate(study.tests):
            known = values[np.isfinite(values[:, j]), j]
            row = {"test": test, **_share(int((known < alpha).sum()), len(known))}
            counts = {"nsim": len(known), "failures": len(values) - len(known), "singular": singular}
            rows.append({**dict(zip(factors, size, strict=True)), **row, **counts, "nobs": study.nobs})
    names = [*factors, "response"]
    pvalues = pd.concat(frames, names=names) if factors else frames[()].rename_axis("response")
    index = pd.MultiIndex.from_tuples(failures, names=names) if failures else None
    why = pd.Series(list(failures.values()), index=index, dtype=object, name="reason")
    return Power(pd.DataFrame(rows), pvalues, why, alpha, seed)


def _share(hits: int, count: int) -> dict[str, float]:
    """Share of `hits`, its standard error, and exact 95 % limits."""
    if not count:
        return dict.fromkeys(("power", "se", "lower", "upper"), np.nan)
    share = hits / count
    return {
        "power": share,
        "se": float(np.sqrt(share * (1.0 - share) / count)),
        "lower": float(betaincinv(hits, count - hits + 1, 0.025)) if hits else 0.0,
        "upper": float(betaincinv(hits + 1, count - hits, 0.975)) if hits < count else 1.0,
    }
