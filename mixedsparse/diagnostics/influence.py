"""What the estimates would be without a row, or without all rows of a level: deletion diagnostics.

Source: Belsley, Kuh & Welsch (1980), Regression Diagnostics, chapter 2; Christensen, Pearson & Johnson (1992),
Technometrics 34, 38-45; R's influence.ME and HLMdiag for groups.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.core.deletion.deletion import Deletions, delete_each
from mixedsparse.data.formula.alignment import aligned_part
from mixedsparse.diagnostics.leverage import hat_of
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import as_array, one_of
from mixedsparse.ground.choices import Reused
from mixedsparse.ground.errors import ConvergenceWarning, DataError, DroppedColumnsWarning, OptionError
from mixedsparse.ground.foreign import Answers
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.deletions import delete_groups, parameters_without
from mixedsparse.inference.parameters import parameters

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Influence", "distances", "influence", "units", "warn_of_absent"]

_THETA = get_args(Reused)
# Names that a warning spells out.
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Influence(Answers):
    """Estimates without each row, or each level of a grouping factor, and how far they move.

    Every table has a row per deletion: the data's index, or the levels. NaN where the model cannot be estimated
    without the rows, for the reason in `failures`, and for a coefficient that they alone identify.

    Attributes
    ----------
    table : DataFrame
        ``rows``: how many were deleted; ``cooks_distance``; ``covratio``: determinant of the covariance of the fixed
        effects over that of the whole fit, below 1 where estimates are surer without the rows; ``sigma``: residual SD
        without them, in units of y.
    params : DataFrame
        Fixed effects without the rows; columns as `MixedResults.params`.
    dfbetas : DataFrame
        (`MixedResults.params` - `params`) over standard errors without the rows, no units.
    parameters : DataFrame
        All parameters without the rows; columns as rows of ``conf_int(which="all")``.
    failures : Series
        Deletion -> why there are no estimates; empty if there are all.
    group : str or None
        Grouping factor; None for single rows.
    theta : {"refit", "fixed"}
        Whether covariance parameters were estimated anew.
    """

    table: pd.DataFrame
    params: pd.DataFrame
    dfbetas: pd.DataFrame
    parameters: pd.DataFrame
    failures: pd.Series
    group: str | None
    theta: str

    @property
    def cooks_distance(self) -> pd.Series:
        """d'V^-1 d / p, d the change of the fixed effects and V their covariance in the whole fit; no units."""
        return self.table["cooks_distance"]

    def __repr__(self) -> str:
        what = "rows" if self.group is None else f"levels of {self.group}"
        known = self.cooks_distance.dropna()
        top = f", largest Cook's distance {known.max():.3g} ({known.idxmax()})" if len(known) else ""
        return f"<Influence of {len(self.table)} {what}, theta {self.theta}{top}>"


def influence(fitted: Fitted, group: Any = None, theta: str | None = None, progress: CountOption = None) -> Influence:
    """Delete rows or groups of rows in turn; see `MixedResults.influence`."""
    theta = ("fixed" if group is None else "refit") if theta is None else theta
    one_of("theta", theta, _THETA)
    name, labels, codes = units(fitted, group)
    if group is None and theta == "fixed":
        found = delete_each(fitted.problem, fitted.fit, hat_of(fitted))
    else:
        found = delete_groups(fitted, codes, len(labels), theta == "refit", progress)
    out = _tables(fitted, found, labels, np.bincount(codes, minlength=len(labels)), name, theta)
    warn_of_absent(out, labels)
    return out


