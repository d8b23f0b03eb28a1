"""Diagnostics of a fit: functions of a `mixedsparse.fitted.fitted.Fitted`.

==============  ======================================================================================================
``residuals``   residuals of all kinds
``leverage``    diagonal of the hat matrix; Cook's distance of single rows
``influence``   what the estimates would be without a row, or without a level of a grouping factor
``vif``         variance inflation of the fixed effects
``scaled``      residuals as quantiles of simulated responses, and tests of them
==============  ======================================================================================================
"""
