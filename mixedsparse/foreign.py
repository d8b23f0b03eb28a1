"""Names and arguments that users bring from other packages and that this one does not have: what to use instead."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from mixedsparse.errors import AbsentError, ArgumentError

__all__ = ["absent_name", "explains_arguments"]

P = ParamSpec("P")
R = TypeVar("R")

_GENERALIZED = (
    "responses are normal here. For binary data, counts and ordered categories use lme4's glmer or glmmTMB in R; in "
    "Python bambi, gpboost, or BinomialBayesMixedGLM and PoissonBayesMixedGLM of statsmodels"
)
_RESIDUALS = (
    "residuals are independent here, of one variance but for known weights. Use nlme's lme or glmmTMB in R; weights= "
    "and random slopes, '(x | g)', may do as well"
)
_NONLINEAR = "models are linear in their parameters here. Use lme4's nlmer or nlme in R"
_BARS = "random effects stand in the formula, '+ (1 | g)'; mixedsparse.mixedlm takes statsmodels' arguments"
_LINEAR = "write mixedsparse.lmer, with random effects in bars, '(x | g)'"

_ARGUMENTS = {
    "REML": "write reml=True or reml=False, in lmer or fit",
    "control": "write options=mixedsparse.FitOptions(...), in lmer or fit",
    "verbose": "write progress=True",
    "subset": "select the rows of the data before the call",
    "na_action": "rows with missing values are left out, with a warning; drop or fill them before the call",
    "ddf": "give it to summary, anova and the other methods of the results",
    **dict.fromkeys(("family", "link", "nAGQ", "ziformula", "trials"), _GENERALIZED),
    **dict.fromkeys(("correlation", "cov_struct", "dispformula", "varfunc"), _RESIDUALS),
    **dict.fromkeys(("groups", "random", "re_formula", "vc_formula"), _BARS),
}
_NAMES = {
    **dict.fromkeys(("glmer", "glmer_nb", "glm", "glmm", "glmmTMB", "gee", "clmm"), _GENERALIZED),
    **dict.fromkeys(("nlmer", "nlme"), _NONLINEAR),
    "gls": _RESIDUALS,
    **dict.fromkeys(("lme", "lmm", "Lmer", "lmerTest"), _LINEAR),
    "lmerControl": "write mixedsparse.FitOptions",
}


def explains_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` answer keyword arguments that it does not take with an ArgumentError; its signature stays."""
    code = function.__code__  # type: ignore[attr-defined]
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    others = f"use one of {', '.join(sorted({*known} - {'self'}))}"
    name = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for argument in kwargs:
            if argument not in known:
                raise ArgumentError(_message(f"{name} has no argument", argument, _ARGUMENTS, known, others))
        return function(*args, **kwargs)

    return checked


def absent_name(name: str, present: Iterable[str]) -> AbsentError:
    """Build the error for a `name` that is not among those `present` in the package."""
    return AbsentError(
        _message("mixedsparse has no", name, _NAMES, present, "see mixedsparse.__all__ for what there is")
    )


def _message(what: str, name: str, instead: dict[str, str], known: Iterable[str], others: str) -> str:
    """Say that there is no `name`, and what to do: as told in `instead`, the nearest of those `known`, or `others`."""
    near = difflib.get_close_matches(name, known, n=1)
    if name not in instead and near:
        return f"{what} {name!r}. Did you mean {near[0]!r}?"
    return f"{what} {name!r}: {instead.get(name, others)}."
