"""The certificate of a generalized fit: how far from stationary, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.fitting.certificate import flat_directions, shortfall
from mixedsparse.core.fitting.laplace.search import Found
from mixedsparse.core.fitting.laplace.separation import Separation
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.likelihood.laplace.data import Data

__all__ = ["GeneralizedCertificate", "certify_generalized", "not_estimable", "one_outcome", "runaway", "separated"]

# Negative curvature of the scaled Hessian that counts.
_NEGATIVE = 1e-5
# Scaled gradient, which is about the distance from the optimum in standard errors, from which on the digits of the
# criterion are too few; up to which a search that sees no fall any more has ended by rounding. Digits of the criterion.
_ROUGH, _UNSEEN = 0.01, 0.1
# Linear predictors, over their median, that are next to 0.
_EDGE = 1e-3
_DIGITS = 1e-13


@dataclass(frozen=True, slots=True)
class GeneralizedCertificate:
    """What is known of the end of the search.

    Attributes
    ----------
    verdict : str
        ``"converged"``, ``"converged on the boundary"``, ``"stopped early"``, ``"rounding"`` (no nearer to the optimum
        than the digits of the criterion allow), ``"at the edge of the link"`` (means of some rows at the end of their
        range), ``"separated"`` (coefficients grow without limit) or ``"variance not estimable"``.
    message : str
        The verdict as a sentence.
    scaled_gradient : float
        sqrt(g'H^-1 g) at the end; its square over 2 is the fall of the criterion that is left.
    smallest_eigenvalue : float
        Of the Hessian that the search used.
    boundary : tuple of str
        Directions without variance, one phrase each.
    columns : tuple of int
        Columns of X, among those kept, that have no finite estimate.
    rows : tuple of int
        Some of the rows whose outcome these make certain, or whose means lie at the edge of the link.
    groups : tuple of str
        Grouping factors whose variance has no estimate.
    hints : tuple of str
        Sentences of advice.
    limit : str
        The model to which the dispersion leads that lies at the end of its range; empty where it does not.
    """

    verdict: str
    message: str
    scaled_gradient: float = float("nan")
    smallest_eigenvalue: float = float("nan")
    boundary: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    limit: str = ""

    @property
    def converged(self) -> bool:
        """Whether the end of the search is an optimum."""
        return self.verdict.startswith("converged")


# Rows that a certificate lists.
_LISTED = 20


def separated(found: Separation) -> GeneralizedCertificate:
    """Return the certificate of responses that the fixed part separates."""
    message = (
        f"Separated: {len(found.rows):,} outcomes can be made certain by coefficients that grow without limit, so that "
        "these have no estimate. Leave out the columns concerned, or join cells in which all outcomes are equal."
    )
    columns, rows = tuple(found.columns.tolist()), tuple(found.rows[:_LISTED].tolist())
    return GeneralizedCertificate("separated", message, columns=columns, rows=rows)


def not_estimable(groups: tuple[str, ...]) -> GeneralizedCertificate:
    """Return the certificate of a factor each of whose levels has one and the same outcome throughout."""
    names = ", ".join(groups)
    message = (
        f"Variance not estimable: every level of {names} has only successes or only failures, so that the likelihood "
        "rises as its variance grows without limit. Leave the term out, or use a coarser factor."
    )
    return GeneralizedCertificate("variance not estimable", message, groups=groups)


def one_outcome(groups: tuple[str, ...]) -> GeneralizedCertificate:
    """Return the certificate of intercepts of levels each of which has a single binary outcome."""
    names = ", ".join(groups)
    message = (
        f"Variance not estimable: every level of {names} has one binary outcome, which tells nothing of its variance "
        "(another one only rescales the coefficients). Leave the term out, or count the outcomes of rows that agree."
    )
    return GeneralizedCertificate("variance not estimable", message, groups=groups)


def runaway(groups: tuple[str, ...]) -> GeneralizedCertificate:
    """Return the certificate of a search in which a variance grew beyond all bounds."""
    names = ", ".join(groups)
    message = (
        f"Variance not estimable: the likelihood rises until the standard deviation of {names} is beyond all meaning "
        "(20 on the scale of the linear predictor), since nearly all outcomes of a level are equal. Leave the term "
        "out, use a coarser factor, or compare with nAGQ=7."
    )
    return GeneralizedCertificate("variance not estimable", message, groups=groups)


# Family -> what happens to it as the criterion falls with the dispersion for ever.
_LIMITS = {
    "negative_binomial": "the size grows without limit, as if counts were Poisson",
    "nb1": "the variance over the mean falls to 1, as if counts were Poisson",
    "gamma": "the shape grows without limit, as if random effects left no variance",
    "inverse_gaussian": "the precision grows without limit, as if random effects left no variance",
}


def certify_generalized(
    data: Data, found: Found, eta: np.ndarray, hints: tuple[str, ...], flat: bool = False
) -> GeneralizedCertificate:
    """Judge the end of a search, with linear predictors eta (n,); `flat`: it bends no more in the dispersion."""
    problem, step = data.problem, found.step
    lams = problem.layout.lams(found.point.parameters.theta)
    boundary = tuple(
        phrase for i, b in enumerate(problem.layout.term_block) for phrase in flat_directions(problem, i, lams[b])
    )
    limit, rows = _LIMITS[data.family.name] if flat else "", ()
    highest = float(np.abs(found.curvature.hessian).max(initial=0.0))
    saddle = not flat and step.lowest < -_NEGATIVE * highest
    if not saddle and _is_rounding(found):
        verdict = "rounding"
        message = (
            "Rounding hides any further fall of the criterion: estimates may be off by "
            f"{step.scaled_gradient / np.sqrt(2.0):.2g} standard errors or more, since counts, trials, weights or a "
            "dispersion are so large that responses are almost exact. Add a random effect for each row, or fit the "
            "transformed response by mixedsparse.lmer."
        )
    elif found.stop is not Stop.CONVERGED and len(edge := _at_edge(data, eta)):
        verdict, rows = "at the edge of the link", tuple(edge[:_LISTED].tolist())
        message = (
            f"At the edge of the {data.family.link.name} link: the linear predictor falls to 0 in {len(edge):,} "
            f"row{'s' * (len(edge) > 1)} (the first is row {edge[0]}), beyond which there is no mean, so that the "
            "likelihood has no optimum inside. Use link='log'."
        )
    elif found.stop is not Stop.CONVERGED or saddle:
        why = "negative curvature is left" if found.stop is Stop.CONVERGED else found.stop.value
        verdict = "stopped early"
        message = (
            f"Stopped early after {found.nfev} evaluations: {why} (scaled gradient {step.scaled_gradient:.1e}). "
            "Estimates are not at an optimum; raise options.max_evals, or simplify the random effects."
        )
    elif boundary or limit:
        verdict = "converged on the boundary"
        parts = [shortfall(problem, boundary)] if boundary else []
        message = f"Converged on the boundary: {'; '.join([*parts, limit] if limit else parts)}."
    else:
        verdict = "converged"
        message = "Converged: the gradient vanishes and the curvature is positive in every direction."
    return GeneralizedCertificate(
        verdict, message, step.scaled_gradient, step.lowest, boundary, rows=rows, hints=hints, limit=limit
    )


def _at_edge(data: Data, eta: np.ndarray) -> np.ndarray:
    """Rows whose linear predictors are next to 0, where a link ends there."""
    if data.family.link.takes_all:
        return np.zeros(0, dtype=int)
    return np.flatnonzero(eta < _EDGE * np.median(eta))


def _is_rounding(found: Found) -> bool:
    """Whether the search ended at the last digit of the criterion, too far from the optimum to be called there."""
    scaled = found.step.scaled_gradient
    if found.stop is Stop.CONVERGED:
        return scaled > _ROUGH and 0.5 * scaled**2 <= _DIGITS * abs(found.point.criterion)
    return found.stop is Stop.NO_PROGRESS and scaled < _UNSEEN
