"""Signed-root profiles: from the optimum outwards, all parameters and both directions in step.

For parameter u, zeta(u) = sign(u - u_hat) sqrt(F(u) - F_min), F minimised over everything else (Bates & Watts 1988,
section 6.1). Each point starts where the path x(u) leads: its tangent is -H_ff^-1 H_fu, f the free coordinates, and by
the envelope theorem d zeta / du = (dF / du) / (2 zeta), so that few points determine zeta(u).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.batch.joint_likelihood import JointCriterion, JointPoint
from mixedsparse.core.newton.batched import minimise

__all__ = ["Branch", "Path", "Stop", "curvatures", "join", "profile_paths"]

# Distance of neighbouring points in zeta, and the largest that is let pass.
_SPACING = 0.4
_WIDEST = 0.8
# Longest first step of a coordinate, longest step of an angle, and how much longer than the last a step may be.
_FIRST_STEP = 1.0
_LONGEST_ANGLE = 0.5
_GROWTH = 3.0
# A step that must be shorter than this share of what was planned leads nowhere.
_SHORTEST = 2e-3
# Points that are tried in one direction: usual profiles need about ten, one that crawls gets nowhere.
_MOST_TRIES = 40
# This many times further out than the optimum, a profile that rises by less than this per unit of log u never will.
_FAR = 100.0
_LEVEL = 1e-3
_FLAT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Profile of one parameter, points in increasing order of its coordinate.

    Attributes
    ----------
    coordinate, zeta, slope : ndarray, shape (K,)
        Coordinate of the chart, signed root, and its derivative in the coordinate.
    x : ndarray, shape (K, m + 2)
    gamma : ndarray, shape (K, p)
    closed : tuple of bool
        Whether the path ends, below and above, where the parameter's range does.
    lowest : float
        Least criterion that was met.
    interrupted : bool
        Whether a KeyboardInterrupt ended it.
    """

    coordinate: np.ndarray
    zeta: np.ndarray
    slope: np.ndarray
    x: np.ndarray
    gamma: np.ndarray
    closed: tuple[bool, bool]
    lowest: float
    interrupted: bool = False

    def reaches(self, cutoff: float) -> bool:
        """Whether both ends are at |zeta| >= `cutoff` or at the end of the parameter's range."""
        return (self.closed[0] or self.zeta[0] <= -cutoff) and (self.closed[1] or self.zeta[-1] >= cutoff)


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """One point of a path: coordinate, signed root, its slope, criterion, all coordinates and their tangent."""

    u: float
    zeta: float
    slope: float
    value: float
    x: np.ndarray
    gamma: np.ndarray
    tangent: np.ndarray


@dataclass(slots=True, eq=False)
class Branch:
    """One parameter in one direction."""

    chart: ProfileChart
    sign: int
    stops: list[Stop]
    shrink: float = 1.0
    stuck: bool = False
    tries: int = 0
    end: float = field(init=False)

    def __post_init__(self) -> None:
        ceiling = 0.5 * math.pi if self.chart.kind == "sine" else math.inf
        self.end = self.chart.floor if self.sign < 0 else ceiling

    @property
    def closed(self) -> bool:
        """Whether the range of the parameter ends here, or the likelihood has become flat for good."""
        first, last = self.stops[0], self.stops[-1]
        far = math.isinf(self.end) and abs(last.u) > _FAR * (1.0 + abs(first.u))
        return last.u == self.end or (far and abs(last.slope * last.u) < _LEVEL)

    def finished(self, cutoff: float) -> bool:
        """Whether nothing is left to be followed."""
        return self.stuck or self.closed or abs(self.stops[-1].zeta) >= cutoff

    def propose(self) -> np.ndarray:
        """Where the path leads: the next x, quadratic in u."""
        last = self.stops[-1]
        before = self.stops[-2] if len(self.stops) > 1 else None
        longest = _FIRST_STEP if before is None else _GROWTH * abs(last.u - before.u)
        if self.chart.kind == "sine":
            longest = min(max(longest, 0.1), _LONGEST_ANGLE)
        length = min(_SPACING / abs(last.slope), longest) if last.slope else longest
        u = last.u + self.sign * self.shrink * length
        u = max(u, self.end) if self.sign < 0 else min(u, self.end)
        step = u - last.u
        x = last.x + step * last.tangent
        if before is not None:
            x += 0.5 * step**2 * (last.tangent - before.tangent) / (last.u - before.u)
        x[self.chart.position] = u
        return x

    def receive(self, stop: Stop, converged: bool) -> None:
        """Take the next point, or ask for one that is nearer."""
        last = self.stops[-1]
        self.tries += 1
        if converged and abs(stop.zeta - last.zeta) <= _WIDEST:
            self.stops.append(stop)
            self.shrink = 1.0
        else:
            self.shrink *= 0.4
        self.stuck = self.shrink < _SHORTEST or self.tries >= _MOST_TRIES


