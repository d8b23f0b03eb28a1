"""One quantity that users know as a function of the vector of a `Surface`: what a profile holds.

Its coordinate u is the quantity over a scale (deviations of effects, loadings, coefficients of a log variance), its
logarithm (deviations of residuals, sigma) or the arc sine (correlations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.inference.held.surface import Surface
from mixedsparse.inference.parameters import Parameter
from mixedsparse.inference.residual_parameters import quantities

__all__ = ["Held", "hold"]

# Steps of differences in phi.
_STEP = 1e-5
# Distance kept from the ends of a coordinate, where its slope vanishes.
_OFF_END = 1e-6
# A standard deviation over sigma below this has correlations without meaning.
_NO_SPREAD = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What is held.

    Attributes
    ----------
    surface : Surface
    parameter : Parameter
    chart : ProfileChart
        Quantity from coordinate, and the range of the latter.
    """

    surface: Surface
    parameter: Parameter
    chart: ProfileChart

    def inside(self, u: float) -> float:
        """Coordinate that is searched at in the place of `u`: a little off the ends of the range."""
        high = 0.5 * math.pi if self.chart.kind == "sine" else math.inf
        return float(min(max(u, self.chart.floor + _OFF_END), high - _OFF_END))

    def coordinate(self, vector: np.ndarray) -> float:
        """U at a settled vector."""
        value = self._value(vector)
        if self.chart.kind == "sine":
            return math.asin(min(max(value, -1.0), 1.0))
        if self.chart.kind == "log":
            return math.log(max(value, 1e-300) / self.chart.scale)
        return (value - self.chart.centre) / self.chart.scale

    def slope(self, vector: np.ndarray) -> np.ndarray:
        """Du / dvector."""
        parameter, surface = self.parameter, self.surface
        out, at = np.zeros(len(vector)), surface.log_sigma
        if parameter.kind == "fixed":
            out[-1] = 1.0
        elif parameter.kind == "sigma":
            out[at] = 1.0
        elif parameter.term < 0:
            place = slice(surface.m, at)
            out[place] = self._residual_slope(vector)
            out[at] = float(self.chart.kind == "log")
        else:
            assert surface.chart is not None
            natural, place = self._natural(vector), surface.chart.places[parameter.term]
            slope = natural.slope / surface.chart.units[place]
            if natural.kind == "cor":
                out[place] = slope / math.sqrt(max(1.0 - natural.value**2, 1e-16))
            else:
                sigma = math.exp(float(vector[at]))
                out[place] = sigma * slope / self.chart.scale
                out[at] = sigma * natural.value / self.chart.scale
        return out

    def is_flat(self, vector: np.ndarray) -> bool:
        """Whether the likelihood does not depend on a correlation, one of the effects having no variance."""
        surface, parameter = self.surface, self.parameter
        if parameter.kind != "cor" or parameter.term < 0:
            return False
        covariance = surface.covariances(vector)[parameter.term]
        sizes = np.sqrt(np.diagonal(covariance))[list(parameter.places)] / math.exp(vector[surface.log_sigma])
        return bool(sizes.min() < _NO_SPREAD)

    def _value(self, vector: np.ndarray) -> float:
        parameter, surface = self.parameter, self.surface
        sigma = math.exp(float(vector[surface.log_sigma]))
        if parameter.kind == "fixed":
            return self.chart.centre + self.chart.scale * float(vector[-1])
        if parameter.kind == "sigma":
            return sigma
        if parameter.term < 0:
            value = self._quantity(vector[surface.m : surface.log_sigma])
            return sigma * value if parameter.kind == "sd" else value
        natural = self._natural(vector)
        return natural.value if natural.kind == "cor" else sigma * natural.value

    def _natural(self, vector: np.ndarray):  # type: ignore[no-untyped-def]
        chart, term = self.surface.chart, self.parameter.term
        assert chart is not None
        return chart.structures[term].natural(chart.phi(vector[: self.surface.m])[term])[self.parameter.number]

    def _quantity(self, phi: np.ndarray) -> float:
        side = self.surface.fitted.design.residual
        assert side is not None
        return quantities(side, phi)[self.parameter.number].value

    def _residual_slope(self, vector: np.ndarray) -> np.ndarray:
        """Differentiate the coordinate in phi."""
        surface = self.surface
        place, out = np.arange(surface.m, surface.log_sigma), np.zeros(surface.size)
        for i, j in enumerate(place):
            step = np.zeros(len(vector))
            step[j] = _STEP * max(1.0, abs(float(vector[j])))
            out[i] = (self.coordinate(vector + step) - self.coordinate(vector - step)) / (2.0 * step[j])
        return out


def hold(surface: Surface, parameter: Parameter, vector: np.ndarray) -> Held:
    """Return `parameter` as what is held, on a scale that suits the optimum `vector`."""
    problem = surface.problem
    row = np.zeros(problem.p)
    sigma = math.exp(float(vector[surface.log_sigma]))

    def chart(kind: str, scale: float = 1.0, centre: float = 0.0, floor: float = -math.inf) -> ProfileChart:
        return ProfileChart(problem=problem, position=-1, kind=kind, scale=scale, centre=centre, floor=floor, row=row)

    if parameter.kind == "fixed":
        return Held(surface, parameter, chart("linear", surface.error, surface.estimate))
    if parameter.kind == "sigma" or (parameter.kind == "sd" and parameter.term < 0):
        return Held(surface, parameter, chart("log", sigma))
    if parameter.kind == "cor":
        return Held(surface, parameter, chart("sine", floor=math.asin(_least_correlation(surface, parameter))))
    free = Held(surface, parameter, chart("linear"))
    value = abs(free._value(vector))
    if parameter.term < 0:
        return Held(surface, parameter, chart("linear", max(value, 0.1)))
    assert surface.chart is not None
    units = surface.chart.units[surface.chart.places[parameter.term]]
    least = 0.1 * sigma / float(units[min(parameter.number, len(units) - 1)])
    return Held(
        surface, parameter, chart("linear", max(value, least), floor=0.0 if parameter.kind == "sd" else -math.inf)
    )


def _least_correlation(surface: Surface, parameter: Parameter) -> float:
    """Return the least correlation that there can be: above -1 where it is that of several effects with one another."""
    if parameter.structure is None or not parameter.structure.label.endswith("cs"):
        return -1.0
    return -1.0 / (parameter.structure.k - 1)
