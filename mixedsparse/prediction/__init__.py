"""What a fit says of rows, its own or new ones: functions of a `mixedsparse.fitted.fitted.Fitted`.

==============  ==================================================================
``rows``        rows in the encoding of the fit, with offset and weights
``predict``     means, conditional on random effects or not
``intervals``   variance of the error of a mean, from beta and b together
``simulate``    new responses
==============  ==================================================================
"""
