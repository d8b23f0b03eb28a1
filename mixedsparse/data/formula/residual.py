"""``residual=`` and ``dispersion=`` on the rows of a model: the residual covariance, and the names of its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.choose.memory import check_memory
from mixedsparse.core.problem.correlated_rows import crosses
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.interface import Residual
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.series import Series
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.coded import code_sides
from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.contrasts import Contrast
from mixedsparse.data.formula.encoders import Encoder, fit_encoder
from mixedsparse.data.formula.frames import take
from mixedsparse.data.formula.grouping import Grouping
from mixedsparse.data.formula.parse import ParsedFormula
from mixedsparse.data.formula.residual_text import ResidualText, read_dispersion, read_residual
from mixedsparse.data.formula.visits import Order, make_structure, order_of
from mixedsparse.ground.errors import DataError, FormulaError

__all__ = ["ResidualRequest", "ResidualSide", "request_of"]

# Strata that are named one by one.
_MOST_STRATA = 60
# Share of its length that a covariate of the dispersion keeps beyond the constant and those before it.
_NEW = 1e-7
# What a pair of correlated rows takes where terms cross their groups: itself, and each product of two effects.
_BYTES_OF_PAIR, _BYTES_OF_PRODUCT = 60.0, 12.0


@dataclass(frozen=True, eq=False)
class ResidualSide:
    """The residual covariance of a model.

    Parameters
    ----------
    residual, dispersion : str or None
        As given.
    structure : Residual
        R as a function of its parameters.
    kind : str
        ``"us"``, ``"ar1"`` and so on; "" where rows are not correlated.
    group : str
        Name of the grouping factor of the residuals.
    groups : ndarray
        Its levels.
    order, order_column : str
        What is left of the bar, and the column that this is.
    strata : tuple of str
        Names of the strata of a dispersion by factors; empty otherwise.
    stratum : ndarray of int, shape (n,), or None
        Which of them each row is in.
    parsed, encoder, env
        How the covariates of the dispersion are made from new rows.
    """

    residual: str | None
    dispersion: str | None
    structure: Residual
    kind: str = ""
    group: str = ""
    groups: np.ndarray | None = None
    order: str = ""
    order_column: str = ""
    strata: tuple[str, ...] = ()
    stratum: np.ndarray | None = None
    parsed: ParsedFormula | None = None
    encoder: Encoder | None = None
    env: Mapping[str, Any] | None = None

    @property
    def takes_noise(self) -> bool:
        """Whether it contains one more variance of independent rows, as that of a term with a level per row."""
        return self.kind in ("us", "cs", "toep") or (bool(self.strata) and not self.kind)

    @property
    def text(self) -> str:
        """Both arguments as a call has them."""
        given = {"residual": self.residual, "dispersion": self.dispersion}
        return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)


@dataclass(frozen=True, eq=False)
class ResidualRequest:
    """The arguments, read before the rows are."""

    residual: str | None
    dispersion: str | None
    text: ResidualText | None
    within: ParsedFormula | None
    spread: ParsedFormula | None
    outer: Mapping[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that they use."""
        parts = [part.columns for part in (self.within, self.spread) if part is not None]
        return tuple(dict.fromkeys(name for part in parts for name in part))

    @property
    def text_of_columns(self) -> str:
        """Both arguments, for a message about a column that is not there."""
        given = {"residual": self.residual, "dispersion": self.dispersion}
        return " and ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)

    def build(
        self,
        raw: Mapping[str, Any],
        keep: np.ndarray | None,
        n: int,
        terms: Sequence[RandomTerm],
        contrasts: Mapping[str, Contrast],
    ) -> ResidualSide:
        """Make the covariance of the rows `keep`, n of them, of the columns `raw`; `terms` are those of the model.

        Raises
        ------
        DataError, FormulaError
            The data cannot support it; the message names the column and the mend.
        """
        complete = {name: take(raw[name], keep) for name in self.columns}
        facts: dict[str, Any] = {"residual": self.residual, "dispersion": self.dispersion}
        structure: Residual | None = None
        if self.text is not None and self.within is not None:
            structure, found = self._within(self.text, self.within, complete, n, terms)
            facts |= found
        if self.spread is not None and self.dispersion is not None:
            spread, found = _spread(self.dispersion, self.spread, complete, n, self.outer, contrasts)
            facts |= found
            structure = spread if structure is None else Product(spread, structure)
        assert structure is not None
        return ResidualSide(structure=structure, **facts)

    def _within(
        self,
        text: ResidualText,
        parsed: ParsedFormula,
        complete: Mapping[str, Any],
        n: int,
        terms: Sequence[RandomTerm],
    ) -> tuple[Residual, dict[str, Any]]:
        """Correlations within groups."""
        columns = Columns(complete, parsed.names, n, self.outer)
        bar = parsed.bars[0]
        if len(parsed.bars) != 1 or len(bar.groups) != 1:
            raise FormulaError(f"residual={text.text!r} needs one grouping factor: write 'a:b' for combinations.")
        atoms = bar.groups[0]
        factors = {atom.code: columns.factor(atom.code, atom.label, atom.alias) for atom in atoms}
        grouping, codes = Grouping.fit(atoms, factors)
        order: Order | None = None
        column = ""
        if text.left != "1":
            if len(bar.effects.bare) != 1 or not bar.effects.plain:
                raise FormulaError(
                    f"residual={text.text!r} needs one column before its bar, not {text.left!r}: make it in the data."
                )
            column = parsed.names[bar.effects.bare[0]]
            order = order_of(complete[column], text)
        structure = make_structure(text, codes, grouping.levels, order)
        _check_terms(text, structure, codes, order, terms, grouping.name)
        found = {"kind": text.kind, "group": grouping.name, "groups": grouping.levels, "order": text.left}
        return structure, found | {"order_column": column}


