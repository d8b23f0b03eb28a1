"""The engine beside the kernels that nothing exact avoids: behind ``python -m benchmarks.limits``."""
