"""Covariance structures: parameters phi of the covariance of the effects of a level, one file each."""
