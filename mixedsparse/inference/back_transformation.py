"""The way back from a transformed response, ``log(y)``, ``sqrt(y + 1)``, ``1 / y``, to the column it was made of."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.data.formula.newdata import encode_response
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Step", "Transformation", "transformation_of"]

# Share by which the formula's own value may differ from that of the way back and forth.
_CLOSE = 1e-6
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Step:
    """One function on the way back.

    Attributes
    ----------
    back : callable
        The inverse, of (r,).
    slope : callable
        Its derivative.
    low : float
        Smallest value that the function takes.
    pole : bool
        Whether the inverse has a pole at 0, which estimates and limits stay on one side of.
    """

    back: Function
    slope: Function
    low: float = -np.inf
    pole: bool = False


def _power(a: float) -> Step:
    """Invert x ** a of positive x; of any x for odd whole powers."""
    root = 1.0 / a
    if a > 0 and float(a).is_integer() and a % 2:
        return Step(lambda v: np.sign(v) * np.abs(v) ** root, lambda v: root * np.abs(v) ** (root - 1.0))
    return Step(lambda v: v**root, lambda v: root * v ** (root - 1.0), low=0.0, pole=a < 0)


def _logarithm(base: float, shift: float = 0.0) -> Step:
    scale = np.log(base)
    return Step(lambda v: np.exp(scale * v) - shift, lambda v: scale * np.exp(scale * v))


_RECIPROCAL = Step(lambda v: 1.0 / v, lambda v: -1.0 / v**2, pole=True)
_FUNCTIONS = {
    "log": _logarithm(np.e),
    "log2": _logarithm(2.0),
    "log10": _logarithm(10.0),
    "log1p": _logarithm(np.e, 1.0),
    "exp": Step(np.log, lambda v: 1.0 / v, low=0.0),
    "expm1": Step(np.log1p, lambda v: 1.0 / (1.0 + v), low=-1.0),
    "sqrt": _power(0.5),
    "cbrt": Step(lambda v: v**3, lambda v: 3.0 * v**2),
    "square": _power(2.0),
    "reciprocal": _RECIPROCAL,
    "arcsinh": Step(np.sinh, np.cosh),
}
_LOGARITHMS = ("log", "log2", "log10")


@dataclass(frozen=True, eq=False)
class Transformation:
    """Function of one column that the response is.

    Attributes
    ----------
    label : str
        As in the formula.
    steps : tuple of Step
        The way back, outermost function first.
    ratio : float or None
        Factor that turns differences into logarithms of ratios; None where they are none.
    """

    label: str
    steps: tuple[Step, ...]
    ratio: float | None

    def back(self, values: np.ndarray, about: np.ndarray) -> np.ndarray:
        """`values` (r,) on the scale of the column; beyond the range that the estimates `about` can reach, its end."""
        for step in self.steps:
            values, about = np.maximum(values, step.low), np.maximum(about, step.low)
            if step.pole:
                values = np.where(values * about > 0.0, values, np.copysign(0.0, about))
            with np.errstate(divide="ignore"):
                values, about = step.back(values), step.back(about)
        return values

    def slope(self, values: np.ndarray) -> np.ndarray:
        """Differentiate `back` at `values` (r,)."""
        out = np.ones(len(values))
        for step in self.steps:
            values = np.maximum(values, step.low)
            with np.errstate(divide="ignore"):
                out, values = out * step.slope(values), step.back(values)
        return out


def transformation_of(fitted: Fitted) -> Transformation | None:
    """Find the transformation of the response; None where it is a column as it is, or the model was made from arrays.

    Raises
    ------
    OptionError
        There is no way back from what the formula makes of the response.
    """
    encoding = fitted.design.encoding
    if encoding is None or encoding.parsed.response.alias is not None:
        return None
    response = encoding.parsed.response
    steps: list[Step] = []
    found = _Reader(steps)
    alias = found.read(ast.parse(response.code, mode="eval").body)
    if alias is None or alias not in encoding.parsed.names:
        raise OptionError(
            f"There is no known way back from the response {response.label!r}: logarithms, powers, reciprocals, "
            "exponentials and sums and products with numbers, of one column, have one. Leave type= out, and transform "
            "estimates and limits yourself."
        )
    out = Transformation(response.label, tuple(steps), found.ratio)
    _check(out, fitted, encoding.parsed.names[alias])
    return out


def _check(found: Transformation, fitted: Fitted, column: str) -> None:
    """Refuse a way back that the formula's own functions do not go: a name may be the caller's."""
    at = fitted.X @ fitted.beta if fitted.design.observed.has_quantiles else np.array([0.5, 1.0, 2.0])
    at = np.unique(np.quantile(at, [0.1, 0.5, 0.9]))
    with np.errstate(all="ignore"):
        values = found.back(at, at)
    there = np.isfinite(values)
    again = encode_response(fitted.design.encoding, {column: values[there]})
    if not np.allclose(again, at[there], rtol=_CLOSE, atol=_CLOSE * float(np.abs(at).max())):
        raise OptionError(
            f"The response {found.label!r} is another function here than its name says: leave type= out, and transform "
            "estimates and limits yourself."
        )


class _Reader:
    """Reads an expression from the outside in, noting the way back."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        # Factor of a logarithm as long as nothing but factors and sums stand outside it.
        self.ratio: float | None = None
        self._scale: float | None = 1.0

    def read(self, tree: ast.expr) -> str | None:
        """Alias of the one column inside; None where there is no way back."""
        if isinstance(tree, ast.Name):
            return tree.id
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
            return self._linear(-1.0 if isinstance(tree.op, ast.USub) else 1.0, 0.0, tree.operand)
        if isinstance(tree, ast.BinOp):
            return self._operation(tree)
        if isinstance(tree, ast.Call) and len(tree.args) == 1 and not tree.keywords:
            return self._function(tree)
        return None

    def _linear(self, factor: float, shift: float, inside: ast.expr) -> str | None:
        if factor == 0.0:
            return None
        self.steps.append(Step(lambda v: (v - shift) / factor, lambda v: np.full(len(v), 1.0 / factor)))
        self._scale = None if self._scale is None else self._scale * factor
        return self.read(inside)

    def _step(self, step: Step, inside: ast.expr) -> str | None:
        self.steps.append(step)
        self._scale = None
        return self.read(inside)

    def _operation(self, tree: ast.BinOp) -> str | None:
        left, right = _number(tree.left), _number(tree.right)
        if right is not None:
            if isinstance(tree.op, ast.Add | ast.Sub):
                return self._linear(1.0, right if isinstance(tree.op, ast.Add) else -right, tree.left)
            if isinstance(tree.op, ast.Mult | ast.Div) and right:
                return self._linear(right if isinstance(tree.op, ast.Mult) else 1.0 / right, 0.0, tree.left)
            if isinstance(tree.op, ast.Pow) and right:
                return self._step(_RECIPROCAL if right == -1.0 else _power(right), tree.left)
        if left is not None:
            if isinstance(tree.op, ast.Add | ast.Sub):
                return self._linear(1.0 if isinstance(tree.op, ast.Add) else -1.0, left, tree.right)
            if isinstance(tree.op, ast.Mult) and left:
                return self._linear(left, 0.0, tree.right)
            if isinstance(tree.op, ast.Div) and left:
                self._linear_step(left)
                return self._step(_RECIPROCAL, tree.right)
        return None

    def _linear_step(self, factor: float) -> None:
        self.steps.append(Step(lambda v: v / factor, lambda v: np.full(len(v), 1.0 / factor)))

    def _function(self, tree: ast.Call) -> str | None:
        name = tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
        if name == "I":
            return self.read(tree.args[0])
        if name not in _FUNCTIONS:
            return None
        if name in _LOGARITHMS and self._scale is not None:
            base = {"log": 1.0, "log2": np.log(2.0), "log10": np.log(10.0)}[name]
            self.ratio = float(base / self._scale)
        return self._step(_FUNCTIONS[name], tree.args[0])


_OPERATORS: dict[type, Callable[[Any, Any], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def _number(tree: ast.expr) -> float | None:
    """Value of an expression of numbers alone."""
    if isinstance(tree, ast.Constant) and type(tree.value) in (int, float):
        return float(tree.value)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        inside = _number(tree.operand)
        return None if inside is None else -inside
    if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
        left, right = _number(tree.left), _number(tree.right)
        if left is not None and right is not None and not (isinstance(tree.op, ast.Div) and right == 0.0):
            return float(_OPERATORS[type(tree.op)](left, right))
    return None
