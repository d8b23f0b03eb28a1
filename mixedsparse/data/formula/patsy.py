"""Functions of patsy's formulas that have another meaning, or other names of columns, in formulaic.

Source: patsy's manual, "Coding categorical data"; where a factor needs a column for each level (no intercept, no main
effect), its contrasts come with a constant, as in patsy.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np
from formulaic.transforms import TRANSFORMS
from formulaic.transforms.contrasts import Contrasts

from mixedsparse.data.formula.contrasts import Coding, Contrast
from mixedsparse.ground.errors import FormulaError

__all__ = ["PATSY", "PatsyContrasts", "patsy_functions"]

_POWERS = (".Constant", ".Linear", ".Quadratic", ".Cubic")


class PatsyContrasts(Contrasts):
    """Contrasts of one factor as formulaic takes them, with patsy's numbers and names.

    Parameters
    ----------
    kind : {"Treatment", "Sum", "Helmert", "Diff", "Poly"}
    argument : object
        Reference level, level to omit, or scores; None for the usual one.
    """

    FACTOR_FORMAT = FACTOR_FORMAT_REDUCED = "{name}{field}"

    def __init__(self, kind: str, argument: Any = None) -> None:
        self.kind, self.argument = kind, argument

    @Contrasts.override
    def _get_coding_matrix(self, levels: Sequence[Hashable], reduced_rank: bool = True, sparse: bool = False) -> Any:
        if not reduced_rank and self.kind == "Treatment":
            return np.eye(len(levels))
        rows = _MATRICES[self.kind](list(levels), self.argument)
        return rows if reduced_rank else np.column_stack([np.ones(len(levels)), rows])

    @Contrasts.override
    def get_coding_column_names(self, levels: Sequence[Hashable], reduced_rank: bool = True) -> list[str]:
        """Return the ends of the names of the columns."""
        names = _names(self.kind, list(levels), self.argument)
        if reduced_rank:
            return names
        if self.kind in ("Treatment", "Diff"):
            return [f"[{'D.' if self.kind == 'Diff' else ''}{level}]" for level in levels]
        return [{"Sum": "[mean]", "Helmert": "[H.intercept]", "Poly": ".Constant"}[self.kind], *names]

    @Contrasts.override
    def get_coefficient_row_names(self, levels: Sequence[Hashable], reduced_rank: bool = True) -> list[str]:
        """Return names of what the coefficients stand for."""
        names = self.get_coding_column_names(levels, reduced_rank)
        return ["Intercept", *names] if reduced_rank else names


def _place(levels: list[Hashable], given: Any, default: int) -> int:
    """Place of the level `given`, or at the place `given`."""
    if given is None:
        return default
    if given in levels:
        return levels.index(given)
    if isinstance(given, int | np.integer) and -len(levels) <= given < len(levels):
        return range(len(levels))[given]
    raise FormulaError(f"{given!r} is not among the levels {levels!r}, nor the place of one: give one of these.")


def _without(matrix: np.ndarray, place: int) -> np.ndarray:
    return np.delete(matrix, place, axis=1)


def _sum(levels: list[Hashable], omit: Any) -> np.ndarray:
    out = np.eye(len(levels))
    place = _place(levels, omit, len(levels) - 1)
    out[place] = -1.0
    return _without(out, place)


def _differences(levels: list[Hashable], _: Any) -> np.ndarray:
    n = len(levels)
    return np.where(np.arange(n)[:, None] > np.arange(n - 1), 0.0, -1.0) + np.arange(1, n) / n


def _polynomials(levels: list[Hashable], scores: Any) -> np.ndarray:
    n = len(levels)
    x = np.arange(n, dtype=float) if scores is None else np.asarray(scores, dtype=float)
    if x.shape != (n,) or len(np.unique(x)) < n:
        raise FormulaError(f"Poly(scores) needs {n} different scores, one for each of the levels {levels!r}.")
    # Legendre polynomials are nearly orthogonal already: QR of them stays accurate where powers do not.
    span = np.polynomial.legendre.legvander(2.0 * (x - x.min()) / (x.max() - x.min()) - 1.0, n - 1)
    Q, R = np.linalg.qr(span)
    return (Q * np.sign(np.diag(R)))[:, 1:]


_MATRICES: Mapping[str, Callable[[list[Hashable], Any], np.ndarray]] = {
    "Treatment": lambda levels, base: _without(np.eye(len(levels)), _place(levels, base, 0)),
    "Sum": _sum,
    "Helmert": lambda levels, _: np.column_stack(
        [
            Coding(tuple(levels), Contrast("helmert")).column(np.arange(len(levels)), True, j)
            for j in range(len(levels) - 1)
        ]
    ),
    "Diff": _differences,
    "Poly": _polynomials,
}


def _names(kind: str, levels: list[Hashable], argument: Any) -> list[str]:
    """Return what stands behind the factor in the names of the columns of `kind`."""
    if kind == "Poly":
        return [_POWERS[i] if i < len(_POWERS) else f"^{i}" for i in range(1, len(levels))]
    place = {"Treatment": 0, "Helmert": 0, "Sum": -1, "Diff": -1}[kind]
    place = _place(levels, argument, range(len(levels))[place])
    return [f"[{kind[0]}.{level}]" for i, level in enumerate(levels) if i != place]


def Treatment(reference: Any = None) -> PatsyContrasts:
    return PatsyContrasts("Treatment", reference)


def Sum(omit: Any = None) -> PatsyContrasts:
    return PatsyContrasts("Sum", omit)


def Helmert() -> PatsyContrasts:
    return PatsyContrasts("Helmert")


def Diff() -> PatsyContrasts:
    return PatsyContrasts("Diff")


def Poly(scores: Any = None) -> PatsyContrasts:
    return PatsyContrasts("Poly", None if scores is None else tuple(scores))


_KINDS = (Treatment, Sum, Helmert, Diff, Poly)


def C(data: Any, contrast: Any = None, levels: Any = None, **others: Any) -> Any:
    """Mark a factor; as in patsy, a kind of contrasts may be given by its name alone."""
    contrast = contrast() if contrast in _KINDS else contrast
    return TRANSFORMS["C"](data, *([] if contrast is None else [contrast]), levels=levels, **others)


PATSY: Mapping[str, Any] = {f.__name__: f for f in (*_KINDS, C)} | {"scale": TRANSFORMS["standardize"]}


def patsy_functions(env: Mapping[str, Any]) -> dict[str, Any]:
    """Functions that a formula is to use, but for those that the caller, in `env`, has of the same name."""
    return {name: f for name, f in PATSY.items() if name not in env or not isinstance(env[name], FunctionType)}
