"""The text of ``residual=`` and ``dispersion=``: names of structures, and what other packages write for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mixedsparse.ground.checks import did_you_mean
from mixedsparse.ground.errors import FormulaError

__all__ = ["ResidualText", "read_dispersion", "read_residual"]

# Name -> structure and whether standard deviations are the same at every visit, unless hom= says otherwise: the names
# and defaults of lme4 2.0 and glmmTMB.
_STRUCTURES = {
    "us": ("us", False),
    "cs": ("cs", False),
    "homcs": ("cs", True),
    "ar1": ("ar1", True),
    "hetar1": ("ar1", False),
    "toep": ("toep", False),
    "homtoep": ("toep", True),
    "car1": ("car1", True),
}
# What other packages write -> what to write here.
_FOREIGN = {
    "corAR1": "residual='ar1(time | group)'",
    "corCAR1": "residual='car1(time | group)'",
    "corCompSymm": "residual='cs(1 | group)'",
    "corSymm": "residual='us(visit | group)'",
    "corARMA": "residual='ar1(time | group)' or 'toep(visit | group)'",
    "varIdent": "dispersion='~ stratum'",
    "varPower": "dispersion='~ log(x)'",
    "varExp": "dispersion='~ x'",
    "varFixed": "weights=1 / x",
    "varComb": "dispersion='~ stratum + log(x)'",
    "ar1h": "residual='ar1(visit | group, hom=False)'",
    "csh": "residual='cs(visit | group)', heterogeneous unless hom=True",
    "toeph": "residual='toep(visit | group)', heterogeneous unless hom=True",
    "adh": "residual='toep(visit | group)' or 'us(visit | group)'",
    "ad": "residual='toep(visit | group)' or 'us(visit | group)'",
    "sp_exp": "residual='car1(time | group)'",
    "ou": "residual='car1(time | group)'",
    "un": "residual='us(visit | group)'",
    "unstr": "residual='us(visit | group)'",
    "cosy": "residual='cs(1 | group)'",
    "ar": "residual='ar1(time | group)'",
    "diag": "dispersion='~ visit'",
}
_CALL = re.compile(r"\s*([A-Za-z_][\w.]*)\s*\((.*)\)\s*", re.DOTALL)
_HOM = re.compile(r"(.*),\s*hom\s*=\s*(\w+)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ResidualText:
    """``kind(left | group, hom=...)`` taken apart."""

    text: str
    kind: str
    hom: bool
    left: str
    group: str

    @property
    def formula(self) -> str:
        """A formula with the same names, for its columns."""
        return f"1 ~ 1 + ({self.left} | {self.group})"


def read_residual(text: str) -> ResidualText:
    """Take ``residual=`` apart.

    Raises
    ------
    FormulaError
        It is not a structure; the message says how it is written.
    """
    call = _CALL.fullmatch(text)
    name = call[1] if call else re.split(r"\W", text.strip())[0]
    foreign = name if name in _FOREIGN else name.lower()  # SAS writes UN and AR(1)
    if foreign in _FOREIGN:
        here = _with_names(_FOREIGN[foreign], "" if call is None else call[2])
        raise FormulaError(f"residual={text!r}: {name} of other packages is written {here} here.")
    if call is None:
        raise FormulaError(
            f"residual={text!r} cannot be read: write a structure of visits within groups, e.g. 'us(visit | subject)', "
            "'ar1(time | subject)' or 'cs(1 | subject)'."
        )
    if name not in _STRUCTURES:
        hint = did_you_mean(name.lower(), tuple(_STRUCTURES))
        raise FormulaError(f"residual={text!r}: {name!r} is not one of {', '.join(_STRUCTURES)}.{hint}")
    kind, hom = _STRUCTURES[name]
    inner, given = call[2], _HOM.fullmatch(call[2])
    if given:
        inner, hom = given[1], _hom(given[2], name, kind, hom, text)
    sides = inner.split("|")
    if len(sides) != 2 or not sides[0].strip() or not sides[1].strip():
        raise FormulaError(
            f"residual={text!r} needs one bar: '{name}(visit | subject)' for the order of the rows within groups."
        )
    left, group = sides[0].strip(), sides[1].strip()
    if left == "1" and name == "cs":
        hom = True if given is None else hom
    if left == "1" and (kind != "cs" or not hom):
        raise FormulaError(
            f"residual={text!r} must say in which order, or at which visits, the rows of a group are: write "
            f"'{name}(visit | {group})', with a column of the data."
        )
    if "/" in group or "+" in group or "*" in group:
        raise FormulaError(
            f"residual={text!r} needs one grouping factor: write 'a:b' for combinations of two columns"
            + (f", '{name}({left} | {re.sub(r'[/ ]+', ':', group)})'." if "/" in group else ".")
        )
    return ResidualText(text, kind, hom, re.sub(r"^0\s*\+\s*", "", left), group)


def _with_names(template: str, inner: str) -> str:
    """Put the columns of the brackets `inner` in the place of the names in `template`, where they are told."""
    left, bar, group = inner.partition("|")
    order, group = left.rpartition("~")[2].strip(), group.partition(",")[0].strip()
    if not bar or not group:
        return template
    out = template.replace("| group)", f"| {group})").replace("| group,", f"| {group},")
    return out if order in ("", "1") else re.sub(r"\b(visit|time)(?= \|)|(?<=~ )visit\b", lambda _: order, out)


def _hom(value: str, name: str, kind: str, hom: bool, text: str) -> bool:
    if value not in ("True", "False", "TRUE", "FALSE"):
        raise FormulaError(f"residual={text!r}: hom must be True or False, not {value}.")
    wanted = value.lower() == "true"
    if kind in ("us", "car1") and wanted != hom:
        mend = "write 'homtoep' or 'homcs' for one variance" if kind == "us" else "add dispersion='~ visit'"
        raise FormulaError(f"residual={text!r}: {name} takes no hom={value}; {mend}.")
    return wanted


def read_dispersion(text: str) -> str:
    """Right side of ``dispersion=``.

    Raises
    ------
    FormulaError
        It is not a one-sided formula of log variance.
    """
    name = re.split(r"\W", text.strip())[0]
    if name in _FOREIGN:
        raise FormulaError(f"dispersion={text!r}: {name} of other packages is written {_FOREIGN[name]} here.")
    left, tilde, right = text.partition("~")
    if not tilde or left.strip() or not right.strip():
        raise FormulaError(
            f"dispersion={text!r} must be a one-sided formula of log sigma^2, such as '~ stratum', '~ log(x)' (a power "
            "of x) or '~ x'."
        )
    if "|" in right:
        raise FormulaError(f"dispersion={text!r} takes no random effects: write columns, as in '~ stratum + x'.")
    if re.match(r"\s*(0|-\s*1)\s*(\+|$)", right) or re.search(r"[-+]\s*0\s*$|-\s*1\s*$", right):
        raise FormulaError(
            f"dispersion={text!r} always has a constant, which is log sigma^2: leave out the 0 or - 1; residual_params "
            "has a standard deviation for each stratum."
        )
    return right.strip()
