"""The language of patsy's formulas: a sum of terms, expanded in the order that patsy expands it.

Source: patsy's manual, "The formula language"; operators from tight to loose: ``**``, ``:``, ``* /``, ``+ -``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mixedsparse.data.formula.names import Token
from mixedsparse.ground.errors import FormulaError

__all__ = ["Leaf", "expanded", "leaves_of"]

_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
_OPERATORS = ("~", "+", "-", "*", "/", ":", "**", "|", "||")
_ALIKE = {"^": "**", "%in%": ":"}
Term = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One factor as typed: `tokens`, where they stand among all, and those outside of brackets (`outer`)."""

    tokens: tuple[Token, ...]
    start: int
    stop: int
    outer: tuple[Token, ...]

    @property
    def number(self) -> str | None:
        """Text of a lone number."""
        return self.tokens[0].text if len(self.tokens) == 1 and self.tokens[0].kind == "number" else None


def leaves_of(tokens: Sequence[Token]) -> Iterator[Leaf]:
    """Yield the factors of `tokens`, numbers left out, each as often as it stands there."""
    for piece in _pieces(tokens):
        if isinstance(piece, Leaf) and piece.number is None:
            yield piece


def expanded(tokens: Sequence[Token], key: Callable[[Leaf], str]) -> list[Term]:
    """Terms of a sum in patsy's order, each as the keys of its factors; the intercept is left out.

    Raises
    ------
    FormulaError
        An operator has nothing beside it, or a power is not a whole number.
    """
    return [term for term in _Reader(list(_pieces(tokens)), key).sum() if term]


def _pieces(tokens: Sequence[Token]) -> Iterator[Leaf | str]:
    """Yield operators and brackets of the formula language as text, and what is between them."""
    i = 0
    while i < len(tokens):
        token = tokens[i]
        text = _ALIKE.get(token.text, token.text)
        if token.kind == "op" and (text in _OPERATORS or text in ("(", ")")):
            yield text
            i += 1
            continue
        start, depth, outer = i, 0, []
        while i < len(tokens):
            token = tokens[i]
            if depth == 0 and token.kind == "op":
                if _ALIKE.get(token.text, token.text) in _OPERATORS or token.text == ")":
                    break
                outer.append(token)
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            i += 1
        yield Leaf(tuple(tokens[start:i]), start, i, tuple(outer))


class _Reader:
    """Recursive descent over pieces; a list of terms is in order and without repetition."""

    def __init__(self, pieces: Sequence[Leaf | str], key: Callable[[Leaf], str]) -> None:
        self.pieces, self.key, self.at = pieces, key, 0

    def _next(self) -> Leaf | str | None:
        return self.pieces[self.at] if self.at < len(self.pieces) else None

    def _take(self, *operators: str) -> str | None:
        piece = self._next()
        if isinstance(piece, str) and piece in operators:
            self.at += 1
            return piece
        return None

    def sum(self) -> list[Term]:
        removed = self._take("+", "-") == "-"
        out = self._product()
        out = [] if removed else out
        while sign := self._take("+", "-"):
            right = self._product()
            out = _unique([*out, *right]) if sign == "+" else [t for t in out if frozenset(t) not in _sets(right)]
        return out

    def _product(self) -> list[Term]:
        out = self._interaction()
        while operator := self._take("*", "/"):
            right = self._interaction()
            if operator == "*":
                out = _unique([*out, *right, *_crossed(out, right)])
            else:
                whole = tuple(dict.fromkeys(factor for term in out for factor in term))
                out = _unique([*out, *_crossed([whole], right)])
        return out

    def _interaction(self) -> list[Term]:
        out = self._power()
        while self._take(":"):
            out = _crossed(out, self._power())
        return out

    def _power(self) -> list[Term]:
        out = self._atom()
        while self._take("**"):
            piece = self._next()
            number = piece.number if isinstance(piece, Leaf) else None
            if number is None or not number.isdigit():
                raise FormulaError("The power of a sum of terms must be a whole number: write e.g. '(a + b)**2'.")
            self.at += 1
            base = highest = out
            for _ in range(1, min(len(base), int(number))):
                highest = _crossed(base, highest)
                out = _unique([*out, *highest])
        return out

    def _atom(self) -> list[Term]:
        piece = self._next()
        if piece == "(":
            self.at += 1
            out = self.sum()
            if self._take(")") is None:
                raise FormulaError("A bracket of the formula holds something else than a sum of terms.")
            return out
        if not isinstance(piece, Leaf):
            raise FormulaError(f"An operator of the formula has nothing beside it ({piece or 'the end'}).")
        self.at += 1
        return [()] if piece.number is not None else [(self.key(piece),)]


def _crossed(left: Sequence[Term], right: Sequence[Term]) -> list[Term]:
    return _unique([tuple(dict.fromkeys((*one, *other))) for one in left for other in right])


def _sets(terms: Sequence[Term]) -> set[frozenset[str]]:
    return {frozenset(term) for term in terms}


def _unique(terms: Sequence[Term]) -> list[Term]:
    first: dict[frozenset[str], Term] = {}
    for term in terms:
        first.setdefault(frozenset(term), term)
    return list(first.values())
