"""One parameter's profile as a smooth function, and the limits read from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import brentq

from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.batch.profile_paths import Path
from mixedsparse.inference.parameters import Parameter

__all__ = ["ProfileCurve"]

_RANGES = {
    "sd": (0.0, np.inf),
    "cor": (-1.0, 1.0),
    "sigma": (0.0, np.inf),
    "dispersion": (0.0, np.inf),
    "fixed": (-np.inf, np.inf),
    "loading": (-np.inf, np.inf),
    "log variance": (-np.inf, np.inf),
}


@dataclass(frozen=True, slots=True, eq=False)
class ProfileCurve:
    """Signed root zeta of one parameter: cubic between points at which its slope is known.

    Attributes
    ----------
    parameter : Parameter
    values, zeta : ndarray, shape (K,)
        The parameter, increasing, and zeta there; empty for a correlation of effects one of which has no variance,
        which the likelihood does not depend on.
    """

    parameter: Parameter
    values: np.ndarray
    zeta: np.ndarray
    chart: ProfileChart = field(repr=False)
    path: Path | None = field(repr=False)
    identified: bool = True

    @classmethod
    def of(cls, parameter: Parameter, chart: ProfileChart, path: Path | None, identified: bool = True) -> ProfileCurve:
        """Curve of a path in the coordinates of `chart`; None where the likelihood is flat."""
        if path is None:
            return cls(parameter, np.empty(0), np.empty(0), chart, None, identified)
        return cls(parameter, chart.value(path.coordinate), path.zeta, chart, path)

    def limit(self, z: float) -> float:
        """Value at which zeta is `z`; the end of the parameter's range if there is none.

        NaN if the path got stuck, or the design does not identify the parameter.
        """
        side = int(z > 0)
        if not self.identified:
            return np.nan
        if self.path is None:
            return _RANGES[self.parameter.kind][side]
        beyond = np.flatnonzero(self.zeta >= z if side else self.zeta <= z)
        if not len(beyond):
            return self._end(side) if self.path.closed[side] else np.nan
        first = beyond[0] - 1 if side else beyond[-1]
        if self.zeta[first] == z:
            return float(self.values[first])
        spline = self._spline()
        bracket = self.path.coordinate[first], self.path.coordinate[first + 1]
        return float(self.chart.value(brentq(lambda at: float(spline(at)) - z, *bracket, xtol=1e-14)))

    def _end(self, side: int) -> float:
        """Return the end of the parameter's range: several correlations that are one do not reach -1."""
        if self.chart.kind == "sine" and not side:
            return float(self.chart.value(np.asarray(self.chart.floor)))
        return _RANGES[self.parameter.kind][side]

    def density(self, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
        """Values (n,) and phi(zeta) |d zeta / d value| there: a normal density where the profile is a straight line.

        Empty where the likelihood is flat.
        """
        if self.path is None or len(self.values) < 2:
            return np.empty(0), np.empty(0)
        at = np.linspace(self.path.coordinate[0], self.path.coordinate[-1], n)
        rate = self.chart.rate(at)
        # The sine of an angle stands still at its ends, where a density over correlations has no limit.
        at, rate = at[rate > 1e-3 * np.abs(rate).max()], rate[rate > 1e-3 * np.abs(rate).max()]
        spline = self._spline()
        height = np.exp(-0.5 * spline(at) ** 2) / np.sqrt(2.0 * np.pi)
        return self.chart.value(at), height * np.maximum(spline(at, 1), 0.0) / rate

    def function(self, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
        """Values (n,) and zeta there."""
        if self.path is None or len(self.values) < 2:
            return self.values, self.zeta
        at = np.linspace(self.path.coordinate[0], self.path.coordinate[-1], n)
        return self.chart.value(at), self._spline()(at)

    def _spline(self) -> CubicHermiteSpline:
        assert self.path is not None
        return CubicHermiteSpline(self.path.coordinate, self.path.zeta, self.path.slope)
