"""The parameters that users ask for, by name: coefficients, standard deviations, correlations, sigma or dispersion."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import OptionError, UndefinedTestWarning

if TYPE_CHECKING:
    from mixedsparse.core.fitting.identification import Unidentified
    from mixedsparse.core.structures.interface import Structure
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Parameter", "identified", "parameter_values", "parameters", "select_parameters"]

# A standard deviation below this share of the largest among the fits is zero: BLAS libraries differ in what they leave.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
        ``Days``, ``sd(Days|Subject)``, ``cor(Intercept,Days|Subject)``, ``sigma`` or ``dispersion``.
    kind : {"fixed", "sd", "cor", "loading", "sigma", "dispersion"}
    term : int
        Position of the term in theta order; -1 for coefficients, sigma and dispersion.
    places : tuple of int
        The coefficient, or the effects of the term that it is about.
    structure : Structure or None
        Of a parameter of a structured covariance: what reads it off the covariance.
    number : int
        Which of the structure's it is.
    """

    name: str
    kind: str
    term: int = -1
    places: tuple[int, ...] = ()
    structure: Structure | None = None
    number: int = 0


def parameters(fitted: Fitted) -> tuple[Parameter, ...]:
    """Return all parameters: coefficients; per term standard deviations, then correlations; sigma, or the dispersion.

    Terms come in theta order. Two terms of a factor that have an effect of one name are told apart as in `varcorr`.
    """
    out = [Parameter(name, "fixed", places=(i,)) for i, name in enumerate(fitted.x_names)]
    labels = _group_labels(fitted)
    for t, (term, group) in enumerate(zip(fitted.problem.terms, labels, strict=True)):
        if term.structure is not None:
            out += _of_structure(fitted, t, group)
            continue
        out += [Parameter(f"sd({name}|{group})", "sd", t, (i,)) for i, name in enumerate(term.columns)]
        for i, j in zip(*np.triu_indices(term.k, 1), strict=True):
            name = f"cor({term.columns[i]},{term.columns[j]}|{group})"
            out.append(Parameter(name, "cor", t, (int(i), int(j))))
    scale = fitted.scale_parameter
    return tuple(out) if scale is None else (*out, Parameter(scale[0], scale[0]))


def _of_structure(fitted: Fitted, t: int, group: str) -> list[Parameter]:
    """Return what the structured covariance of one term is reported by."""
    term, phi = fitted.problem.terms[t], fitted.fit.search.phi
    assert term.structure is not None
    assert phi is not None
    found = []
    for i, natural in enumerate(term.structure.natural(phi[t])):
        about = natural.effects or tuple(range(term.k))
        found.append(Parameter(natural.name(term.columns, group), natural.kind, t, about, term.structure, i))
    return found


def identified(fitted: Fitted, known: Sequence[Parameter]) -> np.ndarray:
    """Mask of the parameters that the data identify, as they do all coefficients.

    Warns
    -----
    UndefinedTestWarning
        Some are not.
    """
    found = fitted.fit.unidentified
    if found is None:
        return np.ones(len(known), dtype=bool)
    mask = np.array([not _is_loose(found, p) for p in known], dtype=bool)
    if not mask.all():
        names = ", ".join(p.name for p, good in zip(known, mask, strict=True) if not good)
        warnings.warn(
            f"The data do not identify {names}: the limits are NaN. See fit.certificate.",
            UndefinedTestWarning,
            stacklevel=user_level(),
        )
    return mask


def _is_loose(found: Unidentified, parameter: Parameter) -> bool:
    if parameter.kind == "sigma":
        return found.concerns_sigma
    return parameter.kind != "fixed" and found.concerns(parameter.term, parameter.places)


def _group_labels(fitted: Fitted) -> list[str]:
    """Name of each term's factor; numbered where effects of one name stand in two of its terms."""
    terms = fitted.problem.terms
    seen = [(term.group, name) for term in terms for name in term.columns]
    twice = {group for group, name in seen if seen.count((group, name)) > 1}
    # Parameters of all effects of a structure have no effect's name.
    structured = [term.group for term in terms if term.structure is not None]
    twice |= {group for group in structured if structured.count(group) > 1}
    numbered = fitted.term_labels
    return [label if term.group in twice else term.group for term, label in zip(terms, numbered, strict=True)]


def select_parameters(known: Sequence[Parameter], which: str | Iterable[str]) -> list[Parameter]:
    """Parameters that `which` names: "all", "fixed", "random" (all others), a name, or several of these; each once."""
    names = {p.name: [p] for p in known}
    sets = {
        "all": list(known),
        "fixed": [p for p in known if p.kind == "fixed"],
        "random": [p for p in known if p.kind != "fixed"],
    }
    # Alone such a word is the set; among several a coefficient that has it as its name goes first.
    meaning = names | sets if isinstance(which, str) else sets | names
    wanted = [which] if isinstance(which, str) else list(which)
    if not wanted:
        raise OptionError("which= names no parameter: use 'all', 'fixed', 'random', or names of parameters.")
    for name in wanted:
        if name not in meaning:
            raise OptionError(
                f"which={name!r} is not a parameter; use 'all', 'fixed', 'random', or names among: {', '.join(names)}."
            )
    return list(dict.fromkeys(p for name in wanted for p in meaning[name]))


def parameter_values(
    known: Sequence[Parameter], beta: np.ndarray, covariances: Sequence[np.ndarray], sigma: np.ndarray
) -> np.ndarray:
    """Values (B, len(known)) of B fits: beta (B, p), covariances (B, k, k) per term, sigma or dispersion (B,).

    The correlation of an effect without variance is NaN.
    """
    out = np.empty((len(sigma), len(known)))
    for j, parameter in enumerate(known):
        if parameter.kind == "fixed":
            out[:, j] = beta[:, parameter.places[0]]
        elif parameter.kind in ("sigma", "dispersion"):
            out[:, j] = sigma
        elif parameter.structure is not None:
            out[:, j] = [_read(parameter, cov) for cov in covariances[parameter.term]]
        else:
            first, second = parameter.places[0], parameter.places[-1]
            cov = covariances[parameter.term]
            if parameter.kind == "sd":
                out[:, j] = _deviations(cov[:, first, first])
            else:
                size = _deviations(cov[:, first, first]) * _deviations(cov[:, second, second])
                ratio = np.divide(cov[:, first, second], size, out=np.full(len(size), np.nan), where=size > 0)
                out[:, j] = np.clip(ratio, -1.0, 1.0)
    return out


def _read(parameter: Parameter, covariance: np.ndarray) -> float:
    """Value of a parameter of a structure in one covariance (k, k); NaN where there is none."""
    assert parameter.structure is not None
    return float(parameter.structure.read(covariance)[parameter.number]) if np.isfinite(covariance).all() else np.nan


def _deviations(variances: np.ndarray) -> np.ndarray:
    """Return the square roots; what rounding leaves of a zero, beside those of the other fits, is zero."""
    deviations = np.sqrt(variances)
    deviations[deviations <= _ROUNDING * deviations.max(initial=0.0)] = 0.0
    return deviations