def profile_paths(
    batch: Batch,
    charts: Sequence[ProfileChart],
    x: np.ndarray,
    unit: float,
    cutoff: float,
    note: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Profile the parameters of `charts` by maximum likelihood until |zeta| reaches `cutoff`.

    Parameters
    ----------
    batch : Batch
    charts : sequence of ProfileChart, length C
    x : ndarray, shape (C, m + 2)
        The optimum in the coordinates of each chart.
    unit : float
        Unit of x, see `JointCriterion`.
    cutoff : float
    note : callable, optional
        Called with the number of directions that are finished, and of all.

    A KeyboardInterrupt ends all paths where they are.
    """
    twice = [chart for chart in charts for _ in (0, 1)]
    criterion = JointCriterion(batch, twice, Responses.of(batch.problem, len(twice)), unit, reml=False)
    held, lower = _masks(twice, x.shape[1])
    start = criterion(x, 2 * np.arange(len(charts)))
    minimum = float(start.value.min())
    tangents, bends = _tangents(start, held[::2], x <= lower[::2])
    branches = []
    for i, chart in enumerate(charts):
        slope = math.sqrt(max(0.5 * bends[i], 0.0))
        centre = Stop(x[i, chart.position], 0.0, slope, minimum, x[i], start.gamma[i], tangents[i])
        branches += [Branch(chart, sign, [centre]) for sign in (-1, 1)]
    interrupted = False
    try:
        while len(going := _unfinished(branches, cutoff)):
            _advance(criterion, branches, going, held[going], lower[going], minimum)
            if note is not None:
                note(len(branches) - len(_unfinished(branches, cutoff)), len(branches))
    except KeyboardInterrupt:
        interrupted = True
    paths = [join(branches[i], branches[i + 1]) for i in range(0, len(branches), 2)]
    return [replace(path, interrupted=interrupted and not path.reaches(cutoff)) for path in paths]


def _unfinished(branches: Sequence[Branch], cutoff: float) -> np.ndarray:
    return np.array([b for b, branch in enumerate(branches) if not branch.finished(cutoff)], dtype=np.intp)


def curvatures(batch: Batch, charts: Sequence[ProfileChart], x: np.ndarray, unit: float, reml: bool) -> np.ndarray:
    """Return d2F / du2 (C,) at the optimum x, F minimised over all but the parameter u of each chart."""
    criterion = JointCriterion(batch, charts, Responses.of(batch.problem, len(charts)), unit, reml)
    held, lower = _masks(charts, x.shape[1])
    return _tangents(criterion(x, np.arange(len(charts))), held, x <= lower)[1]


def _advance(
    criterion: JointCriterion,
    branches: Sequence[Branch],
    going: np.ndarray,
    held: np.ndarray,
    lower: np.ndarray,
    minimum: float,
) -> None:
    """One more point on each of the branches `going`."""
    start = np.array([branches[b].propose() for b in going])
    solved = minimise(lambda at, index: criterion(at, going[index]), start, held, lower)
    tangents, _ = _tangents(solved.point, held, solved.x <= lower)
    for i, b in enumerate(going):
        branch, value = branches[b], float(solved.point.value[i])
        zeta = branch.sign * math.sqrt(max(value - minimum, 0.0))
        pull = float(solved.point.gradient[i, branch.chart.position])
        slope = pull / (2.0 * zeta) if zeta else 0.0
        at = float(solved.x[i, branch.chart.position])
        branch.receive(
            Stop(at, zeta, slope, value, solved.x[i], solved.point.gamma[i], tangents[i]), bool(solved.converged[i])
        )


def _masks(charts: Sequence[ProfileChart], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates that are held, and the lower bounds of all, (B, size) each."""
    held = np.zeros((len(charts), size), dtype=bool)
    held[np.arange(len(charts)), [chart.position for chart in charts]] = True
    return held, np.array([chart.lower() for chart in charts])


def _tangents(point: JointPoint, held: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return dx/du (B, d) along the paths, and the second derivative (B,) of the minimum in u; 0 for a point of NaN."""
    hessian = np.where(point.finite[:, None, None], point.hessian, 0.0)
    free = ~held & ~(bound & (point.gradient >= 0))
    pairs = free[:, :, None] & free[:, None, :]
    values, vectors = np.linalg.eigh(np.where(pairs, hessian, 0.0))
    mixed = np.where(free, (hessian @ held[..., None].astype(float))[..., 0], 0.0)
    own = (hessian * (held[:, :, None] & held[:, None, :])).sum(axis=(1, 2))
    floor = _FLAT * np.abs(values).max(axis=1, keepdims=True)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > floor)
    moved = -(vectors @ (inverse[..., None] * (vectors.swapaxes(1, 2) @ mixed[..., None])))[..., 0]
    return moved + held, own + (mixed * moved).sum(axis=1)


def join(below: Branch, above: Branch) -> Path:
    """Path of the branches in both directions."""
    stops = [*below.stops[:0:-1], *above.stops]
    return Path(
        coordinate=np.array([s.u for s in stops]),
        zeta=np.array([s.zeta for s in stops]),
        slope=np.array([s.slope for s in stops]),
        x=np.array([s.x for s in stops]),
        gamma=np.array([s.gamma for s in stops]),
        closed=(below.closed, above.closed),
        lowest=min(s.value for s in stops),
    )
