"""The paragraph for the methods section: what was fitted, how, by what, and what came of it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.ground.version import __version__
from mixedsparse.report.degrees import WORDS
from mixedsparse.report.parts import sizes_of

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["methods_text"]


def methods_text(fitted: Fitted, ddf: str = "satterthwaite") -> str:
    """See `MixedResults.report`."""
    return " ".join([_model(fitted), _tests(fitted, ddf), _outcome(fitted), _software()])


def _model(fitted: Fitted) -> str:
    design = fitted.design
    kind = f"a linear mixed model by {'restricted ' * fitted.reml}maximum likelihood"
    if not fitted.has_residual:
        kind = fitted.title.replace("Generalized", "a generalized", 1).replace("fitted by ML", "by maximum likelihood")  # type: ignore[attr-defined]
    groups = _listed([f"{levels} levels of {group}" for group, levels in sizes_of(fitted).items()])
    left_out = f" ({design.nmissing} rows with missing values were left out)" if design.nmissing else ""
    text = f"We fitted {kind}, to {fitted.nobs} observations" + (f" from {groups}" if groups else "") + f"{left_out}: "
    text += f"{fitted.model.formula}."
    random = [f"{_effects(fitted, group)} by {group}" for group in fitted.ngroups]
    if random:
        text += f" The random part has {_listed(random)}."
    if design.residual is not None:
        text += f" Residuals: {design.residual.text}."
    return text


def _effects(fitted: Fitted, group: str) -> str:
    """Tell intercepts and slopes of one grouping factor, and whether they are correlated."""
    names = list(dict.fromkeys(fitted.effects_of(group)))
    slopes = [name for name in names if name != "Intercept"]
    parts = (["intercepts"] if "Intercept" in names else []) + ([f"effects of {_listed(slopes)}"] if slopes else [])
    terms = fitted.terms_of[group]
    structures = [fitted.problem.terms[t].structure for t in terms]
    free = len(terms) == 1 and structures[0] is None
    correlated = "" if len(names) < 2 else " (correlated)" if free else " (not all correlated)"
    return " and ".join(parts) + correlated


def _tests(fitted: Fitted, ddf: str) -> str:
    if not len(fitted.fit.beta):
        return "There are no fixed effects to test."
    return f"Coefficients were tested {WORDS[ddf].tested}."


def _outcome(fitted: Fitted) -> str:
    certificate = fitted.fit.certificate
    if not fitted.converged:
        return f"The fit is not to be relied on. {certificate.message}"
    if not fitted.singular:
        return "The fit converged, and no variance was estimated as zero."
    directions = len(certificate.boundary)
    what = certificate.boundary[0] if directions == 1 else f"{directions} directions of the random effects"
    return (
        f"The fit is singular: the variance of {what} was estimated as zero; the random part was kept as it is, and "
        "the estimates are those at this boundary."
    )


def _software() -> str:
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"Models were fitted with mixedsparse {__version__} ({versions})."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
