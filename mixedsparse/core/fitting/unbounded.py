"""Whether the likelihood has a maximum at all: in small models random effects can reproduce any response.

Let the random effects grow beside the residuals along the columns of some L, G = c^2 L L' and c to infinity, and let
rows be weighted. Then log|V_0| grows as rank(Z L) log c^2. If y is in the span of [X, Z L], the residual sum of squares
falls as c^-2, and otherwise it stays above a positive number. So

    -2 log L  ~  (rank(Z L) - n) log c^2             ML
    REML      ~  (rank([X, Z L]) - n) log c^2        with log|X'V_0^-1 X|, which falls by p less what Z L leaves of X,

which have no minimum if and only if y is in that span and the rank is below n. Effects that grow at different rates do
no better than all of them at the slowest of these. A response of continuous errors is in the span only where
rank([X, Z L]) = n: then ML is unbounded unless rank(Z L) = n, too, and REML is bounded. But it may well fall all
the way to its limit, and have no minimum either: that shows where a search ends (`vanishes`), not in the ranks.

L has one template per term, Lambda_t, for all of its levels. All effects of all terms together reproduce most and have
the greatest rank; smaller sets count only where that rank is n. They are, term by term, no effect, as many combinations
of effects as there may be (drawn at random: the rank is the same for nearly all), and those combinations of which some
level has nothing, where it falls. What is found to be unbounded is; among very many sets some may be missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lstsq, qr

from mixedsparse.core.engines.criteria import criterion_at
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.rows import can_use_rows
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Reproduction", "in_the_limit", "reproduction", "vanishes"]

# Entries of [X, Z] up to which dense algebra is quick.
_LARGEST = 200_000
# Multiply-adds that all sets of effects may take together, and the number of sets.
_WORK = 3e7
_MOST_SETS = 32
# Pivots of unit columns: below the first nothing is left of a column; above the second something is, for sure.
_ZERO = 1e-10
_SURE = 1e-6
# Ridge, relative, and share of y that it may leave where [X, Z] reproduces y.
_RIDGE = 1e-13
_LEFT = 1e-2
# Squares of what cross-products cannot tell from rounding.
_ROUNDING = 1e-13
# Share of the residual of y on X that may be left where y is reproduced: decimals leave 1e-13.
_REPRODUCED = 1e-9
_SEED = 20140601
# Largest standard deviation over sigma (whitened) from which on an end may be on its way to a limit, the step further
# that is tried, and the rise of the criterion over it that speaks against one.
_FAR_OUT, _FURTHER, _NO_RISE = 1e2, 10.0, 1e-6
# Structures that residuals can have too.
_OF_RESIDUALS = frozenset({"us", "cs", "homcs", "ar1", "hetar1", "toep", "homtoep"})


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Random effects that, with the fixed ones, reproduce the response, so that the likelihood has no maximum.

    Attributes
    ----------
    groups : tuple of str
        Grouping factors of the terms.
    any_response : bool
        Whether they reproduce every response, so that the REML criterion is bounded.
    bounded : bool
        Whether the likelihood is bounded, and highest in the limit.
    in_its_place : str
        Residual covariance that the limit is, where a term with a structure goes there; "" otherwise.
    """

    groups: tuple[str, ...]
    any_response: bool
    bounded: bool = False
    in_its_place: str = ""


def reproduction(engine: Engine, reml: bool) -> Reproduction | None:
    """Find random effects along which the criterion falls without limit; None if there are none.

    Counting columns settles it for all but the smallest models, at no cost.
    """
    problem = engine.problem
    n, width = problem.n, problem.p + problem.layout.q
    if not _may_span(problem) or n * width > _LARGEST:
        return None
    space = _in_memory(problem) if can_use_rows(problem) else _from_sums(engine)
    if not _may_reproduce(space):
        return None
    wide_enough = (chosen for chosen in _sets(space) if problem.p + _count(space, chosen) >= n)
    for chosen in islice(wide_enough, int(np.clip(_WORK / (n**2 * width), 1, _MOST_SETS))):
        found = _judged(problem, space, chosen, reml)
        if found is not None:
            return found
    return None


def _may_span(problem: Problem) -> bool:
    return problem.n <= problem.p + problem.apart + problem.layout.q


def vanishes(engine: Engine, found: Search) -> bool:
    """Whether the criterion falls from the end of a search on as the residual variance goes to 0."""
    size = float(np.abs(found.theta).max(initial=0.0))
    if not _may_span(engine.problem) or size < _FAR_OUT:
        return False
    try:
        criterion, further = criterion_at(engine, found.pls.reml, _FURTHER * found.theta)
    except NotPositiveDefiniteError:
        return True
    # More digits are lost further out.
    return bool(further.criterion <= found.pls.criterion + _NO_RISE + found.noise + criterion.noise(further))


def in_the_limit(problem: Problem) -> Reproduction:
    """Say of a criterion that is lowest where the residual variance goes to 0 which effects reproduce the response."""
    named = [term for term in problem.terms if term.structure is not None and term.structure.label in _OF_RESIDUALS]
    place = f"{named[0].structure.label}(visit | {named[0].group})" if named and named[0].structure is not None else ""
    return Reproduction(tuple(dict.fromkeys(term.group for term in problem.terms)), True, True, place)


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """Columns with the linear relations of X, of each term's Z (rows, levels, k), and of the residual of y on X.

    The rows are the observations, or what has the same cross-products; `exact` says which.
    """

    X: np.ndarray
    Z: tuple[np.ndarray, ...]
    r: np.ndarray
    exact: bool


