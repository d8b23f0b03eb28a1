"""Parameters: likelihood profiles and bootstrap densities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import gaussian_kde

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import ProfilePlot
from mixedsparse.ground.errors import OptionError
from mixedsparse.plotting.axes import corner, leftmost, panels
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key

if TYPE_CHECKING:
    from mixedsparse.inference.bootstrap import Bootstrap
    from mixedsparse.inference.curves import ProfileCurve
    from mixedsparse.inference.profile import Profile

__all__ = ["draw_bootstrap", "draw_profile"]

_KINDS: dict[ProfilePlot, str] = {"zeta": "zeta", "abs": "|zeta|", "density": "density"}


def draw_profile(
    profile: Profile, kind: ProfilePlot, which: str | Iterable[str], level: float, ax: Any = None
) -> np.ndarray:
    """One panel per parameter; see `Plots.profile`."""
    one_of("kind", kind, _KINDS)
    names = _chosen(which, list(profile.curves))
    limits = profile.conf_int(level)
    axes = panels(ax, names)
    entries: dict[str, Any] = {}
    for name, panel in zip(names, axes, strict=True):
        entries |= _mark(panel, float(profile.estimates[name]), limits.loc[name].to_numpy(), level)
        _curve(panel, profile.curves[name], kind, float(ndtri(0.5 + 0.5 * level)))
    for panel in leftmost(axes):
        panel.set_ylabel(_KINDS[kind])
    key(corner(axes), entries, ax)
    return axes


def draw_bootstrap(replicates: Bootstrap, which: str | Iterable[str], level: float, ax: Any = None) -> np.ndarray:
    """One panel per column; see `Plots.bootstrap`."""
    names = _chosen(which, list(replicates.table.columns))
    limits = replicates.conf_int(level)
    axes = panels(ax, names)
    entries: dict[str, Any] = {}
    for name, panel in zip(names, axes, strict=True):
        values = replicates.table[name].to_numpy()
        values = values[np.isfinite(values)]
        panel.hist(values, bins="auto", density=True, color=QUIET, alpha=0.4, edgecolor=QUIET, linewidth=0.5)
        if len(values) > 1 and np.ptp(values) > 0:
            x = np.linspace(values.min(), values.max(), 200)
            panel.plot(x, gaussian_kde(values)(x), color=MARK)
        entries |= _mark(panel, float(replicates.estimates[name]), limits.loc[name].to_numpy(), level)
        panel.set_yticks([])
    key(corner(axes), entries, ax)
    return axes


def _chosen(which: str | Iterable[str], known: Sequence[str]) -> list[str]:
    """Panels wanted, in the order asked for."""
    names = ([*known] if which == "all" else [which]) if isinstance(which, str) else [*which]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise OptionError(f"which={unknown or names!r} is not there; use 'all' or names among: {', '.join(known)}.")
    return names


def _curve(panel: Any, curve: ProfileCurve, kind: str, z: float) -> None:
    """One profile, with its points where they are shown."""
    if kind == "density":
        panel.plot(*curve.density(), color=MARK)
        panel.set_ylim(bottom=0.0)
        return
    shown = np.abs if kind == "abs" else np.asarray
    values, zeta = curve.function()
    panel.plot(values, shown(zeta), color=MARK)
    panel.plot(curve.values, shown(curve.zeta), "o", color=MARK, markersize=2.5)
    for height in (z,) if kind == "abs" else (-z, z):
        panel.axhline(height, color=QUIET, linewidth=0.8, linestyle=":")


def _mark(panel: Any, estimate: float, limits: np.ndarray, level: float) -> dict[str, Any]:
    """Mark the estimate and the limits, and say which is which."""
    entries: dict[str, Any] = {}
    if np.isfinite(estimate):
        entries["estimate"] = panel.axvline(estimate, color=LINE, linewidth=1)
    for limit in limits[np.isfinite(limits)]:
        entries[f"{100 * level:g} % limits"] = panel.axvline(limit, color=LINE, linewidth=1, linestyle=":")
    return entries
