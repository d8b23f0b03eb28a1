"""Direct engines: M(theta) factorised, whole by CHOLMOD, or the largest factor by hand and the rest by LAPACK."""
