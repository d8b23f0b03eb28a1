"""Sums of truth values in expressions: pandas reads ``b + c`` as "b or c" and ``-b`` as "not b", R as numbers.

Neither can be known to be meant, so both are refused, wherever the rows are. Beside a number truth values are 0 and 1
to everyone; a product of two is their conjunction, whose indicator is the product of theirs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from mixedsparse.data.formula.translate import restore
from mixedsparse.ground.errors import FormulaError

__all__ = ["ambiguous_sum", "check_sums", "holds_truth"]

# Operators that make truth values of truth values.
_CLOSED = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Mult)
# Methods and functions of NumPy and pandas that give truth values.
_CONDITIONS = re.compile(
    r"isin|between|is(na|null|nan|finite|inf|close)|not(na|null)|eq|ne|lt|le|gt|ge|(not_)?equal|(greater|less)(_equal)?|"
    r"logical_(and|or|xor|not)|signbit|duplicated|contains|match|startswith|endswith"
)


def check_sums(code: str, names: Mapping[str, str], is_truth: Callable[[str], bool]) -> None:
    """Refuse the expression `code` if it adds truth values to each other, or negates them.

    Parameters
    ----------
    code : str
    names : Mapping
        User's name of each alias, for the message.
    is_truth : callable
        Whether the values of a name in `code` are truth values.
    """
    if "+" in code or "-" in code:
        for node in ast.walk(ast.parse(code.strip(), mode="eval")):
            sides = _sides(node)
            if sides and all(_gives_truth(side, is_truth) for side in sides):
                raise ambiguous_sum(node, names)


def ambiguous_sum(node: ast.AST, names: Mapping[str, str]) -> FormulaError:
    """Error about a sum, or a negative, of truth values."""
    part = restore(ast.unparse(node), names)
    sides = [restore(ast.unparse(side), names) for side in _sides(node)]
    sides = [side if side.isidentifier() else f"({side})" for side in sides]
    if len(sides) == 1:
        numbers, logic = f"-1*{sides[0]}", f"~{sides[0]}"
    else:
        numbers, logic = " + ".join(f"1*{side}" for side in sides), " | ".join(sides)
    return FormulaError(
        f"{part!r} does arithmetic with truth values: write {numbers!r} for numbers, or {logic!r} for truth values."
    )


def _sides(node: ast.AST) -> tuple[ast.expr, ...]:
    """Operands of a sum or of a negative; nothing for other expressions."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return node.left, node.right
    return (node.operand,) if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else ()


def _gives_truth(node: ast.expr, is_truth: Callable[[str], bool]) -> bool:
    if isinstance(node, ast.Name):
        return is_truth(node.id)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not) or _gives_truth(node.operand, is_truth)
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        return isinstance(node.op, _CLOSED) and all(_gives_truth(side, is_truth) for side in sides)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        same = name in ("I", "abs") and len(node.args) == 1 and _gives_truth(node.args[0], is_truth)
        return same or _CONDITIONS.fullmatch(name) is not None
    return isinstance(node, ast.Compare)


def holds_truth(values: Any) -> bool:
    """Whether an array or a Series holds truth values."""
    return getattr(getattr(values, "dtype", None), "kind", "") == "b"
