"""The certificate of a fit: how far from stationary, how curved, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.optimize import Search, Stop
from mixedsparse.core.problem import Problem

__all__ = ["Certificate", "certify"]

# A relative direction whose standard deviation, over the largest of its term, is below this has no variance.
_NO_VARIANCE = 1e-6
# Directions that the message spells out; `Certificate.boundary` has them all.
_SHOWN = 2
# Slack, relative to the largest eigenvalue, before negative curvature counts.
_NEGATIVE = 1e-7


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
    verdict : {"converged", "converged on the boundary", "stopped early"}
    message : str
        The verdict as a sentence.
    """

    scaled_gradient: float
    smallest_eigenvalue: float
    hessian: str
    boundary: tuple[str, ...]
    verdict: str
    message: str

    @property
    def converged(self) -> bool:
        """Whether the end of the search is an optimum."""
        return self.verdict != "stopped early"


def certify(problem: Problem, search: Search, templates: list[np.ndarray]) -> Certificate:
    """Judge the end of `search`; `templates` are the lower triangles in the user's basis, theta order."""
    boundary = tuple(phrase for i, lam in enumerate(templates) for phrase in _flat_directions(problem, i, lam))
    step = search.step
    highest = float(np.abs(search.derivatives.hessian).max()) if search.derivatives.hessian is not None else 1.0
    saddle = step.lowest < -_NEGATIVE * highest
    if search.stop is not Stop.CONVERGED or saddle:
        verdict = "stopped early"
        why = "negative curvature is left" if search.stop is Stop.CONVERGED else search.stop.value
        message = (
            f"Stopped early after {search.nfev} evaluations: {why} (scaled gradient {step.scaled_gradient:.1e}). "
            "Estimates are not at an optimum; raise options.max_evals, or simplify the random effects."
        )
    elif boundary:
        verdict = "converged on the boundary"
        message = f"Converged on the boundary: no variance for {_summarise(boundary)}."
    else:
        verdict = "converged"
        message = "Converged: the gradient vanishes and the curvature is positive in every direction."
    return Certificate(
        scaled_gradient=step.scaled_gradient,
        smallest_eigenvalue=step.lowest,
        hessian=search.derivatives.kind,
        boundary=boundary,
        verdict=verdict,
        message=message,
    )


def _flat_directions(problem: Problem, position: int, lam: np.ndarray) -> list[str]:
    """Phrases for the combinations of effects of one term that have no variance."""
    term = problem.terms[position]
    # Scaled by the size of each basis column, so that units do not decide what counts as zero.
    size = np.sqrt(np.einsum("ij,ij->j", term.z, term.z) / max(len(term.z), 1))
    size[size == 0] = 1.0
    scaled = lam * size[:, None]
    spread = float(np.abs(scaled).max())
    still = np.linalg.norm(scaled, axis=1) <= _NO_VARIANCE * spread
    if spread < _NO_VARIANCE:
        still[:] = True
    phrases = [f"{name} in {term.group}" for name, zero in zip(term.columns, still, strict=True) if zero]
    moving = np.flatnonzero(~still)
    if not len(moving):
        return phrases
    rows = scaled[moving] / np.linalg.norm(scaled[moving], axis=1)[:, None]
    values, vectors = np.linalg.eigh(rows @ rows.T)
    for vector in vectors.T[values < _NO_VARIANCE * len(moving)]:
        weights = vector / vector[np.abs(vector).argmax()]
        parts = [f"{w:+.2f} {term.columns[j]}" for w, j in zip(weights, moving, strict=True) if abs(w) > 0.05]
        phrases.append(f"{' '.join(parts)} (SD units) in {term.group}")
    return phrases


def _summarise(boundary: tuple[str, ...]) -> str:
    """Spell out the first directions, and count the others."""
    shown = "; ".join(boundary[:_SHOWN])
    more = len(boundary) - _SHOWN
    return f"{shown}; and {more} more direction{'s' * (more > 1)}" if more > 0 else shown
