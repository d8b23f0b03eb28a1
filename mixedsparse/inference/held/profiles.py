"""Tables of profiles where covariances have structures; see `MixedResults.profile`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.fitted.again import fit_again
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import check_level
from mixedsparse.ground.errors import ConvergenceWarning
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.curves import ProfileCurve
from mixedsparse.inference.held.profile import Follow, Followed, is_residual
from mixedsparse.inference.parameters import Parameter, identified, parameters, select_parameters
from mixedsparse.inference.profile import REFITTED, Profile, warn_of_paths
from mixedsparse.inference.residual_parameters import residual_parameters
from mixedsparse.inference.workers import work_off

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["held_parameters", "held_profile"]


def held_parameters(fitted: Fitted) -> tuple[Parameter, ...]:
    """All parameters, each with its number among the quantities of its term; those of the residual covariance last."""
    out: list[Parameter] = []
    counts: dict[int, int] = {}
    for parameter in parameters(fitted):
        number = counts.get(parameter.term, 0)
        counts[parameter.term] = number + 1
        out.append(parameter if parameter.term < 0 else replace(parameter, number=number))
    return (*out, *residual_parameters(fitted))


def held_profile(
    fitted: Fitted,
    which: str | Iterable[str] = "all",
    *,
    level: float = 0.999,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> Profile:
    """Profile the likelihood of a fit with structured terms or residuals; see `MixedResults.profile`."""
    check_level(level)
    fitted.needs("factor", "The profile likelihood", "Use conf_int(which='all'), by Wald's method")
    known = held_parameters(fitted)
    chosen = select_parameters(known, which)
    cutoff = float(ndtri(0.5 + 0.5 * level))
    best = _by_likelihood(fitted)
    sound = _identified(best, chosen)
    follow, followed = Follow(best, known, cutoff), []
    with blas_threads(best.model.engine().work), counter(progress, "profile") as tell:
        try:
            for found in work_off(follow, [p for p, good in zip(chosen, sound, strict=True) if good], n_jobs):
                followed.append(found)
                tell(len(followed), int(sound.sum()))
        except KeyboardInterrupt:
            if not followed:
                raise
            warnings.warn(
                f"The profile was interrupted: {int(sound.sum()) - len(followed)} parameters are left out.",
                ConvergenceWarning,
                stacklevel=user_level(),
            )
    return _tables(best, known, chosen, sound, followed, cutoff, level, fitted.reml)


def _by_likelihood(fitted: Fitted) -> Fitted:
    """Return the fit by maximum likelihood."""
    if not fitted.reml:
        return fitted
    found = fit_again(fitted, False)
    certificate = found.fit.certificate
    if not certificate.converged or certificate.unbounded:
        warnings.warn(f"Refit of the model itself: {certificate.message}", ConvergenceWarning, stacklevel=user_level())
    return found


def _identified(fitted: Fitted, chosen: Sequence[Parameter]) -> np.ndarray:
    """Mask of the parameters that the data identify."""
    out = np.ones(len(chosen), dtype=bool)
    plain = np.array([not is_residual(p) for p in chosen])
    out[plain] = identified(fitted, [p for p in chosen if not is_residual(p)])
    if fitted.fit.residual is not None and fitted.fit.certificate.verdict == "not identified":
        out[[p.kind != "fixed" for p in chosen]] = False
    return out


def _tables(
    fitted: Fitted,
    known: Sequence[Parameter],
    chosen: Sequence[Parameter],
    sound: np.ndarray,
    followed: Sequence[Followed],
    cutoff: float,
    level: float,
    refitted: bool,
) -> Profile:
    """Curves and rows of all profiles."""
    names, fit = [p.name for p in known], fitted.fit
    done = dict(zip([p.name for p, good in zip(chosen, sound, strict=True) if good], followed, strict=False))
    chosen = [p for p, good in zip(chosen, sound, strict=True) if p.name in done or not good]
    paths = [done[p.name].path if p.name in done else None for p in chosen]
    warn_of_paths(chosen, paths, fit.criterion, fit.certificate, cutoff)
    curves, tables = {}, []
    for parameter, path in zip(chosen, paths, strict=True):
        one = done.get(parameter.name)
        chart = plain_chart(fitted.problem) if one is None else one.chart
        curve = ProfileCurve.of(parameter, chart, path, one is not None)
        curves[parameter.name] = curve
        values = np.empty((0, len(known))) if one is None else one.values
        values[:, names.index(parameter.name)] = curve.values
        head = {"parameter": [parameter.name] * len(values), "value": curve.values, "zeta": curve.zeta}
        tables.append(pd.concat([pd.DataFrame(head), pd.DataFrame(values, columns=names)], axis=1))
    centre = Follow(fitted, known, cutoff).estimates()
    note = REFITTED if refitted else "maximum likelihood"
    return Profile(
        pd.concat(tables, ignore_index=True), pd.Series(centre, index=names, name="estimate"), level, note, curves
    )
