"""Split a formula into response, fixed part and random-effects terms, before formulaic sees any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mixedsparse.core.structures.kinds import Kind
from mixedsparse.data.formula.names import Token, text_of, tokenise
from mixedsparse.data.formula.structured import STRUCTURES, foreign_hint, kind_of
from mixedsparse.ground.errors import FormulaError

__all__ = ["Bar", "Parts", "split_formula", "split_sum"]

_MEMBERSHIP = ("mm",)
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")


@dataclass(frozen=True, slots=True)
class Bar:
    """One ``(effects | grouping)`` as tokens; `uncorrelated` for ``||``, `kind` for ``cs(...)`` and the like."""

    effects: tuple[Token, ...]
    grouping: tuple[Token, ...]
    uncorrelated: bool
    text: str
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """A formula in pieces, each as tokens; `offsets` are the arguments of ``offset(...)``."""

    response: tuple[Token, ...]
    fixed: tuple[Token, ...]
    bars: tuple[Bar, ...]
    offsets: tuple[tuple[Token, ...], ...]


def split_formula(formula: str, bars_needed: bool = True) -> Parts:
    """Cut `formula` at its tilde, its bars and its offsets.

    Raises
    ------
    FormulaError
        A side is missing, a ``|`` stands outside brackets, or there is no random-effects term.
    """
    tokens = tokenise(formula)
    if hint := foreign_hint(tokens):
        raise FormulaError(f"The formula {formula!r} cannot be read: {hint}.")
    tildes = [i for i, level in enumerate(_levels(tokens)) if level == 0 and tokens[i].text == "~"]
    if len(tildes) != 1:
        what = "no '~'" if not tildes else f"{len(tildes)} '~'"
        raise FormulaError(f"The formula {formula!r} has {what}: write 'response ~ fixed + (effects | group)'.")
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    if not left:
        raise FormulaError(f"The formula {formula!r} has no response: write a column's name before '~'.")
    if not right:
        raise FormulaError(f"The formula {formula!r} has nothing after '~': write e.g. '~ x + (1 | g)'.")
    if _has_bar(left):
        raise FormulaError(f"A '|' stands before '~' in {formula!r}: random-effects terms belong after it.")
    fixed, bars, offsets = _summands(formula, right)
    if not bars and bars_needed:
        raise FormulaError(
            f"The formula {formula!r} has no random-effects term, and this fits mixed models: add one such as "
            "'(1 | g)', give residual='us(visit | subject)' for repeated measures, or fit it by least squares, "
            "e.g. with statsmodels' OLS."
        )
    return Parts(tuple(left), tuple(fixed) or (Token("number", "1"),), tuple(bars), tuple(offsets))


def _levels(tokens: Sequence[Token]) -> list[int]:
    """Bracket depth at each token (brackets themselves count as inside)."""
    depth, out = 0, []
    for token in tokens:
        is_op = token.kind == "op"
        depth += is_op and token.text in _OPEN
        out.append(depth)
        depth -= is_op and token.text in _CLOSE
    return out


def _has_bar(tokens: Sequence[Token]) -> bool:
    return any(t.kind == "op" and t.text in ("|", "||") for t in tokens)


def _summands(formula: str, tokens: Sequence[Token]) -> tuple[list[Token], list[Bar], list[tuple[Token, ...]]]:
    """Sort the summands of a sum into fixed part, bars and offsets."""
    fixed: list[Token] = []
    bars: list[Bar] = []
    offsets: list[tuple[Token, ...]] = []
    for sign, term in split_sum(tokens):
        bracketed = _is_bracketed(term)
        if _is_call(term, ("offset",)) and sign == "+":
            offsets.append(tuple(term[2:-1]))
        elif not bracketed and _is_call(term, STRUCTURES) and _has_bar(term):
            if sign == "-":
                raise FormulaError(_subtracted(term))
            bars.append(_structured(term))
        elif _is_call(term, _MEMBERSHIP) and _has_bar(term):
            raise FormulaError(
                f"The multiple-membership term {text_of(term)!r} is not supported in this form: write "
                "'(1 | mm(a, b))', the effects left of the bar and mm() after it."
            )
        elif not _misplaced_bar(term):
            _append(fixed, sign, term)
        elif not bracketed:
            raise FormulaError(_bar_outside(formula, term))
        elif sign == "-":
            raise FormulaError(_subtracted(term))
        elif any(t.text in ("|", "||") and level == 0 for t, level in _leveled(term[1:-1])):
            bars.append(_bar(term))
        else:
            inner = _summands(formula, term[1:-1])
            _append(fixed, sign, inner[0])
            bars += inner[1]
            offsets += inner[2]
    return fixed, bars, offsets


def _append(terms: list[Token], sign: str, more: Sequence[Token]) -> None:
    """Add the summands `more` to `terms`, with their sign where one is needed."""
    if more and (terms or sign == "-"):
        more = [Token("op", sign, True), replace(more[0], spaced=True), *more[1:]]
    terms.extend(more)


def _leveled(tokens: Sequence[Token]) -> list[tuple[Token, int]]:
    return list(zip(tokens, _levels(tokens), strict=True))


def split_sum(tokens: Sequence[Token]) -> list[tuple[str, list[Token]]]:
    """``[("+", tokens), ("-", tokens)...]``: the summands at the outermost level."""
    out: list[tuple[str, list[Token]]] = [("+", [])]
    for token, level in _leveled(tokens):
        if level == 0 and token.kind == "op" and token.text in "+-":
            if out[-1][1]:
                out.append((token.text, []))
            else:  # a sign before the first summand, or two signs in a row
                out[-1] = ("-" if (out[-1][0] == "-") != (token.text == "-") else "+", [])
        else:
            out[-1][1].append(token)
    if not out[-1][1]:
        raise FormulaError(f"{text_of(tokens)!r} ends with {out[-1][0]!r}: a term is missing after it.")
    return out


def _is_bracketed(tokens: Sequence[Token]) -> bool:
    """Whether one pair of round brackets encloses all of `tokens`."""
    return tokens[0].text == "(" and all(level >= 1 for level in _levels(tokens)) and tokens[-1].text == ")"


def _is_call(tokens: Sequence[Token], names: tuple[str, ...]) -> bool:
    return len(tokens) > 3 and tokens[0].text in names and tokens[1].text == "(" and _is_bracketed(tokens[1:])


def _misplaced_bar(tokens: Sequence[Token]) -> bool:
    """Whether a ``|`` stands outside the brackets of a function call, where Python's `or` is meant."""
    calls: list[bool] = []
    for i, token in enumerate(tokens):
        if token.kind != "op":
            continue
        if token.text in _OPEN:
            before = tokens[i - 1] if i else None
            called = before is not None and (before.kind in ("name", "quoted") or before.text in (")", "]"))
            calls.append(called or token.text == "{" or (bool(calls) and calls[-1]))
        elif token.text in _CLOSE:
            calls.pop()
        elif token.text in ("|", "||") and not (calls and calls[-1]):
            return True
    return False


