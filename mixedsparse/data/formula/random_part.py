"""The random part of a formula as values that can be changed and written out again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mixedsparse.core.structures.kinds import US
from mixedsparse.data.formula.bars import split_formula
from mixedsparse.data.formula.grouping import Atom
from mixedsparse.data.formula.names import text_of
from mixedsparse.data.formula.newdata import Encoding, TermEncoding
from mixedsparse.data.formula.parse import ParsedBar
from mixedsparse.data.formula.translate import restore
from mixedsparse.ground.errors import FormulaError, OptionError

__all__ = [
    "INTERCEPT",
    "Effect",
    "RandomPart",
    "enlargements",
    "names_to_write",
    "random_parts",
    "reductions",
    "with_random",
]

INTERCEPT = "1"
_PLAIN = re.compile(r"\.?[^\W\d]\w*(?:\.\w+)*")


@dataclass(frozen=True, slots=True)
class Effect:
    """One term left of a bar.

    Attributes
    ----------
    label : str
        As it is written in a formula; ``"1"`` for the intercept.
    factors : frozenset of str
        What is multiplied; empty for the intercept.
    width : int
        Number of columns.
    centred : str
        How it is written where its correlations are left out: the same, or with its numeric variables centred.
    """

    label: str
    factors: frozenset[str]
    width: int
    centred: str


@dataclass(frozen=True, slots=True)
class RandomPart:
    """One random-effects term ``(effects | group)``; not `correlated` is ``||``."""

    group: str
    effects: tuple[Effect, ...]
    correlated: bool

    @property
    def width(self) -> int:
        """Number of random effects per level."""
        return sum(effect.width for effect in self.effects)

    @property
    def has_intercept(self) -> bool:
        """Whether a random intercept is among the effects."""
        return any(effect.label == INTERCEPT for effect in self.effects)

    @property
    def text(self) -> str:
        """The term in brackets."""
        alone = not self.correlated and self.width > 1
        labels = [effect.centred if alone else effect.label for effect in self.effects]
        labels = labels if self.has_intercept else ["0", *labels]
        bar = "||" if alone else "|"
        return f"({' + '.join(labels)} {bar} {self.group})"

    def without(self, effect: Effect) -> RandomPart:
        """Return the part less one effect."""
        return replace(self, effects=tuple(e for e in self.effects if e != effect))


def names_to_write(encoding: Encoding) -> dict[str, str]:
    """Column of each alias as a formula may hold it, in backticks if need be."""
    return {alias: name if _PLAIN.fullmatch(name) else f"`{name}`" for alias, name in encoding.parsed.names.items()}


def random_parts(encoding: Encoding) -> tuple[RandomPart, ...]:
    """Random part of a fitted formula, ``a/b`` as two parts.

    A correlated ``(0 + f | g)`` with a factor `f` is written ``(1 + f | g)``: the same model, in a form that can lose
    `f` and keep the intercept.
    """
    names = names_to_write(encoding)
    for bar in encoding.parsed.bars:
        if bar.joint is not None:
            raise OptionError(
                f"The random part has {bar.text!r}, which is not taken apart: leave out by hand what is not needed, "
                "and compare the fits by ms.anova."
            )
    terms = iter(encoding.terms)
    out = []
    for bar in encoding.parsed.bars:
        if bar.kind is not None and not isinstance(bar.kind, US):
            raise FormulaError(
                f"Effects are added and dropped one by one in terms without a covariance structure, and {bar.text!r} "
                "has one: write '(x | g)' or '(x || g)', or compare fits with ms.anova."
            )
        for atoms in bar.groups:
            term = next(terms)
            if term.column is not None:
                for _ in term.encoder.names[1:]:
                    next(terms)
            out.append(_part(bar, atoms, term, names))
    return tuple(out)


def _part(bar: ParsedBar, atoms: Sequence[Atom], term: TermEncoding, names: dict[str, str]) -> RandomPart:
    encoder = term.encoder
    effects, categorical = [], False
    for position, (parsed, place) in enumerate(zip(bar.effects.formula, encoder.terms.values(), strict=True)):
        factors = frozenset(factor.expr for factor in parsed.factors) - {INTERCEPT}
        label = ":".join(restore(factor.expr, names) for factor in parsed.factors)
        effects.append(Effect(label, factors, place.stop - place.start, label))
        if position == 0:
            categorical = bool(factors) and all(map(encoder.is_factor, factors))
    if categorical and not bar.uncorrelated:
        first = replace(effects[0], width=effects[0].width - 1)
        effects = [Effect(INTERCEPT, frozenset(), 1, INTERCEPT), first, *effects[1:]]
    group = ":".join(names[atom.alias] if atom.alias else restore(atom.code, names) for atom in atoms)
    return RandomPart(group, tuple(effects), not bar.uncorrelated)


def with_random(formula: str, parts: Sequence[RandomPart]) -> str:
    """Write `formula` with the random part `parts` in place of its own."""
    pieces = split_formula(formula)
    summands = [text_of(pieces.fixed), *(f"offset({text_of(tokens)})" for tokens in pieces.offsets)]
    return f"{text_of(pieces.response)} ~ {' + '.join([*summands, *(part.text for part in parts if part.effects)])}"


def reductions(parts: tuple[RandomPart, ...], keep_intercepts: bool) -> list[tuple[str, tuple[RandomPart, ...]]]:
    """List the effects that may go, highest interactions first, and the random part without each.

    A part that has lost all of its effects keeps its place.
    """
    out = []
    for i, part in enumerate(parts):
        for effect in part.effects:
            if not _may_go(effect, part, keep_intercepts):
                continue
            new = (*parts[:i], part.without(effect), *parts[i + 1 :])
            if any(other.effects for other in new):
                out.append((f"{effect.label} | {part.group}", new))
    return out


def _may_go(effect: Effect, part: RandomPart, keep_intercepts: bool) -> bool:
    if effect.label == INTERCEPT:
        return not keep_intercepts and len(part.effects) == 1
    if not part.has_intercept and effect.width > 1 and len(part.effects) == 1:
        return not keep_intercepts  # the levels of a factor, one by one: they hold the intercept
    return not any(effect.factors < other.factors for other in part.effects)


def enlargements(
    parts: tuple[RandomPart, ...], start: tuple[RandomPart, ...]
) -> list[tuple[str, str, tuple[RandomPart, ...]]]:
    """List the ways back towards `start`, one at a time: step, change, and the random part with it.

    The correlations of the effects that are left, and each effect that went, with the correlations that it had.
    """
    out = []
    for i, (part, whole) in enumerate(zip(parts, start, strict=True)):
        if whole.correlated and not part.correlated and part.width > 1:
            new = (*parts[:i], replace(part, correlated=True), *parts[i + 1 :])
            out.append(("add correlations", part.group, new))
        for effect in whole.effects:
            lost = [e for e in whole.effects if e not in part.effects]
            if effect not in lost or any(other.factors < effect.factors for other in lost):
                continue
            effects = tuple(e for e in whole.effects if e == effect or e in part.effects)
            larger = replace(whole, effects=effects)
            out.append(("restore effect", f"{effect.label} | {part.group}", (*parts[:i], larger, *parts[i + 1 :])))
    return out
