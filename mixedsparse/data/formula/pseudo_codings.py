"""Codings of numbers: ``contrasts={"x": "center"}`` writes ``center(x)`` wherever x is a term of the formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from mixedsparse.data.formula.names import Token, text_of, tokenise
from mixedsparse.data.formula.structured import STRUCTURES
from mixedsparse.ground.errors import OptionError

__all__ = ["write_codings"]

_KINDS = ("center", "scale", "zscore")
_SPELLINGS = {"centre": "center", "standardize": "zscore", "standardise": "zscore"}


def write_codings(formula: Any, contrasts: Any) -> tuple[Any, Any]:
    """Return the formula with the codings of numbers written into it, and the contrasts of factors that are left.

    Raises
    ------
    OptionError
        A coding is not complete, or its column is no term of the formula.
    """
    if not isinstance(contrasts, Mapping) or not isinstance(formula, str):
        return formula, contrasts
    asked = {str(column): read for column, value in contrasts.items() if (read := _read(str(column), value))}
    if not asked:
        return formula, contrasts
    tokens, used = _written(tokenise(formula), asked)
    for column in asked:
        if column not in used:
            raise OptionError(
                f"contrasts[{column!r}] would change nothing: {column!r} is no term of the formula, alone or in a "
                "product."
            )
    left = {column: value for column, value in contrasts.items() if str(column) not in asked}
    return text_of(tokens), left or None


def _read(column: str, value: Any) -> tuple[str, tuple[float, ...]] | None:
    """Kind and numbers of a coding of numbers; None for contrasts of a factor."""
    kind, numbers = (value, ()) if isinstance(value, str) else (None, ())
    if isinstance(value, tuple | list) and value and isinstance(value[0], str):
        kind = value[0]
        rest = value[1:]
        numbers = tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else tuple(rest)
    kind = _SPELLINGS.get(kind, kind) if isinstance(kind, str) else None
    if kind not in _KINDS:
        return None
    if not all(isinstance(number, Real) and not isinstance(number, bool) for number in numbers):
        raise OptionError(f"contrasts[{column!r}] = {value!r}: give numbers beside {kind!r}.")
    wanted = {"center": (0, 1), "scale": (1,), "zscore": (0, 2)}[kind]
    if len(numbers) not in wanted or (kind != "center" and numbers and not numbers[-1]):
        raise OptionError(
            f"contrasts[{column!r}] = {value!r}: write 'center' (at the mean), ('center', 5.0), ('scale', 10.0), "
            "'zscore' (by mean and standard deviation) or ('zscore', 5.0, 2.0)."
        )
    return kind, tuple(float(number) for number in numbers)


def _written(
    tokens: Sequence[Token], asked: Mapping[str, tuple[str, tuple[float, ...]]]
) -> tuple[list[Token], set[str]]:
    """Tokens with the columns `asked` for in their codings, where these are terms; also which were found."""
    out: list[Token] = []
    used: set[str] = set()
    # For each bracket that is open: whether terms stand in it.
    terms = [False]
    for i, token in enumerate(tokens):
        is_op = token.kind == "op"
        if is_op and token.text == "~":
            terms = [True]
        elif is_op and token.text in "([{":
            before = tokens[i - 1] if i else None
            called = before is not None and before.kind in ("name", "quoted") and before.text not in STRUCTURES
            terms.append(terms[-1] and token.text == "(" and not called)
        elif is_op and token.text in ")]}":
            terms.pop()
        elif is_op and token.text in ("|", "||"):
            terms[-1] = False  # what follows are grouping factors
        elif token.kind in ("name", "quoted") and token.name in asked and terms[-1] and not _is_call(tokens, i):
            used.add(token.name)
            token = replace(token, kind="name", text=_spelled(token.text, *asked[token.name]))
        out.append(token)
    return out, used


def _is_call(tokens: Sequence[Token], i: int) -> bool:
    return i + 1 < len(tokens) and tokens[i + 1].text == "(" and not tokens[i + 1].spaced


def _spelled(column: str, kind: str, numbers: tuple[float, ...]) -> str:
    texts = [str(int(number)) if number.is_integer() else repr(number) for number in map(abs, numbers)]
    if not numbers:
        return f"{'center' if kind == 'center' else 'scale'}({column})"
    if kind == "scale":
        return f"I({column} / {'-' * (numbers[0] < 0)}{texts[0]})"
    centred = f"{column} {'-' if numbers[0] >= 0 else '+'} {texts[0]}"
    return f"I({centred})" if kind == "center" else f"I(({centred}) / {'-' * (numbers[1] < 0)}{texts[1]})"
