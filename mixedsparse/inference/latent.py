"""Shares of variance of generalized models, on the scale of the linear predictor.

The variance of the response around its conditional mean is put on that scale as the distribution's own (Nakagawa,
Johnson & Schielzeth 2017, J. R. Soc. Interface 14, 20170213): pi^2 / 3 for a logit link, 1 for probit, pi^2 / 6 for
cloglog; log(1 + v / mu^2) with the family's variance v at mean mu for a log link, mu from the model without predictors;
v (d eta / d mu)^2 for the other links. A random effect with one level for each row is overdispersion, and counts there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.data.derived import constant_only
from mixedsparse.fitted.generalized import GeneralizedModel, fit_generalized_model
from mixedsparse.inference.r2 import VarianceShares, variance_shares

if TYPE_CHECKING:
    from mixedsparse.data.derived import constant_only
from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["latent_shares"]

_LATENT = {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0}


def latent_shares(fitted: GeneralizedFitted) -> VarianceShares:
    """Variance of the linear predictor by source; ``residual`` is the distribution's, overdispersion included."""
    shares = variance_shares(fitted)
    alone = {term.group for term in fitted.problem.terms if term.n_levels == fitted.nobs and term.k == 1}
    random = {group: value for group, value in shares.random.items() if group not in alone}
    over = sum(shares.random[group] for group in alone)
    return VarianceShares(shares.fixed, random, distribution_variance(fitted) + over)


def distribution_variance(fitted: GeneralizedFitted) -> float:
    """Variance of the response around its mean, on the scale of the linear predictor."""
    link = fitted.family.link.name
    if link in _LATENT:
        return _LATENT[link]
    null = _null(fitted)
    eta = np.asarray([float(null.fit.beta[0])])
    means = fitted.family.link.means(eta)
    psi = null.psi
    variance = float(fitted.family.variance(means.mu, np.ones(1), psi)[0])
    if link == "log":
        return float(np.log1p(variance / means.mu[0] ** 2))
    return float(variance / means.d1[0] ** 2)


def _null(fitted: GeneralizedFitted) -> GeneralizedFitted:
    """Fit the model with an intercept alone, and the same random effects."""
    design = fitted.design
    if fitted.x_names == ["Intercept"]:
        return fitted
    model = GeneralizedModel(constant_only(design), fitted.family)
    return fitted.once("null model", lambda own: fit_generalized_model(model, own.fit.nodes))
