"""The conditional mode of the random effects, by Newton's method on the penalised log-likelihood.

The mode minimises h = -2 sum l(eta) + u'u. It is kept as zeta with u = Lambda'zeta, b = Lambda Lambda'zeta: at the mode
zeta = Z's (s the scores of the rows), whatever Lambda is, also on the boundary. With v = Z's - zeta a Newton step is

    b += Lambda M^-1 Lambda' v,   zeta += v - Z'WZ Lambda M^-1 Lambda' v,   M = Lambda'Z'WZ Lambda + I

which is `Factored.solve`, and its decrement v'Lambda M^-1 Lambda' v. The criterion is wrong to first order in what is
left of the mode, through log|M|: the search goes on until the decrement is rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mixedsparse.core.likelihood.interface import Engine, Factored
from mixedsparse.core.likelihood.laplace.data import Data, Slopes, Terms, Vectors, dot
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Mode", "find_mode"]

# Decrement per effect from which on the mode is exact.
_EXACT = 1e-22
# Decrement from which on it may be as exact as rounding lets it be, and a full Newton step needs no fall of h, which
# rounding would hide; or so many times the rounding of h, which is about that of scores times linear predictors.
_CLOSE = 1e-9
_HIDDEN = 4e-15
# Decrement per effect from which on the same factor serves for further steps.
_SHARP = 1e-5
# Multiply-adds per row, and at least, from which on a factorisation costs several steps; the factor then serves while
# each step lowers the decrement at least by `_KEPT`.
_DEAR = 100.0
_DEAREST = 1e7
_KEPT = 0.1
_MOST_STEPS = 200
_MOST_HALVINGS = 40
# Share of a step below which it is short, and how many short ones in a row mean that the mode lies where a link ends.
_SHORT, _MOST_SHORT = 1e-3, 5
# Rise of h, relative, that is rounding.
_ROUNDING = 1e-13
# Where M is not positive definite, steps are taken with weights of at least this share of the mean absolute one.
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class Mode:
    """The mode at one set of parameters.

    Attributes
    ----------
    data : Data
    lams : sequence of ndarray (K, K)
        Lambda of each block.
    zeta, b : list of ndarray (levels, K)
    eta : ndarray, shape (n,)
    terms : Terms
        At eta.
    h : float
        -2 sum l + u'u, without the constant.
    penalty : float
        u'u.
    decrement : float
        What is left of the search.
    factorisations : int
    made : tuple (Engine, Factor) or None
        `engine` and `factor`, if the search has made them; made again otherwise, when something first asks for one.
    sums : Problem or None
        With Z'WZ, where the rows are elsewhere.
    motion : list of ndarray (levels, K, r) or None
        Derivatives of zeta in the parameters, where the rows are elsewhere.
    known_logdet : float or None
        log|M|, where it was found without `engine` and `factor`.
    visited : Slopes or None
        Derivatives that compiled loops found on the way; see `nested`.
    """

    data: Data
    lams: Sequence[np.ndarray]
    zeta: Vectors
    b: Vectors
    eta: np.ndarray
    terms: Terms
    h: float
    penalty: float
    decrement: float
    factorisations: int
    made: tuple[Engine, Factored] | None = None
    sums: Problem | None = None
    motion: Vectors | None = None
    known_logdet: float | None = None
    visited: Slopes | None = None

    @property
    def logdet(self) -> float:
        """log|M|."""
        return self.factor.logdet if self.known_logdet is None else self.known_logdet

    @cached_property
    def engine(self) -> Engine:
        """Of Z'WZ at eta."""
        if self.made is not None:
            return self.made[0]
        if self.sums is not None:
            return self.data.engine.with_problem(self.sums)
        return self.data.weighted(self.terms.w)

    @cached_property
    def factor(self) -> Factored:
        """M at eta, factorised."""
        return self.engine.factorize(self.lams) if self.made is None else self.made[1]

    def kept(self, psi: float) -> Mode:
        """Return the mode without what compiled loops found, and with the terms that its stored eta gives."""
        return self if self.known_logdet is None else replace(self, terms=self.data.rows(self.eta, psi), visited=None)

    def __getstate__(self) -> dict[str, Any]:
        """State without engine and factor, which are large and cheap to make again."""
        return {field.name: self.__dict__[field.name] for field in fields(self)} | {"made": None, "visited": None}