def units(fitted: Fitted, group: Any) -> tuple[str | None, pd.Index, np.ndarray]:
    """Name, labels of the deletions, and the deletion (n,) that each row belongs to."""
    index = fitted.design.index
    if group is None:
        return None, index, np.arange(len(index))
    if isinstance(group, str):
        side = fitted.design.residual
        if group not in fitted.terms_of and side is not None and group == side.group:
            assert side.groups is not None
            assert side.structure.groups is not None
            return group, pd.Index(side.groups, name=group), side.structure.groups
        if group not in fitted.terms_of:
            names = list(fitted.terms_of) + ([side.group] if side is not None and side.group else [])
            known = f"one of {', '.join(map(repr, names))}, or " if names else ""
            raise OptionError(
                f"group={group!r} is not a grouping factor; use {known}an array with a label per fitted row."
            )
        term = fitted.problem.terms[fitted.terms_of[group][0]]
        if term.codes.ndim == 2:
            raise OptionError(
                f"group={group!r}: a row belongs to several levels, so that deletions would overlap. Give one label "
                "per row, such as the column of one role."
            )
        return group, pd.Index(term.levels, name=group), term.codes
    labels = as_array(aligned_part(group, index, "group"), "group")
    if labels.shape != (len(index),):
        raise DataError(f"group has shape {labels.shape}, but {len(index)} rows were fitted: give one label per row.")
    codes, levels = pd.factorize(labels, sort=True)
    if (codes < 0).any():
        raise DataError(f"group is missing in {(codes < 0).sum()} of the fitted rows: give every row a label.")
    name = str(getattr(group, "name", None) or "group")
    return name, pd.Index(levels, name=name), codes


def _tables(
    fitted: Fitted, found: Deletions, labels: pd.Index, rows: np.ndarray, group: str | None, theta: str
) -> Influence:
    """Label the estimates, and set them beside those of the whole fit."""
    fit, names, known = fitted.fit, fitted.x_names, parameters(fitted)
    errors = np.sqrt(np.diagonal(found.cov_beta, axis1=1, axis2=2))
    moved = fit.beta - found.beta
    sigma = np.sqrt(found.sigma2)
    cooks, covratio = distances(fit.cov_beta, moved, found.cov_beta)
    table = {"rows": rows, "cooks_distance": cooks, "covratio": covratio, "sigma": sigma}
    every = parameters_without(fitted, found)
    failures = pd.Series(found.failures, dtype=object, name="reason")
    return Influence(
        table=pd.DataFrame(table, index=labels),
        params=pd.DataFrame(found.beta, index=labels, columns=names),
        dfbetas=pd.DataFrame(moved / errors, index=labels, columns=names),
        parameters=pd.DataFrame(every, index=labels, columns=[p.name for p in known]),
        failures=failures.set_axis(labels[list(found.failures)]),
        group=group,
        theta=theta,
    )


def distances(whole: np.ndarray, moved: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cook's distances and ratios of determinants, (B,), in units of standard errors so that no scale matters."""
    if not len(whole):
        return np.full(len(moved), np.nan), np.full(len(moved), np.nan)
    sd = np.sqrt(np.diagonal(whole))
    root = np.linalg.cholesky(whole / np.outer(sd, sd))
    sphered = np.linalg.solve(root, (moved / sd).T)
    ratio = np.full(len(moved), np.nan)
    there = np.isfinite(without).all(axis=(1, 2))
    ratio[there] = np.linalg.slogdet(without[there] / np.outer(sd, sd))[1]
    return np.square(sphered).sum(axis=0) / len(sd), np.exp(ratio - 2.0 * np.log(np.diagonal(root)).sum())


def warn_of_absent(found: Influence, labels: pd.Index) -> None:
    """Say once what could not be estimated."""
    if len(found.failures):
        warnings.warn(
            f"No estimates without {_some(found.failures.index)}: {found.failures.iloc[0]} See .failures for all.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    lost = found.params.isna() & found.parameters.notna().any(axis=1).to_numpy()[:, None]
    if lost.to_numpy().any():
        gone = list(found.params.columns[lost.any()])
        warnings.warn(
            f"{_some(gone)} cannot be estimated without {_some(labels[lost.any(axis=1).to_numpy()])}: NaN there.",
            DroppedColumnsWarning,
            stacklevel=user_level(),
        )


def _some(names: Any) -> str:
    """First few of many names."""
    shown = ", ".join(str(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
