"""The structure of a design that came from formulas: which level is in which group, and patsy's names and order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.compat.dialect import patsy_columns
from mixedsparse.compat.formulas import FormulaComponent, Translation, quoted
from mixedsparse.compat.structure import Component, Effects, Structure, covariance_names, uncorrelated
from mixedsparse.ground.errors import FormulaError

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design
    from mixedsparse.data.formula.grouping import Grouping
    from mixedsparse.data.formula.newdata import TermEncoding

__all__ = ["formula_structure", "single_columns"]


def formula_structure(design: Design, translation: Translation, typed: str, name: str, only: Any) -> Structure:
    """Structure of the design of a translated formula.

    Parameters
    ----------
    design : Design
    translation : Translation
    typed : str
        Formula as the user typed it.
    name : str
        Name of the groups.
    only : object
        Label of the group when there is one.
    """
    encodings, terms = design.encoding.terms, design.terms
    if len(design.encoding.parsed.bars) != translation.n_bars:
        raise FormulaError(
            "The formula has random-effects terms in bars: give them as re_formula and vc_formula, or call "
            "mixedsparse.lmer with bars alone."
        )
    if translation.group is None:
        groups, codes = np.array([only]), np.zeros(len(design.y), dtype=np.intp)
    else:
        level, groups = _atom(encodings[0].grouping, translation.group)
        codes = level[terms[0].codes]
    widths = _widths(design)[int(translation.has_re) :]
    starts = np.cumsum([int(translation.has_re), *widths])
    components = tuple(
        _component(component, encodings[start : start + width], translation.group)
        for component, start, width in zip(translation.components, starts, widths, strict=False)
    )
    re_names = tuple(n.replace("Intercept", name) for n in terms[0].columns) if translation.has_re else ()
    return Structure(
        groups=groups,
        sizes=np.bincount(codes, minlength=len(groups)),
        codes=codes,
        re_names=re_names,
        re_params=covariance_names(re_names),
        components=components,
        fixed=patsy_columns(design.encoding.fixed, design.encoding.parsed, typed),
    )


def single_columns(design: Design, translation: Translation) -> Design:
    """`design` with the terms of components split into one term per column, as those with ``||`` are already."""
    for position in reversed(range(int(translation.has_re), len(design.terms))):
        if design.terms[position].k > 1:
            design = uncorrelated(design, position)
    return design


def _widths(design: Design) -> list[int]:
    """Terms of the design that each bar has become."""
    out, terms = [], iter(design.encoding.terms)
    for _ in design.encoding.parsed.bars:
        term = next(terms)
        width = 1 if term.column is None else len(term.encoder.names)
        out.append(width)
        for _ in range(width - 1):
            next(terms)
    return out


def _component(component: FormulaComponent, encodings: Sequence[TermEncoding], group: str | None) -> Component:
    grouping = encodings[0].grouping
    if len(encodings) > 1 or component.factors is None:
        levels = len(grouping.levels)
        groups = np.zeros(levels, dtype=np.intp) if group is None else _atom(grouping, group)[0]
        names = [f"{component.name}[{encoding.names[0]}]" for encoding in encodings]
        return Component(component.name, tuple(Effects(groups, np.full(levels, name, dtype=object)) for name in names))
    n = len(grouping.levels)
    own = {text: _atom(grouping, text) for text in component.groupings}
    labels = [component.label({t: levels[codes[i]] for t, (codes, levels) in own.items()}) for i in range(n)]
    codes = np.zeros(n, dtype=np.intp) if group is None else _atom(grouping, group)[0]
    return Component(component.name, (Effects(codes, np.array(labels, dtype=object)),))


def _atom(grouping: Grouping, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Code of one factor of a grouping at each of its levels, and the factor's own levels."""
    position = [quoted(atom.label) if atom.alias else atom.label for atom in grouping.atoms].index(text)
    levels = grouping.atom_levels[position]
    if grouping.keys is None:
        return np.arange(len(levels)), levels
    return np.unravel_index(grouping.keys, [len(lev) for lev in grouping.atom_levels])[position], levels
