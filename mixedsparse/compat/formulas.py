"""statsmodels' three formulas to one with bars: ``y ~ x``, ``1``, ``{"c": "0 + C(c)"}`` to ``y ~ x + (1|g) + (1|g:c)``.

A variance component gives every column of its design, in every group, an independent effect of one common variance.
Columns that never meet in a row are levels of a factor: ``0 + C(c)`` is (1 | g:c), ``0 + C(c):x`` is (0 + x | g:c).
Others are terms of their own, ``0 + x + z`` is (0 + x || g) + (0 + z || g), that have one variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.compat.dialect import with_identity
from mixedsparse.data.formula.columns import Columns, complete_rows
from mixedsparse.data.formula.frames import Table, missing_rows, natural, take
from mixedsparse.data.formula.kinds import is_factor
from mixedsparse.data.formula.levels import factorise
from mixedsparse.data.formula.names import Token, text_of, tokenise
from mixedsparse.data.formula.parse import Expression
from mixedsparse.data.formula.translate import Translator
from mixedsparse.ground.errors import FormulaError, MixedSparseError

__all__ = ["FormulaComponent", "Translation", "translate"]

_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
# Random effects of a group when there is but one group: `what` they are, and what to do.
_ONE_GROUP = (
    "groups has one value, so {what} have a single level and no variance that could be estimated: {mend}, or give "
    "groups with several values."
)


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of a component's term: its label, and the text of its grouping factor (None: a number)."""

    label: str
    grouping: str | None


@dataclass(frozen=True, slots=True)
class FormulaComponent:
    """One variance component: the factors of its single term, none for an intercept; None for several terms."""

    name: str
    text: str
    factors: tuple[Factor, ...] | None

    @property
    def groupings(self) -> list[str]:
        """Texts of its own grouping factors."""
        return [factor.grouping for factor in self.factors or () if factor.grouping is not None]

    def bar(self, group: str | None) -> str:
        """Random-effects term of the component within `group`."""
        if self.factors is None:
            return f"({self.text.strip().removeprefix('~').strip()} || {group})"
        numbers = [factor.label for factor in self.factors if factor.grouping is None]
        grouping = ":".join(([group] if group else []) + self.groupings)
        return f"({'0 + ' + ':'.join(numbers) if numbers else '1'} | {grouping})"

    def label(self, levels: Mapping[str, Any]) -> str:
        """Statsmodels' name of the effect at `levels`, level by grouping text."""
        factors = self.factors or ()
        parts = [f.label if f.grouping is None else f"{f.label}[{levels[f.grouping]}]" for f in factors]
        return f"{self.name}[{':'.join(parts) or 'Intercept'}]"


@dataclass(frozen=True, slots=True)
class Translation:
    """The formula with bars.

    Attributes
    ----------
    formula : str
    group : str or None
        Text of the groups' factor, None when there is one group.
    has_re : bool
        Whether the first bar holds the groups' own random effects.
    components : tuple of FormulaComponent
        One bar each, by name.
    """

    formula: str
    group: str | None
    has_re: bool
    components: tuple[FormulaComponent, ...]

    @property
    def n_bars(self) -> int:
        """Number of bars that are ours."""
        return self.has_re + len(self.components)


def translate(
    formula: str,
    group: str,
    table: Table,
    re_formula: str | None,
    vc_formula: Mapping[str, str] | None,
    env: Mapping[str, Any],
) -> Translation:
    """Write one formula with bars.

    Parameters
    ----------
    formula : str
    group : str
        Column of `table` that holds the groups.
    table : Table
    re_formula, vc_formula
        As in `mixedsparse.mixedlm`.
    env : Mapping
        Functions and constants of the caller.

    Raises
    ------
    FormulaError
        A component has no columns, or the groups are one and the effects theirs.
    """
    for what, text in {"formula": formula, "re_formula": re_formula or "1"}.items():
        if not isinstance(text, str):
            raise FormulaError(f"{what} must be text, not of type {type(text).__name__}.")
    components = tuple(_component(name, (vc_formula or {})[name], table, env) for name in sorted(vc_formula or {}))
    effects = (re_formula or "1").strip().removeprefix("~").strip()
    # Without columns, as "0", they are not there, which is all that statsmodels makes of it too.
    has_re = not components or (re_formula is not None and _has_columns(effects))
    column = table.column(group)
    missing = missing_rows(column)
    present = natural(take(column, None if missing is None else ~missing), labels=True)
    nested = len(factorise(present, group)[1]) > 1
    if not nested:
        _check_one_group(has_re, effects, components)
    outer = quoted(group)
    bars = [f"({effects} | {outer})"] if has_re else []
    bars += [component.bar(outer if nested else None) for component in components]
    text = f"{with_identity(formula).strip()} + {' + '.join(bars)}"
    return Translation(text, outer if nested else None, has_re, components)


