"""Plots of a fit: functions of a `Fitted` that draw into Axes. matplotlib is imported when one is called.

==================  ==========================================================================================
``accessor``        `Plots`, which is ``results.plot``: one method per plot, with its documentation
``random_accessor`` its methods about random effects
``axes``            figures and panels, clouds of points, smooth trends
``looks``           colours, lines and marks; legends beside the points
``words``           labels that fit: wrapped, turned, or left out
``residuals``       residuals, scale-location, normal quantiles
``modes``           random effects: caterpillar, normal quantiles, pairs
``shrinkage``       conditional modes against least squares within groups
``effects``         partial effects with bands, ``observed`` responses behind them
``forest``          coefficients, and any estimates in rows
``means``           marginal means, ``arrows`` that compare them, contrasts
``influence``       Cook's distances
``simulated``       residuals by simulation, simulated responses
``page``            the page of checks
``generalized``     what only generalized fits draw
``parameters``      likelihood profiles and bootstrap densities
``sparsity``        patterns of Z'Z and of its Cholesky factor
==================  ==========================================================================================
"""

from mixedsparse.plotting.accessor import Plots

__all__ = ["Plots"]
