"""Python expressions of a formula as expressions of the database."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

from mixedsparse.data.formula.arithmetic import ambiguous_sum
from mixedsparse.data.formula.translate import restore
from mixedsparse.data.sources.portable import as_number, is_nan
from mixedsparse.ground.errors import FormulaError, MixedSparseError

__all__ = ["Standardised", "Translation", "translate"]

_NAN = float("nan")


def _is_truth(value: Any) -> bool:
    """Whether an operand holds truth values."""
    return isinstance(value, bool) or (hasattr(value, "type") and value.type().is_boolean())


def _counted(value: Any) -> Any:
    """Operand of arithmetic: truth values as 0 and 1."""
    return as_number(value) if _is_truth(value) else value


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values that are compared or stand for each other: both numbers, unless both are truth values."""
    return (left, right) if _is_truth(left) and _is_truth(right) else (_counted(left), _counted(right))


def _choice(condition: Any, value: Any, otherwise: Any) -> Any:
    """Value that ``where`` gives; a number counts as true unless it is 0."""
    chosen = condition if _is_truth(condition) else as_number(condition) != 0.0
    return _where(chosen, *_alike(value, otherwise))


def _where(condition: Any, value: Any, otherwise: Any) -> Any:
    value, otherwise = (as_number(one) if isinstance(one, (int, float)) else one for one in (value, otherwise))
    return condition.ifelse(value, otherwise)


