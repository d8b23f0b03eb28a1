"""Inference on a fit: functions of a `mixedsparse.fitted.fitted.Fitted` that return tables and small frozen results.

==================  ====================================================================================================
``coefficients``    table of the fixed effects; ``components``: of variances; ``modes``: of random effects
``labels``          arrays to Series; ``matrices``, ``implied``: the model's matrices, the covariance of observations
``contrast``        tests of linear functions of the fixed effects, shared by everything that tests them
``denominators``    the methods for degrees of freedom, by name
``satterthwaite``   denominator degrees of freedom from exact derivatives (``curvature``: the Hessian)
``kenward_roger``   adjusted covariance and degrees of freedom, in q-space
``linear``          what a user means by L: arrays, weights by coefficient, text
``hypotheses``      hypotheses of type I, II and III for the terms of the fixed part
``anova``           F tables by term, t-tests and F tests of linear functions
``refit``           reduced models from the columns of a fit
``lrt``             likelihood-ratio table of several fits (``comparable``: whether they rest on the same data)
``ranova``          likelihood-ratio tests of random effects
``drop1``           single-term deletions of the fixed part
``grid``            reference grid
``emmeans``         marginal means and trends
``means``           their tables and contrasts (``contrasts_of_means``: coefficients, ``adjust``: multiplicity)
``joint``           joint tests
``pca``, ``r2``     principal components of random effects; R2 and ICC
``caic``            conditional AIC
``parsimony``       from a maximal to a parsimonious random part (``random_search``: the models and steps)
``parameters``      all parameters by name; ``coordinates``: the chart of each
``profile``         likelihood profiles; ``curves``: one parameter's, and its limits
``bootstrap``       replicates and their intervals; ``replicates``, ``cases``: how they are made
``intervals``       confidence intervals by three methods
``responses``       the same model for another response; ``deletions``: without some of its rows
``drawing``         how profiles and bootstraps draw themselves
``workers``         tasks here, or by joblib
==================  ====================================================================================================
"""
