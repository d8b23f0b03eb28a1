"""Compiled loops over rows, below everything that has rows; imported where they are called, by generalized models."""

from mixedsparse.ground.threads import interrupts_deferred

# Half an import cannot be repeated: after a Ctrl-C here, every later fit of this process would fail.
with interrupts_deferred():
    import numba  # noqa: F401

    from mixedsparse.core.compiled import told  # noqa: F401
