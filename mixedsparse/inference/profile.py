"""Likelihood profiles of coefficients, standard deviations, correlations and sigma."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.core.batch.accuracy import batch_at
from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.batch.profile_paths import Path, profile_paths
from mixedsparse.fitted.warnings import warn_of_rounding
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import check_level
from mixedsparse.ground.errors import ConvergenceWarning, OptionError
from mixedsparse.ground.foreign import Answers
from mixedsparse.ground.progress import CountOption, Note, counter
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.coordinates import chart_of, is_flat
from mixedsparse.inference.curves import ProfileCurve
from mixedsparse.inference.drawing import drawn
from mixedsparse.inference.parameters import Parameter, identified, parameter_values, parameters, select_parameters
from mixedsparse.inference.refit import refit
from mixedsparse.inference.workers import work_off

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["REFITTED", "Profile", "profile", "warn_of_paths"]

# Fall below the optimum of the fit that is more than rounding.
_BETTER = 1e-5
REFITTED = "the REML fit was refitted by maximum likelihood, whose deviance is profiled"


class Ending(Protocol):
    """How a search ended."""

    @property
    def converged(self) -> bool: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Profile(Answers):
    """Signed-root likelihood profiles.

    Attributes
    ----------
    table : DataFrame
        One row per point: ``parameter``; ``value`` of it; ``zeta``, the signed root of the rise of the deviance; then
        all parameters by name, at their best for that value.
    estimates : Series
        Maximum-likelihood estimates of all parameters.
    level : float
        Confidence level up to which the profiles reach.
    note : str
        What was profiled.
    curves : dict name -> ProfileCurve
    """

    table: pd.DataFrame
    estimates: pd.Series
    level: float
    note: str
    curves: dict[str, ProfileCurve] = field(repr=False)

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Confidence limits: where zeta reaches the normal quantiles.

        Parameters
        ----------
        level : float
            At most the level that was profiled.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``, a row per parameter. A limit that the likelihood never reaches is the end of
            the parameter's range (0 for a standard deviation, -1 or 1 for a correlation); NaN where the path got stuck.
        """
        check_level(level)
        if level > self.level:
            raise OptionError(
                f"level={level:g} is beyond the profiles, which reach {self.level:g}: profile(level={level:g})."
            )
        z = float(ndtri(0.5 + 0.5 * level))
        limits = {name: (curve.limit(-z), curve.limit(z)) for name, curve in self.curves.items()}
        table = pd.DataFrame.from_dict(limits, orient="index", columns=["lower", "upper"], dtype=float)
        table.attrs["note"] = self.note
        return table

    def plot(self, kind: str = "zeta", which: str | Iterable[str] = "all", level: float = 0.95) -> np.ndarray:
        """Draw the profiles, one panel per parameter.

        Parameters
        ----------
        kind : {"zeta", "abs", "density"}
            Signed root, its absolute value, or the density phi(zeta) d zeta / d value.
        which : str or sequence of str
            Names of parameters, or "all".
        level : float
            Confidence level whose interval is marked.

        Returns
        -------
        ndarray of matplotlib Axes
            One per panel; ``axes[0].figure`` is the figure.
        """
        return drawn("profile", self, kind, which, level)

    def __repr__(self) -> str:
        return f"<Profile of {len(self.curves)} parameters to level {self.level:g}; {self.note}>"


