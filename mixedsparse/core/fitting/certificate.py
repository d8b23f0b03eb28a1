"""The certificate of a fit: how far from stationary, how curved, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.fitting.identification import Unidentified
from mixedsparse.core.fitting.outcome import Search, Stop, is_saddle
from mixedsparse.core.fitting.unbounded import Reproduction
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["Certificate", "certify", "flat_directions", "shortfall"]

# A direction whose standard deviation over sigma (whitened, so without units) is below this has no variance.
_NO_VARIANCE = 1e-6
_ROUNDING = 1e-12
# Slack for an effect that lies in the null space by itself.
_ALONE = 1e-6
# Effects whose shares of the null space differ by less than this lie in it equally.
_TIE = 1e-4
# Directions, and characters, that the message spells out; `Certificate.boundary` has them all.
_SHOWN, _LINE = 2, 60
# Error of the criterion from which on there is no optimum to speak of.
_NOISIEST = 1e-4


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of the end of the search.

    Attributes
    ----------
    scaled_gradient : float
        sqrt(g' H^-1 g): the distance to the stationary point in units of curvature; its square over 2 is the fall of
        the criterion that is left.
    smallest_eigenvalue : float
        Of the Hessian in whitened theta; negative at a saddle.
    hessian : str
        ``"exact"`` or ``"average information"``.
    boundary : tuple of str
        Directions without variance, one phrase each; empty for an interior optimum.
    verdict : {"converged", "converged on the boundary", "not identified", "stopped early"}
        "not identified": the criterion is at its optimum, but other covariance parameters have the same.
    message : str
        The verdict as a sentence; of the boundary it tells no more than a line has room for.
    unidentified : tuple of str
        Covariance parameters that the design does not identify, named as in ``conf_int``; empty if it does all.
    noise : float
        Rounding error of the criterion at the end of the search, an estimate; a fit whose criterion is not known to
        1e-4 stopped early.
    starts, agreed : int
        Points that searches set out from, and how many of these searches ended at the criterion that is reported. One
        where the first end was well inside, or evaluations are dear (`FitOptions.restart_budget`): a verdict speaks of
        the optimum that was found, and several starts that agree are no proof that there is none lower.
    unbounded : bool
        Whether the likelihood (REML or ML, as fitted) is known to have no maximum, so that the verdict is one on a
        local optimum: random and fixed effects reproduce the response, and it grows as these random effects do beside
        the residuals, by ML without limit. It occurs in small models.
    """

    scaled_gradient: float
    smallest_eigenvalue: float
    hessian: str
    boundary: tuple[str, ...]
    verdict: str
    message: str
    unidentified: tuple[str, ...] = ()
    noise: float = float("nan")
    starts: int = 1
    agreed: int = 1
    unbounded: bool = False

    @property
    def converged(self) -> bool:
        """Whether the end of the search is an optimum, though parameters may not be identified there."""
        return self.verdict != "stopped early"


def certify(
    problem: Problem,
    search: Search,
    unidentified: Unidentified | None = None,
    reproduction: Reproduction | None = None,
) -> Certificate:
    """Judge the end of `search`, where some parameters may be `unidentified` and the likelihood may be unbounded."""
    lams = search.pls.lams
    boundary = tuple(
        phrase for i, b in enumerate(problem.layout.term_block) for phrase in flat_directions(problem, i, lams[b])
    )
    step = search.step
    saddle = is_saddle(step.lowest, search.derivatives.hessian, search.theta, problem.n)
    if search.noise > _NOISIEST:
        verdict = "stopped early"
        message = (
            f"Stopped early after {search.nfev} evaluations: rounding leaves an error of about {search.noise:.1g} in "
            "the criterion, so that an optimum cannot be told. The random effects reproduce the response, or a column "
            "of X, almost exactly: subtract a constant from a response that is far from 0 (or give the model an "
            "intercept), or leave out the terms that fit it so closely."
        )
    elif search.stop is not Stop.CONVERGED or saddle:
        verdict = "stopped early"
        why = "negative curvature is left" if search.stop is Stop.CONVERGED else search.stop.value
        mend = "raise options.max_evals, or simplify the random effects"
        if search.stop is Stop.INTERRUPTED:
            mend = "give theta as start= to go on from here"
        message = (
            f"Stopped early after {search.nfev} evaluations: {why} (scaled gradient {step.scaled_gradient:.1e}). "
            f"Estimates are not at an optimum; {mend}."
        )
    elif unidentified is not None:
        verdict = "not identified"
        message = (
            f"Not identified: {'; '.join(unidentified.reasons)}. The criterion is at its optimum, but other values of "
            "these parameters have the same, and standard errors may depend on them: leave out what cannot be told."
        )
        if boundary:
            message += f" On the boundary: {shortfall(problem, boundary)}."
    elif boundary:
        verdict = "converged on the boundary"
        message = f"Converged on the boundary: {shortfall(problem, boundary)}."
    else:
        verdict = "converged"
        message = "Converged: the gradient vanishes and the curvature is positive in every direction."
    if reproduction is not None:
        message += f" {_without_maximum(reproduction, search.pls.reml)}"
    return Certificate(
        scaled_gradient=step.scaled_gradient,
        smallest_eigenvalue=step.lowest,
        hessian=search.derivatives.kind,
        boundary=boundary,
        verdict=verdict,
        message=message,
        unidentified=() if unidentified is None else unidentified.names,
        noise=search.noise,
        starts=search.starts,
        agreed=search.agreed,
        unbounded=reproduction is not None,
    )


