"""Arguments of statsmodels' calls: which are known, which steer its optimisers only, which ask for another model."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mixedsparse.ground.caller import CallerNames, user_level
from mixedsparse.ground.errors import DataError, OptionError

__all__ = ["check_fit", "check_missing", "environment", "reads_independent", "refuse_missing"]

# Arguments of statsmodels' fit that steer its optimisers.
_OPTIMISER = {
    *("avextol", "callback", "disp", "eps", "epsilon", "factr", "ftol", "gtol", "iprint", "m", "maxcor", "maxfev"),
    *("maxfun", "maxiter", "maxls", "norm", "pgtol", "retall", "skip_hessian", "tol", "warn_convergence", "xtol"),
    *("do_cg", "full_output", "method", "niter_sa", "xatol", "fatol", "adaptive", "initial_simplex", "direc", "maxcg"),
}
# What statsmodels' other models take and its MixedLM warns of: the fit goes on without it.
_NOT_USED = {
    "cov_type": "standard errors are those of the model, not robust ones",
    "cov_kwds": "standard errors are those of the model, not robust ones",
    "use_t": "tests of single parameters are normal; mixed.coef_table() has degrees of freedom",
}
_MISSING = ("none", "drop", "raise")


def check_missing(missing: str) -> None:
    """Refuse an unknown way with missing values."""
    if missing not in _MISSING:
        raise OptionError(f"missing={missing!r} is not known; use one of {', '.join(map(repr, _MISSING))}.")


def refuse_missing(missing: Mapping[str, int], n: int) -> None:
    """Raise DataError when a column has `missing` values, counted in each."""
    if missing:
        counts = ", ".join(f"{count} in {name!r}" for name, count in missing.items())
        raise DataError(
            f"Values are missing in the {n} rows ({counts}): leave these rows out with missing='drop', or fill them in."
        )


def environment(eval_env: int | None, depth: int) -> Mapping[str, Any]:
    """Names that formulas may use: of the frame `depth` above the calling function, `eval_env` frames higher up."""
    if eval_env is not None and not (isinstance(eval_env, int) and -1 <= eval_env < 2**15):
        raise OptionError(f"eval_env={eval_env!r} is not known: give a number of frames, or -1 for no names at all.")
    return {} if eval_env == -1 else CallerNames(depth + 1 + (eval_env or 0))


def check_fit(start_params: Any, penalties: Collection[Any], others: Collection[str]) -> None:
    """Refuse arguments of fit that are not known or ask for another model; `others` are not in its signature."""
    for name, instead in _NOT_USED.items():
        if name in others:
            text = f"Argument {name} is not used by MixedLM.fit: {instead}."
            warnings.warn(text, FutureWarning, stacklevel=user_level())
    unknown = sorted(set(others) - _OPTIMISER - set(_NOT_USED))
    if unknown:
        raise OptionError(
            f"A fit has no argument {', '.join(map(repr, unknown))}. It takes those of statsmodels' fit, and of its "
            f"optimisers: {', '.join(sorted(_OPTIMISER))}."
        )
    if isinstance(start_params, bool):
        raise OptionError("The first argument of fit is start_params, as in statsmodels: write reml=True or False.")
    if any(penalty is not None for penalty in penalties):
        raise OptionError("Penalised fits (fe_pen, cov_pen) are not supported: leave the penalty out.")


def reads_independent(free: Any, k_re: int) -> bool:
    """Whether the mask `free` asks for random effects without correlations.

    Raises
    ------
    OptionError
        It asks for anything else than all parameters, or all but the correlations.
    """
    if free is None:
        return False
    parts = ("fe_params", "cov_re", "vcomp")
    if not all(hasattr(free, part) for part in parts):
        raise OptionError(
            f"free={free!r} does not say which parameters to estimate: give a MixedLMParams, of mixedsparse.compat or "
            "of statsmodels, with ones for these, or leave it out to estimate all."
        )
    fixed, cov, components = (np.asarray(getattr(free, part)) for part in parts)
    if cov.shape != (k_re, k_re) or not (np.all(fixed == 1) and np.all(components == 1)):
        raise OptionError(
            f"free must have cov_re of shape {(k_re, k_re)} and ones as fe_params and vcomp: parameters cannot be held "
            "at their starting values."
        )
    if np.array_equal(cov, np.eye(k_re)):
        return k_re > 1
    if np.array_equal(cov, np.ones_like(cov)):
        return False
    raise OptionError("free.cov_re must be ones, or the identity matrix for random effects without correlations.")