def request_of(
    residual: str | None,
    dispersion: str | None,
    read: Callable[[str, str], tuple[ParsedFormula, dict[str, Any]]],
) -> ResidualRequest | None:
    """Read the arguments, formulas and what uses them by `read`; None where neither is given."""
    if residual is None and dispersion is None:
        return None
    text = None if residual is None else read_residual(residual)
    outer: dict[str, Any] = {}
    within = spread = None
    if text is not None:
        within, names = read(text.formula, f"residual={residual!r}")
        outer |= names
    if dispersion is not None:
        spread, names = read(f"1 ~ {read_dispersion(dispersion)}", f"dispersion={dispersion!r}")
        outer |= names
    return ResidualRequest(residual, dispersion, text, within, spread, outer)


def _spread(
    text: str,
    parsed: ParsedFormula,
    complete: Mapping[str, Any],
    n: int,
    env: Mapping[str, Any],
    contrasts: Mapping[str, Contrast],
) -> tuple[Dispersion, dict[str, Any]]:
    """Log-linear variances, and what is to be known of their covariates."""
    if parsed.offsets:
        raise FormulaError(f"dispersion={text!r} takes no offset: known variances v of rows are weights=1 / v.")
    columns, side = Columns(complete, parsed.names, n, env), parsed.fixed
    values, codings = code_sides([side], columns, contrasts)
    encoder, matrix = fit_encoder(side, values, codings, n, env)
    checks.check_finite(matrix, encoder.names)
    W, names = matrix[:, 1:], encoder.names[1:]
    _check_covariates(text, W, names)
    facts: dict[str, Any] = {"parsed": parsed, "encoder": encoder, "env": dict(env)}
    family = Dispersion(W, tuple(names))
    if side.plain and set(side.aliases) <= set(codings) and len(family.distinct[0]) <= _MOST_STRATA:
        first = family.distinct[0]
        labels = [np.array([str(level) for level in codings[a].levels])[values[a][first]] for a in side.aliases]
        names_of = [":".join(row) for row in zip(*labels, strict=True)]
        # In the order of the levels of the factors, the first one, whose variance is sigma^2, first.
        places = np.lexsort([values[a][first] for a in reversed(side.aliases)])
        stratum = np.empty(len(places), dtype=int)
        stratum[places] = np.arange(len(places))
        facts |= {"strata": tuple(names_of[i] for i in places), "stratum": stratum[family.distinct[1]]}
    return family, facts


def _check_covariates(text: str, W: np.ndarray, names: Sequence[str]) -> None:
    """Refuse covariates of log variance that depend on each other, or on the constant."""
    if not W.shape[1]:
        raise FormulaError(f"dispersion={text!r} has a constant only, which sigma is: leave it out.")
    basis = np.full((len(W), 1), len(W) ** -0.5)
    for name, column in zip(names, W.T, strict=True):
        new = column - basis @ (basis.T @ column)
        new = new - basis @ (basis.T @ new)
        length = float(np.linalg.norm(new))
        if length <= _NEW * float(np.linalg.norm(column)):
            raise DataError(
                f"dispersion={text!r}: {name!r} is constant, or a combination of the columns before it, in the rows "
                "used: leave it out."
            )
        basis = np.column_stack([basis, new / length])


def _check_terms(
    text: ResidualText,
    structure: Residual,
    groups: np.ndarray,
    order: Order | None,
    terms: Sequence[RandomTerm],
    group: str,
) -> None:
    """Refuse terms that the residual covariance contains, and more pairs of rows than there is memory for."""
    crossing = 0
    for term in terms:
        if crosses(term.codes, groups):
            crossing += term.k
            continue
        same = len(np.unique(term.codes)) == int(groups.max()) + 1
        if same and _contains(text, term.z, order):
            raise FormulaError(
                f"The residual covariance {text.text!r} contains the term ({' + '.join(term.columns)} | {term.group}): "
                "no data tell them apart. Leave out the term, or residual=."
            )
    if crossing and not isinstance(structure, Series):
        sizes = np.bincount(groups).astype(float)
        pairs = float((sizes * (sizes - 1.0)).sum())
        check_memory(
            pairs * (_BYTES_OF_PAIR + _BYTES_OF_PRODUCT * crossing**2),
            f"residual={text.text!r} beside terms that cross {group}, for {pairs / 2.0:,.0f} pairs of rows,",
            f"use a random effect of {group} in its place, or groups of fewer rows",
        )


def _contains(text: ResidualText, z: np.ndarray, order: Order | None) -> bool:
    """Whether the structure of the residuals takes up effects z (n, k) of their groups."""
    constant = bool((z == z[0]).all())
    if text.kind == "us" and order is not None:
        first = np.zeros(int(order.codes.max()) + 1, dtype=int)
        first[order.codes] = np.arange(len(z))
        return bool((z[first[order.codes]] == z).all())
    return constant and text.hom and text.kind in ("cs", "toep")
