"""The largest factor eliminated by hand, LAPACK on the rest."""
