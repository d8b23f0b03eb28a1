"""Parameters: likelihood profiles and bootstrap densities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import gaussian_kde

from mixedsparse.errors import OptionError
from mixedsparse.plotting.axes import LINE, MARK, QUIET, alone, panels

if TYPE_CHECKING:
    from mixedsparse.inference.bootstrap import Bootstrap
    from mixedsparse.inference.curves import ProfileCurve
    from mixedsparse.inference.profile import Profile

__all__ = ["draw_bootstrap", "draw_profile"]

_KINDS = {"zeta": "zeta", "abs": "|zeta|", "density": "density"}


def draw_profile(profile: Profile, kind: str, which: str | Iterable[str], level: float, ax: Any) -> Any:
    """One panel per parameter; see `Plots.profile`."""
    if kind not in _KINDS:
        raise OptionError(f"kind={kind!r} is not known; use one of {', '.join(map(repr, _KINDS))}.")
    names = _chosen(which, list(profile.curves))
    limits = profile.conf_int(level)
    axes = panels(ax, names)
    for name, panel in zip(names, axes, strict=True):
        _mark(panel, float(profile.estimates[name]), limits.loc[name].to_numpy())
        _curve(panel, profile.curves[name], kind, float(ndtri(0.5 + 0.5 * level)))
    for panel in axes[:: _per_row(axes)]:
        panel.set_ylabel(_KINDS[kind])
    return alone(axes)


def draw_bootstrap(replicates: Bootstrap, which: str | Iterable[str], level: float, ax: Any) -> Any:
    """One panel per column; see `Plots.bootstrap`."""
    names = _chosen(which, list(replicates.table.columns))
    limits = replicates.conf_int(level)
    axes = panels(ax, names)
    for name, panel in zip(names, axes, strict=True):
        values = replicates.table[name].to_numpy()
        values = values[np.isfinite(values)]
        panel.hist(values, bins="auto", density=True, color="0.85", edgecolor=QUIET, linewidth=0.5)
        if len(values) > 1 and np.ptp(values) > 0:
            x = np.linspace(values.min(), values.max(), 200)
            panel.plot(x, gaussian_kde(values)(x), color=MARK)
        _mark(panel, float(replicates.estimates[name]), limits.loc[name].to_numpy())
        panel.set_yticks([])
    return alone(axes)
