"""Calls of other packages on this engine: statsmodels' ``mixedlm`` and ``MixedLM``, same arguments, same shapes.

==============  ==================================================================
``mixedlm``     `mixedlm` and `MixedLM`: the calls
``facts``       arrays, names and counts of a model
``arguments``   what is checked or ignored of their arguments
``frames``      data frames and formulas to a design
``formulas``    formula, re_formula, vc_formula to one formula with bars
``terms``       patsy's sums of terms
``dialect``     patsy's names and order of the fixed effects
``labels``      names and order of what that formula gives
``arrays``      arrays to a design
``components``  matrices of variance components to random terms
``structure``   which term is what to statsmodels: groups, components, names
``likelihood``  `MixedLM.loglike`, its derivatives, and draws
``results``     `MixedLMResults`
``estimates``   its parameters and their errors
``errors_of``   standard errors of covariance parameters
``ranef``       random effects by group
``testing``     tests of parameters
``tested``      results of tests
``storing``     files, and results without the rows
``warned``      warnings under statsmodels' classes too
``profile``     `MixedLMResults.profile_re`
``summary``     `MixedLMResults.summary`
``tables``      tables of text
``specs``       `VCSpec` and `MixedLMParams`, arguments of the calls
==============  ==================================================================

Where the numbers differ from statsmodels 0.15, on purpose:

- The optimum is exact whatever the optimiser's arguments, which are accepted and not used.
- ``bse`` of fixed effects is sigma (X'V_0^-1 X)^-1/2; statsmodels inverts the joint Hessian, 1e-3 away.
- ``bse_re`` and the summary hold standard errors of the variances themselves; statsmodels multiplies those of
  variance / scale by the root of the scale, which has other units.
- Tests are tables with Satterthwaite's degrees of freedom; their attributes (``.statistic``, ``.pvalue``) are
  statsmodels' asymptotic tests.
- ``aic`` and ``bic`` after REML are numbers (from the restricted likelihood, as in lme4), not NaN.
- ``subset`` selects rows; statsmodels takes the argument and fits all rows.
- ``random_effects`` has no entries for levels of a component that do not occur in the group.
- ``fit_regularized`` and the penalties ``fe_pen`` and ``cov_pen`` are not there; ``free`` may ask for uncorrelated
  random effects only.
- With a variance component whose columns meet in a row, ``"0 + x1 + x2"``, there is no ``mixed``: the results of this
  package know a variance for each term.
- Columns of the fixed part that depend on others are left out, where statsmodels fails or splits their effect.
"""

from mixedsparse.compat.mixedlm import MixedLM, mixedlm
from mixedsparse.compat.results import MixedLMResults
from mixedsparse.compat.specs import MixedLMParams, VCSpec

__all__ = ["MixedLM", "MixedLMParams", "MixedLMResults", "VCSpec", "mixedlm"]
