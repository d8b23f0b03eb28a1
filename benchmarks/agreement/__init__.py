"""Every figure beside lme4's: behind ``python -m benchmarks.agreement``."""