def find_mode(
    data: Data,
    lams: Sequence[np.ndarray],
    fixed: np.ndarray,
    psi: float,
    starts: Sequence[Vectors],
    near: Mode | None = None,
) -> Mode:
    """Search the mode at Lambda and the fixed part (n,), from the best of the `starts` of zeta.

    Where a factorisation is dear, the first steps are taken by that of a mode `near` this one.

    Raises
    ------
    NotPositiveDefiniteError
        The likelihood has no value at the start, or M is not positive definite at the mode.
    """
    state = _State.best(data, lams, fixed, psi, starts)
    last, factorisations, short, renewed = np.inf, 0, 0, False
    q = data.problem.layout.q
    dear = data.engine.work > max(_DEAR * data.n, _DEAREST)
    made = _Made(data.engine, near.factor, False, False) if dear and near is not None else None
    for _ in range(_MOST_STEPS):
        fresh = made is None
        if made is None:
            made = _factorise(data, lams, state)
            factorisations += 1
        residual = state.residual(data)
        move_b, move_zeta = _solve(made.factor, residual)
        if not made.own:
            move_b = _covered(lams, move_zeta)
        decrement = dot(residual, move_b)
        if not made.own and not decrement > 0.0:
            made = None
            continue
        close = decrement < _SHARP * q and (decrement <= _CLOSE or decrement <= _HIDDEN * state.rounding)
        slow = close and decrement > 0.25 * last
        if slow and not fresh and not renewed:
            # An old factor may be what is slow.
            made, last, renewed = None, np.inf, True
            continue
        done = decrement <= _EXACT * q or slow
        stepped = None if done else state.stepped(data, psi, move_b, move_zeta, close)
        if stepped is None:
            if not fresh:
                made = None
                last = np.inf if not done else 0.0
                continue
            if not made.observed or not (done or decrement < _SHARP * q):
                break
            return state.ended(data, lams, made, decrement, factorisations)
        sharp = decrement < (_KEPT * last if dear and not fresh else _SHARP * q) or (dear and fresh)
        (state, share), last = stepped, decrement
        short = short + 1 if share < _SHORT else 0
        if short == _MOST_SHORT:
            break
        if not sharp:
            made = None
    raise NotPositiveDefiniteError("The penalised log-likelihood has no maximum at these parameters.")


class _Made(NamedTuple):
    """Z'WZ, M factorised, whether by the observed weights, and whether at the Lambda that is asked for."""

    engine: Engine
    factor: Factored
    observed: bool
    own: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """A point of the search."""

    zeta: Vectors
    b: Vectors
    eta: np.ndarray
    terms: Terms
    h: float

    @classmethod
    def best(
        cls, data: Data, lams: Sequence[np.ndarray], fixed: np.ndarray, psi: float, starts: Sequence[Vectors]
    ) -> _State:
        """Return the best of the starts, or the point at 0 where none has a likelihood."""
        best = None
        # One after the other: each holds several numbers per row.
        for start in starts:
            state = cls.at(data, lams, fixed, psi, start)
            if np.isfinite(state.h) and (best is None or state.h < best.h):
                best = state
            del state
        if best is None:
            best = cls.at(data, lams, fixed, psi, [np.zeros_like(z) for z in starts[0]])
        if not np.isfinite(best.h):
            raise NotPositiveDefiniteError("The likelihood has no value at these parameters.")
        return best

    @classmethod
    def at(cls, data: Data, lams: Sequence[np.ndarray], fixed: np.ndarray, psi: float, zeta: Vectors) -> _State:
        """Return the point at `zeta`."""
        b = _covered(lams, zeta)
        eta = fixed + data.spread(b)
        terms = data.rows(eta, psi)
        return cls(zeta, b, eta, terms, dot(zeta, b) - 2.0 * terms.total)

    def residual(self, data: Data) -> Vectors:
        """Z's - zeta."""
        sums = data.sums(self.terms.s[:, None])
        return [s[:, :, 0] - z for s, z in zip(sums, self.zeta, strict=True)]

    @property
    def rounding(self) -> float:
        """Sum of scores times linear predictors, to which the rounding of h is relative near the mode."""
        return float(np.abs(self.terms.s) @ (1.0 + np.abs(self.eta)))

    def stepped(
        self, data: Data, psi: float, move_b: Vectors, move_zeta: Vectors, close: bool
    ) -> tuple[_State, float] | None:
        """Return the point after a step, halved until h does not rise, and its share; None where it always does.

        A full step `close` to the mode is taken anyhow.
        """
        direction = data.spread(move_b)
        share = 1.0
        for _ in range(_MOST_HALVINGS):
            zeta = [z + share * d for z, d in zip(self.zeta, move_zeta, strict=True)]
            b = [z + share * d for z, d in zip(self.b, move_b, strict=True)]
            eta = self.eta + share * direction
            terms = data.rows(eta, psi)
            h = dot(zeta, b) - 2.0 * terms.total
            if np.isfinite(h) and ((close and share == 1.0) or h <= self.h + _ROUNDING * abs(self.h)):
                return _State(zeta, b, eta, terms, h), share
            share *= 0.5
        return None

    def ended(self, data: Data, lams: Sequence[np.ndarray], made: _Made, decrement: float, factorisations: int) -> Mode:
        """Return the mode, found."""
        found = self.zeta, self.b, self.eta, self.terms, self.h, dot(self.zeta, self.b)
        return Mode(data, lams, *found, decrement, factorisations, (made.engine, made.factor))


def _covered(lams: Sequence[np.ndarray], zeta: Vectors) -> Vectors:
    """Lambda Lambda'zeta."""
    return [(z @ lam) @ lam.T for z, lam in zip(zeta, lams, strict=True)]


def _factorise(data: Data, lams: Sequence[np.ndarray], state: _State) -> _Made:
    """Factorise M by the observed weights; by positive ones in their place where they leave it indefinite."""
    w = state.terms.w
    try:
        engine = data.weighted(w)
        return _Made(engine, engine.factorize(lams), True)
    except NotPositiveDefiniteError:
        if not (w < 0).any():
            raise
    engine = data.weighted(np.maximum(w, _LEAST_WEIGHT * float(np.abs(w).mean())))
    return _Made(engine, engine.factorize(lams), False)


def _solve(factor: Factored, residual: Vectors) -> tuple[Vectors, Vectors]:
    """Newton step of b and zeta."""
    modes, projected = factor.solve([r[:, :, None] for r in residual])
    return [m[:, :, 0] for m in modes], [v[:, :, 0] for v in projected]