def _in_memory(problem: Problem) -> _Space:
    """Take the observations, each over its size: prior weights, however different, change no rank."""
    Z = []
    for b, inside in _places(problem):
        block = problem.blocks[b]
        own = np.zeros((problem.n, block.n_levels, inside.stop - inside.start))
        for slot in block.slots:
            own[np.arange(problem.n), slot.codes] += slot.z[:, inside]
        Z.append(own)
    X = problem.basis.q
    size = np.sqrt(np.square(X).sum(axis=1) + sum(np.square(own).sum(axis=(1, 2)) for own in Z))
    size = np.where(size > 0, size, 1.0)[:, None]
    return _Space(X / size, tuple(own / size[:, None] for own in Z), problem.basis.residual / size[:, 0], True)


def _from_sums(engine: Engine) -> _Space:
    """Take a root of the cross-products."""
    problem, layout, p = engine.problem, engine.problem.layout, engine.problem.p
    shapes = list(zip(layout.n_levels, layout.widths, strict=True))
    ends = np.cumsum([n * k for n, k in shapes])[:-1]
    unit = [u.reshape(*shape, layout.q) for u, shape in zip(np.split(np.eye(layout.q), ends), shapes, strict=True)]
    inner = np.vstack([v.reshape(-1, layout.q) for v in engine.times(unit)])
    cross = np.vstack([own.reshape(-1, p + 1) for own in problem.Zxy])
    gram = np.block([[problem.xy, cross.T], [cross, inner]])
    scale = np.sqrt(np.diagonal(gram))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    root = np.sqrt(np.where(values > _ROUNDING * values[-1], values, 0.0))[:, None] * vectors.T * scale
    blocks = [z.reshape(-1, *shape) for z, shape in zip(np.split(root[:, p + 1 :], ends, axis=1), shapes, strict=True)]
    return _Space(root[:, :p], tuple(blocks[b][:, :, inside] for b, inside in _places(problem)), root[:, p], False)


def _places(problem: Problem) -> list[tuple[int, slice]]:
    """Block of each term, and its columns there."""
    layout = problem.layout
    starts = zip(layout.term_block, layout.term_start, problem.terms, strict=True)
    return [(b, slice(start, start + term.k)) for b, start, term in starts]


def _sets(space: _Space) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield combinations of effects (k, d) of each term, all of them first."""
    rng = np.random.default_rng(_SEED)
    usual = []
    for own in space.Z:
        k = own.shape[2]
        turned = np.linalg.qr(rng.normal(size=(k, k)))[0]
        usual.append([np.eye(k), *(turned[:, :d] for d in range(k - 1, -1, -1))])
    yield from product(*usual)
    for t, own in enumerate(space.Z):
        for chosen in _absent_somewhere(own):
            yield from product(*usual[:t], [chosen], *usual[t + 1 :])


def _absent_somewhere(own: np.ndarray) -> Iterator[np.ndarray]:
    """Yield combinations (k, d) of the effects of one term that are 0 in all rows of some level."""
    for level in range(own.shape[1]):
        _, sizes, axes = np.linalg.svd(own[:, level], full_matrices=False)
        rank = int((sizes > _SURE * sizes[0]).sum())
        if 0 < rank < own.shape[2]:
            yield axes[rank:].T


def _may_reproduce(space: _Space) -> bool:
    """Whether all effects together leave little of the response, by a ridge that one Cholesky factor tells."""
    columns = np.hstack([space.X, *(own.reshape(len(own), -1) for own in space.Z)])
    gram = columns @ columns.T
    ridge = _RIDGE * float(np.diagonal(gram).max())
    gram[np.diag_indices_from(gram)] += ridge
    left = ridge * cho_solve(cho_factor(gram, lower=True, overwrite_a=True), space.r)
    return bool(np.linalg.norm(left) <= _LEFT * np.linalg.norm(space.r))


def _count(space: _Space, chosen: Sequence[np.ndarray]) -> int:
    """Count the columns of Z L."""
    return sum(own.shape[1] * L.shape[1] for own, L in zip(space.Z, chosen, strict=True))


def _judged(problem: Problem, space: _Space, chosen: Sequence[np.ndarray], reml: bool) -> Reproduction | None:
    """Say which are the `chosen` effects, if the criterion falls without limit along them."""
    ZL = np.hstack([_columns(own, L) for own, L in zip(space.Z, chosen, strict=True)])
    both = np.hstack([space.X, ZL])
    least, most = _rank(both)
    any_response = least == problem.n
    if (most if reml else min(ZL.shape[1], _rank(ZL)[1])) >= problem.n:
        return None
    if not any_response and not (space.exact and _is_within(space.r, both)):
        return None
    groups = dict.fromkeys(term.group for term, L in zip(problem.terms, chosen, strict=True) if L.shape[1])
    return Reproduction(tuple(groups), any_response)


def _columns(own: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Z_t times L for each level, of unit length; 0 where a level has nothing of it."""
    out = own @ L
    size, whole = np.linalg.norm(out, axis=0), np.linalg.norm(own, axis=(0, 2))[:, None]
    out = np.divide(out, size, out=np.zeros_like(out), where=size > _SURE * whole)
    return out.reshape(len(out), -1)


def _rank(columns: np.ndarray) -> tuple[int, int]:
    """Least and greatest rank that rounding leaves open."""
    if not columns.size:
        return 0, 0
    sizes = np.linalg.norm(columns, axis=0)
    pivots = np.abs(np.diagonal(qr(columns / np.where(sizes > 0, sizes, 1.0), mode="r", pivoting=True)[0]))
    return int((pivots > _SURE).sum()), int((pivots > _ZERO).sum())


def _is_within(r: np.ndarray, columns: np.ndarray) -> bool:
    left = r - columns @ lstsq(columns, r, cond=_ZERO)[0]
    return bool(np.linalg.norm(left) <= _REPRODUCED * np.linalg.norm(r))
