"""Fits of generalized linear mixed models: theta, beta and the log dispersion psi together, by Newton's method.

The way in is

    fit_generalized(engine, family, y, weights=None, offset=None, *, nodes=1, start=None, options=None, progress=None,
                    errors=True) -> GeneralizedFit

with the engine of a `Problem` that was made from any response (zeros will do) without weights, a family of
`core.likelihood.family` such as ``FAMILIES["binomial"]("logit")``, and arrays (n,): y holds proportions for a binomial
family, whose `weights` are its trials. `GeneralizedFit` is in the user's units; `conditional_blocks(fit)` gives
the conditional covariances of the random effects. Where there is no optimum the fit carries a verdict
(`GeneralizedFit.certificate`) and NaN in place of numbers.
"""

from __future__ import annotations

from mixedsparse.core.fitting.laplace.fit import fit_data, fit_generalized, make_criterion, make_data
from mixedsparse.core.fitting.laplace.modes import conditional_blocks
from mixedsparse.core.fitting.laplace.restricted import Restricted, minimise_within, without_effects
from mixedsparse.core.fitting.laplace.result import GeneralizedFit, Pieces
from mixedsparse.core.fitting.laplace.verdict import GeneralizedCertificate

__all__ = [
    "GeneralizedCertificate",
    "GeneralizedFit",
    "Pieces",
    "Restricted",
    "conditional_blocks",
    "fit_data",
    "fit_generalized",
    "make_criterion",
    "make_data",
    "minimise_within",
    "without_effects",
]
