"""Inference on fits of generalized models.

==============  ========================================================================================================
``tables``      Wald tests of coefficients, one at a time (z) and together (chi-squared)
``intervals``   confidence intervals by three methods
``refits``      the same model for other responses, other columns, other random effects, fewer rows
``ratios``      likelihood ratios: of several fits, of single terms, of random effects
``charts``      one parameter held at a value: what is left is an affine piece of the space of parameters
``profile``     likelihood profiles
``bootstrap``   replicates from simulated responses
==============  ========================================================================================================
"""
