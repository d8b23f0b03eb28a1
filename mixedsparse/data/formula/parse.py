"""A formula, read once for given column names and cached."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mixedsparse.core.structures.kinds import Kind
from mixedsparse.data.formula.bars import split_formula
from mixedsparse.data.formula.encoders import Side, parse_side
from mixedsparse.data.formula.grouping import Atom, expand_grouping
from mixedsparse.data.formula.joint import Joint, read_joint
from mixedsparse.data.formula.names import Token, text_of
from mixedsparse.data.formula.translate import Translator, restore, shown
from mixedsparse.ground.errors import FormulaError

__all__ = ["Expression", "ParsedBar", "ParsedFormula", "UnknownNames", "parse"]

# A call that says how one column is coded.
_CODED = re.compile(r"C\(\s*(_ms\d+v)\b")


@dataclass(frozen=True, slots=True)
class Expression:
    """Python `code` over aliases; `alias` when it is one column and nothing else; `label` as typed."""

    label: str
    code: str
    alias: str | None


@dataclass(frozen=True, slots=True)
class ParsedBar:
    """One bar: its effects, the grouping terms it expands to, and the kind of covariance that it asks for.

    The columns of a `joint` grouping are its only term.
    """

    effects: Side
    groups: tuple[tuple[Atom, ...], ...]
    uncorrelated: bool
    text: str
    kind: Kind | None = None
    joint: Joint | None = None

    @property
    def roles(self) -> int:
        """Number of roles in each of which a level has the effects: 1 in an ordinary term."""
        return len(self.joint.atoms) if self.joint is not None and self.joint.kind == "roles" else 1


@dataclass(frozen=True, eq=False)
class ParsedFormula:
    """Everything about a formula that needs no data.

    Parameters
    ----------
    formula : str
        As typed.
    names : Mapping
        Column of each alias.
    outer : tuple of str
        Names taken from the caller's namespace.
    """

    formula: str
    names: Mapping[str, str]
    outer: tuple[str, ...]
    response: Expression
    fixed: Side
    bars: tuple[ParsedBar, ...]
    offsets: tuple[Expression, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the formula uses."""
        return tuple(dict.fromkeys(self.names.values()))

    @property
    def factors(self) -> dict[str, str | None]:
        """Columns that stand as terms, alone or in ``C(...)``, and the call in which the formula itself codes them."""
        found: dict[str, str | None] = {}
        for side in (self.fixed, *(bar.effects for bar in self.bars)):
            found.update((self.names[alias], None) for alias in side.bare if self.names[alias] not in found)
            for term in side.formula:
                for factor in term.factors:
                    if match := _CODED.match(factor.expr):
                        found[self.names[match[1]]] = restore(factor.expr, self.names)
        return found


class UnknownNames(Exception):
    """Names in a formula that are neither columns nor known otherwise; `make_design` says which columns there are."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names


@lru_cache(maxsize=256)
def parse(formula: str, columns: tuple[str, ...], outer: tuple[str, ...], bars_needed: bool = True) -> ParsedFormula:
    """Read `formula`; `columns` and `outer` are its names that the data and the caller's namespace have.

    `bars_needed` says whether it must have a random-effects term.

    Raises
    ------
    FormulaError
        The formula cannot be read.
    UnknownNames
        A name is neither in `columns` nor in `outer`, nor known to formulas.
    """
    parts = split_formula(formula, bars_needed)
    translator = Translator(formula, frozenset(columns), frozenset(outer))
    response = _expression(parts.response, translator)
    fixed = translator.terms(parts.fixed)
    effects = [translator.terms(bar.effects) for bar in parts.bars]
    joints = [read_joint(bar.grouping, translator, bar.text) for bar in parts.bars]
    groups = [
        tuple(expand_grouping(bar.grouping, translator, bar.text)) if joint is None else (joint.atoms,)
        for bar, joint in zip(parts.bars, joints, strict=True)
    ]
    offsets = tuple(_expression(tokens, translator) for tokens in parts.offsets)
    if translator.unknown:
        raise UnknownNames(tuple(translator.unknown))
    names = translator.names
    labels = {text: text_of(bar.effects) for text, bar in zip(effects, parts.bars, strict=True)}
    sides = {text: parse_side(text, label, names) for text, label in labels.items()}  # equal left sides are shared
    bars = tuple(
        ParsedBar(sides[text], group, bar.uncorrelated, bar.text, bar.kind, joint)
        for text, group, bar, joint in zip(effects, groups, parts.bars, joints, strict=True)
    )
    _check_effects(bars)
    return ParsedFormula(
        formula, names, tuple(outer), response, parse_side(fixed, text_of(parts.fixed), names), bars, offsets
    )


def _expression(tokens: Sequence[Token], translator: Translator) -> Expression:
    alias = translator.column_of(tokens)
    return Expression(shown(tokens), alias or translator.expression(tokens), alias)


def _check_effects(bars: Sequence[ParsedBar]) -> None:
    for bar in bars:
        if not len(bar.effects.formula):
            raise FormulaError(f"The random-effects term {bar.text!r} has no effects: write '(1 | group)'.")
        if bar.roles > 1 and bar.kind is not None and bar.kind.takes_order:
            raise FormulaError(
                f"{bar.text!r} has the effects of {bar.roles} roles, which have no order: write us, diag or cs."
            )
        if bar.roles > 1 and bar.uncorrelated:
            raise FormulaError(
                f"{bar.text!r} leaves open which effects are uncorrelated: write 'diag({bar.effects.label} | "
                f"{bar.joint.label if bar.joint else ''})' for roles that are independent, '|' for correlated ones."
            )
