"""Arrays in, arrays out: the penalised least-squares engine (numpy, scipy and the kernels only)."""
