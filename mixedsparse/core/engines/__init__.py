"""Ways to factorise M(theta): split, CHOLMOD, dense, iterative; compiled kernels."""
