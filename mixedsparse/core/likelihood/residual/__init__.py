"""The criterion as a function of the parameters of the residual covariance too."""
