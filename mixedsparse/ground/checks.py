"""Checks of arguments, one rule each: of which type a value is, which values are known, how many, how likely.

`KINDS` says what each argument of the public functions takes, by its name; `foreign.explains_arguments` holds every
call against it. What depends on other arguments or on the data is checked where these are known.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from mixedsparse.ground.errors import ArgumentTypeError, DataError, OptionError

__all__ = [
    "KINDS",
    "MOST",
    "Kind",
    "as_array",
    "check_draws",
    "check_level",
    "did_you_mean",
    "is_number",
    "is_whole",
    "one_of",
    "shown",
]

_LONGEST = 60
# Numbers of draws, levels and workers are below this: beyond, no machine could count them.
MOST = 2**31


def shown(value: Any) -> str:
    """`value` as a message shows it: on one line, and not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def did_you_mean(name: Any, present: Iterable[Any]) -> str:
    """Hint at the nearest of the names `present`, with a space before it; empty if none is near."""
    near = difflib.get_close_matches(str(name), [str(p) for p in present], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def one_of(argument: str, value: Any, known: Collection[Any]) -> None:
    """Refuse a `value` of an option that is not among those `known`."""
    if not any(value is k or (isinstance(value, str | int) and value == k) for k in known):
        listed = ", ".join(map(repr, known))
        raise OptionError(f"{argument}={shown(value)} is not known; use one of {listed}.{did_you_mean(value, known)}")


def is_whole(value: Any) -> bool:
    """Whether `value` is one whole number."""
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def is_number(value: Any) -> bool:
    """Whether `value` is one number."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def check_level(level: Any, argument: str = "level") -> None:
    """Refuse a confidence level that is not between 0 and 1."""
    if not (is_number(level) and 0 < level < 1):
        raise OptionError(f"{argument}={shown(level)} must lie between 0 and 1: 0.95 for 95 %.")


def check_draws(nsim: Any, seed: Any, least: int = 1) -> None:
    """Refuse a number of draws below `least`, and a seed that is no whole number."""
    if not is_whole(nsim) or not least <= nsim < MOST:
        raise OptionError(f"nsim={shown(nsim)} must be a whole number of at least {least}.")
    if seed is not None and (not is_whole(seed) or seed < 0):
        raise OptionError(f"seed={shown(seed)} must be a whole number that is not negative, or None.")


def as_array(value: Any, what: str) -> np.ndarray:
    """`value` as an array; rows of different lengths are refused."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as err:
        raise DataError(f"{what} cannot be read as an array ({err}): give one number per row.") from err


def _is_flat(value: Any) -> bool:
    """Whether `value` holds several things side by side, in one dimension."""
    is_text = isinstance(value, str | bytes | Mapping)
    return isinstance(value, Collection) and not is_text and getattr(value, "ndim", 1) == 1


def _are_names(value: Any) -> bool:
    if isinstance(value, str | Iterator):
        return True
    return _is_flat(value) and all(isinstance(name, Hashable) for name in value)  # the reader says which one is wrong


def _are_labels(value: Any) -> bool:
    if isinstance(value, slice) or not _is_flat(value):
        return not isinstance(value, Mapping) and getattr(value, "ndim", 0) == 0
    return all(isinstance(label, Hashable) for label in value)


def _are_axes(value: Any) -> bool:
    every = np.ravel(value) if isinstance(value, np.ndarray) else value if isinstance(value, list | tuple) else [value]
    return all(hasattr(ax, "set_title") or (isinstance(ax, list | tuple) and _are_axes(ax)) for ax in every)


def _made_by(name: str) -> Callable[[Any], bool]:
    """Whether an object is of a class called `name` or below it: classes of upper layers are known by name only."""
    return lambda value: name in (cls.__name__ for cls in type(value).__mro__)


@dataclass(frozen=True, slots=True)
class Kind:
    """What an argument takes: `words` for it, and whether a value `fits`."""

    words: str
    fits: Callable[[Any], bool]

    def check(self, argument: str, value: Any) -> None:
        """Refuse a value of another type."""
        if not self.fits(value):
            raise ArgumentTypeError(
                f"{argument}={shown(value)} must be {self.words}, not of type {type(value).__name__}."
            )


FLAG = Kind("True or False", lambda value: isinstance(value, bool | np.bool_) or (is_whole(value) and value in (0, 1)))
NUMBER = Kind("a number", is_number)
SHARE = Kind("a number between 0 and 1", is_number)
WHOLE = Kind("a whole number", is_whole)
JOBS = Kind("a whole number other than 0, -1 for all cores", lambda value: is_whole(value) and 0 != value < MOST)
TEXT = Kind("text", lambda value: isinstance(value, str))
TYPE = Kind("a whole number or text", lambda value: is_whole(value) or isinstance(value, str))
NAMES = Kind("a name, or several names in a list", _are_names)
LABELS = Kind("a label, or several in a list", _are_labels)
MAPPING = Kind("a dict", lambda value: isinstance(value, Mapping))
COUNTS = Kind("a whole number, or several in a list", lambda value: is_whole(value) or _is_flat(value))
PATH = Kind("a path", lambda value: isinstance(value, str | os.PathLike) and bool(os.fspath(value)))
FUNCTION = Kind("a function", callable)
PROGRESS = Kind("True, False or a function", lambda value: isinstance(value, bool) or callable(value))
AXES = Kind("Axes of matplotlib, one for each panel", _are_axes)
TERMS = Kind("a list of RandomTerm objects", _is_flat)
PAIR = Kind("two names, of subjects and items", lambda v: _is_flat(v) and [type(name) for name in v] == [str, str])
DESIGN = Kind("a design, as make_design returns it", _made_by("Design"))
FIT = Kind("a fit, as lmer returns it", _made_by("ResultsBase"))
FITS = Kind("a fit, or several in a list", lambda v: isinstance(v, Iterable) or _made_by("ResultsBase")(v))
ANYTHING = Kind("anything", lambda value: True)

# What an argument takes, by its name; by function and name where it means something else there. An argument whose
# default is None takes None as well.
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("reml", "refit", "corr", "conf_int", "by_group", "latin_square", "reduce_terms"), FLAG),
    **dict.fromkeys(("keep_intercepts", "transform", "exp", "exponentiate"), FLAG),
    **dict.fromkeys(("level", "alpha", "conf_level"), SHARE),
    **dict.fromkeys(("dist_low", "dist_high"), NUMBER),
    **dict.fromkeys(("nsim", "seed", "num_low", "num_high", "nAGQ"), WHOLE),
    **dict.fromkeys(("ddf", "kind", "method", "new_levels", "missing", "errors", "backend"), TEXT),
    **dict.fromkeys(("adjust", "interval", "group", "var", "against", "caption", "label", "vtype", "name"), TEXT),
    **dict.fromkeys(("conf_method", "re_formula", "title", "yname", "link"), TEXT),
    **dict.fromkeys(("specs", "by", "which", "effects", "random", "x_names", "xname_fe", "xname_re"), NAMES),
    **dict.fromkeys(("at", "sizes", "within", "between_subjects", "between_items", "vc_formula", "env"), MAPPING),
    "relations": MAPPING,
    **dict.fromkeys(("subjects", "items"), COUNTS),
    "correlations": MAPPING,
    "n_jobs": JOBS,
    "path": PATH,
    "out": PATH,
    "progress": PROGRESS,
    "statistic": FUNCTION,
    "ax": AXES,
    "anova.names": NAMES,
    "breeding_values.effect": Kind("the name of an effect, or a dict", lambda v: isinstance(v, str | Mapping)),
    "breeding_values.factor": TEXT,
    "conditional_cov.levels": LABELS,
    "contrast.method": ANYTHING,
    "contrast.interaction": ANYTHING,
    "contrast.simple": NAMES,
    "matrix.levels": LABELS,
    "matrix.column": TEXT,
    "design.names": PAIR,
    "drop1.test": TEXT,
    "emmeans.type": TEXT,
    "emmeans.weights": TEXT,
    "emtrends.weights": TEXT,
    "from_arrays.terms": TERMS,
    "cooks_distance.group": ANYTHING,
    "dfbetas.group": ANYTHING,
    "influence.group": ANYTHING,
    "influence.theta": TEXT,
    "marginal_cov.rows": LABELS,
    "MixedLM.fit.method": ANYTHING,
    "of_design.design": DESIGN,
    "of_design.engines": Kind("the engines of a problem", _made_by("Engines")),
    "of_family.design": DESIGN,
    "of_family.family": Kind("a family, as families.Binomial() makes it", _made_by("Family")),
    "of_family.problem": Kind("a problem", _made_by("Problem")),
    "of_design.problem": Kind("a problem", _made_by("Problem")),
    "parsimony.results": FIT,
    "plan.effects": ANYTHING,
    "plan.random": ANYTHING,
    "ParameterPlots.bootstrap.boot": Kind("what bootstrap() of a fit returns", _made_by("Bootstrap")),
    "GeneralizedPlots.effects.data": FLAG,
    "ModelPlots.scaled_residuals.residuals": Kind(
        "what scaled_residuals() of a fit returns", _made_by("ScaledResiduals")
    ),
    **dict.fromkeys(("intercept", "comparisons", "coefficients.values"), FLAG),
    "GeneralizedPlots.effects.terms": NAMES,
    "Plots.effects.data": FLAG,
    "Plots.effects.terms": NAMES,
    "ParameterPlots.profile.profile": Kind("what profile() of a fit returns", _made_by("Profile")),
    "power.effects": ANYTHING,
    "predict.residual": FLAG,
    "predict.type": TEXT,
    "power.random": ANYTHING,
    "profile_re.re_ix": TYPE,
    "RandomTerm.group": TEXT,
    "lmer.residual": TEXT,
    "lmer.dispersion": TEXT,
    "LinearMixedModel.residual": TEXT,
    "LinearMixedModel.dispersion": TEXT,
    "residual_acf.lags": WHOLE,
    "sort": Kind("text, or None", lambda value: value is None or isinstance(value, str)),
    "save.data": FLAG,
    "scaled_residuals.random": TEXT,
    "prediction_batches.columns": NAMES,
    "prediction_batches.offset": TEXT,
    "prediction_batches.row_number": TEXT,
    "stream_predictions.columns": NAMES,
    "stream_predictions.offset": TEXT,
    "stream_predictions.row_number": TEXT,
    "stream_predictions.table": TEXT,
    "update.dispersion": TEXT,
    "update.residual": TEXT,
    "vif.by": TEXT,
    "apa.row": TYPE,
    "model_table.models": FITS,
    "pool.fits": FITS,
    "apa.tests": ANYTHING,
    "labels": MAPPING,
}