def profile(
    fitted: Fitted,
    which: str | Iterable[str] = "all",
    *,
    level: float = 0.999,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> Profile:
    """Profile the likelihood of `fitted`; see `MixedResults.profile`."""
    check_level(level)
    instead = "Use conf_int(which='all'), by Wald's method"
    fitted.needs("factor", "The profile likelihood", instead)
    fitted.needs("few columns", "The profile likelihood", instead)
    known = parameters(fitted)
    chosen = select_parameters(known, which)
    fit = refit(fitted, reml=False)
    note = REFITTED if fitted.reml else "maximum likelihood"
    problem, unit = fitted.problem, float(np.sqrt(fit.sigma2))
    engine = fitted.model.engine()
    with blas_threads(engine.work), counter(progress, "profile") as tell:
        batch, error = batch_at(engine, fit.templates, unit, fit.criterion, reml=False)
        warn_of_rounding(error, "The profile")
        charts = [chart_of(problem, fit, p, unit) for p in chosen]
        x = [chart.coordinates(fit.templates) for chart in charts]
        sound = identified(fitted, chosen)
        sloped = [i for i, p in enumerate(chosen) if sound[i] and not is_flat(p, charts[i], x[i])]
        cutoff = float(ndtri(0.5 + 0.5 * level))
        starts = np.array([x[i] for i in sloped]).reshape(len(sloped), problem.n_theta + 2)
        marching = _Marching(batch, [charts[i] for i in sloped], starts, unit, cutoff)
        marched = marching.together(tell) if n_jobs == 1 else marching.apart(n_jobs, tell)
    # Those that were interrupted before they began are left out.
    absent = sloped[len(marched) :]
    paths: list[Path | None] = [None] * len(chosen)
    for i, path in zip(sloped, marched, strict=False):
        paths[i] = path
    chosen, charts, paths, sound = (
        [x for i, x in enumerate(every) if i not in absent] for every in (chosen, charts, paths, sound)
    )
    if absent:
        warnings.warn(
            f"The profile was interrupted: {len(absent)} parameters are left out.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    warn_of_paths(chosen, paths, fit.criterion, fit.certificate, cutoff)
    curves = {
        p.name: ProfileCurve.of(p, c, path, bool(good))
        for p, c, path, good in zip(chosen, charts, paths, sound, strict=True)
    }
    covariances = [fit.sigma2 * (lam @ lam.T)[None] for lam in fit.templates]
    best = parameter_values(known, fit.beta[None], covariances, np.array([unit]))[0]
    names = [p.name for p in known]
    table = pd.concat([_rows(batch, known, curve, unit) for curve in curves.values()], ignore_index=True)
    return Profile(table, pd.Series(best, index=names, name="estimate"), level, note, curves)


@dataclass(frozen=True, slots=True, eq=False)
class _Marching:
    """Profiles to be followed, all in step or one by one; it is sent to the workers."""

    batch: Batch
    charts: list[ProfileChart]
    starts: np.ndarray
    unit: float
    cutoff: float

    def together(self, tell: Note) -> list[Path]:
        """All in step, which is quickest on one core."""
        return profile_paths(self.batch, self.charts, self.starts, self.unit, self.cutoff, tell) if self.charts else []

    def __call__(self, i: int) -> Path:
        """Follow the profile of one parameter."""
        return profile_paths(self.batch, [self.charts[i]], self.starts[i : i + 1], self.unit, self.cutoff)[0]

    def apart(self, n_jobs: int, tell: Note) -> list[Path]:
        """One by one by joblib's workers; those that are done if it is interrupted."""
        paths: list[Path] = []
        try:
            for path in work_off(self, range(len(self.charts)), n_jobs):
                paths.append(path)
                tell(len(paths), len(self.charts))
        except KeyboardInterrupt:
            if not paths:
                raise
        return paths


def warn_of_paths(
    chosen: Sequence[Parameter],
    paths: Sequence[Path | None],
    criterion: float,
    certificate: Ending,
    cutoff: float,
) -> None:
    """Say which profiles got stuck, and whether the fit was not the optimum."""
    if any(path is not None and path.interrupted for path in paths):
        warnings.warn(
            "The profile was interrupted: limits beyond the points that were reached are NaN.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
        return
    short = [p.name for p, path in zip(chosen, paths, strict=True) if path is not None and not path.reaches(cutoff)]
    if short:
        warnings.warn(
            f"The profile of {', '.join(short)} ends early: the other parameters could not be optimised further out. "
            "Limits beyond are NaN; bootstrap(), or a simpler random part, may help.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    lowest = min((path.lowest for path in paths if path is not None), default=criterion)
    if not certificate.converged or lowest < criterion - _BETTER:
        warnings.warn(
            f"The fit that is profiled is not at its optimum (deviance {criterion:.6f}, the profile met "
            f"{lowest:.6f}): {certificate.message}",
            ConvergenceWarning,
            stacklevel=user_level(),
        )


def _rows(batch: Batch, known: Sequence[Parameter], curve: ProfileCurve, unit: float) -> pd.DataFrame:
    """Rows of the table for one parameter."""
    path, count = curve.path, len(curve.values)
    names = [p.name for p in known]
    values = np.empty((0, len(known)))
    if path is not None:
        joint = JointCriterion(batch, [curve.chart], Responses.of(batch.problem), unit, reml=False)
        covariances = joint.covariances(path.x, np.zeros(count, dtype=np.intp))
        beta = np.array([batch.problem.basis.beta(gamma) for gamma in path.gamma])
        values = parameter_values(known, beta, covariances, unit * np.exp(path.x[:, -2]))
        values[:, names.index(curve.parameter.name)] = curve.values
    head = pd.DataFrame({"parameter": [curve.parameter.name] * count, "value": curve.values, "zeta": curve.zeta})
    return pd.concat([head, pd.DataFrame(values, columns=names)], axis=1)
