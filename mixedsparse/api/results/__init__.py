"""Results of a fit: labels on the arrays of `mixedsparse.core.fitting.estimates.Fit`, one mixin per topic.

========================  ==========================================================================
``results.MixedResults``  the class itself: model, fit, summary
``base``                  what the mixins share: the fields, and properties that are computed once
``estimates``             fixed effects: params, bse, coef_table, cov_params
``covariance``            covariance parameters: theta, sigma, varcorr, cov_re, vcomp
``effects``               random effects: random_effects and its covariances, conditional_cov, ngroups
``criteria``              criterion, llf, aic, bic, degrees of freedom, nobs
``fitted``                fittedvalues, resid, marginal_cov
``outcome``, ``solver``   converged, singular, optim, certificate; solver, cost, monte_carlo
``internals``             get(name): the matrices of the model
``testing``               anova, ranova, drop1, t_test, wald_test
``intervals``             conf_int, profile, bootstrap, refit
``means``                 emmeans, emtrends, joint_tests
``indices``               rePCA, icc, r2, caic, parsimony
``prediction``            predict, simulate
``diagnostics``           residuals, leverage, influence, vif, scaled_residuals
``tables``                tidy, glance, augment, journal, to_latex
``plots``, ``saving``     plot; save
========================  ==========================================================================

A topic that computes something new (inference, prediction, plots) is a package of its own, and its mixin
imports that package inside the method.
"""

from mixedsparse.api.results.outcome import OptimResult
from mixedsparse.api.results.results import MixedResults

__all__ = ["MixedResults", "OptimResult"]
