"""Profiles where covariances have structures: one quantity that users know is held, all others are optimised anew."""
