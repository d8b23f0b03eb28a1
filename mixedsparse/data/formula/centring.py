"""Random effects written so that their numeric variables are centred: what ``||`` means depends on where they are 0.

Without its correlations ``(x || g)`` says that the variance between levels is smallest where x is 0, and so another
model for dates counted from another day. Centred, it says the same wherever x starts.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mixedsparse.data.formula.encoders import Encoder
from mixedsparse.data.formula.newdata import Encoding
from mixedsparse.data.formula.random_part import INTERCEPT, RandomPart, names_to_write, random_parts
from mixedsparse.data.formula.translate import restore

__all__ = ["centred_parts", "same_span"]

# A column is centred, and lies in the span of others, up to this share of its length.
_ROUNDING = 1e-8


def centred_parts(encoding: Encoding, columns: Sequence[np.ndarray], names_inside: bool) -> tuple[RandomPart, ...]:
    """Random part of a fitted formula, `Effect.centred` of correlated effects written with centred variables.

    Parameters
    ----------
    encoding : Encoding
    columns : sequence of ndarray (n, k)
        Effects of each term of the encoding.
    names_inside : bool
        Centre the variables in powers and products themselves, which keeps what the effects span as long as all lower
        powers and products are there; False centres each effect as a whole.
    """
    names, parts, place = names_to_write(encoding), [], 0
    whole = iter(random_parts(encoding))
    for bar in encoding.parsed.bars:
        for _ in bar.groups:
            part, encoder = next(whole), encoding.terms[place].encoder
            if bar.uncorrelated:
                place += len(encoder.names)
                parts.append(part)
                continue
            parts.append(_centred(part, list(bar.effects.formula), encoder, columns[place], names, names_inside))
            place += 1
    return tuple(parts)


def _centred(
    part: RandomPart,
    parsed: Sequence[object],
    encoder: Encoder,
    z: np.ndarray,
    names: Mapping[str, str],
    names_inside: bool,
) -> RandomPart:
    """`part` with centred spellings; as it is where there is no intercept to take up the difference."""
    texts = [[factor.expr for factor in term.factors] for term in parsed]  # type: ignore[attr-defined]
    if not part.has_intercept:
        return part
    places = list(encoder.terms.values())
    alone = {
        factors[0]: z[:, place.start]
        for factors, place in zip(texts, places, strict=True)
        if len(factors) == 1 and place.stop - place.start == 1 and not encoder.is_factor(factors[0])
    }
    still = {_variable(expr) for expr, column in alone.items() if _is_centred(column)}
    # (0 + f | g) has been written (1 + f | g): the intercept stands in front of what was parsed.
    added = len(part.effects) - len(texts)
    effects = list(part.effects[:added])
    for effect, factors in zip(part.effects[added:], texts, strict=True):
        numbers = [f for f in factors if f != INTERCEPT and not encoder.is_factor(f)]
        one_column = effect.width == 1 or len(numbers) < len(factors)
        if not numbers or not one_column:
            effects.append(effect)
        elif names_inside:
            pieces = [restore(_piece(f, alone, still) if f in numbers else f, names) for f in factors]
            effects.append(replace(effect, centred=":".join(pieces)))
        elif len(numbers) == len(factors) and not (len(factors) == 1 and _is_centred(alone[factors[0]])):
            product = _bare(factors[0]) if len(factors) == 1 else " * ".join(map(_in_brackets, map(_bare, factors)))
            effects.append(replace(effect, centred=f"center({restore(product, names)})"))
        else:
            effects.append(effect)
    return replace(part, effects=tuple(effects))


def _piece(expr: str, alone: Mapping[str, np.ndarray], still: set[str]) -> str:
    """One numeric factor of an effect, centred; the variables of a polynomial are centred before it is."""
    tree = ast.parse(_bare(expr), mode="eval").body
    if isinstance(tree, ast.Name) or not _is_polynomial(tree):
        return expr if expr in alone and _is_centred(alone[expr]) else f"center({_bare(expr)})"
    moved = ast.unparse(_CentreNames(still).visit(tree))
    if moved == ast.unparse(ast.parse(_bare(expr), mode="eval").body) and expr in alone and _is_centred(alone[expr]):
        return expr
    return f"center({moved})"


class _CentreNames(ast.NodeTransformer):
    """Puts ``center(...)`` around every variable that is not centred already."""

    def __init__(self, still: set[str]) -> None:
        self.still = still

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if _variable(node.id) in self.still:
            return node
        return ast.Call(ast.Name("center", ast.Load()), [node], [])


def _is_polynomial(tree: ast.expr) -> bool:
    """Whether `tree` is made of variables and numbers by + - * and whole powers."""
    if isinstance(tree, ast.BinOp):
        if isinstance(tree.op, ast.Pow):
            return _is_polynomial(tree.left) and isinstance(tree.right, ast.Constant) and type(tree.right.value) is int
        return isinstance(tree.op, ast.Add | ast.Sub | ast.Mult) and all(map(_is_polynomial, (tree.left, tree.right)))
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.USub | ast.UAdd) and _is_polynomial(tree.operand)
    return isinstance(tree, ast.Name) or (isinstance(tree, ast.Constant) and type(tree.value) in (int, float))


def _bare(expr: str) -> str:
    """`expr` without an outer ``I(...)``."""
    tree = ast.parse(expr, mode="eval").body
    called = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "I"
    return ast.unparse(tree.args[0]) if called and len(tree.args) == 1 else expr  # type: ignore[attr-defined]


def _in_brackets(expr: str) -> str:
    """`expr` as a factor of a product."""
    return expr if isinstance(ast.parse(expr, mode="eval").body, ast.Name | ast.Call) else f"({expr})"


def _variable(alias: str) -> str:
    """Alias of a column, whether it stands alone or inside a call."""
    return alias.removesuffix("v")


def _is_centred(column: np.ndarray) -> bool:
    return bool(abs(column.mean()) <= _ROUNDING * np.sqrt(np.square(column).mean()))


def same_span(z: np.ndarray, other: np.ndarray) -> bool:
    """Whether the columns of `other` span what those of `z` span."""
    if z.shape != other.shape:
        return False
    scaled = [m / np.maximum(np.linalg.norm(m, axis=0), np.finfo(float).tiny) for m in (z, other)]
    for one, two in (scaled, scaled[::-1]):
        basis, sizes, _ = np.linalg.svd(one, full_matrices=False)
        basis = basis[:, sizes > _ROUNDING * sizes[0]]
        if np.linalg.norm(two - basis @ (basis.T @ two)) > np.sqrt(_ROUNDING):
            return False
    return True
