"""Compiled loops, alone in importing numba; they are imported where they are called: small models go without."""

from mixedsparse.ground.threads import interrupts_deferred

# Half an import cannot be repeated: after a Ctrl-C here, every later fit of this process would fail.
with interrupts_deferred():
    import mixedsparse.core.compiled  # noqa: F401
