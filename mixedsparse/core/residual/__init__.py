"""Residual structures: covariance sigma^2 R(phi) of the residuals of the rows, one file each."""
