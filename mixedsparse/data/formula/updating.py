"""A formula made from another one, as R's ``update``: ``"~ . - x"``, ``". ~ . + z"``, ``"log(.) ~ ."``."""

from __future__ import annotations

from collections.abc import Sequence

from mixedsparse.data.formula.bars import split_sum
from mixedsparse.data.formula.names import Token, text_of, tokenise
from mixedsparse.ground.errors import FormulaError

__all__ = ["updated_formula"]

_DOT = "."
Summand = tuple[str, tuple[Token, ...]]


def updated_formula(old: str, new: str) -> str:
    """Write the `new` formula out, dots standing for what the `old` one has on that side.

    Summands that are taken away go where they stand as such; others, as an interaction out of a product, are
    subtracted from it.

    Raises
    ------
    FormulaError
        A random-effects term is taken away that is not there.
    """
    response, right = _sides(old)
    left, wanted = _sides(new)
    left = tuple(part for token in left or (Token("op", _DOT),) for part in (response if _is_dot(token) else (token,)))
    summands: list[Summand] = []
    for sign, term in split_sum(wanted):
        if len(term) == 1 and _is_dot(term[0]):
            summands += split_sum(right)
        elif sign == "-":
            _take_away(summands, tuple(term), old)
        elif any(map(_is_dot, term)):
            summands += _product(tuple(term), right)
        elif _plain(term) not in [_plain(there) for s, there in summands if s == "+"]:
            summands.append((sign, tuple(term)))
    text = "".join(f" {sign} {text_of(term)}" for sign, term in summands).removeprefix(" + ").strip()
    return f"{text_of(left)} ~ {text or '1'}"


def _sides(formula: str) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    tokens = tokenise(formula)
    tildes = [i for i, token in enumerate(tokens) if token.kind == "op" and token.text == "~"]
    if len(tildes) != 1:
        raise FormulaError(f"The formula {formula!r} needs one '~', as in '~ . + x' or '. ~ . - (1 | g)'.")
    return tokens[: tildes[0]], tokens[tildes[0] + 1 :]


def _is_dot(token: Token) -> bool:
    return token.kind == "op" and token.text == _DOT


def _plain(term: Sequence[Token]) -> str:
    return "".join(token.text for token in term)


def _take_away(summands: list[Summand], term: tuple[Token, ...], old: str) -> None:
    wanted = _plain(term)
    for place, (sign, there) in enumerate(summands):
        if sign == "+" and wanted in (_plain(there), f"({_plain(there)})"):
            del summands[place]
            return
    if any(token.text in ("|", "||") for token in term):
        raise FormulaError(f"There is no random-effects term {text_of(term)!r} in {old!r} to take away.")
    summands.append(("-", term))


def _product(term: tuple[Token, ...], right: tuple[Token, ...]) -> list[Summand]:
    """Summands of a product with a dot: the fixed part stands in it, the random-effects terms beside it."""
    every = split_sum(right)
    random = [(sign, tuple(there)) for sign, there in every if any(token.text in ("|", "||") for token in there)]
    fixed = "".join(f" {sign} {text_of(there)}" for sign, there in every if (sign, tuple(there)) not in random)
    whole = tokenise(f"({fixed.removeprefix(' + ').strip() or '1'})")
    made = tuple(part for token in term for part in (whole if _is_dot(token) else (token,)))
    return [("+", made), *random]