def _bar_outside(formula: str, term: Sequence[Token]) -> str:
    """Message for a ``|`` that no bracket encloses, or whose bracket is multiplied."""
    if any(t.text in ("|", "||") and level == 0 for t, level in _leveled(term)):
        return (
            f"'|' stands outside brackets in {formula!r}. A random-effects term needs brackets: "
            f"write '({text_of(term)})'."
        )
    return f"A random-effects term can only be added, but {text_of(term)!r} does more: separate it with '+'."


def _subtracted(term: Sequence[Token]) -> str:
    return f"The random-effects term {text_of(term)!r} cannot be subtracted: leave it out."


def _structured(term: Sequence[Token]) -> Bar:
    """Read ``name( effects | grouping, arguments )``."""
    first, *arguments = _split_commas(term[2:-1])
    text = text_of(term)
    kind = kind_of(term[0].text, arguments, text)
    bar = replace(_bar([term[1], *first, term[-1]], text), kind=kind)
    if bar.uncorrelated:
        raise FormulaError(
            f"{text!r} has '||', but {term[0].text}() says itself how effects are correlated: write '|'."
        )
    return bar


def _split_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """Arguments of a call."""
    out: list[list[Token]] = [[]]
    for token, level in _leveled(tokens):
        if level == 0 and token.text == ",":
            out.append([])
        else:
            out[-1].append(token)
    return out


def _bar(term: Sequence[Token], text: str = "") -> Bar:
    """Cut ``( effects | grouping )`` at its bar; `text` is how it is called, where that is more than `term`."""
    inner = list(term[1:-1])
    cuts = [i for i, (t, level) in enumerate(_leveled(inner)) if level == 0 and t.text in ("|", "||")]
    text = text or text_of(term)
    if len(cuts) > 1:
        raise FormulaError(f"The random-effects term {text!r} has {len(cuts)} bars: write one, '(effects | group)'.")
    effects, grouping = inner[: cuts[0]], inner[cuts[0] + 1 :]
    if not effects:
        raise FormulaError(f"The random-effects term {text!r} has nothing before its bar: write '(1 | group)'.")
    if not grouping:
        raise FormulaError(f"The random-effects term {text!r} has no grouping factor after its bar.")
    return Bar(tuple(effects), tuple(grouping), inner[cuts[0]].text == "||", text)
