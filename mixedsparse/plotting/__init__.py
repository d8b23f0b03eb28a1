"""Plots of a fit: functions of a `Fitted` that draw into Axes. matplotlib is imported when one is called.

==================  ==========================================================================================
``accessor``        `Plots`, which is ``results.plot``: one method per plot, with its documentation
``random_accessor`` its methods about random effects
``axes``            figures and panels, clouds of points, smooth trends
``residuals``       residuals, scale-location, normal quantiles
``modes``           random effects: caterpillar, normal quantiles, pairs
``shrinkage``       conditional modes against least squares within groups
``effects``         partial effects with bands
``generalized``     what only generalized fits draw
``parameters``      likelihood profiles and bootstrap densities
``sparsity``        patterns of Z'Z and of its Cholesky factor
==================  ==========================================================================================
"""

from mixedsparse.plotting.accessor import Plots

__all__ = ["Plots"]
