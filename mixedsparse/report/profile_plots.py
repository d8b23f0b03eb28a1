"""Figures of likelihood profiles and of bootstrap replicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from mixedsparse.errors import BackendError, OptionError

if TYPE_CHECKING:
    from mixedsparse.inference.bootstrap import Bootstrap
    from mixedsparse.inference.curves import ProfileCurve
    from mixedsparse.inference.profile import Profile

__all__ = ["plot_bootstrap", "plot_profile"]

_KINDS = ("zeta", "abs", "density")
_LABELS = {"zeta": "zeta", "abs": "|zeta|", "density": "density"}
_COLUMNS = 3
_PANEL = (3.2, 2.5)


def plot_profile(profile: Profile, kind: str, which: str | Iterable[str], level: float) -> np.ndarray:
    """Draw one panel per parameter; see `Profile.plot`."""
    if kind not in _KINDS:
        raise OptionError(f"kind={kind!r} is not known; use one of {', '.join(map(repr, _KINDS))}.")
    names = _chosen(which, list(profile.curves))
    limits = profile.conf_int(level)
    axes = _panels(names)
    for name, panel in zip(names, axes, strict=True):
        _draw_curve(panel, profile.curves[name], kind, float(ndtri(0.5 + 0.5 * level)))
        _mark(panel, float(profile.estimates[name]), limits.loc[name].to_numpy())
        panel.set_ylabel(_LABELS[kind])
    return axes


def plot_bootstrap(replicates: Bootstrap, which: str | Iterable[str], level: float) -> np.ndarray:
    """Draw one histogram per column; see `Bootstrap.plot`."""
    names = _chosen(which, list(replicates.table.columns))
    limits = replicates.conf_int(level)
    axes = _panels(names)
    for name, panel in zip(names, axes, strict=True):
        values = replicates.table[name].to_numpy()
        panel.hist(values[np.isfinite(values)], bins="auto", density=True, color="0.8", edgecolor="0.6")
        _mark(panel, float(replicates.estimates[name]), limits.loc[name].to_numpy())
        panel.set_ylabel("density")
    return axes


def _chosen(which: str | Iterable[str], known: Sequence[str]) -> list[str]:
    """Panels wanted, in the order asked for."""
    if isinstance(which, str):
        which = known if which == "all" else [which]
    names = list(which)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise OptionError(f"which={unknown or names!r} is not there; use 'all' or names among: {', '.join(known)}.")
    return names


def _panels(names: Sequence[str]) -> np.ndarray:
    """One titled panel per name, on a new figure."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as err:
        raise BackendError("Figures need matplotlib: install mixedsparse[plot].") from err
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    size = (_PANEL[0] * columns, _PANEL[1] * rows)
    _, axes = plt.subplots(rows, columns, squeeze=False, figsize=size, layout="constrained")
    for panel in axes.ravel()[len(names) :]:
        panel.remove()
    kept: np.ndarray = axes.ravel()[: len(names)]
    for name, panel in zip(names, kept, strict=True):
        panel.set_title(name, fontsize="medium")
    return kept


def _draw_curve(panel: Any, curve: ProfileCurve, kind: str, z: float) -> None:
    """One profile, with its points where they are shown."""
    if kind == "density":
        panel.plot(*curve.density(), color="C0")
        panel.set_ylim(bottom=0.0)
        return
    shown = np.abs if kind == "abs" else np.asarray
    values, zeta = curve.function()
    panel.plot(values, shown(zeta), color="C0")
    panel.plot(curve.values, shown(curve.zeta), "o", color="C0", markersize=2.5)
    for height in (z,) if kind == "abs" else (-z, z):
        panel.axhline(height, color="0.7", linewidth=0.8)


def _mark(panel: Any, estimate: float, limits: np.ndarray) -> None:
    """Mark the estimate and the limits."""
    if np.isfinite(estimate):
        panel.axvline(estimate, color="0.3", linewidth=0.8)
    for limit in limits[np.isfinite(limits)]:
        panel.axvline(limit, color="0.3", linewidth=0.8, linestyle=":")
