"""Solutions without a factorisation: conjugate gradients and stochastic traces, for factors that are too big."""
