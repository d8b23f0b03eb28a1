"""Whether one residual covariance contains another, as likelihood ratios need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.product import Product
from mixedsparse.data.formula.residual_text import read_residual
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.data.formula.residual import ResidualSide
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["check_nested_residuals"]

# Structure and whether visits have one variance -> those that contain it.
_WIDER = {
    ("cs", True): {("cs", False), ("toep", True), ("toep", False), ("us", False)},
    ("ar1", True): {("ar1", False), ("toep", True), ("toep", False), ("us", False)},
    ("cs", False): {("toep", False), ("us", False)},
    ("ar1", False): {("toep", False), ("us", False)},
    ("toep", True): {("toep", False), ("us", False)},
    ("toep", False): {("us", False)},
}
# Share of a covariate that the others may leave.
_SPANNED = 1e-8


def check_nested_residuals(models: Sequence[Fitted], labels: Sequence[str]) -> None:
    """Refuse models, by number of parameters, of which one has a residual covariance that the next does not contain.

    Raises
    ------
    OptionError
    """
    for i in range(1, len(models)):
        small, large = models[i - 1], models[i]
        if small.design.residual is None and large.design.residual is None:
            continue
        if not _contains(large, small):
            texts = [_text(model) for model in (small, large)]
            raise OptionError(
                f"{labels[i - 1]} ({texts[0]}) is no special case of {labels[i]} ({texts[1]}), so the likelihood ratio "
                "is not chi-squared: compare AIC or BIC, e.g. by mixedsparse.compare."
            )


def _text(fitted: Fitted) -> str:
    side = fitted.design.residual
    return "independent residuals of one variance" if side is None else side.text


def _contains(large: Fitted, small: Fitted) -> bool:
    if large.design.residual is None:
        return False
    inner, outer = _correlation(small.design.residual), _correlation(large.design.residual)
    return _terms(small, large, outer) and _within(inner, outer) and _spread(small, large)


def _correlation(side: ResidualSide | None) -> tuple[str, bool, str, str] | None:
    """Structure, whether it has one variance, order and group; None for independent residuals."""
    if side is None or side.residual is None:
        return None
    text = read_residual(side.residual)
    return text.kind, text.hom, text.left, text.group


def _within(inner: tuple[str, bool, str, str] | None, outer: tuple[str, bool, str, str] | None) -> bool:
    if inner is None or inner == outer:
        return True
    if outer is None or inner[3] != outer[3]:
        return False
    same_order = inner[2] == outer[2] or "1" in (inner[2], outer[2])
    return same_order and (inner[:2] == outer[:2] or outer[:2] in _WIDER.get(inner[:2], set()))


def _terms(small: Fitted, large: Fitted, outer: tuple[str, bool, str, str] | None) -> bool:
    """Whether the random effects of the smaller model are in the larger one, or its residual covariance has them."""
    known = {(term.group, name) for term in large.problem.terms for name in term.columns}
    others = [term for term in small.problem.terms if not all((term.group, name) in known for name in term.columns)]
    if not others:
        return True
    takes = outer is not None and outer[0] in ("cs", "toep", "us") and not (outer[0] == "cs" and not outer[1])
    return takes and all(term.group == outer[3] and term.columns == ("Intercept",) for term in others if outer)


def _spread(small: Fitted, large: Fitted) -> bool:
    """Whether the covariates of log variance are combinations of those of the larger model."""
    own, other = _covariates(small), _covariates(large)
    if own is None:
        return True
    if other is None:
        return False
    columns = np.column_stack([np.ones(len(other)), other])
    left = own - columns @ np.linalg.lstsq(columns, own, rcond=None)[0]
    return bool((np.linalg.norm(left, axis=0) <= _SPANNED * np.linalg.norm(own, axis=0)).all())


def _covariates(fitted: Fitted) -> np.ndarray | None:
    structure = None if fitted.design.residual is None else fitted.design.residual.structure
    found = structure.spread if isinstance(structure, Product) else structure
    return found.W if isinstance(found, Dispersion) else None
