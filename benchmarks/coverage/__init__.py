"""Coverage of intervals and error rates of tests, by simulation of designs whose truth is known."""