def _guarded(allowed: Callable[[Any], Any], value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Apply `value` where `allowed` holds and give NaN elsewhere: some databases end the query with an error there."""
    return lambda x: _where(allowed(x), value(x), _NAN)


def _positive(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return _guarded(lambda x: x > 0, value)


def _logarithm(base: float) -> Callable[[Any], Any]:
    return _positive(lambda x: x.ln() / math.log(base))


# What every back end of Ibis can do with a number, under NumPy's names.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda x: x.abs(),
    "sign": lambda x: x.sign(),
    "sqrt": _guarded(lambda x: x >= 0, lambda x: x.sqrt()),
    "square": lambda x: x * x,
    "cbrt": lambda x: x.sign() * x.abs() ** (1.0 / 3.0),
    "exp": lambda x: x.exp(),
    "exp2": lambda x: 2.0**x,
    "exp10": lambda x: 10.0**x,
    "expm1": lambda x: x.exp() - 1.0,
    "log": _positive(lambda x: x.ln()),
    "log2": _logarithm(2.0),
    "log10": _logarithm(10.0),
    "log1p": _guarded(lambda x: x > -1, lambda x: (1.0 + x).ln()),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "tan": lambda x: x.tan(),
    "arctan": lambda x: x.atan(),
    "arctan2": lambda x, y: x.atan2(y),
    "floor": lambda x: x.floor(),
    "ceil": lambda x: x.ceil(),
    "trunc": lambda x: _where(x >= 0, x.floor(), x.ceil()),
    "maximum": lambda x, y: _where(x >= y, x, y),
    "minimum": lambda x, y: _where(x <= y, x, y),
    "clip": lambda x, low, high: _where(x < low, low, _where(x > high, high, x)),
}
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: (a / b).floor(),
    ast.Mod: lambda a, b: a - b * (a / b).floor(),
}
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: lambda a, b: (a < b) & _ordered(a, b),
    ast.LtE: lambda a, b: (a <= b) & _ordered(a, b),
    ast.Gt: lambda a, b: (a > b) & _ordered(a, b),
    ast.GtE: lambda a, b: (a >= b) & _ordered(a, b),
    ast.Eq: lambda a, b: (a == b) & _ordered(a, b),
    ast.NotEq: lambda a, b: (a != b) | ~_ordered(a, b),
}
_LOGIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.BitAnd: lambda a, b: a & b,
    ast.Mult: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
}


def _ordered(*operands: Any) -> Any:
    """Whether no operand is NaN, which is above all numbers in some databases and unlike any in NumPy."""
    import ibis

    floating = [value for value in operands if hasattr(value, "type") and value.type().is_floating()]
    return reduce(and_, (~is_nan(value) for value in floating), ibis.literal(True))


# Transforms that look at all rows first: what to write instead.
_TRAINED = {
    "poly": "write the powers out, centred by hand, as in 'I(x - 50) + I((x - 50)**2)'",
    "bs": "put a few terms such as 'x + I(x**2)' in its place, or add the columns of the basis to the source",
    "cr": "put a few terms such as 'x + I(x**2)' in its place, or add the columns of the basis to the source",
    "cc": "write sine and cosine, as in 'sin(2*pi*x/12) + cos(2*pi*x/12)'",
    "cs": "put a few terms such as 'x + I(x**2)' in its place, or add the columns of the basis to the source",
    "te": "add the columns of the basis to the source",
    "hashed": "add the column to the source",
    "lag": "add the lagged column to the source: rows of a database have no order",
}


@dataclass(frozen=True, slots=True)
class Standardised:
    """A call of ``scale`` or ``center``: `inner` is standardised by its own mean and deviation over the rows."""

    inner: Any
    scaled: bool


@dataclass(frozen=True, slots=True)
class Translation:
    """What expressions may use: columns of the database by alias, numbers of the caller, and names for messages."""

    columns: Mapping[str, Any]
    constants: Mapping[str, Any]
    names: Mapping[str, str]


def translate(code: str, label: str, known: Translation) -> Any:
    """Ibis expression of `code`, or a `Standardised` one.

    Raises
    ------
    FormulaError
        The expression uses something that databases cannot do; the message says what, and what to write instead.
    """
    try:
        return _translated(code, label, known)
    except MixedSparseError:
        raise
    except Exception as err:  # Ibis has several of its own for values that do not go together
        reason = " ".join(str(err).split())[:200] or type(err).__name__
        raise _refused(label, reason, "add it to the source as a column") from err


def _translated(code: str, label: str, known: Translation) -> Any:
    tree = ast.parse(code.strip(), mode="eval").body
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in ("scale", "center"):
        if len(tree.args) != 1 or tree.keywords:
            raise _refused(label, f"{tree.func.id} takes one column here", "leave its other arguments out")
        return Standardised(_Translator(label, known).visit(tree.args[0]), tree.func.id == "scale")
    return _Translator(label, known).visit(tree)


def _refused(label: str, why: str, mend: str) -> FormulaError:
    return FormulaError(f"{label!r} cannot be computed where the source is: {why}. Instead, {mend}.")


class _Translator(ast.NodeVisitor):
    """Builds the expression from the leaves up."""

    def __init__(self, label: str, known: Translation) -> None:
        self.label, self.known = label, known

    def generic_visit(self, node: ast.AST) -> Any:
        part = restore(ast.unparse(node), self.known.names)
        raise _refused(self.label, f"{part!r} is more than arithmetic", "add it to the source as a column")

    def visit_Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return float(node.value)
        return node.value

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self.known.columns:
            return self.known.columns[node.id]
        if node.id == "pi":
            return math.pi
        value = self.known.constants.get(node.id)
        if np.ndim(value) == 0 and isinstance(value, (int, float, str, np.number)):
            return float(value) if not isinstance(value, str) else value
        raise _refused(self.label, f"{node.id!r} is neither a column nor a number", "add it to the source as a column")

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy", "math") and node.attr == "pi":
            return math.pi
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.USub):
            if _is_truth(operand):
                raise ambiguous_sum(node, self.known.names)
            return -operand
        if isinstance(node.op, ast.Invert) and _is_truth(operand):
            return ~operand
        return operand if isinstance(node.op, ast.UAdd) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        if _is_truth(left) and _is_truth(right):
            if isinstance(node.op, ast.Add):
                raise ambiguous_sum(node, self.known.names)
            if type(node.op) in _LOGIC:
                return _LOGIC[type(node.op)](left, right)
        operator = _power if isinstance(node.op, ast.Pow) else _OPERATORS.get(type(node.op))
        return operator(_counted(left), _counted(right)) if operator else self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> Any:
        operator = _COMPARISONS.get(type(node.ops[0]))
        if len(node.ops) > 1 or operator is None:
            return self.generic_visit(node)
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return operator(*_alike(left, right))

    def visit_Call(self, node: ast.Call) -> Any:
        name = _function_name(node.func)
        if name in ("scale", "center"):
            raise _refused(
                self.label, f"{name!r} stands inside another call", f"make {name!r} the outermost call, or add a column"
            )
        if name in _TRAINED:
            raise _refused(
                self.label, f"{name!r} places itself by the values of all rows, which are not read", _TRAINED[name]
            )
        own = {**_FUNCTIONS, "I": lambda x: x, "where": _choice}
        function = None if name in self.known.constants else own.get(name or "")
        if function is None:
            called = restore(ast.unparse(node.func), self.known.names)
            available = ", ".join(sorted(own))
            raise _refused(
                self.label,
                f"{called!r} is a function that databases do not have",
                f"use one of {available}, or add the column to the source",
            )
        if node.keywords:
            return self.generic_visit(node)
        operands = [self._operand(self.visit(argument)) for argument in node.args]
        if name in _FUNCTIONS and any(map(_is_truth, operands)):
            raise _refused(
                self.label, f"{name!r} is given truth values", "make numbers of them first, as in 'where(b, 1, 0)'"
            )
        return function(*operands)

    @staticmethod
    def _operand(value: Any) -> Any:
        import ibis

        if isinstance(value, bool):
            return ibis.literal(value)
        return as_number(value) if isinstance(value, (int, float)) else value


def _function_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _power(base: Any, exponent: Any) -> Any:
    """Powers; whole positive ones as products, which are exact for whole numbers in every database."""
    if isinstance(exponent, float) and exponent in (2.0, 3.0, 4.0):
        out = base
        for _ in range(int(exponent) - 1):
            out = out * base
        return out
    return base**exponent
