"""The criterion at one theta, and its derivatives."""