def quoted(name: str) -> str:
    """`name` as it may stand in a formula."""
    return name if name.isidentifier() else f"`{name}`"


def _check_one_group(has_re: bool, effects: str, components: Sequence[FormulaComponent]) -> None:
    if has_re:
        what = f"the random effects {effects!r} of re_formula"
        raise FormulaError(_ONE_GROUP.format(what=what, mend="leave re_formula out and give vc_formula"))
    for component in components:
        if not component.groupings:
            what = f"the effects {component.text!r} of vc_formula[{component.name!r}]"
            mend = "write each term as a component" if component.factors is None else "leave the component out"
            raise FormulaError(_ONE_GROUP.format(what=what, mend=mend))


def _component(name: str, text: Any, table: Table, env: Mapping[str, Any]) -> FormulaComponent:
    """Read one entry of vc_formula."""
    if not isinstance(text, str):
        raise FormulaError(f"vc_formula[{name!r}] must be text, not of type {type(text).__name__}.")
    tokens = tokenise(text)
    intercept, terms = _summands(tokens[1:] if tokens and tokens[0].text == "~" else tokens)
    if not intercept and not terms:
        raise FormulaError(f"vc_formula[{name!r}] = {text!r} has no columns: write e.g. '0 + C(x)'.")
    if intercept + len(terms) > 1 or any(len(_split(term, "*/")) > 1 for term in terms):
        return FormulaComponent(name, text, None)
    factors = [_factor(piece, table, env) for term in terms for _, piece in _split(term, ":")]
    return FormulaComponent(name, text, tuple(factors))


def _has_columns(effects: str) -> bool:
    """Whether the design of `effects` has an intercept or a term."""
    intercept, terms = _summands(tokenise(effects))
    return intercept or bool(terms)


def _summands(tokens: Sequence[Token]) -> tuple[bool, list[list[Token]]]:
    """Whether a sum has an intercept, which ``0`` or ``- 1`` takes out, and its terms."""
    intercept, terms = True, []
    for sign, piece in _split(tokens, "+-"):
        if text_of(piece) in ("0", "1"):
            intercept = (text_of(piece) == "1") == (sign == "+")
        elif piece:
            terms.append(piece)
    return intercept, terms


def _split(tokens: Sequence[Token], separators: str) -> list[tuple[str, list[Token]]]:
    """Pieces of `tokens` between separators outside brackets, each with the separator before it."""
    pieces: list[tuple[str, list[Token]]] = [(separators[0], [])]
    depth = 0
    for token in tokens:
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth == 0 and token.kind == "op" and token.text in separators:
            pieces.append((token.text, []))
        else:
            pieces[-1][1].append(token)
    return pieces


def _factor(tokens: Sequence[Token], table: Table, env: Mapping[str, Any]) -> Factor:
    """One factor: ``C(...)``, or a column or an expression, which has levels by the rule of all formulas."""
    label = text_of(tokens)
    words = [token.text for token in tokens]
    if words[:2] in (["C", "("], ["factor", "("]) and words[-1] == ")":
        inner = _split(tokens[2:-1], ",")[0][1]
        column = _column(inner)
        return Factor(label, quoted(column) if column else f"I({text_of(inner)})")
    column = _column(tokens)
    if not _gives_levels(tokens, label, table, env):
        return Factor(label, None)
    return Factor(label, quoted(column) if column else label)


def _gives_levels(tokens: Sequence[Token], label: str, table: Table, env: Mapping[str, Any]) -> bool:
    """Whether a column or an expression is a factor; what cannot be read is reported where the design is made."""
    translator = Translator(label, table.names, env)
    try:
        code = translator.column_of(tokens) or translator.expression(tokens)
        raw = table.read(dict.fromkeys(translator.names.values()), label)
        keep, _ = complete_rows(raw, table.n)
        complete = {name: take(values, keep) for name, values in raw.items()}
        columns = Columns(complete, translator.names, table.n if keep is None else int(keep.sum()), env)
        values = columns.expression(Expression(label, code, code if code in translator.names else None))
    except MixedSparseError:
        return False
    what = f"The column {_column(tokens)!r}" if _column(tokens) else f"The term {label!r}"
    return np.ndim(values) == 1 and is_factor(values, what)


def _column(tokens: Sequence[Token]) -> str | None:
    """Column that a name, a name in backticks or ``Q("name")`` stands for."""
    if len(tokens) == 1 and tokens[0].kind in ("name", "quoted"):
        return tokens[0].name
    if len(tokens) == 4 and [tokens[i].text for i in (0, 1, 3)] == ["Q", "(", ")"]:
        return tokens[2].text[1:-1]
    return None
