"""Covariance structures in formulas: ``cs(0 + machine | worker, hom=True)`` and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from mixedsparse.core.structures.kinds import AR1, CS, RR, US, Diag, Kind, Toep
from mixedsparse.data.formula.names import Token, text_of
from mixedsparse.ground.checks import did_you_mean
from mixedsparse.ground.errors import FormulaError, OptionError

__all__ = ["STRUCTURES", "foreign_hint", "kind_of"]

# Name in a formula -> kind, and whether that name says that variances are equal; glmmTMB's second spellings too.
_KINDS: Mapping[str, tuple[type[Kind], bool | None]] = {
    "us": (US, None),
    "diag": (Diag, None),
    "homdiag": (Diag, True),
    "cs": (CS, None),
    "homcs": (CS, True),
    "ar1": (AR1, None),
    "hetar1": (AR1, False),
    "toep": (Toep, None),
    "homtoep": (Toep, True),
    "rr": (RR, None),
}
# Arguments of each kind that a formula may give, and what kinds of value they take.
_ARGUMENTS: Mapping[type[Kind], Mapping[str, type]] = {
    US: {},
    Diag: {"hom": bool},
    CS: {"hom": bool},
    AR1: {"hom": bool},
    Toep: {"hom": bool},
    RR: {"d": int},
}
_EXAMPLES: Mapping[type, str] = {bool: "True or False", int: "a whole number"}
# What other programs write around a bar, and what to write instead.
_KNOWN = ", ".join(f"{name}(...)" for name in _KINDS)
_BY_DISTANCE = (
    "for correlations that fall with the time between rows write residual='car1(time | g)', or 'ar1(0 + time | g)' for "
    "effects at whole numbers"
)
_RELATED = "write '(x | rel(g))' and give the matrix of the levels as relations={'g': matrix}"
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(
        ("gau", "mat", "gp", "fulldummy"),
        f"write '(x | g)' for a full covariance matrix, '(x || g)' for a diagonal one, or one of {_KNOWN}",
    ),
    **dict.fromkeys(("ou", "car1"), _BY_DISTANCE),
    **dict.fromkeys(("propto", "equalto"), _RELATED),
    "zerocorr": "write '(x || g)', or 'diag(x | g)'",
}
STRUCTURES = (*_KINDS, *_ELSEWHERE)
_BOOLEANS = {"True": True, "TRUE": True, "False": False, "FALSE": False}


# What nlme writes as arguments, and what to write instead.
_NLME: Mapping[str, str] = {
    "varIdent": "the argument dispersion='~ g' of lmer",
    "varPower": "the argument dispersion='~ log(x)' of lmer",
    "varExp": "the argument dispersion='~ x' of lmer",
    "corAR1": "the argument residual='ar1(time | g)' of lmer",
    "corCAR1": "the argument residual='car1(time | g)' of lmer",
    "corCompSymm": "the argument residual='cs(1 | g)' of lmer",
    "corSymm": "the argument residual='us(visit | g)' of lmer",
    "pdSymm": "'(x | g)'",
    "pdDiag": "'diag(x | g)'",
    "pdIdent": "'homdiag(x | g)'",
    "pdCompSymm": "'homcs(0 + f | g)'",
}


def foreign_hint(tokens: Sequence[Token]) -> str:
    """Say what to write in place of nlme's classes of variances and correlations; empty where there are none."""
    for token, after in pairwise(tokens):
        if token.kind == "name" and token.text in _NLME and after.text == "(":
            return f"{token.text}() is a class of nlme: write {_NLME[token.text]}"
    return ""


def kind_of(name: str, arguments: Sequence[Sequence[Token]], text: str) -> Kind:
    """Kind of covariance that the call `text` of `name` with these further arguments asks for.

    Raises
    ------
    FormulaError
        There is no such structure here, or it does not take these arguments.
    """
    if name not in _KINDS:
        raise FormulaError(f"The covariance structure {text!r} is not supported: {_ELSEWHERE[name]}.")
    cls, hom = _KINDS[name]
    given: dict[str, Any] = {} if hom is None else {"hom": hom}
    for tokens in arguments:
        key, value = _argument(tokens, cls, name, text)
        if key in given:
            why = f"{name!r} itself says that hom={hom}" if key == "hom" and hom is not None else "it is there twice"
            raise FormulaError(f"The argument {key!r} of {text!r} is one too many: {why}. Leave it out.")
        given[key] = value
    try:
        return cls(**given)
    except (OptionError, TypeError) as err:
        raise FormulaError(f"{text!r} cannot be read: {err}") from None


def _argument(tokens: Sequence[Token], cls: type[Kind], name: str, text: str) -> tuple[str, Any]:
    """Name and value of ``hom=True``."""
    known = _ARGUMENTS[cls]
    takes = " and ".join(f"{key}={_EXAMPLES[sort]}" for key, sort in known.items())
    if len(tokens) < 3 or tokens[0].kind != "name" or tokens[1].text != "=":
        mend = f"{name}() takes {takes}" if known else f"{name}() takes nothing beside its bar"
        raise FormulaError(f"The argument {text_of(tokens)!r} of {text!r} is not understood: {mend}.")
    key, value = tokens[0].text, text_of(tokens[2:])
    if key not in known:
        mend = f"it takes {takes}.{did_you_mean(key, known)}" if known else "it takes nothing beside its bar."
        raise FormulaError(f"{name}() has no argument {key!r} (in {text!r}): {mend}")
    if known[key] is bool and value in _BOOLEANS:
        return key, _BOOLEANS[value]
    if known[key] is int and value.rstrip("L").isdigit():
        return key, int(value.rstrip("L"))
    raise FormulaError(f"{key}={value} in {text!r}: write {key}={_EXAMPLES[known[key]]}.")