def _without_maximum(reproduction: Reproduction, reml: bool) -> str:
    """Say why the likelihood has no maximum, and what to do."""
    groups = ", ".join(reproduction.groups)
    if reproduction.in_its_place:
        return (
            f"But the likelihood is highest where the residual variance goes to 0: the random effects of {groups} are "
            f"then the covariance of the rows themselves. Give it as residual={reproduction.in_its_place!r}, without "
            "the term."
        )
    if reproduction.bounded:
        return (
            f"But the likelihood has no maximum: fixed effects and the random effects of {groups} can reproduce the "
            "response, and it is highest where the residual variance goes to 0. Estimates, likelihood ratios, AIC and "
            "BIC are those of a local optimum at best. Use fewer random or fixed effects."
        )
    first = "Fit by REML (reml=True), or use" if reproduction.any_response and not reml else "Use"
    return (
        "But the likelihood is unbounded: fixed effects and the random effects of "
        f"{groups} reproduce the response exactly, and it grows without limit as these grow "
        "beside the residuals. Estimates, likelihood ratios, AIC and BIC are those of a local optimum at best. "
        f"{first} fewer random or fixed effects."
    )


def flat_directions(problem: Problem, position: int, factor: np.ndarray) -> list[str]:
    """Phrases for the combinations of effects of one term that have no variance.

    The null space is taken of Lambda in the whitened basis, where a covariate far from zero is harmless, and carried
    over to the user's: v'b = 0 there is (T'v)'b = 0 here. Weights are in units of each effect's SD over the rows.
    """
    term, layout = problem.terms[position], problem.layout
    start = layout.term_start[position]
    inside = slice(start, start + term.k)
    own = factor[inside, inside]
    # No singular value is below |det| over the norm to the power k - 1.
    norm = float(np.linalg.norm(own))
    if abs(float(np.prod(np.diagonal(own)))) > (_NO_VARIANCE + _ROUNDING * norm) * norm ** (len(own) - 1):
        return []
    if term.k == 1:
        return [f"{term.columns[0]} in {term.group}"]
    left, sizes, _ = np.linalg.svd(own)
    spare = 0 if term.structure is None else term.k - getattr(term.structure, "rank", term.k)
    if int((sizes < _NO_VARIANCE + _ROUNDING * sizes[0]).sum()) <= spare:
        return []  # a structure of reduced rank has no more directions without variance than it should
    null = layout.whiten[position].T @ left[:, sizes < _NO_VARIANCE + _ROUNDING * sizes[0]]
    if not null.shape[1]:
        return []
    spread = np.linalg.norm(layout.whiten[position], axis=0)  # T'T = z'z / n
    basis, _ = np.linalg.qr(null / spread[:, None])
    alone = np.linalg.norm(basis, axis=1) > 1.0 - _ALONE
    phrases = [f"{name} in {term.group}" for name, flag in zip(term.columns, alone, strict=True) if flag]
    basis[alone] = 0.0
    for weights in _echelon(basis @ basis.T).T:
        parts = [f"{w:+.2f} {name}" for w, name in zip(weights, term.columns, strict=True) if abs(w) > 0.05]
        phrases.append(f"{' '.join(parts)} (SD units) in {term.group}")
    return phrases


def _echelon(projector: np.ndarray) -> np.ndarray:
    """Columns that span the space of `projector`, the same whichever basis it was made of.

    Each column has weight 1 for an effect of its own, for which the others have 0: the effect that lies in the rest of
    the space most, the first of several that do (pivoted Cholesky factor, reduced).
    """
    rest = projector.copy()
    pivots: list[int] = []
    for _ in range(round(float(np.trace(projector)))):
        inside = np.diagonal(rest)
        pivots.append(int(np.argmax(inside > inside.max() - _TIE)))
        column = rest[:, pivots[-1]] / np.sqrt(rest[pivots[-1], pivots[-1]])
        rest = rest - np.outer(column, column)
    chosen = projector[:, pivots]
    return np.linalg.solve(chosen[pivots].T, chosen.T).T if pivots else chosen


def shortfall(problem: Problem, boundary: tuple[str, ...]) -> str:
    """Say in a line what has no variance: the directions where they fit it, else how many of each grouping factor."""
    spelled = f"no variance for {'; '.join(boundary)}"
    if len(boundary) <= _SHOWN and len(spelled) <= _LINE:
        return spelled
    counts = []
    for group in dict.fromkeys(term.group for term in problem.terms):
        lost = sum(phrase.endswith(f" in {group}") for phrase in boundary)
        if lost:
            every = sum(_dimensions(term) for term in problem.terms if term.group == group)
            counts.append(f"{group} supports {every - lost} of {every} dimensions")
    return f"{', '.join(counts)}; see rePCA() and ms.parsimony(fit)"


def _dimensions(term: RandomTerm) -> int:
    """Directions in which the effects of a term may vary."""
    return term.k if term.structure is None else min(term.k, getattr(term.structure, "rank", term.k))
